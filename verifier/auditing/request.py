"""What an audit is asked to look at."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    """What is to be audited: the target, the rule it is held to, the arguments given for its constructor."""

    target: str
    rule: str = ""
    args: tuple[tuple[str, Any], ...] = ()
    profile: str = "smoke"
    memory: int | None = None


def argument(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value read as Python where it is some."""
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value
