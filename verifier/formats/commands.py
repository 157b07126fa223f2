"""The commands that run again what a report shows."""

from __future__ import annotations

from verifier.report import Report
from verifier.rows import Row

USUAL = "reports/audit"
"""The folder of an audit that nobody gave another: commands need not name it."""


def again(row: Row, report: Report) -> tuple[str, ...]:
    """The commands that run this row again, shortest first."""
    rule, _, law = row.law.partition(".")
    run = report.machines.get(row.machine) or next(iter(report.runs), None)
    hint = f" --verifier-profile {run.profile}" if run is not None and run.profile else ""
    hint += f" --hypothesis-seed={run.seed}" if run is not None and run.seed is not None else ""
    audit = run is not None and run.run.startswith("audit-")
    out = f" --out {run.out}" if run is not None and audit and run.out not in ("", USUAL) else ""
    known = (f"verifier replay {row.replay}{out}",) if row.replay else ()
    script = (f"python {row.repro}",) if row.repro else ()
    if run is not None and audit:  # its tests are in no file
        generated: tuple[str, ...] = (f"verifier audit {row.target} --profile {run.profile} --seed {run.seed}{out}",)
    else:
        generated = (f"pytest 'properties/test_{rule}.py::test_{law}[{row.subject}]'{hint}",) if law else ()
    return (*known, *script, *generated)


def rerun(report: Report) -> str:
    """The command that repeats the first run."""
    words = ["verifier", "verify"]
    if report.runs:
        run = report.runs[0]
        audited = sorted({row.target for row in report.evidence if row.target})
        words = ["verifier", "audit", *audited] if run.run.startswith("audit-") else words
        words += ["--profile", run.profile] if run.profile else []
        words += ["--device", run.device] if run.device else []
        words += ["--seed", str(run.seed)] if run.seed is not None else []
        words += ["--out", run.out] if run.out not in ("", USUAL) else []
    return " ".join(words)
