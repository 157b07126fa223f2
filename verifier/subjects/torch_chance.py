"""Steps that draw random numbers: what runs of them can be compared with is another question."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import torch

from verifier.case import Case
from verifier.floats import FORMATS
from verifier.subjects.torch_conventions import case_of, drawn_elsewhere
from verifier.subjects.torch_foreign import Foreign
from verifier.subjects.torch_generators import drawing, generators, rewound
from verifier.subjects.torch_signature import Signature

MATRIX = (4, 3)
"""A shape that some steps treat otherwise than the others: they may begin an iteration with random numbers."""


def draws(signature: Signature, case: Case, dtype: str = "") -> bool:
    """Whether a run advances a random number generator: torch's, numpy's, Python's, or one of the class's own."""
    from verifier.subjects.torch_life import Life

    before, others = torch.default_generator.get_state(), drawn_elsewhere()
    try:
        rewound(signature.build)
        life = Life(Foreign(signature, FORMATS[dtype or signature.widest]), case)
        own = generators(life.optimizer)
        _, drew = drawing(signature.build, life.run)
        if drew or rewound(signature.build) or own != generators(life.optimizer):
            return True
        return not torch.equal(before, torch.default_generator.get_state()) or others != drawn_elsewhere()
    finally:
        torch.default_generator.set_state(before)


def by_chance(signature: Signature, shape: tuple[int, ...], taken: Mapping[str, list[float]]) -> Iterator[str]:
    """The switches that make steps of some shape draw random numbers in some format, where the defaults draw none."""
    for name, values in taken.items():
        for dtype, one in itertools.product(("float64", "bfloat16"), dict.fromkeys((shape, MATRIX))):
            turned = [{**signature.defaults, name: value} for value in values]
            try:
                cases = [case_of(signature, [one], hyper, 2) for hyper in (signature.defaults, *turned)]
                plain, *drew = (draws(signature, case, dtype) for case in cases)
            except Exception:  # foreign code in a format it may not be made for
                continue
            if any(drew) and not plain:
                yield name
                break
