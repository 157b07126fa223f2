"""Which words an option may be: those that the code of a class compares it with."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any


def words(build: Any, name: str) -> tuple[str, ...]:
    """The words that an option called `name` is compared with, or looked up in, by a class or those it is made of.

    In the order of the code, each once; words of a tuple, set or dictionary of the module or the class too. Classes of
    torch, whose options are documented with `Literal` or checked by name, are not read.
    """
    found: dict[str, None] = {}
    for one in getattr(build, "__mro__", (build,)):
        module = sys.modules.get(getattr(one, "__module__", ""))
        if module is None or module.__name__.partition(".")[0] in ("builtins", "torch", "typing", "abc"):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(one)))
        except (OSError, TypeError, SyntaxError):
            continue
        for node in ast.walk(tree):
            found |= dict.fromkeys(_of(node, name, {**vars(module), **vars(one)}))
    return tuple(found)


def _of(node: ast.AST, name: str, known: dict[str, Any]) -> Iterator[str]:
    """The words beside an option in one comparison, look-up or match."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        if any(_is(side, name) for side in sides):
            yield from _in(sides, known)
    elif isinstance(node, ast.Subscript) and _is(node.slice, name):
        yield from _in([node.value], known)
    elif isinstance(node, ast.Match) and _is(node.subject, name):
        yield from _in([v.value for v in ast.walk(node) if isinstance(v, ast.MatchValue)], known)


def _is(node: ast.AST, name: str) -> bool:
    """Whether an expression is the option: by its name, in a group, or as an attribute; in small letters perhaps."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("lower", "get"):
        key = node.args[0] if node.args else None
        return _is(node.func.value, name) or (isinstance(key, ast.Constant) and key.value == name)
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value == name
    if isinstance(node, ast.Attribute):
        return node.attr.lstrip("_") == name
    return isinstance(node, ast.Name) and node.id == name


def _in(nodes: Iterable[ast.AST], known: dict[str, Any]) -> Iterator[str]:
    """The words that expressions are, hold, or stand for in the module."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Tuple | ast.List | ast.Set):
            yield from _in(node.elts, known)
        elif isinstance(node, ast.Dict):
            yield from _in([key for key in node.keys if key is not None], known)
        elif isinstance(value := known.get(_called(node)), tuple | list | set | frozenset | dict):
            ordered = sorted(value, key=str) if isinstance(value, set | frozenset) else value
            yield from (one for one in ordered if isinstance(one, str))


def _called(node: ast.AST) -> str:
    """The name of the module's, or of the class's where it is an attribute, that an expression is."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
