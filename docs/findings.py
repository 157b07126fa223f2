"""Writes docs/findings.md: what is wrong in the shipped torch, from the docstrings of the scripts that show it.

`--check` changes nothing and fails where the page is not what it would be.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "findings.md"
VERSION = "2.13.0"

HEAD = """# What is wrong in torch {version}

Found on CPU by the properties (`verifier verify`), by `verifier audit torch.optim --profile ci`, or by reading, as the
second column says. Each script imports torch alone and exits 1 while what it says is so; `tests/test_findings.py` runs
them all. Reports were searched for in GitHub's issues and pull requests, as stored in autumn 2026, with the words
given; that none was found does not say that there is none. Written by `python docs/findings.py`.

"""

TABLE = """| {what} | shown by | script | report |
| --- | --- | --- | --- |
"""

NOTES = """
## Undocumented, and no bug

The audit tells these as conventions or notes. Each may cost somebody a day; none breaks what is promised.

"""

SHOWN = {
    "adafactor_foreach_mixed_dtypes": "audit of Adafactor: `mixed_dtypes`",
    "adagrad_group_accumulator": "audit of Adagrad: `starting_options`",
    "asgd_lr_acts_late": "audit of ASGD: `scheduled_lr`",
    "differentiable_single_precision": "audit of Adam, AdamW, NAdam: `implementations`",
    "differentiable_zero_lr_nan": "audit of Adam, AdamW: `stays_finite`",
    "empty_parameters": "audit of Adafactor and LBFGS: `shapes`, and a note of Muon",
    "float16_eps_vanishes": "properties: `zero_lr`, `fixed_point`; in audits a note",
    "float64_single_precision_scalars": "reading; in audits of NAdam and ASGD a note",
    "foreach_adagrad_rounds_lr": "properties: `adagrad.*` of 16 bits in foreach",
    "foreach_nesterov_changes_grad": "audit of SGD: `purity`",
    "foreach_sgd_rounds_momentum": "properties: `absent_gradients`; audit of timm's copy, SGDW",
    "fused_cpu_ignores_strides": "audit of SGD, Adam, AdamW, Adagrad: `layouts`",
    "fused_sgd_half_momentum_out_of_bounds": "audit of SGD: results that change from run to run",
    "fused_sgd_half_precision": "audit of SGD: `step_follows`, `implementations`",
    "fused_sgd_late_gradient": "audit of SGD: `absent_gradients`, `late_parameters`",
    "fused_sgd_skipped_first_step": "audit of SGD: `skipped_first_step`",
    "groups_share_tensor_lr": "reading",
    "lbfgs_copy_cannot_step": "audit of LBFGS: `copying`, `pickling`",
    "load_state_casts_scalars": "audit of NAdam, ASGD: `state_dtypes`, `resume`",
    "load_state_shares_memory": "audit of any: `state_apart`",
    "options_not_checked": "audit of any: a note",
    "radam_foreach_nan": "audit of RAdam: `implementations`",
    "rmsprop_centered_negative_variance": "audit of RMSprop: `stays_finite`",
    "rmsprop_momentum_switched_on": "audit of RMSprop: `switched_on`",
    "rprop_etaminus_rounds_to_one": "reading",
    "rprop_first_step_clamped": "audit of Rprop: a convention",
    "rprop_swallows_nan": "audit of Rprop: a note",
}
"""Script -> what shows the same without it."""

NO_BUG = "\n\nNo bug: "
"""How the paragraph begins that says why something is no bug."""


def said(script: Path) -> str:
    """The docstring of a script."""
    return ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""


def row(script: Path) -> str:
    """The line of one script: its first sentence, what shows the same, a link, and its `Report:` paragraph."""
    text = said(script)
    first, report = text.partition("\n\n")[0], text.partition("\n\nReport: ")[2]
    report = re.sub(r"(\w+/\w+)#(\d+)", r"[\1#\2](https://github.com/\1/issues/\2)", " ".join(report.split()))
    why = text.partition(NO_BUG)[2].partition("\n\n")[0]
    what = " ".join(f"{first} {why[:1].upper()}{why[1:]}".split())
    return f"| {what} | {SHOWN[script.stem]} | [{script.stem}](../tests/findings/{script.name}) | {report} |\n"


def page() -> str:
    """The whole page."""
    scripts = sorted((ROOT / "tests" / "findings").glob("*.py"))
    bugs, notes = ([s for s in scripts if (NO_BUG in said(s)) is note] for note in (False, True))
    wrong, other = TABLE.format(what="what is wrong"), TABLE.format(what="what it does, and why that is no bug")
    return HEAD.format(version=VERSION) + wrong + "".join(map(row, bugs)) + NOTES + other + "".join(map(row, notes))


def main(arguments: list[str]) -> int:
    """Writes the page, or says that it is not what it would be."""
    if "--check" in arguments:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
