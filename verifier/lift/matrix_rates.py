"""How far a step of Adafactor goes: its bound, the parameter's size and the rate; ways in use, and known mistakes."""

from __future__ import annotations

from fractions import Fraction

from verifier.lift.matrix_search import Slot
from verifier.lift.matrix_ways import larger, norm, rms, root, smaller, usual, wrong


def clipped() -> Slot:
    """The update, no longer than its bound."""
    threshold = "the bound on the update"
    return Slot(
        "clipped",
        (
            usual("clipped", lambda n: n.divided / larger(1, rms(n.divided) / n.d)),
            usual("unclipped", lambda n: n.divided, "an update without a bound", unless="clip_threshold"),
            wrong(
                "lengthened",
                "the update is lengthened where it should be clipped, and the other way round",
                lambda n: n.divided / smaller(1, rms(n.divided) / n.d),
            ),
            wrong(
                "always", "updates below the bound are lengthened to it", lambda n: n.divided / (rms(n.divided) / n.d)
            ),
            wrong(
                "multiplied",
                "updates above the bound are lengthened",
                lambda n: n.divided * larger(1, rms(n.divided) / n.d),
            ),
            wrong(
                "norm",
                f"{threshold} is on its norm, in the place of its root mean square",
                lambda n: n.divided / larger(1, norm(n.divided) / n.d),
            ),
            wrong(
                "of_gradient",
                f"{threshold} is on the gradient's root mean square",
                lambda n: n.divided / larger(1, rms(n.grad) / n.d),
            ),
            wrong(
                "of_parameter",
                f"{threshold} is on the parameter's root mean square",
                lambda n: n.divided / larger(1, rms(n.theta) / n.d),
            ),
            wrong("inverted", f"{threshold} is upside down", lambda n: n.divided / larger(1, n.d / rms(n.divided))),
            wrong(
                "times",
                f"{threshold} is multiplied, in the place of divided by",
                lambda n: n.divided / larger(1, rms(n.divided) * n.d),
            ),
            wrong(
                "mean_square",
                "the root of the mean square is not taken in clipping",
                lambda n: n.divided / larger(1, (n.divided * n.divided).sum() / n.divided.size / n.d),
            ),
        ),
    )


def scale() -> Slot:
    """The size of the parameter, which scales the rate."""
    return Slot(
        "scale",
        (
            usual("parameter", lambda n: larger(n.eps2, rms(n.theta)), needs="scale_parameter"),
            usual(
                "none",
                lambda n: n.constant(1),
                "a rate that the parameter's size does not scale",
                unless="scale_parameter",
            ),
            wrong(
                "other_eps", "the least size of a parameter is the other eps", lambda n: larger(n.eps1, rms(n.theta))
            ),
            wrong("unbounded", "the size of a parameter has no least value", lambda n: rms(n.theta) + 0 * n.eps2),
            wrong(
                "smaller",
                "the size of a parameter is at most eps, where it should be at least",
                lambda n: smaller(n.eps2, rms(n.theta)),
            ),
            wrong(
                "norm",
                "the parameter's norm is taken for its root mean square",
                lambda n: larger(n.eps2, norm(n.theta)),
            ),
            wrong(
                "of_gradient", "the gradient's size is taken for the parameter's", lambda n: larger(n.eps2, rms(n.g))
            ),
            wrong(
                "of_update", "the update's size is taken for the parameter's", lambda n: larger(n.eps2, rms(n.divided))
            ),
            wrong(
                "mean_square",
                "the root of the parameter's mean square is not taken",
                lambda n: larger(n.eps2, (n.theta * n.theta).sum() / n.theta.size),
            ),
            wrong(
                "mean",
                "the parameter's mean is taken for its root mean square",
                lambda n: larger(n.eps2, n.theta.sum() / n.theta.size),
            ),
        ),
    )


def rate() -> Slot:
    """The rate, given or relative."""
    hundredth, millionth = Fraction(1, 100), Fraction(1, 10**6)
    relative = "a relative step"
    return Slot(
        "rate",
        (
            usual("given", lambda n: n.scale * n.lr, unless="relative_step"),
            usual("bounded", lambda n: n.scale * smaller(n.lr, 1 / root(n.t))),
            usual(
                "relative",
                lambda n: n.scale * smaller(n.constant(hundredth), 1 / root(n.t)),
                relative,
                unless="warmup_init",
                needs="relative_step",
            ),
            usual(
                "warming",
                lambda n: n.scale * smaller(n.constant(millionth) * n.t, 1 / root(n.t)),
                f"{relative}, warming up",
                needs="warmup_init",
            ),
            wrong(
                "larger",
                "the rate is at least what it should be at most",
                lambda n: n.scale * larger(n.lr, 1 / root(n.t)),
            ),
            wrong(
                "larger_relative",
                "the rate is at least what it should be at most",
                lambda n: n.scale * larger(n.constant(hundredth), 1 / root(n.t)),
            ),
            wrong(
                "larger_warming",
                "the rate is at least what it should be at most",
                lambda n: n.scale * larger(n.constant(millionth) * n.t, 1 / root(n.t)),
            ),
            wrong(
                "rootless",
                "the rate falls with the step, not with its root",
                lambda n: n.scale * smaller(n.lr, 1 / n.t),
            ),
            wrong(
                "rootless_relative",
                "the rate falls with the step, not with its root",
                lambda n: n.scale * smaller(n.constant(hundredth), 1 / n.t),
            ),
            wrong("rising", "the rate rises with the step", lambda n: n.scale * smaller(n.lr, root(n.t))),
        ),
    )
