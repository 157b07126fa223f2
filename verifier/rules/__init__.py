"""The update rules: one module a rule, named after it and exporting `rule`, imported when it is asked for."""

from __future__ import annotations

import importlib
import runpy
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.errors import UsageError

if TYPE_CHECKING:
    from verifier.rule import Rule

_NAMES = (
    "sgd",
    "sgd_momentum",
    "sgd_nesterov",
    "adam",
    "adam_amsgrad",
    "adamw",
    "adamw_amsgrad",
    "adamax",
    "nadam",
    "nadam_decoupled",
    "radam",
    "radam_decoupled",
    "adagrad",
    "adadelta",
    "rmsprop",
    "rmsprop_centered",
    "rmsprop_momentum",
    "rmsprop_centered_momentum",
    "rprop",
    "asgd",
)

_PUBLISHED = (
    "signsgd",
    "signum",
    "lion",
    "qhm",
    "qhadam",
    "adabelief",
    "yogi",
    "laprop",
    "ademamix",
    "adan",
    "adabelief_rectified",
    "adamod",
    "aggmo",
    "diffgrad",
    "padam",
    "padam_amsgrad",
    "madgrad",
)

_NOT_COVERED = {
    "adafactor": "its second moment is a product of row and column means, and its step is scaled by norms of the whole "
    "tensor: no rule for one element exists, and the rule language has no reductions",
    "muon": "its step is a Newton-Schulz iteration on the whole momentum matrix: no rule for one element exists",
    "sparseadam": "its moments and parameters move only where a sparse gradient has an entry, while the step count "
    "moves everywhere: cases hold dense gradients only",
    "lbfgs": "its step reads inner products over all parameters of the last updates, and calls the closure several "
    "times: no rule for one element exists, and cases hold gradients, not losses",
}


def names() -> tuple[str, ...]:
    """The names of the rules that torch.optim implements, related rules side by side: `verifier verify` tests these."""
    return _NAMES


def published() -> tuple[str, ...]:
    """The names of rules that others publish and torch.optim lacks: an audit compares code with these as well."""
    return _PUBLISHED


def not_covered() -> dict[str, str]:
    """The optimizers of torch.optim without a rule here, each with the reason."""
    return dict(_NOT_COVERED)


def get(name: str) -> Rule:
    """The rule called `name`; UsageError offers the nearest name, or says why an optimizer has no rule."""
    if name in (*_NAMES, *_PUBLISHED):
        rule: Rule = importlib.import_module(f"{__name__}.{name}").rule
        return rule
    if name in _NOT_COVERED:
        raise UsageError(f"{name!r} has no rule: {_NOT_COVERED[name]}", given="")
    raise UsageError(f"there is no rule {name!r}", given=name, accepted=(*_NAMES, *_PUBLISHED))


def load(source: str) -> Rule:
    """The rule in the Python file `source`, written `path.py` or `path.py:name`; the name is `rule` if left out.

    UsageError says in one line which file, line and symbol is wrong.
    """
    from verifier.rule import Rule, RuleError

    path, name = _split(source)
    if not path.is_file():
        raise UsageError("there is no such rule file", where=str(path))
    try:
        found = runpy.run_path(str(path))
    except (NameError, SyntaxError, ImportError, AttributeError, TypeError, RuleError) as error:
        where = f"{path}, line {_line(error, path)}"
        raise UsageError(f"{type(error).__name__}: {getattr(error, 'msg', error)}", where=where) from error
    rules = {key: value for key, value in found.items() if isinstance(value, Rule)}
    if name not in rules:
        raise UsageError(f"no Rule is called {name!r} there", where=str(path), given=name, accepted=sorted(rules))
    return rules[name]


def _split(source: str) -> tuple[Path, str]:
    head, colon, tail = source.rpartition(":")
    if colon and tail.isidentifier() and head.endswith(".py"):
        return Path(head), tail
    return Path(source), "rule"


def _line(error: Exception, path: Path) -> int:
    """The last line of the file that was being read when `error` was raised."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (lines[-1] or 0) if lines else 0
