"""Options of parameter groups are not checked, and SGD's constructor accepts a learning rate of NaN.

Constructors refuse a negative lr; the same value in a group is accepted, as is an option that does not exist, such
as a misspelt weight_decay, which then silently has its default.

No bug: a maintainer answered the report that not every case can be checked; schedulers keep options in groups.

Report: pytorch/pytorch#30889, closed: of a negative lr written into a group later; of misspelt ones, none found.
"""

import torch


def refused(group: dict[str, float], **options: float) -> bool:
    try:
        torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], **group}], **options)
    except (ValueError, TypeError):
        return True
    return False


kept = refused({"lr": -1.0}) and refused({"weigth_decay": 0.5}) and refused({}, lr=torch.nan)
raise SystemExit(int(not kept))
