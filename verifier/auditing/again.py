"""The evidence of an audit that was interrupted, which the same audit goes on from."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from verifier import resume

if TYPE_CHECKING:
    from verifier.auditing.audit import Options

PACKAGE = Path(__file__).parent.parent
"""Our own sources."""


def mark(options: Options, targets: Sequence[str]) -> str:
    """What an audit depends on, as one fingerprint: our sources, those beside the targets, and what was chosen."""
    listed = options.expected
    return resume.fingerprint(
        (PACKAGE,),
        targets=targets,
        rule=options.rule,
        args=options.args,
        profile=options.profile,
        device=options.device,
        seed=options.seed,
        memory=options.memory,
        listed=listed.read_text(encoding="utf-8") if listed is not None else "",
        sources=sorted({line for place in (*targets, options.rule) for line in _sources(place)}),
    )


def _sources(target: str) -> Iterator[str]:
    """Name, size and age of the sources that lie beside a target, or in its package, where a version says nothing."""
    place = target.partition(":")[0]
    if place.endswith(".py"):
        folders = [Path(place).resolve().parent]
        files = [path for folder in folders for path in folder.glob("*.py")]
    else:
        files = _of_package(place.partition(".")[0])
    for path in files:
        known = path.stat()
        yield f"{path} {known.st_size} {known.st_mtime_ns}"


def _of_package(name: str) -> list[Path]:
    """The sources of a package or module that is not imported for it; none where a version stands for them."""
    if not name or name in resume.PACKAGES:
        return []
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # there is none, or it was made and not imported
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations:
        return [path for folder in spec.submodule_search_locations for path in Path(folder).rglob("*.py")]
    return [Path(spec.origin)] if spec.origin and spec.has_location else []


def interrupted(folder: Path, fingerprint: str) -> Path | None:
    """The evidence of the interrupted audit with this fingerprint, mended; None where there is none to go on from."""
    found = resume.interrupted(folder, fingerprint)
    if found is None:
        return None
    with found.open("rb") as file:
        if not _locked(file):  # it is no interrupted one: somebody is at it
            return None
    resume.mend(found)
    return found


@contextlib.contextmanager
def kept(path: Path) -> Iterator[None]:
    """Keeps others from going on from this evidence, until we end, however we end."""
    with path.open("ab") as file:
        _locked(file)
        yield


def _locked(file: IO[bytes]) -> bool:
    """Whether nobody else had the lock of the file, which its closing gives back."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
