"""Whether runs come to every place of the code that names an option: of what was not reached, they say nothing."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

BUILDING = ("__init__", "__setstate__", "__new__", "add_param_group")
"""Methods that take options, and take no steps."""

Place = tuple[str, frozenset[int]]
"""A file, and the lines of one statement in it, or of the head of one that holds others."""


def passed_by(build: Any, name: str, runs: Callable[[], Any], *, whole: bool) -> bool:
    """Whether a statement of the class, or of a function it calls, that names the option is in no line `runs()` takes.

    With `whole`, in a function that `runs()` never enters: a line may be left out by the very mistake that is looked
    for, as a buffer that is never kept. What builds the optimizer does not count, nor what other modules define. False
    where no statement names it.
    """
    places = set(_places(build, name, whole))
    files = {file for file, _ in places}
    taken: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        code: CodeType = frame.f_code
        if code.co_filename not in files:
            return None
        taken.add((code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        runs()
    finally:
        sys.settrace(before)
    return any(not any((file, line) in taken for line in lines) for file, lines in places)


def _places(build: Any, name: str, whole: bool) -> Iterator[Place]:
    """The statements that name an option in a class, in those it is made of, and in functions of their modules."""
    classes: dict[str, dict[str, set[str]]] = {}
    replaced: set[str] = set()
    for one in getattr(build, "__mro__", ()):
        if one.__module__ in sys.modules and one.__module__.partition(".")[0] not in ("builtins", "torch"):
            classes.setdefault(one.__module__, {})[one.__name__] = set(replaced)
            replaced |= {n for n, f in vars(one).items() if "super" not in getattr(_code(f), "co_names", ("super",))}
    for place, own in classes.items():
        try:
            file = inspect.getsourcefile(sys.modules[place])
            tree = ast.parse(inspect.getsource(sys.modules[place]))
        except (OSError, TypeError, SyntaxError):
            continue
        for node in _used(tree, own):
            if isinstance(node, ast.FunctionDef) and node.name not in BUILDING:
                naming = [_lines(one) for one in _statements(node.body) if _names(one, name)]
                every = frozenset(line for one in _statements(node.body) for line in _lines(one))
                yield from ((str(file), every if whole else lines) for lines in naming)


def _code(member: Any) -> CodeType | None:
    return getattr(inspect.unwrap(member) if callable(member) else member, "__code__", None)


def _used(tree: ast.Module, own: Mapping[str, set[str]]) -> list[ast.AST]:
    """All nodes of the classes in `own`, but for methods named there, and of the module's functions that they name.

    Or that those functions name.
    """
    functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
    waiting: list[ast.AST] = [
        part
        for one in tree.body
        if isinstance(one, ast.ClassDef) and one.name in own
        for part in one.body
        if getattr(part, "name", "") not in own[one.name]
    ]
    found: list[ast.AST] = []
    while waiting:
        nodes = list(ast.walk(waiting.pop()))
        found += nodes
        waiting += [functions.pop(n.id) for n in nodes if isinstance(n, ast.Name) and n.id in functions]
    return found


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a function, of every depth, but for those of functions in it."""
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        yield one
        for field in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(one, field, []))
        for handler in getattr(one, "handlers", []):
            yield from _statements(handler.body)


def _lines(one: ast.stmt) -> frozenset[int]:
    """The lines of a statement, and of one that holds others those before them."""
    body = getattr(one, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) and body else one.end_lineno or one.lineno
    return frozenset(range(one.lineno, max(one.lineno, last) + 1))


def _names(one: ast.stmt, name: str) -> bool:
    """Whether a statement itself, and not one in it, has the option in it: as a word, a name or an attribute."""
    held = [part for child in ast.iter_child_nodes(one) if not isinstance(child, ast.stmt | ast.excepthandler)
            for part in ast.walk(child)]  # fmt: skip
    return any(
        (isinstance(part, ast.Constant) and part.value == name)
        or (isinstance(part, ast.Name) and part.id == name)
        or (isinstance(part, ast.Attribute) and part.attr.lstrip("_") == name)
        for part in held
    )
