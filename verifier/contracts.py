"""Laws no formula implies: what torch's documentation promises of every optimizer, whatever rule it follows.

`laws` states the rows of the table of contracts of a rule, or of the signature of an optimizer class. Their proof
status is STATED: documentation, not algebra.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import sympy
from sympy import Symbol

from verifier.contract_row import Row
from verifier.contract_table import CONTRACTS
from verifier.equality.normal import Status
from verifier.evidence import Strength
from verifier.law import FollowUp, Inapplicable, Proof
from verifier.rule import Rule


class Signed(Protocol):
    """What a contract needs to know of what it is stated of: its name and its hyperparameters.

    `exempt`, where there is one, maps names of contracts to why they say nothing of it.
    """

    @property
    def name(self) -> str: ...

    @property
    def hyper(self) -> Mapping[Symbol, sympy.Set]: ...


@dataclass(frozen=True, eq=False)
class Contract:
    """A law that documentation states: in words, and as a test. It has no formula.

    `about` is the part of an optimizer's life it belongs to; `costly` keeps it out of smoke runs.
    """

    name: str
    of: Signed
    says: str
    follow_up: FollowUp
    because: str
    about: str
    costly: bool = False
    where: tuple[str, ...] = ()
    claim: str | None = None
    strength: Strength = Strength.HELD

    @property
    def rule(self) -> str:
        """The name of what the contract is stated of."""
        return self.of.name

    @property
    def id(self) -> str:
        return f"{self.of.name}.{self.name}"

    @property
    def proof(self) -> Proof:
        """Its proof: stated by documentation."""
        return Proof(self.id, Status.STATED, "stated by torch's documentation")


def stated(row: Row, of: Signed) -> Contract | Inapplicable:
    """The contract of one row, stated of a rule or signature, or why it says nothing of it."""
    exempt: Mapping[str, str] = getattr(of, "exempt", {})
    if row.name in exempt:
        return Inapplicable(exempt[row.name])
    if row.signatures and isinstance(of, Rule):
        return Inapplicable("asked of audited classes: the rule's enclosure says more, and it has no constructor")
    names = {symbol.name for symbol in of.hyper}
    if missing := [name for name in row.needs if name not in names]:
        return Inapplicable(f"there is no {missing[0]}")
    follow_up = FollowUp(row.cases, row.body)
    return Contract(row.name, of, row.says, follow_up, row.because, row.about, row.costly)


def laws(of: Signed) -> tuple[Contract, ...]:
    """The contracts that hold of a rule, or of the signature of an optimizer."""
    return tuple(found for row in CONTRACTS if isinstance(found := stated(row, of), Contract))


def inapplicable(of: Signed) -> dict[str, Inapplicable]:
    """The contracts that say nothing of it, each with its reason."""
    return {row.name: found for row in CONTRACTS if isinstance(found := stated(row, of), Inapplicable)}
