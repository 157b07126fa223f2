"""What is read of optimizers whose step reads whole tensors: matrices of two shapes, and options that are off."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from verifier.auditing import claimed
from verifier.auditing.read import Read
from verifier.auditing.reading_time import TooLong, limited
from verifier.lift.lifted import Lift
from verifier.subjects.torch_signature import Signature

SHAPES = ((3, 2), (2, 3))
"""A tall matrix and a wide one: what goes by the number of rows or columns shows."""

PATIENCE = 0.8
"""Seconds of a core that reading one more shape may take; most take a tenth of one."""

OFF = {"beta1": 0.9, "momentum": 0.9}
"""Options that some classes have as None, which switches an average off; each with a value that switches it on."""

Lifting = Callable[[dict[str, Any], tuple[tuple[int, ...], ...]], Lift | None]
"""Reads the class with these arguments from tensors of these shapes."""


def settings(known: Signature) -> Iterator[dict[str, Any]]:
    """Arguments to read the class with: its defaults, and averages that are off switched on."""
    yield {}
    taken = inspect.signature(known.build).parameters
    for name, value in OFF.items():
        if name in taken and taken[name].default is None:
            yield {name: value}


def told(
    known: Signature, read: Lift | None, lifting: Lifting, given: Mapping[str, Any], fixed: Mapping[str, Any]
) -> tuple[str, list[Read]]:
    """What the step is over whole tensors, '' if nothing, and what is wrong with it.

    `read` is what was read of its usual shape, with the arguments `given` and the switches `fixed`.
    """
    if read is not None and read.rule is not None and not known.of_vectors:
        return "", []  # every element steps by itself
    says, named = "", f"{known.name} {inspect.getdoc(known.build) or ''}"
    for more in settings(known) if not fixed else [{}]:
        args = {**given, **more}
        shapes = [*(((3,),) if more else ()), *(SHAPES if known.most_dimensions > 1 else ())]
        reads = [*([read] if read is not None and not more else []), *_soon(lifting, args, shapes)]
        said, wrong = claimed.over_tensors(reads, {**known.defaults, **fixed, **args}, named)
        says = says or said
        if wrong:
            return said, wrong
    return says, []


def _soon(lifting: Lifting, args: dict[str, Any], shapes: list[tuple[int, ...]]) -> Iterator[Lift]:
    """What is read of these shapes, until one takes too long."""
    for shape in shapes:
        try:
            with limited(PATIENCE):
                found = lifting(args, (shape,))
        except TooLong:
            return
        if found is not None:
            yield found
