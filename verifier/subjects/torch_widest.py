"""The widest format in which a class is looked at: float64, or float32 where it takes no float64."""

from __future__ import annotations

from dataclasses import replace

from verifier.case import Refused
from verifier.subjects.torch_asleep import asleep
from verifier.subjects.torch_conventions import case_of
from verifier.subjects.torch_probe import Probe, Untestable
from verifier.subjects.torch_signature import Signature


def examined(signature: Signature) -> Signature:
    """The signature with everything that a few hundred small runs show, in float32 where no float64 can be stepped.

    Untestable where nothing runs.
    """
    try:
        return _whole(Probe(signature).examined())
    except Untestable as no:
        if "first step raises" not in str(no):
            raise
        try:
            found = _whole(Probe(replace(signature, widest="float32")).examined())
        except Untestable:
            raise no from None
        why = str(no).replace("its first step raises", "its first step in float64 raises")
        unavailable = {f"{name} float64": f"takes no float64: {why}" for name in found.implementations}
        return replace(
            found,
            unavailable={**found.unavailable, **unavailable},
            notes=(("note", f"is looked at in float32: {why}"), *found.notes),
        )


def _whole(found: Signature) -> Signature:
    """With the options that alone make steps mix elements or tensors, and what it makes of matrices without columns."""
    if "nan_stays" in found.exempt and found.least_dimensions <= 2 <= found.most_dimensions:
        error = Probe(found).error(case_of(found, [(3, 0)], found.defaults))
        if error is not None and not isinstance(error, Refused):
            words = f"a matrix without columns raises {type(error).__name__}: {error}"
            found = replace(found, notes=(*found.notes, ("note", words)))
    names = asleep(found)
    if not names:
        return found
    words = f"while {' and '.join(names)} {'are' if len(names) > 1 else 'is'} off, its step is that of single elements"
    return replace(found, asleep=names, notes=(*found.notes, ("convention", words)))
