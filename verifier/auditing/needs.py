"""What a violation needs to be seen: which switches, which kind of case. Two that need different things are two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

IN_A_GROUP = "given to a group, and not to the constructor: "
"""How it is told that options act otherwise in a group; their names follow."""

OF_LAW: Mapping[str, str] = {
    "maximize": "maximize = True",
    "layouts": "a layout",
    "absent_gradients": "an absent gradient",
    "late_parameters": "an absent gradient",
    "idle_step": "an absent gradient",
    "groups": "groups",
    "added_group": "groups",
    "schedule": "a change",
    "scheduled_lr": "a change",
    "nan_stays": "no number",
    "infinity_stays": "no number",
    "sparse_gradients": "sparse gradients",
    "complex_numbers": "complex numbers",
    "large_sizes": "a size",
    "sizes": "a size",
    "mixed_dtypes": "mixed formats",
    "tensor_lr": "lr in a tensor",
    "state_dtypes": "a state_dict",
    "resume": "a state_dict",
    "resume_across": "a state_dict",
    "resume_from_copy": "a state_dict",
    "resume_from_file": "a state_dict",
    "resume_from_pickle": "a state_dict",
    "resume_over_others": "a state_dict",
}
"""What a law does to every case, which its violations have by the law and not by themselves."""


def needed(
    law: str, case: Any, ran: Any, matters: Iterable[str], options: Sequence[Any], fixed: Mapping[str, float]
) -> tuple[str, ...]:
    """What a violation needs: switches and words with their values, numbers that are zero unless they are set, kinds
    of cases.

    `matters` are the settings without which it is gone, in words; `fixed` what the subject was built with in every
    case. Numbers whose default is not zero only make it larger, and are left out; so is what the law itself chose.
    """
    found = {OF_LAW[law]} if law in OF_LAW else set()
    told = tuple(matters)
    for option in options:
        names = (f"{option.name} = ", f"{option.name} (at ")
        words = next((text for text in told if text.startswith(names)), "")
        own = option.name in fixed and fixed[option.name] != option.default
        if (not words or words.endswith("(the law's choice)")) and not own:
            continue
        value = fixed[option.name] if own else case.hyper.get(option.name, option.default)
        if option.kind in ("switch", "word"):
            found.add(f"{option.name} = {option.plain(value)}")
        elif option.default == 0 and value != 0:
            found.add(option.name)
    parts = {
        "groups": len(case.groups) > 1,
        "a change": bool(case.schedule or ran.schedule),
        "an absent gradient": bool(case.absent),
        "maximize = True": case.maximize,
        "a layout": {case.layout, case.grad_layout} != {"contiguous"},
    }
    return tuple(sorted(found | {name for name, there in parts.items() if there}))


def explains(first: Sequence[str] | None, other: Sequence[str] | None) -> bool:
    """Whether a violation that needs `first` may be what shows in one that needs `other`: it has all of it.

    So may one of which it is not known what it needs.
    """
    return first is None or other is None or set(first) <= set(other)
