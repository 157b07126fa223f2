"""Steps that draw random numbers: what runs of them can be compared with is another question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from verifier.case import Case
from verifier.floats import FORMATS
from verifier.subjects.torch_conventions import case_of, drawn_elsewhere
from verifier.subjects.torch_foreign import Foreign
from verifier.subjects.torch_signature import Signature


def draws(signature: Signature, case: Case, dtype: str = "float64") -> bool:
    """Whether a run advances a random number generator: torch's, numpy's or Python's."""
    from verifier.subjects.torch_life import Life

    before, others = torch.default_generator.get_state(), drawn_elsewhere()
    try:
        Life(Foreign(signature, FORMATS[dtype]), case).run()
        return not torch.equal(before, torch.default_generator.get_state()) or others != drawn_elsewhere()
    finally:
        torch.default_generator.set_state(before)


def by_chance(signature: Signature, shape: tuple[int, ...], taken: Mapping[str, list[float]]) -> Iterator[str]:
    """The switches that make steps draw random numbers in some format, where the defaults draw none."""
    for name, values in taken.items():
        for dtype in ("float64", "bfloat16"):
            turned = [{**signature.defaults, name: value} for value in values]
            try:
                cases = [case_of(signature, [shape], hyper, 2) for hyper in (signature.defaults, *turned)]
                plain, *drew = (draws(signature, case, dtype) for case in cases)
            except Exception:  # foreign code in a format it may not be made for
                continue
            if any(drew) and not plain:
                yield name
                break
