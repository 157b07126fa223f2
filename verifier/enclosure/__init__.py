"""The set of values a correct implementation may compute: `step` from given values, `propagate` over a whole case."""

from verifier.enclosure.sets import PROFILES, Enclosure, Profile, initial, profiles, propagate, step

__all__ = ["PROFILES", "Enclosure", "Profile", "initial", "profiles", "propagate", "step"]
