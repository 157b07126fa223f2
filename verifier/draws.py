"""What Hypothesis draws for a property: how many cases, and from nothing that depends on where it runs."""

from __future__ import annotations

from typing import Any

PROFILES = {"smoke": 4, "ci": 6, "nightly": 200}
"""Hypothesis examples a test runs."""


def number(function: Any, profile: str, *, shrink: bool, seeded: bool = False) -> None:
    """Gives a property its number of cases; once a function, since pytest asks again for every class it is in."""
    from hypothesis import HealthCheck, Phase, is_hypothesis_test, settings

    if not is_hypothesis_test(function) or getattr(function, "_verifier_profile", None) == profile:
        return
    phases = (Phase.explicit, Phase.generate, Phase.shrink) if shrink else (Phase.explicit, Phase.generate)
    settings(
        max_examples=PROFILES[profile],
        deadline=None,  # a slow machine is not a broken optimizer
        database=None,  # a run depends on its seed alone
        derandomize=not seeded,  # and without one draws the same cases every time, so that a failure can be run again
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
        phases=phases,
    )(function)
    function._verifier_profile = profile


def alike_anywhere() -> None:
    """Keeps Hypothesis from drawing the constants of modules that happen to be imported, in this process.

    It reads them out of every module that is not installed: a seed would draw other cases from a checkout of ours than
    from a wheel, and others again once some row of a target had imported a module. Reading all of ours takes as long
    as twenty rows, too. Hypothesis has such constants since 6.131.1.
    """
    from hypothesis.internal.conjecture import providers

    if hasattr(providers, "_get_local_constants"):
        none: Any = type(providers._local_constants)()
        providers._get_local_constants = lambda: none
