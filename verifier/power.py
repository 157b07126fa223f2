"""The measured power to catch mistakes: which law rejects which known mistake, by algebra and in each format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Kill:
    """Whether `law` rejects `mutant` of `rule`: in one float format, or ("reals") by a refuted proof."""

    rule: str
    law: str
    mutant: str
    dtype: str
    killed: bool

    def to_json(self) -> dict[str, Any]:
        """The `power` record of an evidence file."""
        return {"kind": "power", **asdict(self)}


def measured(rows: Iterable[Mapping[str, Any]]) -> list[Kill]:
    """The kills that evidence rows of a run over mutants show: a mutant that violates a law is killed by it."""
    found = []
    for row in rows:
        if row.get("kind", "evidence") != "evidence" or row["verdict"] not in ("violated", "held"):
            continue
        rule, _, law = row["law"].partition(".")
        _, dtype, mutant = row["subject"].split("-", 2)
        found.append(Kill(rule, law, mutant, dtype, row["verdict"] == "violated"))
    return found


def symbolic(rule_name: str) -> list[Kill]:
    """The kills algebra shows: a law proved of the rule and refuted, with a witness, of the mutant."""
    from verifier.families import refutes
    from verifier.mutants import mutants
    from verifier.rules import get

    rule = get(rule_name)
    return [
        Kill(rule.name, law, wrong.name.partition("__")[2], "reals", refuted)
        for wrong in mutants(rule)
        for law, refuted in refutes(rule, wrong).items()
    ]


def survivors(kills: Iterable[Kill]) -> list[tuple[str, str, str]]:
    """(rule, mutant, dtype) of the mistakes no law rejects: the gaps of the suite."""
    seen: dict[tuple[str, str, str], bool] = {}
    for kill in kills:
        key = (kill.rule, kill.mutant, kill.dtype)
        seen[key] = seen.get(key, False) or kill.killed
    return sorted(key for key, killed in seen.items() if not killed)


def idle(kills: Iterable[Kill]) -> list[tuple[str, str, str]]:
    """(rule, law, dtype) of the laws that reject no known mistake there: they discriminate nothing."""
    seen: dict[tuple[str, str, str], bool] = {}
    for kill in kills:
        key = (kill.rule, kill.law, kill.dtype)
        seen[key] = seen.get(key, False) or kill.killed
    return sorted(key for key, killed in seen.items() if not killed)


def matrix(kills: Iterable[Kill], dtype: str) -> dict[str, dict[str, tuple[int, int]]]:
    """law -> mutant -> (rules in which it is killed, rules in which both exist), for one format or "reals"."""
    table: dict[str, dict[str, tuple[int, int]]] = {}
    for kill in kills:
        if kill.dtype == dtype:
            row = table.setdefault(kill.law, {})
            killed, tried = row.get(kill.mutant, (0, 0))
            row[kill.mutant] = (killed + kill.killed, tried + 1)
    return {law: dict(sorted(row.items())) for law, row in sorted(table.items())}
