"""Which law rejects which mistake, in which format: every law is put to every mutant, and what survives is said."""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TextIO

from verifier import evidence, power, pytest_run, write
from verifier.floats import FORMATS
from verifier.power import Kill
from verifier.progress import phases
from verifier.verify import Options, start

EVERYWHERE = ("reals", *FORMATS)
"""Where a mutant may be killed: by algebra, and in each float format."""


def measure(names: Sequence[str], options: Options, messages: TextIO | None = None) -> tuple[list[Kill], Path]:
    """Every kill of the rules `names`, and the evidence file they are recorded in."""
    stream = sys.stderr if messages is None else messages
    run = evidence.run_name(f"power-{options.profile}")
    path = evidence.writable(options.out / "evidence") / f"{run}.jsonl"
    evidence.append(path, start(options, run, ""))
    kills: list[Kill] = []
    with tempfile.TemporaryDirectory() as folder, phases(stream, quiet=options.quiet) as begin:
        scratch = Path(folder)
        phase = begin("algebra", len(names))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
            for count, found in enumerate(pool.map(power.symbolic, names), 1):
                kills += found
                phase.update(count)
        properties = scratch / "properties"
        properties.mkdir()
        write.write(properties, names)
        rows = scratch / "rows.jsonl"
        rows.touch()
        task = pytest_run.PytestRun(
            properties=properties,
            evidence=rows,
            log=path.with_suffix(".log"),
            device="cpu",
            profile=options.profile,
            seed=options.seed,
            workers=options.processes,
            expected=scratch / "none.toml",
            subjects="mutants",
        )
        phase = begin("mutants", 0)
        code = pytest_run.run(task, lambda seen: phase.update(seen.done, seen.planned))
        if code not in (0, pytest_run.TESTS_FAILED):
            raise RuntimeError(f"pytest ended with code {code}; its output is in {task.log}")
        kills += power.measured(evidence.read(rows))
    for kill in kills:
        evidence.append(path, kill.to_json())
    evidence.append(path, {"kind": "end", "end": True, "exit_code": 0, "interrupted": False})
    return kills, path


def text(kills: Iterable[Kill]) -> str:
    """The kill matrix as text: rule by rule, each mutant with the laws that reject it and where."""
    by_rule: dict[str, dict[str, dict[str, list[str]]]] = {}
    for kill in kills:
        laws = by_rule.setdefault(kill.rule, {}).setdefault(kill.mutant, {})
        where = laws.setdefault(kill.law, [])
        if kill.killed:
            where.append(kill.dtype)
    lines = []
    for rule, mutants in by_rule.items():
        lines.append(rule)
        width = max(map(len, mutants))
        for mutant, laws in sorted(mutants.items()):
            killers = [f"{law} ({_places(where)})" for law, where in sorted(laws.items()) if where]
            lines.append(f"  {mutant:<{width}}  {', '.join(killers) or 'SURVIVES'}")
    return "\n".join(lines) + "\n"


def surviving(kills: Iterable[Kill]) -> list[str]:
    """The mutants that no law rejects anywhere, as rule.mutant."""
    seen: dict[str, bool] = {}
    for kill in kills:
        name = f"{kill.rule}.{kill.mutant}"
        seen[name] = seen.get(name, False) or kill.killed
    return sorted(name for name, killed in seen.items() if not killed)


def _places(where: Sequence[str]) -> str:
    places = [place for place in EVERYWHERE if place in where]
    return "everywhere" if len(places) == len(EVERYWHERE) else ", ".join(places)
