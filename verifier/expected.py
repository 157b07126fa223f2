"""Expected failures: known defects with reasons. A listed failure is fine; a stale listing is not."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import UsageError

FIELDS = ("id", "reason", "link", "until")


@dataclass(frozen=True)
class Expected:
    """One `[[expect]]` entry: the ids it covers (`*` matches any run of characters) and why they fail.

    `until` is a requirement such as "torch < 2.14": once the installed version leaves it, the entry is void.
    """

    id: str
    reason: str
    link: str = ""
    until: str = ""

    def covers(self, evidence_id: str) -> bool:
        """Whether `evidence_id` is one of those listed, under the versions installed here."""
        return fnmatch.fnmatchcase(evidence_id, self.id) and self.in_force()

    def in_force(self) -> bool:
        """Whether the installed versions still lie inside `until`."""
        if not self.until:
            return True
        from importlib.metadata import PackageNotFoundError, version

        from packaging.requirements import Requirement

        requirement = Requirement(self.until)
        try:
            return requirement.specifier.contains(version(requirement.name).split("+")[0], prereleases=True)
        except PackageNotFoundError:
            return False


def read(path: Path) -> tuple[Expected, ...]:
    """The entries of an expected-failures file; a missing file has none; a malformed one is a UsageError."""
    if not path.exists():
        return ()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"not a TOML file: {error}", where=str(path)) from error
    if unknown := sorted(set(data) - {"expect"}):
        raise UsageError(f"unknown table {unknown[0]!r}", where=str(path), given=unknown[0], accepted=("expect",))
    entries = data.get("expect", [])
    if not isinstance(entries, list):
        raise UsageError("`expect` must be an array of tables, written [[expect]]", where=str(path))
    return tuple(_entry(path, number, entry) for number, entry in enumerate(entries, 1))


def _entry(path: Path, number: int, entry: Mapping[str, object]) -> Expected:
    where = f"{path}, entry {number}"
    for key, value in entry.items():
        if key not in FIELDS:
            raise UsageError(f"unknown key {key!r}", where=where, given=key, accepted=FIELDS)
        if not isinstance(value, str):
            raise UsageError(f"{key} must be a string, not {value!r}", where=where)
    for key in ("id", "reason"):
        if not str(entry.get(key, "")).strip():
            raise UsageError(f"{key} is missing; every expected failure has an id and a reason", where=where)
    found = Expected(**{key: str(value) for key, value in entry.items()})
    if found.until:
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            Requirement(found.until)
        except InvalidRequirement as error:
            no = f"until = {found.until!r} is not a requirement such as 'torch < 2.14'"
            raise UsageError(no, where=where) from error
    return found


def reason(entries: Iterable[Expected], evidence_id: str) -> str | None:
    """The reason listed for `evidence_id`, or None where it is not listed."""
    return next((entry.reason for entry in entries if entry.covers(evidence_id)), None)


def stale(entries: Iterable[Expected], verdicts: Mapping[str, str], *, complete: bool) -> list[tuple[Expected, str]]:
    """The entries that no longer say the truth, each with why.

    `verdicts` maps evidence ids to verdicts. An entry is stale when rows it covers ran and none of them is
    violated; and, where the run was `complete`, when it covers nothing at all. Rows that could not be run
    (untestable, inconclusive, broken) settle nothing, and neither does a device that nothing was run on, nor part of
    a run for an entry that is about several laws: the law that fails may not have been asked.
    """
    found = []
    for entry in entries:
        if not entry.in_force():
            continue
        covered = [verdict for key, verdict in verdicts.items() if fnmatch.fnmatchcase(key, entry.id)]
        if not covered and complete and not of_absent_device(entry, verdicts):
            found.append((entry, "matches nothing that was run"))
        elif "held" in covered and "violated" not in covered and (complete or not _several_laws(entry)):
            found.append((entry, "is listed as failing, but now holds"))
    return found


def of_absent_device(entry: Expected, ids: Iterable[str]) -> bool:
    """Whether an entry is about a device that no row is of: there was none, or it was not asked for."""
    device, *_ = entry.id.partition("@")[2].split("-")
    return device in ("cpu", "cuda") and not any(key.partition("@")[2].startswith(f"{device}-") for key in ids)


def _several_laws(entry: Expected) -> bool:
    return any(mark in entry.id.partition("@")[0] for mark in "*?[")
