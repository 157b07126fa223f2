"""Audits of other people's optimizers, package by package: what they found, as rows that a person then judges.

    python -m verifier.auditing.ecosystem reports/audited.jsonl --into FOLDER [DISTRIBUTION[:[pkg.mod:]Class] ...]

Distributions are fetched as the survey of lifts fetches them (`verifier.lift.survey`), and the classes audited are
those it found. A class that has a row is not audited again, unless `--again` is given. What each finding was judged
to be stands in docs/audited.toml, and `python docs/audited.py` makes one table of both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from verifier.auditing import audit as audits
from verifier.auditing.findings import Finding
from verifier.errors import UsageError
from verifier.lift import packages
from verifier.lift.survey import rows

BATCH = 3
"""Classes audited in one run: what a run imports is imported once for them, and lost with them if it is stopped."""

Row = Mapping[str, Any]


def chosen(named: Sequence[str], found: Iterable[Row], known: Iterable[Row]) -> dict[str, list[str]]:
    """The targets to audit, by distribution: of those `found` by the survey what is not `known` yet, or is named.

    `named` are distributions, distribution:Class, or distribution:pkg.mod:Class for one that the survey did not find;
    all that it found by default.
    """
    targets = [(str(row["package"]), str(row["target"])) for row in found if "target" in row]
    done = {row["target"] for row in known}
    wanted: dict[str, list[str]] = {}
    for name in named or sorted({package for package, _ in targets}):
        package, _, cls = name.partition(":")
        mine = [target for of, target in targets if of == package]
        if ":" in cls:
            mine = [cls]
        elif cls:
            mine = [target for target in mine if target.rpartition(":")[2] == cls]
        if not mine:
            raise UsageError("the survey found no such optimizer", given=name)
        wanted.setdefault(package, []).extend(target for target in mine if cls or target not in done)
    return {package: mine for package, mine in wanted.items() if mine}


def prepare(into: Path, package: str, targets: Iterable[str]) -> tuple[str, list[str]]:
    """Fetches a distribution; its version, and the folders that must be on the path for its targets to be imported.

    What they import and is not there gets a stand-in; a package whose own `__init__` cannot be run is left bare.
    UsageError where it is not to be had.
    """
    if why := packages.install(package, into / package):
        raise UsageError(f"does not install: {why}", given=package)
    for name in packages.BESIDE:
        packages.install(name, into / "beside" / name)
    absent = into / "absent" / package
    beside = [into / "beside" / name for name in packages.BESIDE]
    places = [str(place.resolve()) for place in (absent, into / package, *beside)]
    packages.make_importable(sorted({target.partition(":")[0] for target in targets}), absent, places)
    return packages.contents(into / package)[0], places


def audited(targets: Sequence[str], out: Path, profile: str) -> list[dict[str, Any]]:
    """A row for each of the targets; where they cannot be understood together, each by itself."""
    try:
        report = audits.audit(*targets, profile=profile, workers=1, out=out, quiet=True)
    except UsageError as error:
        if len(targets) > 1:
            return [row for target in targets for row in audited([target], out, profile)]
        return [{"target": targets[0], "untestable": str(error)}]
    return [_row(report, target) for target in targets]


def _row(report: audits.AuditReport, target: str) -> dict[str, Any]:
    mine = [row for row in report.rows if row.get("target") == target]
    described = next((t for t in report.targets if t["target"] == target), {})
    row: dict[str, Any] = {"target": target, "rows": dict(Counter(str(r["verdict"]) for r in mine))}
    if not {"held", "violated"} & set(row["rows"]):
        row["untestable"] = next((str(r.get("reason")) for r in mine), report.broken or "nothing was run")
    row |= {"rule": described.get("rule"), "weight_decay": described.get("weight_decay")}
    row["notes"] = [list(note) for note in described.get("notes") or ()]
    row["findings"] = [_finding(finding) for finding in report.findings if finding.target == target]
    return row


def _finding(finding: Finding) -> dict[str, Any]:
    script = Path(finding.repro) if finding.repro else None
    return {
        "what": finding.what,
        "laws": sorted({row.partition("@")[0].partition(".")[2] for row in finding.rows}),
        "on": sorted({row.partition("@")[2] for row in finding.rows}),
        "message": finding.message,
        "matters": list(finding.matters),
        "equals": finding.equals,
        "script": script.read_text(encoding="utf-8") if script is not None and script.is_file() else "",
        "no_script": finding.no_script,
    }


def session(file: Path, into: Path, named: Sequence[str], survey: Path, profile: str, again: bool) -> None:
    """Audits what is asked for, and puts the rows into `file` as they come; a class has one row, the newest."""
    found = rows(survey)
    path = os.environ.get("PYTHONPATH", "")
    for package, targets in chosen(named, found, [] if again else rows(file)).items():
        try:
            version, places = prepare(into, package, targets)
        except UsageError as error:
            print(error, file=sys.stderr)
            continue
        os.environ["PYTHONPATH"] = os.pathsep.join([*places, *filter(None, [path])])
        for start in range(0, len(targets), BATCH):
            batch = targets[start : start + BATCH]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            fresh = audited(batch, into / "audits" / package, profile)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            more = {"package": package, "version": version, "profile": profile, "seconds": round(spent / len(batch), 1)}
            _put(file, [row | more for row in fresh], places)
            for row in fresh:
                print(f"{row['target']}: {len(row.get('findings', ()))} findings", file=sys.stderr, flush=True)


def _put(file: Path, fresh: Sequence[Row], places: Sequence[str]) -> None:
    """The file with these rows in place of older ones; sorted, and naming no folder of this machine."""
    new = {row["target"] for row in fresh}
    kept = [row for row in rows(file) if row["target"] not in new]
    text = "".join(
        json.dumps(row, sort_keys=True) + "\n"
        for row in sorted([*kept, *fresh], key=lambda row: (str(row["package"]), str(row["target"])))
    )
    for place in (*places, sys.prefix):
        text = text.replace(f"{place}/", "")
    file.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Runs a session of audits."""
    parser = argparse.ArgumentParser(prog="python -m verifier.auditing.ecosystem", description=__doc__)
    parser.add_argument("file", type=Path, help="the rows, one JSON object a line")
    parser.add_argument("--into", type=Path, required=True, help="the folder distributions are fetched into")
    parser.add_argument("--survey", type=Path, default=Path("reports/ecosystem.jsonl"), help="the rows of the survey")
    parser.add_argument("--profile", choices=("smoke", "ci", "nightly"), default="smoke")
    parser.add_argument("--again", action="store_true", help="also what has been audited")
    parser.add_argument("named", nargs="*", help="distributions, or distribution:Class; all by default")
    given = parser.parse_intermixed_args(arguments)
    given.into.mkdir(parents=True, exist_ok=True)
    session(given.file, given.into, given.named, given.survey, given.profile, given.again)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
