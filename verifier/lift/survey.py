"""How many of other people's optimizers lift whole, partly or not at all, and why: rows to a file, a table from them.

    python -m verifier.lift.survey reports/ecosystem.jsonl --into FOLDER [DISTRIBUTION ...]

Distributions are fetched into FOLDER, each into a folder of its own, and read one after the other in a process of
their own; each class in a fork with limits on time and memory. What has its row already is not read again, so a
survey that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from verifier.lift import packages
from verifier.lift.survey_table import table

SECONDS = 60  # of one core, for one class; three times that by the clock
MEMORY = 6 << 30  # bytes a class may add to its address space
_LONGEST = 300  # characters of a message

Row = Mapping[str, Any]


def read_class(target: str, say: Callable[[Row], None]) -> None:
    """Says what a lift of one class showed, then the same with the nearest rule where it follows none."""
    import torch

    from verifier.errors import UsageError
    from verifier.lift.lifted import lift
    from verifier.lift.matching import match, nearest

    torch.set_num_threads(1)
    try:
        found = lift(target)
    except UsageError as error:
        say({"status": "opaque", "stopped_by": str(error)})
        return
    row = {
        "status": found.status,
        "rule": found.rule is not None,
        "coupled": found.coupled,
        "scope": found.scope,
        "weight_decay": found.weight_decay,
        "decay": found.decay_words,
        "conditions": len(found.path_conditions),
        "ops": found.ops,
        "checked": found.checked,
        "stopped_by": found.stopped_by,
    }
    say(row)
    if found.rule is None:
        return
    proof = match(found)
    if proof is not None:
        states = dict(proof.maps or proof.states or {})
        say({**row, "matches": proof.rule, "states": states, "where": [str(w)[:_LONGEST] for w in proof.where]})
    elif (near := nearest(found)) is not None:
        say({**row, "nearest": near.rule, "proof": near.status.value, "differs": near.variable})


def survey(file: Path, into: Path, names: Iterable[str], seconds: int = SECONDS) -> None:
    """Appends to `file` a row for every class of the distributions, and one for each distribution, the last of its."""
    import sympy  # noqa: F401  # what every fork needs is imported once
    import torch  # noqa: F401

    finished = {row["package"] for row in rows(file) if "target" not in row}
    for name in packages.BESIDE:
        packages.install(name, into / "beside" / name)
    for name in names:
        if name in finished:
            continue
        started = time.time()
        why = packages.install(name, into / name)
        row: dict[str, Any] = {"package": name}
        if why:
            row = {**row, "stopped_by": f"does not install: {why}"}
        else:
            row |= {"version": packages.contents(into / name)[0]}
            said = forked(lambda say, n=name: read_package(file, into, n, seconds, say), silence=600 + 4 * seconds)  # type: ignore[misc]
            if "classes" in said:
                row |= said
            elif "stopped_by" in said:
                row |= {"stopped_by": f"does not import: {said['stopped_by']}"}
            else:
                row |= {"stopped_by": f"not read to the end: the last class was {said.get('read')}"}
        _append(file, {**_without_places(row, into), "seconds": round(time.time() - started)})


def read_package(file: Path, into: Path, name: str, seconds: int, say: Callable[[Row], None]) -> None:
    """Appends a row for every class of a distribution that has none; each class in a fork, so that none hurts the next.

    Raises what importing raised where no class was found and the package itself cannot be imported.
    """
    sys.path += [str(into / name), *(str(into / "beside" / n) for n in packages.BESIDE)]
    absent = packages.Absent()
    _, tops = packages.contents(into / name)
    found = packages.classes(tops, absent)
    if not found:
        for top in tops:
            importlib.import_module(top)
    known = {row.get("target") for row in rows(file) if row["package"] == name}
    for target in found:
        if target not in known:
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            row = forked(lambda say, t=target: read_class(t, say), seconds)  # type: ignore[misc]
            spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
            row = {"target": target, "package": name, **row, "seconds": round(spent, 1)}
            _append(file, _without_places(row, into))
        say({"read": target})
    say({"classes": len(found), "without": sorted(absent.names)})


def forked(work: Callable[[Callable[[Row], None]], None], seconds: int = 0, silence: float = 0) -> Row:
    """The last row that `work` said in a process of its own; if none, why: it raised, was too slow or too large, ended.

    `seconds` limits its time on one core, and four times that by the clock; `silence` the time between two rows.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(ours)
        try:
            _work(work, theirs, seconds)
        finally:
            os._exit(0)
    os.close(theirs)
    said, late = _listen(ours, child, silence or 3 * seconds)
    _, status = os.waitpid(child, 0)
    lines = [json.loads(line) for line in said.decode().splitlines() if line.endswith("}")]
    if lines:
        return lines[-1]  # type: ignore[no-any-return]
    slow = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL, signal.SIGALRM)
    why = f"took more than {seconds or silence} seconds" if late or slow else "its process ended without a word"
    return {"status": "opaque", "stopped_by": why}


def _work(work: Callable[[Callable[[Row], None]], None], pipe: int, seconds: int) -> None:
    """What a fork does: silent, within its limits, its rows and what it raised through the pipe."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    if seconds:
        signal.alarm(4 * seconds)  # even where nobody waits for it any more
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    with os.fdopen(pipe, "w") as out:

        def say(row: Row) -> None:
            out.write(json.dumps(row) + "\n")
            out.flush()

        try:
            work(say)
        except MemoryError:
            say({"status": "opaque", "stopped_by": "asked for too much memory"})
        except Exception as error:  # foreign code may raise anything
            say({"status": "opaque", "stopped_by": f"{type(error).__name__}: {error}"})


def _listen(pipe: int, child: int, patience: float) -> tuple[bytes, bool]:
    """What came through the pipe before it was closed, and whether the child was ended for being silent too long."""
    said = b""
    late = True
    try:
        while select.select([pipe], [], [], patience)[0]:
            part = os.read(pipe, 1 << 16)
            if not part:
                late = False
                break
            said += part
    finally:
        if late:
            os.killpg(child, signal.SIGKILL)
        os.close(pipe)
    return said, late


def _without_places(row: Row, into: Path) -> Row:
    """A row whose messages are short and name no folder of this machine."""
    return {k: _short(v, into) if isinstance(v, str) else v for k, v in row.items()}


def _short(text: str, into: Path) -> str:
    """A message without the folders of this machine, on one line."""
    for folder in (f"{into.resolve()}/", f"{into}/", f"{sys.prefix}/"):
        text = text.replace(folder, "")
    return " ".join(text.split())[:_LONGEST]


def _append(file: Path, row: Row) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row, sort_keys=True) + "\n")


def rows(file: Path) -> list[Row]:
    """The rows of a survey's file, none where there is no file yet; a line cut short by an interruption is not one."""
    if not file.exists():
        return []
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def main(arguments: list[str]) -> int:
    """Runs a survey, or the part of it that reads one distribution."""
    parser = argparse.ArgumentParser(prog="python -m verifier.lift.survey", description=__doc__)
    parser.add_argument("file", type=Path, help="the rows, one JSON object a line; the table goes beside it")
    parser.add_argument("--into", type=Path, required=True, help="the folder distributions are fetched into")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of one core that a class may take")
    parser.add_argument("--table", action="store_true", help="only writes the table of the rows that are there")
    parser.add_argument("distributions", nargs="*", help="those to read; all that are known by default")
    given = parser.parse_intermixed_args(arguments)
    os.environ |= {"TORCHDYNAMO_DISABLE": "1", "OMP_NUM_THREADS": "1"}  # read when torch is imported
    given.file.parent.mkdir(parents=True, exist_ok=True)
    given.into.mkdir(parents=True, exist_ok=True)
    if not given.table:
        survey(given.file, given.into, given.distributions or packages.DISTRIBUTIONS, given.seconds)
    given.file.with_suffix(".md").write_text(table(rows(given.file)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
