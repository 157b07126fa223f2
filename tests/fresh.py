"""Fresh seeds of the generated laws: what one seed examines, what came of many, and a run that can be gone on with.

A seed takes every SHARE-th law of the rules below (seed s those whose number plus s is a multiple of SHARE), each on
one subject: for-loop or foreach, in one of four formats, the next one each time the law's turn comes. The law runs on
Hypothesis's simplest case and on one fresh case, drawn as in the ci profile, from the seed alone. So SHARE * 8 seeds
that follow one another meet every law on every subject once, each time with a case nobody has seen.

    python -m tests.fresh FIRST LAST FILE      runs the seeds FIRST to LAST-1, less those FILE holds already
    python -m tests.fresh FILE                 says what FILE holds
"""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings

from verifier import expected, lineup, record
from verifier.case import Refused, Subject
from verifier.rule import Rule
from verifier.rules import names

PROPERTIES = Path(__file__).parents[1] / "properties"
RULES = tuple(n for n in names() if n.startswith(("sgd", "adam", "rmsprop")) and not n.startswith("adamax"))
IMPLEMENTATIONS = ("forloop", "foreach")
SHARE = 3

SETTINGS = settings(
    max_examples=2,  # the simplest case comes first, then a fresh one
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Checked:
    """A generated law, as the function pytest would call."""

    id: str
    rule: Rule
    run: Callable[..., None]


@dataclass
class Counts:
    """What seeds examined and found. `elements` are element-checks, `vacuous` those that show nothing."""

    seeds: int = 0
    rows: int = 0  # laws run, each on one subject
    cases: int = 0  # runs of an optimizer
    elements: int = 0
    vacuous: int = 0
    inconclusive: int = 0  # rows in which nothing was compared
    listed: Counter[str] = field(default_factory=Counter)  # violations of expected.toml, by id
    violations: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Adds what other seeds found."""
        for name in ("seeds", "rows", "cases", "elements", "vacuous", "inconclusive"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.listed.update(other.listed)
        self.violations += other.violations


@functools.cache
def laws() -> tuple[Checked, ...]:
    """Every generated law of the rules, read from properties/ apart from pytest's own import of it."""
    found = []
    for name in RULES:
        spec = importlib.util.spec_from_file_location(f"fresh_{name}", PROPERTIES / f"test_{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for key, function in vars(module).items():
            if key.startswith("test_"):
                found.append(Checked(f"{name}.{key.removeprefix('test_')}", module.rule, SETTINGS(function)))
    return tuple(found)


@functools.cache
def subjects(rule: Rule) -> tuple[Subject, ...]:
    """Where a law is run: for-loop and foreach, in every format."""
    return tuple(s for s in lineup.of(rule, "cpu") if s.implementation in IMPLEMENTATIONS)


@functools.cache
def listed() -> tuple[expected.Expected, ...]:
    """The known failures."""
    return expected.read(PROPERTIES / "expected.toml")


def turn(seed: int) -> Iterable[tuple[Checked, Subject]]:
    """The laws whose turn it is, each with its subject."""
    for number, law in enumerate(laws()):
        if (number + seed) % SHARE == 0:
            found = subjects(law.rule)
            yield law, found[(seed // SHARE + number) % len(found)]


def run_seed(seed: int) -> Counts:
    """Runs one seed."""
    counts = Counts(seeds=1)
    for law, subject in turn(seed):
        seen = record.start()
        try:
            hypothesis.seed(seed)(law.run)(subject=subject)
        except record.Violation as found:
            key = f"{law.id}@{subject.id}"
            if expected.reason(listed(), key) is None:
                counts.violations.append(f"seed {seed}, {key}: {found.sentence}")
            else:
                counts.listed[key] += 1
        except Refused:
            pass
        counts.rows += 1
        counts.cases += seen.cases
        counts.elements += seen.elements
        counts.vacuous += seen.vacuous
        counts.inconclusive += seen.empty and seen.violation is None
    return counts


def done(path: Path) -> dict[int, Counts]:
    """What a file holds, by seed."""
    found: dict[int, Counts] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            row: dict[str, Any] = json.loads(line)
            seed = row.pop("seed")
            found[seed] = Counts(**{**row, "listed": Counter(row["listed"])})
    return found


def run_seeds(seeds: Iterable[int], path: Path) -> Counts:
    """Runs the seeds that `path` does not hold yet, a line each, and adds up all that were asked for."""
    known = done(path)
    total = Counts()
    for seed in seeds:
        if seed not in known:
            known[seed] = run_seed(seed)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"seed": seed, **vars(known[seed])}) + "\n")
        total.add(known[seed])
    return total


def text(total: Counts) -> str:
    """The totals in words."""
    lines = [
        f"{total.seeds} seeds, each one law in {SHARE} of the {len(laws())} laws of {len(RULES)} rules",
        f"{total.rows} rows, {total.cases} runs, {total.elements} element-checks, {total.vacuous} of them vacuous",
        f"{total.inconclusive} rows compared nothing",
        f"{sum(total.listed.values())} violations of {len(total.listed)} listed rows",
        *(f"    {n} x {key}" for key, n in sorted(total.listed.items())),
        f"{len(total.violations)} violations that are not listed",
        *(f"    {line}" for line in total.violations),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    if len(sys.argv) > 2:
        first, last, where = sys.argv[1:]
        print(text(run_seeds(range(int(first), int(last)), Path(where))))
    else:
        total = Counts()
        for counts in done(Path(sys.argv[1])).values():
            total.add(counts)
        print(text(total))
