"""Which contract rejects which broken optimizer: computed, and written beside this file as `matrix.toml`.

`python -m tests.broken.matrix` writes it anew; a nightly test compares it with what is computed.
"""

from __future__ import annotations

import functools
import importlib
import tomllib
from pathlib import Path
from typing import Any

import hypothesis

from tests.broken import (
    aimless,
    apart,
    changes,
    idle,
    kept,
    lines,
    meant,
    more,
    rated,
    seldom,
    turns,
    unread,
    vanishing,
)
from tests.broken import optimizers as broken
from verifier import record
from verifier.auditing import collect as audit_collect
from verifier.auditing.probe import learn, with_class
from verifier.auditing.request import Request

FILE = Path(__file__).with_name("matrix.toml")

MORE = (
    *more.REJECTED, *lines.REJECTED, *apart.REJECTED, *changes.REJECTED, *seldom.REJECTED, *aimless.REJECTED,
    *vanishing.REJECTED, *idle.REJECTED, *unread.REJECTED, *kept.REJECTED, *turns.REJECTED, *rated.REJECTED,
    *meant.REJECTED,
)  # fmt: skip
"""Those that are not made to be rejected by one contract each."""

MEANT: tuple[tuple[type, str], ...] = (*broken.REJECTED.items(), *MORE)
"""Each broken optimizer and the contract it is made for; an optimizer may be there for several."""

UNSTEADY = frozenset({"ReadsUnwritten", "Varying"})
"""What is wrong with these shows or not as memory lay, and how often others ran: they are not in the table."""

NARROW = frozenset({"master_weights"})
"""Contracts about parameters of 16 bits, asked of bfloat16; all others are of float32."""

SHORT = hypothesis.settings(
    max_examples=4,
    database=None,
    report_multiple_bugs=False,
    deadline=None,
    derandomize=True,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    suppress_health_check=list(hypothesis.HealthCheck),
)


@functools.cache
def audited(name: str, place: str = "optimizers") -> Any:
    """The contract module of one optimizer of this folder."""
    found = learn(Request(f"tests.broken.{place}:{name}", profile="ci"))
    build = getattr(importlib.import_module(f"tests.broken.{place}"), name)
    return audit_collect._contract_module(with_class(found, build), "ci")


@functools.cache
def quick(test: Any, settings: hypothesis.settings) -> Any:
    """The test with few cases and no shrinking."""
    return settings(test)


def rejects(module: Any, law: str, settings: hypothesis.settings = SHORT) -> str:
    """What the law finds wrong, over the float32 subjects, or those of 16 bits; empty where it holds."""
    wanted = "bfloat16" if law in NARROW else "float32"
    for subject in module.subjects:
        if subject.format.name == wanted and not subject.untestable:
            record.start()
            try:
                quick(getattr(module, f"test_{law}"), settings)(subject=subject)
            except record.Violation as found:
                return found.sentence
    return ""


def rejecting(wrong: type) -> list[str]:
    """The contracts that reject a broken optimizer, in the order of their names."""
    from verifier.contract_table import CONTRACTS

    module = audited.__wrapped__(wrong.__name__, wrong.__module__.rpartition(".")[2])  # settings are given to it once
    names = sorted(row.name for row in CONTRACTS if hasattr(module, f"test_{row.name}"))
    return [name for name in names if rejects(module, name)]


def written() -> dict[str, list[str]]:
    """The table that is committed: broken optimizer -> contracts that reject it."""
    found: dict[str, list[str]] = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Computes the table and writes it."""
    rows = ["# Contracts that reject each broken optimizer: python -m tests.broken.matrix"]
    for wrong in sorted({one for one, _ in MEANT if one.__name__ not in UNSTEADY}, key=lambda one: one.__name__):
        names = ", ".join(f'"{name}"' for name in rejecting(wrong))
        rows.append(f"{wrong.__name__} = [{names}]")
        print(rows[-1], flush=True)
    FILE.write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
