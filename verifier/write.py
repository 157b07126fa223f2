"""Writes properties/: one readable module a rule, a test a law. `check` shows how the folder differs from the rules.

Only laws with a proof, and contracts that documentation states, become tests. The text depends on the rules alone:
no date, no version, so writing twice changes nothing.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable
from pathlib import Path

from verifier import contracts, families
from verifier.contracts import Contract
from verifier.law import Law, prove
from verifier.normal import Status
from verifier.rule import Rule
from verifier.rules import get, names

WIDTH = 100  # columns of prose in a docstring, before its indent
INDENT = " " * 4


ESSENTIAL = frozenset(
    ("absent_gradients", "all_parameters", "determinism", "groups", "layouts", "order", "purity", "resume", "schedule")
)
"""The contracts that stand beside a rule's own laws; `verifier audit` runs all of them."""


def laws(rule: Rule) -> tuple[Law | Contract, ...]:
    """The laws of `rule` that become tests: those proved from its formula, then the contracts."""
    testable = (law for law in families.laws(rule) if law.follow_up is not None)
    proved = (law for law in testable if prove(law).status is Status.PROVED)
    return (*proved, *(contract for contract in contracts.laws(rule) if contract.name in ESSENTIAL))


def module(rule: Rule, source: str | None = None) -> str:
    """The source of the test module of `rule`; `source` says where the rule is imported from."""
    source = source or f"verifier.rules.{rule.name}"
    found = laws(rule)
    head = [
        f'"""Properties of {rule.name}: generated from its rule by `verifier write`; edit the rule or the law, not this.',
        "",
        *textwrap.wrap(rule.cite, 110),
        '"""',
        "",
        "from hypothesis import given",
        "",
        "from verifier import check",
        f"from {source} import rule",
        "from verifier.strategies import cases",
    ]
    return "\n".join(head) + "\n" + "".join(f"\n\n{test(law)}" for law in found)


def test(law: Law | Contract) -> str:
    """The source of one test: a case drawn, the law's sentence and formula, and the assertion."""
    assert law.follow_up is not None
    signature = (
        f"@given(case=cases(rule, {law.follow_up.cases}))" if law.follow_up.cases else "@given(case=cases(rule))"
    )
    lines = [signature, f"def test_{law.name}(subject, case):", *docstring(law), *law.follow_up.body]
    return "\n".join([lines[0], lines[1], *(INDENT + line if line else "" for line in lines[2:])]) + "\n"


test.__test__ = False  # type: ignore[attr-defined]  # its name begins as a test's does


def docstring(law: Law | Contract) -> list[str]:
    """What the law says, its formula, where it holds and why: the lines of a docstring."""
    paragraphs = [textwrap.wrap(law.says, WIDTH)]
    if law.claim:
        paragraphs.append([INDENT + line for line in law.claim.splitlines()])
    if law.where:
        paragraphs.append(textwrap.wrap(f"Where {', '.join(law.where)}.", WIDTH))
    if law.because:
        paragraphs.append(textwrap.wrap(law.because, WIDTH))
    lines = ['"""' + paragraphs[0][0], *paragraphs[0][1:]]
    for paragraph in paragraphs[1:]:
        lines += ["", *paragraph]
    if len(lines) == 1:
        return [lines[0] + '"""']
    return [*lines, '"""']


def rendered(rules: Iterable[str] = ()) -> dict[str, str]:
    """File name -> source, for the named rules (default: the whole catalogue)."""
    return {f"test_{name}.py": module(get(name)) for name in (tuple(rules) or names())}


def write(directory: Path, rules: Iterable[str] = ()) -> list[Path]:
    """Writes the modules and removes those of rules that are gone; the files that changed, sorted."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = rendered(rules)
    changed = []
    for name, text in wanted.items():
        path = directory / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    for path in [] if rules else directory.glob("test_*.py"):
        if path.name not in wanted:
            path.unlink()
            changed.append(path)
    return sorted(changed)


def check(directory: Path) -> str:
    """The unified diff from what `directory` holds to what the rules give; empty where they agree."""
    wanted = rendered()
    present = {p.name: p.read_text(encoding="utf-8") for p in directory.glob("test_*.py")} if directory.exists() else {}
    diffs: list[str] = []
    for name in sorted({*wanted, *present}):
        before, after = present.get(name, ""), wanted.get(name, "")
        diffs += difflib.unified_diff(
            before.splitlines(keepends=True),
            after.splitlines(keepends=True),
            f"{directory.name}/{name}",
            "from the rules",
        )
    return "".join(diffs)
