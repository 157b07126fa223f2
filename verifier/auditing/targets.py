"""From what a person names to optimizer classes: one class, or every one in a file or package."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.errors import UsageError, nearest

if TYPE_CHECKING:
    from verifier.auditing.warm import Warm


@dataclass(frozen=True)
class Targets:
    """The classes to audit, as pkg.mod:Class, and what was found and is not audited: name -> why."""

    audited: tuple[str, ...]
    left_out: dict[str, str]


def expand(names: tuple[str, ...], warm: Warm | None = None) -> Targets:
    """Every class that `names` stand for, files and packages read in a fork of `warm` where there is one.

    UsageError where a name stands for none.
    """
    audited: dict[str, None] = {}
    left_out: dict[str, str] = {}
    for name in names:
        if name.partition(":")[0].endswith(".ipynb"):
            told = "is a notebook, which cannot be imported; write its class into a file of Python, and audit that"
            raise UsageError(told, where=name)
        if ":" in name:
            audited[name] = None
            continue
        found = _listed(name) if warm is None else _elsewhere(name, warm)
        for target, why in found:
            if why:
                left_out[target] = why
            else:
                audited[target] = None
        if not any(not why for _, why in found):
            raise UsageError(f"there is no optimizer in {name!r}", given=name)
    return Targets(tuple(audited), left_out)


def near_target(given: str, missing: str | None) -> str:
    """What was perhaps meant by a target whose module `missing` there is none of; "; did you mean ...?" or empty."""
    from verifier.lift.construct import neighbours

    place, _, name = given.rpartition(".")
    of_torch = {word.lower(): word for word in _CLASSES_OF_TORCH}.get(given.lower())
    if ":" not in given and place.endswith(".py") and name:  # my.py.Lion
        return f"; did you mean {f'{place}:{name}'!r}?"
    if ":" not in given and place and missing == given and name[:1].isupper():
        return f"; did you mean {f'{place}:{name}'!r}?"
    if ":" not in given and of_torch is not None:
        return f"; did you mean {f'torch.optim:{of_torch}'!r}?"
    if ":" not in given and Path(f"{given}.py").is_file():
        return f"; did you mean {f'{given}.py'!r}?"
    if missing and "." in missing and (beside := nearest(missing, neighbours(missing))):
        return f"; did you mean {beside!r}?"
    installed = sorted({module.partition(".")[0] for module in metadata.packages_distributions()})
    near = nearest((missing or given).partition(".")[0], installed)
    return f"; did you mean {near!r}?" if near is not None and near != missing else ""


_CLASSES_OF_TORCH = frozenset(
    {"ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon", "NAdam", "RAdam",
     "RMSprop", "Rprop", "SGD", "SparseAdam"}
)  # fmt: skip


def _elsewhere(name: str, warm: Warm) -> list[tuple[str, str]]:
    """What `_listed` returns or raises in a fork of `warm`."""
    answer = warm.folder / "listed"
    if warm.ended(warm.start("verifier.auditing.targets:_write_listed", name, str(answer))) != 0:
        raise UsageError("cannot be imported", where=name)
    told = json.loads(answer.read_text(encoding="utf-8"))
    if isinstance(told, dict):
        raise UsageError(**told)
    return [(str(target), str(why)) for target, why in told]


def _write_listed(name: str, answer: str) -> None:
    told: Any
    try:
        told = _listed(name)
    except UsageError as error:
        told = {"what": error.what, "where": error.where, "given": error.given, "accepted": error.accepted}
    Path(answer).write_text(json.dumps(told), encoding="utf-8")


FILE, PACKAGE = 60.0, 300.0
"""Seconds that importing a file may take, and all modules of a package."""


def _listed(name: str) -> list[tuple[str, str]]:
    """(target, why it is not audited or "") of every optimizer class in a file or package, found in a child."""
    from verifier.subjects.torch_sandbox import Died, half_of_memory, in_child

    seconds = FILE if name.endswith(".py") else PACKAGE
    answer = in_child(lambda: _classes(name), seconds=seconds, memory=half_of_memory())
    if isinstance(answer, Died):
        raise UsageError(f"cannot be imported: it {answer.how}", where=name)
    if isinstance(answer, tuple):
        kind, text = answer
        raise UsageError(text if kind == "UsageError" else f"cannot be imported: {kind}: {text}", where=name)
    found: list[tuple[str, str]] = answer
    return found


def _classes(name: str) -> list[tuple[str, str]]:
    import importlib.util
    import inspect
    import pkgutil

    import torch

    from verifier.lift.construct import _from_file

    if not name.endswith(".py") and not all(part.isidentifier() for part in name.split(".")):
        told = f"target {name!r} is neither pkg.mod:Class, path/file.py:Class, a file, nor a package as it is imported"
        installed = importlib.util.find_spec(name.replace("-", "_")) if name.replace("-", "_").isidentifier() else None
        raise UsageError(told + (f"; did you mean {installed.name!r}?" if installed else ""))
    found: dict[str, tuple[Any, str]] = {}
    broken: list[tuple[str, str]] = []
    if name.endswith(".py"):
        modules = [(name, _from_file(Path(name)))]
    else:
        try:
            top = importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise UsageError(f"no module {error.name!r}{near_target(name, error.name)}", given=name) from error
        modules = [(name, top)]
        for info in pkgutil.walk_packages(getattr(top, "__path__", []), f"{name}.", onerror=lambda _: None):
            if any(part.startswith(("_", "test")) for part in info.name.split(".")[1:]):
                continue
            try:
                modules.append((info.name, importlib.import_module(info.name)))
            except BaseException as error:  # foreign code: whatever it raises, it cannot be imported
                broken.append((info.name, f"cannot be imported: {type(error).__name__}"))
    for place, module in modules:
        for attribute, cls in sorted(vars(module).items()):
            if not inspect.isclass(cls) or not callable(getattr(cls, "step", None)) or attribute.startswith("_"):
                continue
            inside = name.endswith(".py") or cls.__module__.partition(".")[0] == name.partition(".")[0]
            is_optimizer = issubclass(cls, torch.optim.Optimizer) or hasattr(cls, "zero_grad")
            if inside and is_optimizer and cls is not torch.optim.Optimizer:
                key = f"{cls.__module__}:{cls.__qualname__}"
                if key not in found or _rank(place, cls) < _rank(found[key][1].partition(":")[0], cls):
                    found[key] = (cls, f"{place}:{attribute}")
    listed = []
    written = any(not _imported(cls, modules[0][1]) for cls, _ in found.values())
    for cls, target in found.values():
        own_step = cls.step is not torch.optim.Optimizer.step
        why = "" if own_step and not inspect.isabstract(cls) else "it is abstract"
        if name.endswith(".py") and written and _imported(cls, modules[0][1]):
            why = f"it is imported from {cls.__module__}"
        listed.append((target, why))
    return sorted(listed) + broken


def _imported(cls: type, module: Any) -> bool:
    """Whether a class that a module shows is that of another module."""
    home = sys.modules.get(cls.__module__)
    return home is not None and home is not module and getattr(home, cls.__qualname__, None) is cls


def _rank(place: str, cls: type) -> tuple[bool, int]:
    """Least for the name a user knows: where a package shows the class, then where it is written, not a neighbour."""
    return not f"{cls.__module__}.".startswith(f"{place}."), len(place)
