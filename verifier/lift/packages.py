"""Packages that ship optimizers for torch: which there are, how to fetch one, how to import what may not import."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import inspect
import os
import re
import signal
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

DISTRIBUTIONS = tuple(Path(__file__).with_name("packages.txt").read_text(encoding="utf-8").split())
"""Names on the Python package index, as pip takes them."""

BESIDE = ("einops", "colorama", "tabulate", "pyyaml", "packaging")
"""Small packages without dependencies that several of these import."""

INSTALL_SECONDS = 600
IMPORT_SECONDS = 60  # for one module
_SKIPPED = re.compile(r"(^|[._])(tests?|setup|conftest|examples?|benchmarks?|__main__)($|[._])")
_CLASS = re.compile(r"^\s*class\s+\w+\s*\(", re.MULTILINE)


def install(distribution: str, folder: Path) -> str:
    """Fetches one distribution, without what it depends on, into a folder of its own; '' or why that failed."""
    done = folder / ".installed"
    if done.exists():
        return ""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--disable-pip-version-check",
               "--target", str(folder), distribution]  # fmt: skip
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        return f"took more than {INSTALL_SECONDS} seconds to install"
    if ran.returncode:
        said = [line for line in ran.stderr.splitlines() if "rror" in line] or ran.stderr.strip().splitlines()
        return (said[-1] if said else f"pip ended with {ran.returncode}").strip()
    folder.mkdir(parents=True, exist_ok=True)
    done.touch()
    return ""


def contents(folder: Path) -> tuple[str, list[str]]:
    """The version of the distribution in a folder, and the names of the packages and modules it holds."""
    version = next((d.version for d in distributions(path=[str(folder)])), "")
    names = {p.name for p in folder.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    names |= {p.stem for p in folder.glob("*.py")}
    names |= {p.name for p in folder.iterdir() if p.is_dir() and any(p.glob("*.py"))}
    return version, sorted(n for n in names if n.isidentifier() and not _SKIPPED.search(n))


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for foreign packages that are not there, by name: they import, and nothing of theirs can be run.

    While `importing`, a call gives back its one argument where that is a function or class, as a decorator does.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.importing = True

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] not in self.names:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _AbsentModule(spec.name, self)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""


def stand_in(name: str) -> None:
    """Puts a module that stands in for an absent package into its place; called by what `stand_ins` writes."""
    absent = Absent()
    absent.names.add(name)
    sys.meta_path.append(absent)
    module = _AbsentModule(name, absent)
    module.__spec__ = importlib.machinery.ModuleSpec(name, absent, is_package=True)  # torch._dynamo looks for some
    sys.modules[name] = module


def make_importable(modules: Sequence[str], folder: Path, places: Sequence[str]) -> None:
    """Writes into `folder`, first of `places`, what it takes for modules to be imported, as far as anything helps.

    A package that is not there gets one that imports and can do nothing. Where that is not enough, the packages above
    a module get an `__init__` that runs nothing and leads to their own files.
    """
    path = os.pathsep.join([*places, *filter(None, [os.environ.get("PYTHONPATH", "")])])
    words = [sys.executable, "-W", "ignore", "-c", _IMPORTING]
    left = list(modules)
    for _ in range(30 + len(left)):
        if not left:
            return
        try:
            ran = subprocess.run([*words, *left], capture_output=True, text=True, check=False,
                                 timeout=INSTALL_SECONDS, env={**os.environ, "PYTHONPATH": path})  # fmt: skip
        except subprocess.TimeoutExpired:
            return
        told = [line.split() for line in ran.stderr.splitlines() if line.startswith("cannot import ")]
        if not told:
            return
        module, missing = told[-1][2], told[-1][3]
        if missing.isidentifier() and not (folder / missing).exists():
            _write(folder / missing, "from verifier.lift.packages import stand_in\n\nstand_in(__name__)\n")
        elif not _bared(module, folder, places[1:]):
            left.remove(module)


_IMPORTING = """
import sys
for name in sys.argv[1:]:
    missing = ""
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        missing = (error.name or "?").partition(".")[0]
    except BaseException:
        missing = "?"
    if missing:
        sys.exit(f"\\ncannot import {name} {missing}")
"""


def _bared(module: str, folder: Path, places: Sequence[str]) -> bool:
    """Writes bare packages above a module; whether any was written that was not there."""
    parents = module.split(".")[:-1]
    fresh = False
    for k in range(1, len(parents) + 1):
        real = next((p for place in places if (p := Path(place, *parents[:k])).is_dir()), None)
        if real is not None and not folder.joinpath(*parents[:k]).exists():
            _write(folder.joinpath(*parents[:k]), f"__path__ += [{str(real)!r}]\n")
            fresh = True
    return fresh


def _write(package: Path, text: str) -> None:
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(text, encoding="utf-8")


class _AbsentModule(types.ModuleType):
    def __init__(self, name: str, finder: Absent) -> None:
        super().__init__(name)
        self.__finder = finder
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        finder = self.__finder

        return _missing(finder, f"{self.__name__}.{name}")(name, (), {})


class _StandIn(type):
    """The kind of every stand-in, and of what inherits from one."""


def _missing(finder: Absent, called: str) -> type[type]:
    """The kind of a name of a package that is not there: it can be a base class, a decorator, an annotation."""

    class Meta(_StandIn):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if not finder.importing:
                raise ImportError(f"{called} is not there")
            if len(args) == 1 and not kwargs and (inspect.isfunction(args[0]) or inspect.isclass(args[0])):
                return args[0]
            return cls

        def __getattr__(cls, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return cls

        def __getitem__(cls, key: Any) -> Any:
            return cls

        def __or__(cls, other: Any) -> Any:
            return cls

        __ror__ = __or__

    return Meta


class _TooLong(BaseException):
    """A module's import took too long; no `except Exception` of the module may stop it."""


def modules(package: str, absent: Absent) -> Iterator[types.ModuleType]:
    """The modules of a package that can be imported and may define an optimizer.

    Where a package's own `__init__` fails, what lies below it is imported without running it; what it misses of other
    packages is stood in for. timm's needs torchvision, for which there is no CPU build: its optimizers do not.
    """
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(package)
    found = [package, *_below(package, list(spec.submodule_search_locations or []))]
    for name in found:
        module = _imported(name, absent)
        if module is not None:
            yield module


def _below(package: str, places: Sequence[str]) -> list[str]:
    """The names of a package's modules whose source speaks of optimizers and has classes, found without importing."""
    found = set()
    for place in map(Path, places):
        for file in place.rglob("*.py"):
            parts = file.relative_to(place).with_suffix("").parts
            name = ".".join((package, *parts)).removesuffix(".__init__")
            if name == package or not all(p.isidentifier() for p in parts) or _SKIPPED.search(".".join(parts)):
                continue
            text = file.read_text(encoding="utf-8", errors="replace")
            if _CLASS.search(text) and "Optim" in text:
                found.add(name)
    return sorted(found)


def _imported(name: str, absent: Absent) -> types.ModuleType | None:
    """The module; None where nothing makes it import."""
    before = set(sys.modules)
    for bare in (False, True):
        for _ in range(30):
            if bare:
                _bare(name.split(".")[:-1])
            try:
                return _within(IMPORT_SECONDS, name)
            except ModuleNotFoundError as error:
                missing = (error.name or "").partition(".")[0]
                _forget(before, name)
                if not missing or missing in absent.names or missing == name.partition(".")[0]:
                    break
                absent.names.add(missing)
            except BaseException:  # foreign code: whatever it raises or exits with, it cannot be imported like this
                _forget(before, name)
                break
    return None


def _within(seconds: int, name: str) -> types.ModuleType:
    def late(*_: Any) -> None:
        raise _TooLong

    old = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        return importlib.import_module(name)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def _forget(before: set[str], name: str) -> None:
    top = name.partition(".")[0]
    for other in set(sys.modules) - before:
        if other.partition(".")[0] == top:
            del sys.modules[other]


def _bare(parents: Sequence[str]) -> None:
    """Registers the packages above a module without running their `__init__`, those not yet imported."""
    for k in range(1, len(parents) + 1):
        name = ".".join(parents[:k])
        if name in sys.modules:
            continue
        spec = importlib.machinery.PathFinder.find_spec(name, None if k == 1 else _path_of(parents[: k - 1]))
        if spec is None:
            return
        module = types.ModuleType(name)
        module.__path__ = list(spec.submodule_search_locations or [])
        sys.modules[name] = module


def _path_of(parents: Sequence[str]) -> list[str]:
    return list(getattr(sys.modules[".".join(parents)], "__path__", []))


def _optimizer(cls: type) -> bool:
    """Whether a class is one of torch's optimizers, or of a base that was copied from them."""
    from torch.optim import Optimizer

    named = ("step", "zero_grad", "add_param_group", "state_dict")
    alike = not isinstance(cls, _StandIn) and all(callable(getattr(cls, n, None)) for n in named)
    return issubclass(cls, Optimizer) or alike


def classes(packages: Sequence[str], absent: Absent) -> list[str]:
    """The optimizer classes that packages define, as pkg.mod:Class."""
    sys.meta_path.append(absent)
    found = set()
    for package in packages:
        for module in modules(package, absent):
            for cls in list(vars(module).values()):
                if inspect.isclass(cls) and cls.__module__.partition(".")[0] == package and _optimizer(cls):
                    found.add(f"{cls.__module__}:{cls.__qualname__}")
    absent.importing = False
    return sorted(found)
