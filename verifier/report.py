"""What all the evidence says, and what it does not: merges evidence files of any machines into one `Report`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from verifier.errors import UsageError
from verifier.evidence import SCHEMA_VERSION, Strength, Verdict, read, summary
from verifier.rows import (
    Claim,
    Derivation,
    Listing,
    NotCovered,
    PowerRow,
    ProofRow,
    Row,
    Run,
    Target,
    Timing,
    Unexamined,
    build,
    parse,
)

_NOT_IDENTITY = ("commit", "device", "seed")
"""What a machine record says of the run rather than of the machine."""


@dataclass(frozen=True)
class Report:
    """Everything that was found out, in a fixed order, and everything that was not.

    A row that says `held` and shows nothing (no case, or only unbounded enclosures) is inconclusive from birth, so
    no format can render it green.
    """

    runs: tuple[Run, ...] = ()
    claims: tuple[Claim, ...] = ()
    proofs: tuple[ProofRow, ...] = ()
    evidence: tuple[Row, ...] = ()
    power: tuple[PowerRow, ...] = ()
    timings: tuple[Timing, ...] = ()
    not_covered: tuple[NotCovered, ...] = ()
    unexamined: tuple[Unexamined, ...] = ()
    derivations: tuple[Derivation, ...] = ()
    targets: tuple[Target, ...] = ()
    listings: tuple[Listing, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "evidence", tuple(settled(row) for row in self.evidence))

    @property
    def machine(self) -> Mapping[str, Any]:
        """The first run's machine, as plain data."""
        return self.runs[0].machine if self.runs else {}

    @property
    def commit(self) -> str:
        """The commit the first run was made from; empty where it is not known."""
        return str(self.machine.get("commit") or "")

    @property
    def seed(self) -> int | None:
        """The first run's seed."""
        return self.runs[0].seed if self.runs else None

    @property
    def profile(self) -> str:
        """The first run's profile: smoke, ci or nightly."""
        return self.runs[0].profile if self.runs else ""

    @property
    def machines(self) -> dict[str, Run]:
        """The first run of every machine, by the machine's label."""
        found: dict[str, Run] = {}
        for run in self.runs:
            found.setdefault(run.label, run)
        return found

    @property
    def counts(self) -> dict[str, int]:
        """Rows by verdict; a listed violation counts as `expected`."""
        return summary(self.evidence)

    @property
    def interrupted(self) -> bool:
        """Whether some run was cut short and none went on from it."""
        return any(run.interrupted for run in self.runs)

    @property
    def missing(self) -> int:
        """How many rows were planned and never written, over all runs that nothing went on from."""
        written: Counter[tuple[str, str]] = Counter()
        for run in self.runs:
            written[run.label, run.fingerprint or run.run] += run.rows
        last = {(run.label, run.fingerprint or run.run): run for run in self.runs if not run.resumed}
        return sum(max(0, (run.planned or 0) - written[key]) for key, run in last.items())

    @property
    def unlisted(self) -> tuple[Row, ...]:
        """The violations that no entry of the expected-failures file lists."""
        return tuple(r for r in self.evidence if r.verdict is Verdict.VIOLATED and r.expected_failure is None)

    @property
    def listed(self) -> tuple[Row, ...]:
        """The violations that the expected-failures file lists, each with its reason."""
        return tuple(r for r in self.evidence if r.verdict is Verdict.VIOLATED and r.expected_failure is not None)

    @property
    def passing_but_listed(self) -> tuple[Row, ...]:
        """The rows that hold although they are listed as failures."""
        return tuple(r for r in self.evidence if r.verdict is Verdict.HELD and r.expected_failure is not None)

    @property
    def out_of_date(self) -> tuple[Listing, ...]:
        """The listed ids that no machine justifies: none saw them fail, or none has a row that they match."""
        kept: dict[str, Listing] = {}
        for one in self.listings:
            seen = {row.verdict for row in self.evidence if fnmatchcase(row.id, one.id)}
            holds = Verdict.HELD in seen and Verdict.VIOLATED not in seen
            if not seen or holds:
                why = "is listed as failing, but now holds" if holds else "matches nothing that was run"
                kept[one.id] = replace(one, why=why)
        return tuple(kept.values())

    def with_verdict(self, verdict: Verdict) -> tuple[Row, ...]:
        """The rows of one verdict, listed or not."""
        return tuple(row for row in self.evidence if row.verdict is verdict)


def settled(row: Row) -> Row:
    """`row`, made inconclusive where it says `held` and nothing was shown."""
    if row.verdict is not Verdict.HELD or row.strength in (Strength.PROVED, Strength.FAITHFUL):
        return row
    if row.cases == 0 and row.elements == 0:
        return replace(row, verdict=Verdict.INCONCLUSIVE, reason=row.reason or "no case was run")
    if 0 < row.elements <= row.vacuous:
        why = "every enclosure was unbounded, so no value could have been outside"
        return replace(row, verdict=Verdict.INCONCLUSIVE, reason=row.reason or why)
    return row


def exit_code(report: Report) -> tuple[int, str]:
    """The exit code a report deserves, and the sentence that says why.

    Of several reasons the first in this order decides: interrupted (130), a violation that is not listed (1), the
    check itself broke (5), nothing could be verified (3), the list of expected failures is stale (4), none (0).
    """
    counts = report.counts
    wrong = _wrong(report)
    broken = [row.id for row in report.with_verdict(Verdict.BROKEN)]
    broken += [f"run {run.run}" for run in report.runs if run.exit_code == 5 and not run.resumed]
    broken += [claim.id for claim in report.claims if claim.verdict is Verdict.BROKEN]
    stale = [f"{row.id} is listed as a failure and now passes" for row in report.passing_but_listed]
    stale += [f"{one.id} {one.why}" for one in report.out_of_date]
    if report.interrupted:
        so_far = f"; so far {_some('unlisted violation', wrong)}" if wrong else ""
        left = f", {report.missing:,} planned rows to go" if report.missing else ""
        return 130, f"interrupted after {len(report.evidence):,} rows{left}; the next run goes on from here{so_far}"
    if wrong:
        also = f"; and the check itself broke in {_some('place', broken)}" if broken else ""
        return 1, f"{_some('violation', wrong)} not listed among the expected failures{also}"
    if broken:
        return 5, f"the check itself broke in {_some('place', broken)}"
    if not counts["held"]:
        return 3, f"nothing could be verified: {_why_nothing(counts)}"
    if stale:
        return 4, f"the list of expected failures is stale: {stale[0]}{_more(stale)}"
    return 0, f"nothing new is wrong: {_tally(report)}"


def _wrong(report: Report) -> list[str]:
    found = [row.id for row in report.unlisted]
    found += [f"the refuted law {proof.law}" for proof in report.proofs if proof.status == "refuted"]
    return found + [claim.id for claim in report.claims if claim.verdict is Verdict.VIOLATED]


def _some(noun: str, ids: list[str]) -> str:
    return f"{len(ids):,} {noun}{'s' if len(ids) != 1 else ''} ({ids[0]}{', ...' if len(ids) > 1 else ''})"


def _more(items: list[str]) -> str:
    return f" (and {len(items) - 1:,} more)" if len(items) > 1 else ""


def _why_nothing(counts: Mapping[str, int]) -> str:
    seen = [f"{n:,} rows {v}" for v, n in counts.items() if n and v != "expected"]
    seen += [f"{counts['expected']:,} rows failed as listed"] if counts["expected"] else []
    return ", ".join(seen) or "nothing ran"


def _tally(report: Report) -> str:
    counts = report.counts
    parts = [f"{counts['held']:,} rows held"]
    parts += [f"{counts['expected']:,} failed as listed"] if counts["expected"] else []
    idle = [f"{counts[v]:,} {v}" for v in ("inconclusive", "untestable") if counts[v]]
    parts += [f"{' and '.join(idle)}, which count as nothing"] if idle else []
    parts += [f"{report.missing:,} planned rows were never written"] if report.missing else []
    return "; ".join(parts)


def collect(paths: Iterable[Path | str]) -> Report:
    """The report of all evidence files in `paths`; a folder stands for its *.jsonl files, in order of name.

    Later files and later lines supersede earlier ones of the same id on the same machine; the same id on another
    machine is kept beside it. A file that cannot be read as evidence is a UsageError that names the file and line.
    """
    merged = _Merged()
    files = list(_files(paths))
    if not files:
        raise UsageError("no evidence file was given; `verifier verify` writes them to reports/evidence/")
    for path in files:
        merged.read(path)
    return merged.report()


def _files(paths: Iterable[Path | str]) -> Iterable[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(path.glob("*.jsonl"))
            if not inside:
                raise UsageError("the folder holds no evidence (*.jsonl)", where=str(path))
            yield from inside
        elif not path.exists():
            near = [str(p) for p in sorted(path.parent.glob("*.jsonl"))] if path.parent.is_dir() else []
            raise UsageError("there is no such evidence file", where=str(path), given=str(path), accepted=near)
        else:
            yield path


@dataclass
class _Merged:
    """The rows read so far, each under the key that a later row of the same thing has too."""

    runs: list[Run] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    rows: dict[type[Any], dict[tuple[Any, ...], Any]] = field(default_factory=dict)

    def read(self, path: Path) -> None:
        """Adds the records of one file."""
        before = len(self.runs)
        try:
            for number, record in enumerate(read(path), 1):
                where = f"{path}, record {number}"
                if record.get("kind") == "start":
                    self.start(record, where)
                    continue
                if len(self.runs) == before:  # written by plain pytest, which knows nothing of the machine
                    self.start({"run": path.stem, "schema_version": SCHEMA_VERSION}, where)
                if record.get("kind") == "end":
                    self.end(record, where)
                elif record.get("kind") == "planned":
                    self.plan(record, where)
                else:
                    self.add(parse(record, where))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot be read ({error})", where=str(path)) from error
        except ValueError as error:  # evidence.read names the file and the line
            raise UsageError(str(error)) from error
        if len(self.runs) == before:
            raise UsageError("holds no records", where=str(path))

    def start(self, record: Mapping[str, Any], where: str) -> None:
        """Begins a run; one that was cut short with the same fingerprint on the same machine is resumed by it."""
        version = str(record.get("schema_version", ""))
        if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
            raise UsageError(f"schema_version {version!r}, but this verifier reads {SCHEMA_VERSION}", where=where)
        run = build(Run, {k: v for k, v in record.items() if k not in ("label", "rows", "seconds")}, where)
        identity = {k: v for k, v in run.machine.items() if k not in _NOT_IDENTITY}
        key = json.dumps(identity, sort_keys=True, default=str)
        run = replace(run, label=self.labels.setdefault(key, f"m{len(self.labels) + 1}"))
        for place, earlier in enumerate(self.runs):
            same = (earlier.label, earlier.fingerprint) == (run.label, run.fingerprint)
            if run.fingerprint and same and earlier.interrupted:
                self.runs[place] = replace(earlier, resumed=True)
        self.runs.append(run)

    def plan(self, record: Mapping[str, Any], where: str) -> None:
        """Notes how many rows the run should have in the end, those of the run it goes on from included."""
        planned = [record.get(key, 0) for key in ("planned", "resumed")]
        if not all(isinstance(n, int) for n in planned):
            raise UsageError(f"planned and resumed should be counts, not {planned}", where=where)
        self.runs[-1] = replace(self.runs[-1], planned=sum(planned))

    def end(self, record: Mapping[str, Any], where: str) -> None:
        """Ends the run that was begun last."""
        checked = build(Run, {"run": "", **record}, where)
        run = self.runs[-1]
        self.runs[-1] = replace(
            run,
            finished=True,
            stopped=bool(record.get("interrupted")),
            exit_code=checked.exit_code,
            seconds=(run.seconds or 0.0) + (checked.seconds or 0.0),
        )

    def add(self, row: Any) -> None:
        """Adds a row, or puts it in the place of an earlier one of the same id on the same machine."""
        run = self.runs[-1]
        if isinstance(row, Row):
            self.runs[-1] = replace(run, rows=run.rows + 1)
        if isinstance(row, Row | Claim | ProofRow):
            row = replace(row, machine=run.label)
        self.rows.setdefault(type(row), {})[_key(row, run)] = row

    def of(self, kind: type[Any]) -> tuple[Any, ...]:
        """The rows of one kind, in the order they were first seen."""
        return tuple(self.rows.get(kind, {}).values())

    def report(self) -> Report:
        """The merged report, rows in an order that does not depend on which worker finished first."""
        evidence: tuple[Row, ...] = self.of(Row)
        bare = [not run.fingerprint and not run.machine and run.rows >= (run.planned or 0) for run in self.runs]
        return Report(
            runs=tuple(replace(r, finished=r.finished or done) for r, done in zip(self.runs, bare, strict=True)),
            claims=self.of(Claim),
            proofs=tuple(sorted(_one_of_each(self.of(ProofRow)), key=lambda p: (p.law, p.machine))),
            evidence=tuple(sorted(evidence, key=lambda r: (r.law, r.subject, r.target, r.machine))),
            power=_over_machines(self.of(PowerRow)),
            timings=self.of(Timing),
            not_covered=self.of(NotCovered),
            unexamined=self.of(Unexamined),
            derivations=tuple(sorted(self.of(Derivation), key=lambda d: d.rule)),
            targets=self.of(Target),
            listings=self.of(Listing),
        )


def _key(row: Any, run: Run) -> tuple[Any, ...]:
    match row:
        case Row():
            return (row.id, row.target, run.label)
        case Claim():
            return (row.id, run.label)
        case ProofRow():
            return (row.law, run.label)
        case PowerRow():
            return (row.rule, row.law, row.mutant, row.dtype, run.label)
        case Timing() | NotCovered():
            return (row.name,)
        case Unexamined():
            return (row.rule, row.option)
        case Derivation():
            return (row.rule,)
        case Target():
            return (row.target, row.rule)
        case _:
            return (row.id, run.label)


def _one_of_each(proofs: Iterable[ProofRow]) -> list[ProofRow]:
    """Proofs do not depend on the machine: one row a law and status; machines that disagree keep a row each."""
    kept: dict[tuple[str, str], ProofRow] = {}
    for proof in proofs:
        kept.setdefault((proof.law, proof.status), proof)
    return list(kept.values())


def _over_machines(power: Iterable[PowerRow]) -> tuple[PowerRow, ...]:
    """One row for each law, mutant and dtype: a mutant killed on any machine is killed."""
    kept: dict[tuple[str, str, str, str], PowerRow] = {}
    for row in power:
        key = (row.rule, row.law, row.mutant, row.dtype)
        kept[key] = replace(row, killed=row.killed or (key in kept and kept[key].killed))
    return tuple(kept[key] for key in sorted(kept))
