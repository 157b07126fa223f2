"""Imports only go down. The floors are those of ARCHITECTURE.md, and what is read is every import statement."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "verifier"
LONGEST = 400  # lines of a module that can still be read in one sitting

MAY_IMPORT_TORCH = ("subjects/torch", "lift/", "tutorial/", "claims", "bench/", "auditing/")
MAY_IMPORT_SYMPY_AT_ONCE = ("cli", "config", "plugin", "errors", "evidence", "__init__", "__main__")


def units() -> dict[str, list[Path]]:
    """What stands on a floor: each module of the package, and each of its folders as a whole."""
    found: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        found.setdefault(f"{inside.parts[0]}/" if len(inside.parts) > 1 else inside.stem, []).append(path)
    return found


def floors(text: str) -> dict[str, int]:
    """The floor of each unit, from the block of ARCHITECTURE.md whose lines begin with a floor's number."""
    block = re.search(r"## Floors.*?```text\n(.*?)```", text, re.DOTALL)
    assert block is not None, "ARCHITECTURE.md has no block of floors"
    found: dict[str, int] = {}
    floor = -1
    for line in block[1].splitlines():
        number = re.match(r" *(\d+) ", line)
        floor = int(number[1]) if number else floor
        for unit in line.split()[1 if number else 0 :]:
            assert unit not in found, f"{unit} stands on two floors"
            found[unit] = floor
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """The dotted name of everything a module imports, at its top or in a function; for types alone is left out."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_once(tree: ast.Module) -> Iterator[str]:
    """What importing the module imports: its statements outside functions."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(ast.Module([node], []))


def unit_of(name: str, known: Mapping[str, object]) -> str | None:
    """The unit that the import `verifier.x.y` reaches; None for one that stays outside the package."""
    parts = name.split(".")
    if parts[0] != "verifier" or len(parts) == 1:
        return None
    return next((unit for unit in (parts[1], f"{parts[1]}/") if unit in known), "__init__")


def graph() -> dict[str, set[str]]:
    """unit -> the units it imports."""
    known = units()
    return {
        unit: {
            reached
            for path in paths
            for name in imported(ast.parse(path.read_text(encoding="utf-8")))
            if (reached := unit_of(name, known)) not in (None, unit)
        }
        for unit, paths in known.items()
    }


def climbs(imports: Mapping[str, set[str]], floor: Mapping[str, int]) -> list[str]:
    """The imports that go up, each as a sentence."""
    return [
        f"{unit} (floor {floor[unit]}) imports {reached} (floor {floor[reached]})"
        for unit, reaches in sorted(imports.items())
        for reached in sorted(reaches)
        if floor[reached] > floor[unit]
    ]


def circles(imports: Mapping[str, set[str]]) -> list[str]:
    """The units that reach themselves."""

    def reach(unit: str) -> set[str]:
        seen: set[str] = set()
        front = set(imports[unit])
        while front:
            seen |= front
            front = {further for near in front for further in imports.get(near, set())} - seen
        return seen

    return sorted(unit for unit in imports if unit in reach(unit))


def modules() -> dict[str, set[str]]:
    """module -> the modules it imports, one by one, those of its own package too; a package's face is left out."""
    paths = {
        ".".join(("verifier", *path.relative_to(PACKAGE).with_suffix("").parts)): path
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
    }
    return {
        module: {
            reached
            for name in imported(ast.parse(path.read_text(encoding="utf-8")))
            for reached in (name, name.rpartition(".")[0])
            if reached in paths and reached != module
        }
        for module, path in paths.items()
    }


@pytest.fixture(scope="module")
def floor() -> dict[str, int]:
    return floors((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))


def test_every_module_stands_on_one_floor(floor: dict[str, int]) -> None:
    """ARCHITECTURE.md names each module that exists, and none that does not."""
    assert sorted(units()) == sorted(floor)


def test_imports_only_go_down(floor: dict[str, int]) -> None:
    """No module imports one of a higher floor, not even inside a function."""
    assert [] == climbs(graph(), floor)


def test_nothing_imports_itself_in_a_circle() -> None:
    """Modules of one floor may use each other, in one direction."""
    assert [] == circles(graph())


def test_modules_of_a_package_form_no_circle() -> None:
    """Inside a package too, not even by an import inside a function."""
    assert [] == circles(modules())


def test_torch_stays_where_it_is_tested() -> None:
    """Only the torch subjects, lift, the tutorial, the claims about code, the benchmark and the audit import torch."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == "torch" for name in imported(ast.parse(path.read_text(encoding="utf-8"))))
    }

    assert set() == {name for name in found if not name.startswith(MAY_IMPORT_TORCH)}


@pytest.mark.parametrize("name", MAY_IMPORT_SYMPY_AT_ONCE)
def test_what_starts_first_is_light(name: str) -> None:
    """The program, the pytest plugin and what they stand on import neither torch nor sympy nor numpy when imported."""
    tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))

    assert set() == {"torch", "sympy", "numpy"} & {module.split(".")[0] for module in at_once(tree)}


def test_modules_can_be_read_in_one_sitting() -> None:
    """No module is longer than 400 lines."""
    lines = {path.relative_to(PACKAGE).as_posix(): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}

    assert {} == {name: count for name, count in lines.items() if count > LONGEST}


def test_an_import_that_goes_up_is_noticed() -> None:
    """The check has something to reject: a rule that imports the report, and two modules that import each other."""
    imports = {"rule": {"report"}, "report": {"evidence"}, "evidence": set()}

    assert ["rule (floor 0) imports report (floor 5)"] == climbs(imports, {"rule": 0, "evidence": 0, "report": 5})
    assert ["a", "b"] == circles({"a": {"b"}, "b": {"a"}, "c": {"a"}})


def test_an_import_inside_a_function_is_seen() -> None:
    """A late import is an import; one that only types need is none."""
    tree = ast.parse("def f():\n    from verifier import report\nif TYPE_CHECKING:\n    from verifier.cli import run\n")

    assert ["verifier.report"] == list(imported(tree))
    assert [] == list(at_once(tree))
