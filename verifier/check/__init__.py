"""The assertions generated properties call. Each returns nothing, or raises `Violation` saying what, where, how far.

Two kinds. Some hold observed values to an enclosure derived from the rule; the others compare the bits of two runs
of the same subject, related by a follow-up that is exact in binary floating point. None has a tolerance.
"""

from verifier.check.bits import (
    deterministic,
    frozen,
    groups_as_alone,
    layout_free,
    leaves_gradients,
    maximize,
    monotone,
    reordered,
    same_run,
    skips_absent,
)
from verifier.check.enclosed import exact, follows, state_follows, steps_enclosed
from verifier.check.paths import paths_agree, paths_enclosed

__all__ = [
    "deterministic",
    "exact",
    "follows",
    "frozen",
    "groups_as_alone",
    "layout_free",
    "leaves_gradients",
    "maximize",
    "monotone",
    "paths_agree",
    "paths_enclosed",
    "reordered",
    "same_run",
    "skips_absent",
    "state_follows",
    "steps_enclosed",
]
