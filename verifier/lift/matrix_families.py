"""The families of published steps over whole tensors that code is compared with, and which of them it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from verifier.lift.lifted import Lift
from verifier.lift.matrix_adafactor import MATRICES, VECTORS
from verifier.lift.matrix_lamb import LAMB
from verifier.lift.matrix_lars import LARS, NOVOGRAD
from verifier.lift.matrix_muon import MUON
from verifier.lift.matrix_search import Form, form

FAMILIES = (MATRICES, VECTORS, MUON, LAMB, LARS, NOVOGRAD)
"""What a lift that reads whole tensors is compared with, where it is no rule as published."""

_UNMISTAKABLE = (MATRICES, MUON)
"""Families that are told by their state or by what they compute; the others are looked for where code names them."""


def recognised(reads: Sequence[Lift], options: Mapping[str, Any], said: str) -> Form | None:
    """How code is written, of which family, by what was read of it at several shapes; None where it is of none.

    `options` are the options of the constructor as they were while it was read. `said` is what the class says of
    itself, its name first.
    """
    words = said.lower().replace("-", "")
    named = [family for family in FAMILIES if family.rule in words]
    for family in (*named, *(other for other in _UNMISTAKABLE if other not in named)):
        found = form(family, reads, options)
        if found is not None and (family in named or found.wrong is None or not found.wrong.named):
            return found
    return None
