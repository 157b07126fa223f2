"""What the code of a class names besides its constructor: an option that nothing names is read by no step."""

from __future__ import annotations

import ast
import dis
import inspect
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from types import CodeType
from typing import Any, TypeGuard

import torch

BUILDING = ("__init__", "__setstate__", "__new__")
"""Methods that only put options where steps may read them."""


def unread(build: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the names that no code of the class's modules has in it, apart from the constructors of the class.

    Nothing is said to be unread where some of the code cannot be looked into.
    """
    told = {name for code in _codes(build) for name in _told(code)}
    told |= {name.lstrip("_") for name in told}
    return tuple(name for name in names if name not in told and _only_kept(build, name)) if told else ()


def _told(code: CodeType) -> Iterator[str]:
    """The names and words of a function that may be of an option it reads.

    Not those of arguments of calls, as `alpha=` of torch's, nor of local variables that nothing reads.
    """
    asked = list(dis.get_instructions(code))
    read, words = {*code.co_names, *code.co_freevars, *code.co_cellvars}, Counter[str]()
    for k, one in enumerate(asked):
        after = asked[k + 1].opname if k + 1 < len(asked) else ""
        if "FAST" in one.opname and one.opname != "STORE_FAST":
            read |= {name for name in (one.argval if isinstance(one.argval, tuple) else (one.argval,)) if _text(name)}
        elif one.opname == "LOAD_CONST" and after not in ("CALL_KW", "CALL_FUNCTION_KW"):  # what arguments are called
            words.update(c for c in (one.argval if isinstance(one.argval, tuple) else (one.argval,)) if _text(c))
    if "locals" in read:
        read |= {*code.co_varnames}
    kept = {*code.co_varnames} - read
    yield from read
    yield from (word for word, count in words.items() if word not in kept or count > 1)


def _only_kept(build: Any, name: str) -> bool:
    """Whether all constructors of the class do nothing with a name but refuse values, and keep it so called.

    What it is computed with, passed on as or kept as by another name may be read by that name.
    """
    for cls in getattr(build, "__mro__", ()):
        constructor = vars(cls).get("__init__")
        if cls in (object, torch.optim.Optimizer) or constructor is None:
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(constructor)))
        except (OSError, TypeError, SyntaxError):
            return False
        every = {id(node) for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name}
        if every - {id(node) for part in _harmless(tree, name) for node in ast.walk(part)}:
            return False
    return True


def _harmless(tree: ast.AST, name: str) -> Iterator[ast.AST]:
    """What refuses values, and values that are kept under the very name."""
    for node in ast.walk(tree):
        if _refuses(node):
            yield node
        elif isinstance(node, ast.keyword) and node.arg == name:
            yield from _alone(node.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == name:
                    yield from _alone(value)
        elif isinstance(node, ast.Assign) and all(_holds(target, name) for target in node.targets):
            yield from _alone(node.value)
        elif _defaults(node, name):
            yield from (part for one in node.args[1:] for part in _alone(one))


def _defaults(node: ast.AST, name: str) -> TypeGuard[ast.Call]:
    """Whether it is a call that gives an entry of that name a value where there is none."""
    return (
        isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "setdefault"
        and [getattr(one, "value", None) for one in node.args[:1]] == [name]
    )


def _refuses(node: ast.AST) -> bool:
    """Whether it only raises, if anything."""
    if isinstance(node, ast.If):
        return not node.orelse and all(isinstance(one, ast.Raise) for one in node.body)
    return isinstance(node, ast.Assert)


def _alone(value: ast.expr) -> Iterator[ast.AST]:
    """The value, where it is a name and nothing more."""
    if isinstance(value, ast.Name):
        yield value


def _holds(target: ast.expr, name: str) -> bool:
    """Whether it is an attribute, or an entry, of that name."""
    if isinstance(target, ast.Attribute):
        return target.attr.lstrip("_") == name
    return isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant) and target.slice.value == name


def _text(const: Any) -> bool:
    return isinstance(const, str)


def _codes(build: Any) -> Iterator[CodeType]:
    """The code of everything that the modules of the class and its bases hold, but for what builds the class."""
    classes = [c for c in getattr(build, "__mro__", ()) if c not in (object, torch.optim.Optimizer)]
    building = {vars(c).get(name) for c in classes for name in BUILDING}
    skipped = {_code(inspect.unwrap(f)) for f in building if f is not None}
    seen = set[CodeType]()
    for module in _modules(classes):
        for held in list(vars(module).values()):
            members = [*vars(held).values()] if inspect.isclass(held) else [held]
            for member in members:
                function = getattr(member, "fget", None) or getattr(member, "__func__", member)
                code = _code(inspect.unwrap(function)) if callable(function) else None
                if code is not None and code not in skipped:
                    yield from _inner(code, seen)


def _modules(classes: Sequence[type]) -> list[Any]:
    """The modules that hold the classes, and the others of their packages: what steps call may be there."""
    names = {c.__module__ for c in classes}
    roots = {name.partition(".")[0] + "." for name in names if "." in name} - {"torch."}
    return [m for name, m in list(sys.modules.items()) if m and (name in names or name.startswith(tuple(roots)))]


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
