"""A second defect behind a first: whether a law is broken as well without something that its first violation needs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from verifier.auditing.causes import FORMULA, law_of
from verifier.auditing.laws import Laws, of_itself, ordinary
from verifier.auditing.needs import explains
from verifier.case import Case

SECONDS = 4.0
"""What asking for a second defect may take."""


def second(laws: Laws, law: str, subject: str, needed: Sequence[str] | None, fixed: Mapping[str, float]) -> Case | None:
    """A case on which a law of the formula is broken without one of the settings that a first violation `needed`.

    None where there is none, or where the law is another one.
    """
    signature: Any = laws.found.signature
    if law_of(law) not in FORMULA or not needed:
        return None
    names = {text.partition(" = ")[0] for text in needed} & {option.name for option in signature.options}
    until = time.monotonic() + SECONDS
    for case in _without(laws, law, signature, sorted(names - set(fixed))):
        if time.monotonic() > until:
            return None
        if not of_itself(law, laws.violation(law, subject, case), case):
            continue
        small = laws.smaller(law, subject, case, signature.defaults)
        seen = laws.violation(law, subject, small)
        if seen is None:
            continue
        matters, _ = laws.matters(law, subject, small, signature)
        if not explains(needed, laws.needs(law, small, seen, matters, fixed)):
            return small
    return None


def _without(laws: Laws, law: str, signature: Any, names: Sequence[str]) -> Iterator[Case]:
    """Ordinary cases in which one of these options is at its default."""
    rule = next((made.rule for made in laws.modules if made.rule.name == law.partition(".")[0]), None)
    taken = {symbol.name for symbol in getattr(rule, "hyper", ())} if rule is not signature else None
    for name in names:
        default = signature.option(name).default
        for case in ordinary(signature):
            if case.hyper.get(name, default) == default:
                own = {n: v for n, v in case.hyper.items() if taken is None or n in taken}
                yield case.with_(hyper=own)
