"""Any optimizer, audited: its contracts, the rule its code performs, and what is wrong with it, explained."""

from __future__ import annotations

import fnmatch
import functools
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import tomli_w

from verifier import evidence, expected, machine, pytest_run
from verifier.auditing import again, explaining, overdue, told
from verifier.auditing import findings as audit_findings
from verifier.auditing import targets as audit_targets
from verifier.auditing.findings import Finding
from verifier.auditing.learning import Learning
from verifier.auditing.warm import Warm
from verifier.errors import UsageError
from verifier.lift.nested import end_import
from verifier.subjects.torch_sandbox import half_of_memory

SECONDS_A_ROW = {"smoke": 60, "ci": 120, "nightly": 1800}
"""After this a row counts as hanging and its process is ended."""


class AuditFailed(AssertionError):
    """An audit found something that is not listed; the message is its report."""


@dataclass(frozen=True)
class Options:
    """What an audit was asked for. `memory`: bytes a target may allocate, by default half of the machine's."""

    rule: str = ""
    args: tuple[str, ...] = ()
    profile: str = "ci"
    device: str = "all"
    seed: int = 0
    workers: int | None = None
    out: Path = Path("reports/audit")
    expected: Path | None = None
    memory: int | None = None
    quiet: bool = False


@dataclass(frozen=True)
class Cost:
    """Seconds an audit took, imports included, and what they bought: rows, steps of the optimizer, elements moved.

    `checking` are the seconds of the rows, over all workers; `stepping` those of them in the optimizer's own step.
    """

    seconds: float
    rows: int
    steps: int
    elements: int
    checking: float
    stepping: float

    @property
    def own_share(self) -> float:
        """The share of the time of the rows that was the optimizer's own, from 0 to 1."""
        return self.stepping / self.checking if self.checking else 0.0

    def __str__(self) -> str:
        bought = f"{self.rows:,} law-checks, {self.steps:,} optimizer steps over {self.elements:,} elements"
        return f"{self.seconds:.1f} s for {bought}; {self.own_share:.0%} of their time was the optimizer's own"


@dataclass(frozen=True)
class AuditReport:
    """What an audit found: the targets as understood, the rows, and the findings among them."""

    options: Options
    evidence: Path
    targets: tuple[Mapping[str, Any], ...]
    rows: tuple[Mapping[str, Any], ...]
    findings: tuple[Finding, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    broken: str = ""
    interrupted: bool = False
    stale: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def cost(self) -> Cost:
        """What the audit took, and what that bought."""
        return Cost(
            self.seconds,
            len(self.rows),
            sum(int(row.get("steps", 0)) for row in self.rows),
            sum(int(row.get("moved", 0)) for row in self.rows),
            sum(float(row.get("seconds", 0.0)) for row in self.rows),
            sum(float(row.get("step_seconds", 0.0)) for row in self.rows),
        )

    @property
    def exit_code(self) -> int:
        """The exit code the audit deserves; see the README for what each means."""
        return self._verdict[0]

    @property
    def _verdict(self) -> tuple[int, str]:
        new = [f for f in self.findings if f.expected_failure is None]
        verdicts = [row["verdict"] for row in self.rows]
        if self.interrupted:
            return 130, f"interrupted after {len(self.rows):,} rows"
        if new:
            return 1, f"{len(new)} finding{'s' if len(new) != 1 else ''} not listed among the expected failures"
        if self.broken or "broken" in verdicts:
            return 5, f"the check itself broke: {self.broken or verdicts.count('broken')}"
        if "held" not in verdicts:
            return 3, "nothing could be verified"
        if self.stale:
            return 4, f"the list of expected failures is stale: {self.stale[0]}"
        named = {str(row.get("target")) for row in self.rows}
        tested = {str(row.get("target")) for row in self.rows if row["verdict"] != "untestable"}
        left = f"; {len(named - tested)} of {len(named)} targets could not be tested" if named - tested else ""
        return 0, f"nothing new is wrong: {verdicts.count('held'):,} rows held{left}"

    @property
    def last_line(self) -> str:
        """The summary line: what follows from everything, and the exit code."""
        code, why = self._verdict
        return f"{why} (exit {code})"

    def raise_for_status(self) -> None:
        """Raises AuditFailed unless the exit code is 0."""
        if self.exit_code != 0:
            raise AuditFailed(str(self))

    def __str__(self) -> str:
        return told.text(self)


def audit(*targets: Any, messages: TextIO | None = None, **options: Any) -> AuditReport:
    """The report on optimizer classes, files or packages; never raises for a violation.

    `targets` are classes, or strings pkg.mod:Class, path/file.py:Class, or a package. `options` are those of
    `Options`. UsageError where a target or option cannot be understood. While a target is imported, this ends its
    import: a script may audit a class of its own.
    """
    end_import()
    chosen = Options(**options)
    started = time.perf_counter()
    names = tuple(_name(target) for target in targets)
    folder = evidence.writable(chosen.out / "evidence")
    mark = again.mark(chosen, names)
    before = again.interrupted(folder, mark)
    path = before or folder / f"{evidence.run_name('audit')}.jsonl"
    task = TargetRun(chosen, path, path.with_suffix(".log"), resume=before is not None)
    for left in (*(() if before else (path,)), task.log, overdue.marks(path)):
        left.unlink(missing_ok=True)
    cores, memory = chosen.workers or machine.cores(), chosen.memory or half_of_memory()
    shutil.rmtree(overdue.running(path), ignore_errors=True)
    overdue.running(path).mkdir()
    if before is not None and not chosen.quiet:
        print(f"goes on from {before}, which was interrupted", file=messages or sys.stderr, flush=True)
    with again.kept(path), task.log.open("ab") as log, Warm(task.environment, log, cores, memory) as warm:
        named = audit_targets.expand(names, warm)
        learning = Learning(warm, chosen, named.audited, names, memory)
        task = replace(task, targets=named.audited, warm=warm)
        if before is None:
            evidence.append(path, _start(chosen, path.stem) | {"fingerprint": mark})
        interrupted, broken = False, ""
        try:
            show = _progress(chosen, messages, learning, path)
            code = pytest_run.run(task, show)  # type: ignore[arg-type]  # has what a run needs
            if code not in (0, pytest_run.TESTS_FAILED, pytest_run.NOTHING_COLLECTED):
                broken = f"pytest ended with exit code {code}; see {task.log}"
        except UsageError:
            for left in (path, task.log):
                left.unlink(missing_ok=True)
            raise
        except KeyboardInterrupt:
            interrupted = True
        told = named.left_out
        report = read(path, chosen, told, None if interrupted else warm, broken=broken, interrupted=interrupted)
    told_of = {str(row.get("target")) for row in report.rows}
    if silent := [target for target in named.audited if target not in told_of and not interrupted and not broken]:
        report = replace(report, broken=f"there is no row of {silent[0]}; see {task.log}")
    shutil.rmtree(overdue.running(path), ignore_errors=True)
    report = replace(report, seconds=time.perf_counter() - started)
    end = {"kind": "end", "end": True, "exit_code": report.exit_code, "interrupted": interrupted}
    evidence.append(path, end | {"seconds": round(report.seconds, 3)})
    if not chosen.quiet:
        print(report.cost, file=messages or sys.stderr, flush=True)
    return report


def read(
    path: Path,
    options: Options,
    left_out: Mapping[str, str],
    warm: Warm | None = None,
    *,
    broken: str = "",
    interrupted: bool = False,
) -> AuditReport:
    """The report of an audit's evidence file; in forks of `warm` its findings get scripts and replays."""
    records = list(evidence.read(path))
    rows = [r for r in records if r.get("kind") == "evidence"]
    findings = audit_findings.collect(rows)
    if warm is not None and findings:
        findings = explaining.findings(rows, options, warm)
        _write_back(path, records, findings)
    return AuditReport(
        options,
        path,
        tuple({json.dumps(r, sort_keys=True): r for r in records if r.get("kind") == "target"}.values()),
        tuple(rows),
        tuple(findings),
        left_out,
        broken,
        interrupted,
        tuple(f"{r['id']} {r.get('why', '')}" for r in records if r.get("kind") == "stale"),
    )


def _write_back(path: Path, records: Sequence[Mapping[str, Any]], findings: Sequence[Finding]) -> None:
    """Puts the scripts and replay ids into the rows of the evidence file, for every other report to show."""
    known = {row_id: finding for finding in findings for row_id in finding.rows}
    fresh = []
    for record in records:
        finding = known.get(str(record.get("id"))) if record.get("kind") == "evidence" else None
        more = {"repro": finding.repro, "replay": finding.replay} if finding is not None else {}
        fresh.append(json.dumps({**record, **more}, sort_keys=True))
    path.write_text("\n".join(fresh) + "\n", encoding="utf-8")


def baseline(report: AuditReport, path: Path) -> int:
    """Writes the list of expected failures that this audit justifies, and returns its length; reasons are kept.

    What is listed and matches no row is kept where that says nothing: after a smoke run, or of a device not run on.
    """
    known = {entry.id: entry for entry in expected.read(path)}
    failing = sorted({str(row["id"]) for row in report.rows if row["verdict"] == "violated"})
    seen = {str(row["id"]): str(row["verdict"]) for row in report.rows}
    kept = {
        id_: entry
        for id_, entry in known.items()
        if any(entry.covers(row) for row in failing)
        or (
            not any(fnmatch.fnmatchcase(row, id_) for row in seen)
            and (report.options.profile == "smoke" or expected.of_absent_device(entry, seen))
        )
    }
    for finding in report.findings:
        for row in finding.rows:
            if not any(entry.covers(row) for entry in kept.values()):
                kept[row] = expected.Expected(row, finding.what)
    entries = [
        {name: value for name in expected.FIELDS if (value := getattr(entry, name))}
        for _, entry in sorted(kept.items())
    ]
    path.write_text("\n".join(f"[[expect]]\n{tomli_w.dumps(entry)}" for entry in entries), encoding="utf-8")
    return len(entries)


def _name(target: Any) -> str:
    """A target as a string that another process understands."""
    if isinstance(target, str):
        return target
    if not isinstance(target, type):
        raise UsageError(f"target {target!r} is neither a class nor a name")
    module = sys.modules.get(target.__module__)
    path = getattr(module, "__file__", None)
    if "<locals>" in target.__qualname__ or (target.__module__ == "__main__" and not _is_file(path)):
        where = "inside of a function" if "<locals>" in target.__qualname__ else "in no file"
        told = f"class {target.__qualname__} is defined {where}, where another process cannot import it"
        raise UsageError(f"{told}; write it at the top of a file, and audit path/file.py:{target.__name__}")
    return f"{path if target.__module__ == '__main__' else target.__module__}:{target.__qualname__}"


def _is_file(path: str | None) -> bool:
    """Whether there is such a file of Python: a script that is read from standard input has a name, and is in none."""
    return path is not None and path.endswith(".py") and Path(path).is_file()


def _start(options: Options, run: str) -> dict[str, Any]:
    return {
        "kind": "start",
        "schema_version": evidence.SCHEMA_VERSION,
        "run": run,
        "seed": options.seed,
        "profile": options.profile,
        "device": options.device,
        "machine": machine.describe(Path.cwd(), device=options.device, seed=options.seed),
        "planned": 0,
        "out": told.near(str(options.out)),
    }


def _progress(
    options: Options, messages: TextIO | None, learning: Learning, path: Path
) -> Callable[[pytest_run.Seen], None]:
    """Plain lines, now and then, to `messages` or stderr; and a look at what is learnt, and at rows that do not end."""
    stream = messages or sys.stderr
    last = {"tenth": 0}

    @functools.cache
    def ready() -> None:
        """The second core has nothing to do while the other processes import torch."""
        from verifier import render

        render.ready()

    def show(seen: pytest_run.Seen) -> None:
        ready()
        learning.look()
        overdue.look(path)
        tenth = 10 * seen.done // seen.planned if seen.planned else 0
        if not options.quiet and tenth > last["tenth"]:
            last["tenth"] = tenth
            print(f"{seen.done:,} of {seen.planned:,} rows {seen.note}".rstrip(), file=stream, flush=True)

    return show


@dataclass(frozen=True)
class TargetRun:
    """How pytest runs the tests of some targets; see `pytest_run.PytestRun`."""

    options: Options
    evidence: Path
    log: Path
    targets: tuple[str, ...] = ()
    warm: Warm | None = None
    resume: bool = False  # leaves out the rows that the evidence holds

    @property
    def command(self) -> list[str]:
        """The command line, runnable by hand."""
        options = self.options
        empty = self.evidence.parent / "no_tests_of_its_own"
        empty.mkdir(exist_ok=True)
        words = [sys.executable, "-m", "pytest", str(empty), "-c", os.devnull, "--rootdir", str(empty)]
        for plugin in pytest_run.PLUGINS:
            words += ["-p", plugin]
        words += ["-p", "no:cacheprovider", "-p", "no:logging", "-q", "--tb=no"]
        words += self.workers
        words += ["--max-worker-restart", "1000", "--timeout", str(SECONDS_A_ROW[options.profile])]
        words += ["--timeout-method", "thread", f"--hypothesis-seed={options.seed}"]
        words += ["--verifier-evidence", str(self.evidence), "--verifier-device", options.device]
        words += ["--verifier-profile", options.profile, *(["--verifier-resume"] if self.resume else [])]
        for target in self.targets:
            words += ["--verifier-target", target]
        words += ["--verifier-rule", options.rule] if options.rule else []
        for text in options.args:
            words += ["--verifier-arg", text]
        words += ["--verifier-expected", str(options.expected), "--verifier-complete"] if options.expected else []
        return [*words, "--verifier-memory", str(options.memory)] if options.memory else words

    @property
    def workers(self) -> list[str]:
        """xdist's workers: forks of the warm process, where there is one."""
        number = self.options.workers or machine.cores()
        if self.warm is None:
            return ["-n", str(number)]
        return ["--dist", "load", "--tx", f"{number}*popen//python={self.warm.interpreter}"]

    @property
    def environment(self) -> dict[str, str]:
        """Ours, with the plugins named above alone, and one thread a worker."""
        inherited = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"}
        fixed = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}
        paths = os.pathsep.join([os.getcwd(), *filter(None, [inherited.get("PYTHONPATH", "")])])
        threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        threads |= {"OMP_WAIT_POLICY": "PASSIVE"}  # threads of the laws about them sleep instead of spinning
        threads |= {"TORCHDYNAMO_DISABLE": "1"}
        kept = self.warm.environment if self.warm is not None else {}  # where files that nobody asked for go
        return inherited | fixed | threads | kept | {"PYTHONPATH": paths}
