"""A row of the table of contracts, and the cases that rows ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A contract before it is stated of anything. `needs` are hyperparameters without which it says nothing.

    `signatures`: it is for audited classes; of a rule, its enclosure says more, and it has no constructor.
    """

    name: str
    says: str
    cases: str
    body: tuple[str, ...]
    because: str
    about: str
    costly: bool = False
    needs: tuple[str, ...] = ()
    signatures: bool = False


PLAIN = "steps=(2, 5), groups=True"
EVERYTHING = "steps=(2, 6), groups=True, schedule=True, absent=True"
