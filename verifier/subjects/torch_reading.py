"""What the code of a class names besides its constructor: an option that nothing names is read by no step."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

import torch

BUILDING = ("__init__", "__setstate__", "__new__")
"""Methods that only put options where steps may read them."""


def unread(build: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the names that no code of the class's modules has in it, apart from the constructors of the class.

    Nothing is said to be unread where some of the code cannot be looked into.
    """
    told = set[str]()
    for code in _codes(build):
        told |= {*code.co_names, *code.co_varnames, *code.co_freevars}
        told |= {c for const in code.co_consts for c in (const if isinstance(const, tuple) else (const,)) if _text(c)}
    return tuple(name for name in names if name not in told) if told else ()


def _text(const: Any) -> bool:
    return isinstance(const, str)


def _codes(build: Any) -> Iterator[CodeType]:
    """The code of everything that the modules of the class and its bases hold, but for what builds the class."""
    classes = [c for c in getattr(build, "__mro__", ()) if c not in (object, torch.optim.Optimizer)]
    building = {vars(c).get(name) for c in classes for name in BUILDING}
    skipped = {_code(inspect.unwrap(f)) for f in building if f is not None}
    seen = set[CodeType]()
    for module in {sys.modules[c.__module__] for c in classes if c.__module__ in sys.modules}:
        for held in list(vars(module).values()):
            members = [*vars(held).values()] if inspect.isclass(held) else [held]
            for member in members:
                function = getattr(member, "fget", None) or getattr(member, "__func__", member)
                code = _code(inspect.unwrap(function)) if callable(function) else None
                if code is not None and code not in skipped:
                    yield from _inner(code, seen)


def _code(function: Any) -> CodeType | None:
    return getattr(function, "__code__", None)


def _inner(code: CodeType, seen: set[CodeType]) -> Iterator[CodeType]:
    """A function's code, and that of what is defined in it."""
    if code in seen:
        return
    seen.add(code)
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _inner(const, seen)
