"""What is said of the weight decay of a target: its kind, and words where the kind alone would mislead."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verifier.subjects.torch_signature import Signature


def said(read: Any, known: Signature, of_matrices: Callable[[], Any]) -> tuple[str, str]:
    """The kind of decay, a key of `lift.semantics.WORDS`, and what else is to be said of it; "" where nothing is.

    `read` was read of vectors, or is None; `of_matrices` reads the step of matrices. Some optimizers decay those alone.
    """
    if read is None:
        return "unknown", ""
    kind: str = read.weight_decay
    if kind == "other":
        return kind, read.decay_words
    if kind != "none" or not _decays_matrices(known):
        return kind, ""
    other = of_matrices()
    kind = other.weight_decay if other is not None and other.weight_decay != "none" else "unknown"
    words = kind if kind != "other" else other.decay_words
    return kind, f"{words} (of tensors of two dimensions and more; vectors are not decayed)"


def _decays_matrices(known: Signature) -> bool:
    """Whether an option of decay changes the steps of a matrix."""
    from verifier.floats import FORMATS, same_bits
    from verifier.subjects.torch_conventions import case_of
    from verifier.subjects.torch_foreign import Foreign, run

    if not known.least_dimensions < 2 <= known.most_dimensions:
        return False
    subject = Foreign(known, FORMATS[known.widest])
    for name, value in known.decays.items():
        cases = [case_of(known, [(4, 3)], {**known.defaults, name: rate}) for rate in (0.0, value)]
        try:
            off, on = (run(subject, case).theta for case in cases)
        except Exception:  # foreign code: the contracts will meet it again
            continue
        if not same_bits(off, on).all():
            return True
    return False
