"""Evidence in, reports out: writes report.md, report.html and report.json, prints the summary, says the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from verifier import formats
from verifier import report as reports
from verifier.errors import UsageError
from verifier.evidence import writable as make
from verifier.formats import html, json, md, terminal

FORMATS = {"report.md": md.render, "report.html": html.render, "report.json": json.render}
"""Every report is written in each of these."""


def newest(out: Path) -> list[Path]:
    """The last evidence file of `verify`, and of `power` if there is one; UsageError where `verify` has left none."""
    found = {kind: sorted((out / "evidence").glob(f"{kind}-*.jsonl"), key=_age) for kind in ("verify", "power")}
    if not found["verify"]:
        raise UsageError("no evidence yet; `verifier verify` writes it", where=str(out / "evidence"))
    return [files[-1] for files in found.values() if files]


def _age(path: Path) -> tuple[float, str]:
    return path.stat().st_mtime, path.name


def render(
    evidence: Sequence[Path],
    out: Path,
    also: Mapping[str, Path | None] = MappingProxyType({}),
    *,
    quiet: bool = False,
    verbose: bool = False,
    broken: str = "",
) -> int:
    """Writes the reports of `evidence` to `out` and prints the summary; the exit code, which the last line explains.

    `also` are more files, each by the name of its format. `broken` says that the run itself went wrong, which is exit
    code 5 unless something worse is known.
    """
    report = reports.collect(evidence)
    for name, text in ((name, write(report)) for name, write in FORMATS.items()):
        _write(out / name, text)
    for kind, path in also.items():
        if path is not None:
            _write(path, formats.render(kind, report))
    body, _, last = terminal.render(report, verbose=verbose).rstrip("\n").rpartition("\n")
    code, _ = reports.exit_code(report)
    if broken and code not in (1, 130):
        code, last = 5, f"the check itself broke: {broken} (exit 5)"
    if not quiet:
        print(body)
        print(", ".join(str(out / name) for name in FORMATS))
    print(last)
    return code


def ready() -> None:
    """Compiles the templates, which takes as long as filling them in, while there is time."""
    html.template()
    md.template()


def writable(also: Mapping[str, Path | None]) -> None:
    """UsageError where a file cannot be written, before anything else is done."""
    for path in also.values():
        if path is not None:
            make(path.parent)
            if path.is_dir():
                raise UsageError("is a folder, and should be a file", where=str(path))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(path)) from error
