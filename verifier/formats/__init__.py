"""Report formats: each is a module with `render(report) -> str`, imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from verifier.errors import UsageError
from verifier.report import Report

NAMES = {
    "md": "report.md",
    "html": "report.html",
    "json": "report.json",
    "junit": "report.junit.xml",
    "sarif": "report.sarif",
}
"""The formats that are written to files, with the name of the file in a reports folder."""


def render(name: str, report: Report) -> str:
    """`report` in the format called `name`; an unknown name is a UsageError with the nearest one."""
    if name not in NAMES:
        raise UsageError(f"unknown report format {name!r}", given=name, accepted=NAMES)
    text: str = import_module(f"verifier.formats.{name}").render(report)
    return text


def write(report: Report, folder: Path, names: tuple[str, ...] = ("md", "html", "json")) -> tuple[Path, ...]:
    """The files written to `folder`, one a format; a folder that cannot be written is a UsageError.

    All are rendered before the first is written, so that a format that fails leaves no half-renewed folder.
    """
    texts = {folder / NAMES[name]: render(name, report) for name in names}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot be written ({error.strerror})", where=str(folder)) from error
    return tuple(texts)
