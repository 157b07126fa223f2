"""What comparing code with a rule said, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Read:
    """What comparing the code of one implementation with a rule said; `subject` is the implementation."""

    subject: str
    rule: str
    status: str
    difference: str
    mutant: str = ""
