"""How many of a package's optimizers lift whole, partly or not at all, and why: rows to a file, a table from it.

    python -m verifier.lift.survey reports/ecosystem.jsonl PACKAGE ...

Each class is read in a fork of its own with a time limit; a class whose row is there is not read again.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import signal
import subprocess
import sys
import types
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

SECONDS = 60  # for one class
_SKIPPED = ("test", "triton", "cuda", "setup")
Row = Mapping[str, Any]


def modules(package: str) -> Iterator[types.ModuleType]:
    """The modules of a package that can be imported, its own `__init__` left out where that fails.

    timm's needs torchvision, for which there is no CPU build: its optimizers do not.
    """
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(package)
    try:
        yield importlib.import_module(package)
    except ImportError:
        _bare(package, list(spec.submodule_search_locations or []))
    for place in list(spec.submodule_search_locations or []):
        for found in sorted(pkgutil.walk_packages([place], f"{package}."), key=lambda m: m.name):
            if any(part in found.name.lower() for part in _SKIPPED):
                continue
            try:
                module = importlib.import_module(found.name)
            except BaseException:  # foreign code: whatever it raises or exits with, it cannot be imported
                continue
            yield module


def _bare(package: str, places: list[str]) -> None:
    """Registers a package without running its `__init__`; its own subpackages named optim likewise."""
    for name in (package, f"{package}.optim"):
        module = types.ModuleType(name)
        module.__path__ = [str(Path(p).joinpath(*name.split(".")[1:])) for p in places]
        sys.modules[name] = module


def classes(package: str) -> list[str]:
    """The optimizer classes a package defines, as pkg.mod:Class."""
    import torch

    found = set()
    for module in modules(package):
        for cls in vars(module).values():
            if (
                inspect.isclass(cls)
                and issubclass(cls, torch.optim.Optimizer)
                and cls.__module__.partition(".")[0] == package
            ):
                found.add(f"{cls.__module__}:{cls.__qualname__}")
    return sorted(found)


def read_class(target: str) -> Row:
    """What a lift of one class showed."""
    import torch

    from verifier.errors import UsageError
    from verifier.lift.lifted import lift
    from verifier.lift.matching import match

    torch.set_num_threads(1)
    try:
        found = lift(target)
    except UsageError as error:
        return {"status": "opaque", "stopped_by": str(error)}
    proof = match(found)
    return {
        "status": found.status,
        "rule": found.rule is not None,
        "coupled": found.coupled,
        "scope": found.scope,
        "weight_decay": found.weight_decay,
        "matches": proof.rule if proof is not None else None,
        "conditions": len(found.path_conditions),
        "ops": found.ops,
        "checked": found.checked,
        "stopped_by": found.stopped_by,
    }


def survey(file: Path, packages: Iterable[str]) -> None:
    """Appends a row for every class of `packages` that `file` has none of, each package in a process of its own."""
    environment = {**os.environ, "TORCHDYNAMO_DISABLE": "1", "OMP_NUM_THREADS": "1"}
    for package in packages:
        command = [sys.executable, "-W", "ignore", "-m", "verifier.lift.survey", "--package", str(file), package]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            _append(file, {"target": package, "package": package, "status": "opaque", "stopped_by": last[0][:300]})


def read_package(file: Path, package: str) -> None:
    """Appends a row for every class of a package; each class in a fork, so that none can hurt the next."""
    known = {row["target"] for row in rows(file)}
    for target in classes(package):
        if target in known:
            continue
        child = os.fork()
        if child == 0:
            signal.alarm(SECONDS)  # ends the fork, whatever the class is doing
            row: Row
            try:
                row = read_class(target)
            except Exception as error:  # foreign code may raise anything
                row = {"status": "opaque", "stopped_by": f"{type(error).__name__}: {error}"[:300]}
            _append(file, {"target": target, "package": package, **row})
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
            why = f"took more than {SECONDS} seconds" if late else f"its process ended with status {status}"
            _append(file, {"target": target, "package": package, "status": "opaque", "stopped_by": why})


def _append(file: Path, row: Row) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row, sort_keys=True) + "\n")


def rows(file: Path) -> list[Row]:
    """The rows of a survey's file; none where there is no file yet."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def table(found: Iterable[Row]) -> str:
    """The survey as Markdown: counts a package, decay semantics, and what stopped the rest."""
    found = list(found)
    kinds = ("whole, one element", "whole, more than one element", "partly", "not")
    by_package: dict[str, Counter[str]] = {}
    for row in found:
        by_package.setdefault(row["package"], Counter())[_kind(row)] += 1
    lines = ["# Optimizers nobody here wrote, read out of their code", ""]
    lines += ["| package | classes | " + " | ".join(kinds) + " |", "| --- |" + " ---: |" * (len(kinds) + 1)]
    for package, counts in sorted(by_package.items()):
        numbers = " | ".join(str(counts[k]) for k in kinds)
        lines.append(f"| {package} | {counts.total()} | {numbers} |")
    total = sum(by_package.values(), Counter[str]())
    lines.append(f"| all | {total.total()} | " + " | ".join(str(total[k]) for k in kinds) + " |")
    decay = Counter(row["weight_decay"] for row in found if row.get("rule"))
    lines += ["", "Weight decay of those with a rule of one element, from the expression:", ""]
    lines += [f"- {kind}: {count}" for kind, count in decay.most_common()]
    matched = Counter(row["matches"] for row in found if row.get("matches"))
    lines += ["", "Proved to follow a rule of the catalogue:", ""]
    lines += [f"- {rule}: {count}" for rule, count in matched.most_common()]
    lines += ["", "What stopped the rest:", ""]
    for row in sorted(found, key=lambda r: str(r["target"])):
        if row["status"] != "lifted":
            lines.append(f"- `{row['target']}`: {row['status']}, {row.get('stopped_by')}")
    return "\n".join(lines) + "\n"


def _kind(row: Row) -> str:
    if row["status"] == "lifted":
        return "whole, one element" if row.get("rule") else "whole, more than one element"
    return "partly" if row["status"] == "partial" else "not"


def main(arguments: list[str]) -> int:
    """Runs a survey, or the part of it that reads one package."""
    if arguments[:1] == ["--list"]:
        print(json.dumps({"classes": classes(arguments[1])}))
    elif arguments[:1] == ["--package"]:
        read_package(Path(arguments[1]), arguments[2])
    elif len(arguments) >= 1:
        file = Path(arguments[0])
        survey(file, arguments[1:])
        file.with_suffix(".md").write_text(table(rows(file)), encoding="utf-8")
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
