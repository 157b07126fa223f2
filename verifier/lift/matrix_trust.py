"""The trust ratio of LAMB: the ways in use of scaling a step by norms, and the known mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

from verifier.lift.matrix_search import Absent, Line, Slot, Way, Written
from verifier.lift.matrix_ways import larger, norm, rms, root, smaller, square, usual, wrong


def adam(n: Line) -> Any:
    """The step of Adam, of the averages and corrections so far."""
    return n.m / n.corrected[0] / n.denom


def _scaled(ratio: Written, n: Line) -> Any:
    return ratio(n) * n.whole


def _capped(ratio: Written, n: Line) -> Any:
    return smaller(ratio(n), n.cap) * n.whole


def _over(divisor: Written) -> Written:
    return lambda n: norm(n.theta) / divisor(n)


_RATIOS: tuple[tuple[str, str, Written], ...] = (
    ("inverted", "the trust ratio is upside down", lambda n: norm(n.whole) / norm(n.theta)),
    (
        "of_undecayed",
        "the trust ratio divides by the norm of the step without weight decay",
        _over(lambda n: norm(adam(n))),
    ),
    (
        "of_uncorrected",
        "the trust ratio divides by the norm of the step without bias corrections and weight decay",
        _over(lambda n: norm(n.m / (root(n.v) + n.eps))),
    ),
    ("of_gradient", "the trust ratio divides by the norm of the gradient", _over(lambda n: norm(n.g))),
    ("of_clipped", "the trust ratio divides by the norm of the gradient", _over(lambda n: norm(n.grad))),
    ("of_average", "the trust ratio divides by the norm of the average of gradients", _over(lambda n: norm(n.m))),
    ("squared", "the trust ratio is squared", lambda n: square(n.theta) / square(n.whole)),
    ("square_below", "the trust ratio divides by the square of a norm", _over(lambda n: square(n.whole))),
    ("of_parameters", "the trust ratio is the norm of the parameters, divided by nothing", lambda n: norm(n.theta)),
    (
        "of_step",
        "the trust ratio is one over the norm of the step, without that of the parameters",
        lambda n: 1 / norm(n.whole),
    ),
    ("rms", "one of the norms is a root mean square", lambda n: rms(n.theta) / norm(n.whole)),
)
"""Mistakes in the ratio by which the step is scaled, whether it has a bound or not."""


def trust() -> Slot:
    """The ratio of norms by which the update is scaled, and what of the update it scales."""

    def size(n: Line) -> Any:
        return norm(n.theta)

    def ratio(n: Line) -> Any:
        return size(n) / norm(n.whole)

    def beside(least: Fraction) -> Written:
        return lambda n: size(n) / (norm(n.whole) + n.constant(least)) * n.whole

    def capped(bound: int) -> Written:
        return lambda n: smaller(ratio(n), unread(n, bound)) * n.whole

    def floored(bound: int) -> Written:
        return lambda n: larger(ratio(n), unread(n, bound)) * n.whole

    def fixed(bound: int) -> Written:
        return lambda n: smaller(ratio(n), n.constant(bound) + 0 * n.cap) * n.whole

    def unread(n: Line, bound: int) -> Any:
        if "cap" in n:  # an option says what the bound is
            raise Absent("bound")
        return n.constant(bound)

    def unscaled(n: Line) -> Any:
        if not n["options"].get("adam"):  # the name that option has wherever there is one
            raise Absent("adam")
        return n.whole

    def sized(bound: int) -> Written:
        return lambda n: smaller(size(n), n.constant(bound)) / norm(n.whole) * n.whole

    def ways() -> Iterator[Way]:
        yield usual("published", lambda n: ratio(n) * n.whole)
        yield usual(
            "eps_added", lambda n: size(n) / (norm(n.whole) + n.eps) * n.whole, "eps added to the norm of the step"
        )
        for exponent in (6, 8, 12):
            yield usual("some_added", beside(Fraction(1, 10**exponent)))
        yield usual("capped", lambda n: smaller(ratio(n), n.cap) * n.whole, "the trust ratio has a bound")
        yield usual(
            "capped_eps",
            lambda n: smaller(size(n) / (norm(n.whole) + n.eps), n.cap) * n.whole,
            "the trust ratio has a bound",
        )
        yield usual(
            "capped_size",
            lambda n: smaller(size(n), n.cap) / norm(n.whole) * n.whole,
            "the norm of the parameters has a bound",
        )
        for bound in (1, 10):
            yield usual(f"capped_{bound}", capped(bound), f"the trust ratio is at most {bound}")
            yield wrong(
                f"fixed_{bound}", f"the bound on the trust ratio is {bound}, whatever the option is", fixed(bound)
            )
            yield wrong(
                f"floored_{bound}", f"the trust ratio is at least {bound}, and should be at most", floored(bound)
            )
            yield usual(f"capped_size_{bound}", sized(bound), f"the norm of the parameters is at most {bound}")
        for name, says, wrongly in _RATIOS:
            yield wrong(name, says, partial(_scaled, wrongly))
            yield wrong(f"capped_{name}", says, partial(_capped, wrongly))
        yield wrong(
            "floored",
            "the trust ratio is at least what it should be at most",
            lambda n: larger(ratio(n), n.cap) * n.whole,
        )
        yield wrong(
            "decay_untrusted",
            "weight decay is not scaled by the trust ratio",
            lambda n: size(n) / norm(adam(n)) * adam(n) + n.weight_decay * n.theta,
        )
        yield wrong(
            "decay_alone_trusted",
            "the trust ratio scales weight decay alone",
            lambda n: adam(n) + ratio(n) * n.weight_decay * n.theta,
        )
        yield usual("off", unscaled, "the trust ratio switched off")
        yield wrong("none", "the step is not scaled by a trust ratio", lambda n: n.whole)

    return Slot("trusted", tuple(ways()))
