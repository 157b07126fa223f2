"""The main job: prove every law, run every property, settle the claims, render the reports."""

from __future__ import annotations

import hashlib
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from verifier import evidence, expected, machine, pytest_run, resume
from verifier.errors import UsageError
from verifier.progress import Phase, phases

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Options:
    """What a run was asked for. `workers` None means one a core; `expected` None means expected.toml of properties."""

    device: str = "all"
    profile: str = "ci"
    seed: int = 0
    workers: int | None = None
    out: Path = Path("reports")
    expected: Path | None = None
    quiet: bool = False

    @property
    def processes(self) -> int:
        """How many processes share the work."""
        return self.workers or machine.cores()


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its evidence, its exit code so far as the run itself decides it, and a word on why."""

    evidence: Path
    interrupted: bool = False
    broken: str = ""


def verify(options: Options, messages: TextIO | None = None) -> Outcome:
    """Runs the main job and writes its evidence; never raises for a violation.

    UsageError says what of `options` cannot work, before anything runs. Messages and progress go to `messages`
    (by default stderr).
    """
    stream = sys.stderr if messages is None else messages
    folder = evidence.writable(options.out / "evidence")
    listing = _listing(options)
    expected.read(listing)  # a malformed list is said now, not after minutes
    properties = _properties(options)
    mark = _fingerprint(options, properties, listing)
    path = resume.interrupted(folder, mark)
    done: set[str] = set()
    if path is not None:
        resume.mend(path)
        before = list(evidence.read(path))
        done = {str(record["law"]) for record in before if record.get("kind") == "proof"}
        done |= {str(record["id"]) for record in before if record.get("kind") == "evidence"}
        rows = sum(record.get("kind") == "evidence" for record in before)
        if not options.quiet:
            print(f"a run with these settings was interrupted after {rows:,} rows; going on from {path}", file=stream)
    name = path.stem if path is not None else evidence.run_name(f"verify-{options.profile}")
    job = _Job(options, folder / f"{name}.jsonl", folder / f"{name}.log", properties, listing, mark, done, stream)
    evidence.append(job.evidence, start(options, name, mark))
    return job.run()


def start(options: Options, run: str, fingerprint: str) -> dict[str, Any]:
    """The start record of the run called `run`."""
    return {
        "kind": "start",
        "schema_version": evidence.SCHEMA_VERSION,
        "run": run,
        "seed": options.seed,
        "profile": options.profile,
        "device": options.device,
        "machine": machine.describe(PACKAGE.parent, device=options.device, seed=options.seed),
        "fingerprint": fingerprint,
        "planned": 0,
    }


def _listing(options: Options) -> Path:
    """The file of expected failures: the one asked for, that of this checkout's properties, or the shipped one."""
    if options.expected is not None and not options.expected.is_file():
        raise UsageError("there is no such list of expected failures", where=str(options.expected))
    here = _here()
    shipped = PACKAGE / "expected.toml"  # the wheel carries the list of the checkout it was built from
    return (options.expected or (here / "expected.toml" if here else shipped)).resolve()


def _here() -> Path | None:
    """The folder properties/ of the current directory, if it holds properties of optimizers."""
    folder = Path("properties").resolve()
    ours = any("from verifier" in path.read_text(encoding="utf-8") for path in folder.glob("test_*.py"))
    return folder if ours else None


def _properties(options: Options) -> Path:
    """The folder of properties to run: that of the current directory, or one freshly written beside the reports."""
    from verifier import write

    here = _here()
    if here is None:
        here = (options.out / "properties").resolve()
        write.write(here)
    return here


def _fingerprint(options: Options, properties: Path, listing: Path) -> str:
    listed = hashlib.sha256(listing.read_bytes()).hexdigest() if listing.exists() else ""
    chosen = {"device": options.device, "profile": options.profile, "seed": options.seed, "expected": listed}
    return resume.fingerprint((PACKAGE, properties), **chosen)


@dataclass
class _Job:
    """One run on its way: where it writes, and what an interrupted one has already proved."""

    options: Options
    evidence: Path
    log: Path
    properties: Path
    listing: Path
    mark: str
    settled: set[str]  # the laws proved and the rows measured before an interruption
    stream: TextIO
    broken: str = ""

    def append(self, kind: str, **record: Any) -> None:
        evidence.append(self.evidence, {"kind": kind, **record})

    def run(self) -> Outcome:
        """Every part in turn; Ctrl-C or SIGTERM ends the run early and in order."""
        started = time.monotonic()
        interrupted = False
        with _terminated_like_ctrl_c():
            try:
                with phases(self.stream, quiet=self.options.quiet) as begin:
                    self.timed("proofs", self.prove, begin)
                    self.timed("properties", self.check, begin)
                    self.timed("claims", self.settle, begin)
            except KeyboardInterrupt:
                interrupted = True
        seconds = round(time.monotonic() - started, 3)
        code = 130 if interrupted else 5 if self.broken else 0
        self.append("end", end=True, exit_code=code, interrupted=interrupted, seconds=seconds)
        return Outcome(self.evidence, interrupted, self.broken)

    def timed(self, name: str, part: Callable[[Phase], None], begin: Callable[[str, int], Phase]) -> None:
        phase = begin(name, 0)
        part(phase)
        self.append("timing", name=name, seconds=round(phase.seconds, 3))

    def prove(self, phase: Phase) -> None:
        """Proves the laws of every rule, reads the rules out of torch's code, and looks at every rounding there."""
        from verifier import code_proofs, lineup, rules

        for name, reason in rules.not_covered().items():
            self.append("not_covered", name=name, reason=reason)
        for name in rules.names():
            for option, reason in lineup.unexamined(rules.get(name), smoke=self.options.profile == "smoke").items():
                self.append("unexamined", rule=name, option=option, reason=reason)
        entries = expected.read(self.listing)
        drawn: dict[str, Any] = {"profile": self.options.profile, "seed": self.options.seed}
        for record in self.pooled(partial(code_proofs.of_rule_and_code, **drawn), phase):
            if record.get("id", record.get("law")) in self.settled:
                continue
            if record["kind"] == "evidence" and record["verdict"] == "violated":
                record["expected_failure"] = expected.reason(entries, record["id"])
            evidence.append(self.evidence, record)

    def pooled(self, records: Callable[[str], list[dict[str, Any]]], phase: Phase) -> Iterator[dict[str, Any]]:
        """What `records` gives for every rule, worked out on every core, the longer rules first."""
        from verifier import rules

        names = rules.names()[::-1]  # the catalogue goes from the plain to the involved
        context = multiprocessing.get_context("spawn")  # a fork would copy the progress bar's thread half alive
        with ProcessPoolExecutor(self.options.processes, mp_context=context) as pool:
            with _ctrl_c_ignored():  # what a process ignores, those it starts ignore: Ctrl-C is ours to handle
                found = pool.map(records, names)
            try:
                for count, of_one in enumerate(found, 1):
                    yield from of_one
                    phase.update(count, len(names))
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def check(self, phase: Phase) -> None:
        """Runs the properties under pytest."""
        options = self.options
        task = pytest_run.PytestRun(
            properties=self.properties,
            evidence=self.evidence,
            log=self.log,
            device=options.device,
            profile=options.profile,
            seed=options.seed,
            workers=self.options.processes,
            expected=self.listing,
            complete=options.device == "all" and options.profile != "smoke",  # else what is listed may not be run
            resume=any(record.get("kind") == "evidence" for record in evidence.read(self.evidence)),
        )
        code = pytest_run.run(task, lambda seen: phase.update(seen.done, seen.planned, seen.note))
        nothing_left = task.resume and code == pytest_run.NOTHING_COLLECTED
        if code not in (0, pytest_run.TESTS_FAILED) and not nothing_left:
            self.broken = f"pytest ended with code {code}; its last lines are in {self.log}"
            for line in pytest_run.last_lines(self.log):
                print(line, file=self.stream)

    def settle(self, phase: Phase) -> None:
        """Settles the tutorial's claims on what was found."""
        from verifier import claims

        found = claims.settle(self.evidence, device=self.options.device, seed=self.options.seed)
        for claim in found:
            evidence.append(self.evidence, claims.to_json(claim))
        phase.update(len(found), len(found))


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
    """Makes SIGTERM interrupt in order, as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
