"""Proves and tests optimizers: update rules as data, laws derived from them, rounding enclosed without tolerances.

    >>> rule = verifier.lift(MyOptimizer)  # read out of its code
    >>> verifier.prove(rule, "adamw").status

Importing this package imports neither torch nor sympy; using it does.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`audit`, `lift`, `prove` and `pytest`, imported when they are first asked for."""
    if name == "audit":
        return importlib.import_module("verifier.auditing.audit").audit
    if name == "pytest":
        return importlib.import_module("verifier.pytest")
    if name == "lift":
        return importlib.import_module("verifier.lift")
    if name == "prove":
        return importlib.import_module("verifier.lift").prove
    raise AttributeError(f"module 'verifier' has no attribute {name!r}")
