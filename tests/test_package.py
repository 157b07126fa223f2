"""What is shipped: the wheel, what it needs, what it holds, and that it runs away from this checkout."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

IMPORT_NAMES = {"python-flint": "flint", "scikit-learn": "sklearn", "pytest-benchmark": "pytest_benchmark"}
"""Where the name one imports is not the distribution's."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel in it; what it depends on is borrowed from ours."""
    home = tmp_path_factory.mktemp("fresh")
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "pip", "-q", "--python", str(python), "install", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, text=True)
    site = next(home.glob("lib/python*/site-packages"))
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    (site / "borrowed.pth").write_text("\n".join(borrowed), encoding="utf-8")
    return home / "bin"


def test_only_verifier_can_be_imported_from_the_wheel(wheel: Path) -> None:
    """The wheel holds one package and its metadata: no tests, no properties, no tools."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}

    assert {"verifier", f"optimizer_verifier-{PROJECT['version']}.dist-info"} == tops


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Types, templates and schemas travel with the code; what git does not know stays here."""
    tracked = subprocess.run(["git", "ls-files", "verifier"], cwd=ROOT, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())

    assert set() == {name for name in tracked.stdout.splitlines() if (ROOT / name).exists()} - held
    assert "verifier/py.typed" in held


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("verifier", "--help"), "Usage: verifier"),
        (("python", "-m", "verifier", "--help"), "Usage: verifier"),
        (("verifier", "derive", "sgd"), "weight_decay"),
    ],
)
def test_the_installed_program_runs_outside_the_tree(
    installed: Path, tmp_path: Path, command: tuple[str, ...], says: str
) -> None:
    """Both ways to start it work from an empty folder, and what runs is what was installed."""
    program, *arguments = command
    done = subprocess.run([installed / program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    where = [installed / "python", "-c", "import verifier; print(verifier.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert 0 == done.returncode, done.stderr
    assert says in done.stdout
    assert Path(found.stdout.strip()).is_relative_to(installed.parent)


def test_pytest_finds_the_plugin_and_hears_nothing_of_it(installed: Path, tmp_path: Path) -> None:
    """The plugin is loaded by its entry point and silent in a test run that has nothing to do with it."""
    (tmp_path / "test_other.py").write_text("def test_other(): pass\n", encoding="utf-8")
    quiet = [installed / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header"]
    done = subprocess.run(quiet, cwd=tmp_path, capture_output=True, text=True, check=False)
    helped = subprocess.run([*quiet, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    assert "verifier" not in done.stdout
    assert "--verifier-evidence" in helped.stdout


def foreign(path: Path) -> Iterator[str]:
    """The top-level names of the modules a file imports that are neither Python's nor ours."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top not in ("verifier", "__future__"):
                yield top


def distributions(requirements: list[str]) -> set[str]:
    """The import names of requirements."""
    names = [re.split(r"[^A-Za-z0-9_-]", requirement)[0].lower() for requirement in requirements]
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def test_what_is_imported_is_declared() -> None:
    """Every package the library imports is a dependency or, for data and benchmarks, an extra."""
    extras = PROJECT["optional-dependencies"]
    declared = distributions([*PROJECT["dependencies"], *extras["verify"], *extras["bench"]])
    used = {name for path in (ROOT / "verifier").rglob("*.py") for name in foreign(path)}

    assert set() == used - declared


def test_every_dependency_says_why() -> None:
    """Each line of pyproject.toml that names a package has a comment that says what it is for."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    named = [line for line in table.splitlines() if re.search(r'"[A-Za-z0-9_-]+>=', line)]

    assert len(PROJECT["dependencies"]) + sum(map(len, PROJECT["optional-dependencies"].values())) == len(named)
    assert [] == [line for line in named if not re.search(r"# \S+ \S+", line)]


def test_torch_is_pinned_exactly_where_it_is_installed() -> None:
    """An open range would fetch gigabytes of another build, so constraints.txt names one version of torch."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()

    assert 1 == sum(line.startswith("torch==") for line in lines)
    assert [] == [line for line in lines if line and not re.match(r"#|[a-z0-9-]+==[0-9][0-9.]*$", line)]


def test_ci_runs_the_second_command_of_the_readme() -> None:
    """What a newcomer is told to type is what CI types."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)

    assert 2 == len(commands)
    assert commands[0].endswith("nox -s verify")
    assert commands[1].endswith("nox -s tests")
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_test_says_what_it_shows() -> None:
    """A test's docstring states the behaviour; its name alone is not enough."""
    silent = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]

    assert [] == silent


def test_nothing_is_compared_by_feel() -> None:
    """No closeness by a tolerance anywhere in the library, the properties or their tests."""
    words = ("allclose", "isclose", "assert_close", "rtol", "atol", "approx")
    folders = ("verifier", "properties")
    found = [
        f"{path.relative_to(ROOT)}: {node.id if isinstance(node, ast.Name) else node.attr}"
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Name) and node.id in words) or (isinstance(node, ast.Attribute) and node.attr in words)
    ]

    assert [] == found
