"""Contracts of elements and of single tensors, asked of classes that mix them under some options, with those off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any


def modules(found: Any, contracts: Callable[[Any], ModuleType]) -> list[ModuleType]:
    """The module of such contracts, if there are any: the others are asked with every option.

    `contracts` makes the module of all contracts of what is known of a class.
    """
    if not found.signature.asleep:
        return []
    from verifier.subjects.torch_asleep import mixed, without

    made = contracts(replace(found, signature=without(found.signature)))
    wanted = {f"test_{name}" for name in mixed(found.signature)}
    for name in [name for name in vars(made) if name.startswith("test_") and name not in wanted]:
        delattr(made, name)
    return [made]


def left_out(signature: Any) -> dict[str, str]:
    """The contracts that are asked under no options, and why."""
    from verifier.subjects.torch_asleep import without

    return dict(without(signature).exempt if signature.asleep else signature.exempt)
