"""The set of values a correct implementation may compute: of one step, of every step of a case, of a whole case."""

from verifier.enclosure.computed import Enclosure
from verifier.enclosure.course import Slots, carried, propagate, slots
from verifier.enclosure.rewrites import held_in
from verifier.enclosure.scalars import PROFILES, Profile, profiles
from verifier.enclosure.sets import initial, step

__all__ = [
    "PROFILES",
    "Enclosure",
    "Profile",
    "Slots",
    "carried",
    "held_in",
    "initial",
    "profiles",
    "propagate",
    "slots",
    "step",
]
