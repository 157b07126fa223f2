"""LAMB, line by line: the ways in use of writing each line, and the known mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from verifier.lift.matrix_search import Absent, Family, Line, Slot, Way, Written
from verifier.lift.matrix_ways import (
    COMMON,
    averages,
    gradient,
    larger,
    norm,
    rms,
    root,
    smaller,
    square,
    usual,
    wrong,
)


def _moments() -> tuple[Slot, Slot]:

    def square(n: Line) -> Any:
        return n.grad * n.grad

    def gradient(n: Line) -> Any:
        return n.grad

    def unweighted(n: Line) -> Any:
        return n.beta1 * n.was.m + n.grad

    first = [
        *averages("m", "gradients", lambda n: n.beta1, gradient),
        usual("sum", unweighted, "gradients not averaged but summed"),
        wrong("of_squares", "the first average is of squares", lambda n: n.beta1 * n.was.m + (1 - n.beta1) * square(n)),
        wrong(
            "other_beta",
            "the average of gradients decays with beta2",
            lambda n: n.beta2 * n.was.m + (1 - n.beta2) * n.grad,
        ),
        wrong(
            "other_weight",
            "the gradient is weighted by 1 - beta2",
            lambda n: n.beta1 * n.was.m + (1 - n.beta2) * n.grad,
        ),
        wrong(
            "of_unclipped",
            "the average of gradients is of those before clipping",
            lambda n: n.beta1 * n.was.m + (1 - n.beta1) * n.g,
        ),
    ]
    second = [
        *averages("v", "squares", lambda n: n.beta2, square),
        wrong("unsquared", "the gradient is not squared", lambda n: n.beta2 * n.was.v + (1 - n.beta2) * n.grad),
        wrong(
            "other_beta",
            "the average of squares decays with beta1",
            lambda n: n.beta1 * n.was.v + (1 - n.beta1) * square(n),
        ),
        wrong(
            "other_weight",
            "the square is weighted by 1 - beta1",
            lambda n: n.beta2 * n.was.v + (1 - n.beta1) * square(n),
        ),
        wrong("sum", "squares are summed with full weight", lambda n: n.beta2 * n.was.v + square(n)),
        wrong(
            "of_products",
            "the gradient is multiplied by its average, in the place of squared",
            lambda n: n.beta2 * n.was.v + (1 - n.beta2) * n.grad * n.m,
        ),
        wrong(
            "of_averages",
            "the average of gradients is squared",
            lambda n: n.beta2 * n.was.v + (1 - n.beta2) * n.m * n.m,
        ),
        wrong(
            "of_unclipped",
            "the squares are of gradients before clipping",
            lambda n: n.beta2 * n.was.v + (1 - n.beta2) * n.g * n.g,
        ),
    ]
    return Slot("m", tuple(first), state=True), Slot("v", tuple(second), state=True)


def _miscounted(by: int, name: str, says: str) -> Iterator[Way]:
    """Bias corrections at another step than this."""

    def corrected(beta: Any, count: Any) -> Any:
        return 1 - beta**count

    yield wrong(
        f"step_{name}",
        f"the bias corrections count {says}",
        lambda n: (corrected(n.beta1, n.t + by), corrected(n.beta2, n.t + by)),
    )
    yield wrong(
        f"first_{name}",
        f"the bias correction of beta1 counts {says}",
        lambda n: (corrected(n.beta1, n.t + by), corrected(n.beta2, n.t)),
    )
    yield wrong(
        f"second_{name}",
        f"the bias correction of beta2 counts {says}",
        lambda n: (corrected(n.beta1, n.t), corrected(n.beta2, n.t + by)),
    )


def _corrections() -> Slot:
    def ways() -> Iterator[Way]:
        yield usual("both", lambda n: (1 - n.beta1**n.t, 1 - n.beta2**n.t))
        yield usual(
            "none", lambda n: (n.constant(1), n.constant(1)), "without bias corrections", unless="bias_correction"
        )
        yield wrong(
            "first_alone",
            "the average of squares is not corrected for its start",
            lambda n: (1 - n.beta1**n.t, n.constant(1)),
        )
        yield wrong(
            "second_alone",
            "the average of gradients is not corrected for its start",
            lambda n: (n.constant(1), 1 - n.beta2**n.t),
        )
        yield wrong("exchanged", "the bias corrections are exchanged", lambda n: (1 - n.beta2**n.t, 1 - n.beta1**n.t))
        yield wrong("both_first", "both bias corrections are of beta1", lambda n: (1 - n.beta1**n.t, 1 - n.beta1**n.t))
        yield wrong("both_second", "both bias corrections are of beta2", lambda n: (1 - n.beta2**n.t, 1 - n.beta2**n.t))
        yield wrong("fixed", "the bias corrections do not count steps", lambda n: (1 - n.beta1, 1 - n.beta2))
        yield wrong(
            "fixed_first",
            "the bias correction of beta1 does not count steps",
            lambda n: (1 - n.beta1, 1 - n.beta2**n.t),
        )
        yield wrong(
            "fixed_second",
            "the bias correction of beta2 does not count steps",
            lambda n: (1 - n.beta1**n.t, 1 - n.beta2),
        )
        yield from _miscounted(1, "ahead", "a step too many")
        yield from _miscounted(-1, "behind", "a step too few")

    return Slot("corrected", tuple(ways()))


def _denominator() -> Slot:
    return Slot(
        "denom",
        (
            usual("published", lambda n: root(n.v / n.corrected[1]) + n.eps),
            usual(
                "eps_uncorrected",
                lambda n: (root(n.v) + n.eps) / root(n.corrected[1]),
                "eps added before the bias correction",
            ),
            usual("eps_inside", lambda n: root(n.v / n.corrected[1] + n.eps), "eps inside the root"),
            wrong(
                "rootless", "the root of the average of squares is not taken", lambda n: n.v / n.corrected[1] + n.eps
            ),
            wrong(
                "rootless_correction",
                "the root of the bias correction is not taken",
                lambda n: root(n.v) / n.corrected[1] + n.eps,
            ),
            wrong(
                "multiplied", "the bias correction of beta2 multiplies", lambda n: root(n.v * n.corrected[1]) + n.eps
            ),
            wrong("eps_times", "eps scales the denominator", lambda n: root(n.v / n.corrected[1]) * n.eps),
            wrong("eps_subtracted", "eps is subtracted", lambda n: root(n.v / n.corrected[1]) - n.eps),
            wrong("eps_lost", "eps is lost", lambda n: root(n.v / n.corrected[1]) + 0 * n.eps),
            wrong(
                "stale",
                "the average of squares before this step is used",
                lambda n: root(n.was.v / n.corrected[1]) + n.eps,
            ),
            wrong(
                "unaveraged",
                "the squares of this gradient alone are used",
                lambda n: root(n.grad * n.grad / n.corrected[1]) + n.eps,
            ),
        ),
    )


def _adam(n: Line) -> Any:
    return n.m / n.corrected[0] / n.denom


def _update() -> Slot:
    return Slot(
        "whole",
        (
            usual("published", lambda n: _adam(n) + n.weight_decay * n.theta),
            usual("undecayed", _adam),
            usual(
                "nesterov",
                lambda n: (
                    (n.beta1 * n.m / n.corrected[0] + (1 - n.beta1) * n.grad / n.corrected[0]) / n.denom
                    + n.weight_decay * n.theta
                ),
                "with Nesterov's average",
            ),
            wrong("decay_subtracted", "weight decay is subtracted", lambda n: _adam(n) - n.weight_decay * n.theta),
            wrong("decay_twice", "weight decay is added twice", lambda n: _adam(n) + 2 * n.weight_decay * n.theta),
            wrong(
                "decay_squared",
                "weight decay is squared",
                lambda n: _adam(n) + n.weight_decay * n.weight_decay * n.theta,
            ),
            wrong(
                "decay_by_lr",
                "weight decay is scaled by lr twice",
                lambda n: _adam(n) + n.lr * n.weight_decay * n.theta,
            ),
            wrong("decay_of_gradient", "weight decay is of the gradient", lambda n: _adam(n) + n.weight_decay * n.grad),
            wrong(
                "decay_divided",
                "weight decay is divided by the average of squares",
                lambda n: (n.m / n.corrected[0] + n.weight_decay * n.theta) / n.denom,
            ),
            wrong(
                "correction_multiplied",
                "the bias correction of beta1 multiplies",
                lambda n: n.m * n.corrected[0] / n.denom + n.weight_decay * n.theta,
            ),
            wrong(
                "multiplied",
                "the average of gradients is multiplied by the denominator",
                lambda n: n.m / n.corrected[0] * n.denom + n.weight_decay * n.theta,
            ),
            wrong(
                "unaveraged",
                "this gradient alone is used",
                lambda n: n.grad / n.corrected[0] / n.denom + n.weight_decay * n.theta + 0 * n.m,
            ),
            wrong(
                "stale",
                "the average of gradients before this step is used",
                lambda n: n.was.m / n.corrected[0] / n.denom + n.weight_decay * n.theta,
            ),
        ),
    )


def _trust() -> Slot:
    """The ratio of norms by which the update is scaled, and what of the update it scales."""

    def size(n: Line) -> Any:
        return norm(n.theta)

    def ratio(n: Line) -> Any:
        return size(n) / norm(n.whole)

    def beside(least: Fraction) -> Written:
        return lambda n: size(n) / (norm(n.whole) + n.constant(least)) * n.whole

    def capped(bound: int) -> Written:
        return lambda n: smaller(ratio(n), n.constant(bound)) * n.whole

    def floored(bound: int) -> Written:
        return lambda n: larger(ratio(n), n.constant(bound)) * n.whole

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
                f"floored_{bound}", f"the trust ratio is at least {bound}, and should be at most", floored(bound)
            )
            yield usual(f"capped_size_{bound}", sized(bound), f"the norm of the parameters is at most {bound}")
        yield wrong("inverted", "the trust ratio is upside down", lambda n: norm(n.whole) / size(n) * n.whole)
        yield wrong(
            "of_undecayed",
            "the trust ratio divides by the norm of the step without weight decay",
            lambda n: size(n) / norm(_adam(n)) * n.whole,
        )
        yield wrong(
            "of_gradient",
            "the trust ratio divides by the norm of the gradient",
            lambda n: size(n) / norm(n.g) * n.whole,
        )
        yield wrong(
            "of_clipped",
            "the trust ratio divides by the norm of the gradient",
            lambda n: size(n) / norm(n.grad) * n.whole,
        )
        yield wrong(
            "of_average",
            "the trust ratio divides by the norm of the average of gradients",
            lambda n: size(n) / norm(n.m) * n.whole,
        )
        yield wrong("squared", "the trust ratio is squared", lambda n: square(n.theta) / square(n.whole) * n.whole)
        yield wrong(
            "square_below",
            "the trust ratio divides by the square of a norm",
            lambda n: size(n) / square(n.whole) * n.whole,
        )
        yield wrong(
            "of_parameters",
            "the trust ratio is the norm of the parameters, divided by nothing",
            lambda n: size(n) * n.whole,
        )
        yield wrong(
            "of_step",
            "the trust ratio is one over the norm of the step, without that of the parameters",
            lambda n: n.whole / norm(n.whole),
        )
        yield wrong("rms", "one of the norms is a root mean square", lambda n: rms(n.theta) / norm(n.whole) * n.whole)
        yield wrong(
            "floored",
            "the trust ratio is at least what it should be at most",
            lambda n: larger(ratio(n), n.cap) * n.whole,
        )
        yield wrong(
            "decay_untrusted",
            "weight decay is not scaled by the trust ratio",
            lambda n: size(n) / norm(_adam(n)) * _adam(n) + n.weight_decay * n.theta,
        )
        yield wrong(
            "decay_alone_trusted",
            "the trust ratio scales weight decay alone",
            lambda n: _adam(n) + ratio(n) * n.weight_decay * n.theta,
        )
        yield usual("off", unscaled, "the trust ratio switched off")
        yield wrong("none", "the step is not scaled by a trust ratio", lambda n: n.whole)

    return Slot("trusted", tuple(ways()))


LAMB = Family(
    "lamb",
    "You et al. 2020, Algorithm 2, arXiv:1904.00962",
    (1, 2),
    {
        **{name: COMMON[name] for name in ("lr", "weight_decay", "beta1", "beta2", "eps")},
        "clip": ("max_grad_norm", "clip_norm", "grad_clip", "max_norm", "clip_grad_norm"),
        "cap": ("trust_clip", "max_trust", "clamp_value", "max_trust_ratio", "trust_ratio_max", "clip_trust", "most"),
    },
    (
        gradient(clip=True),
        *_moments(),
        _corrections(),
        _denominator(),
        _update(),
        _trust(),
        Slot(
            "new",
            (
                usual("published", lambda n: n.theta - n.lr * n.trusted),
                usual(
                    "decoupled",
                    lambda n: n.theta * (1 - n.lr * n.weight_decay) - n.lr * n.trusted,
                    "decay beside the step",
                ),
                wrong("ascends", "the step goes up the gradient", lambda n: n.theta + n.lr * n.trusted),
                wrong("rate_squared", "lr scales the step twice", lambda n: n.theta - n.lr * n.lr * n.trusted),
                wrong("rate_lost", "lr does not scale the step", lambda n: n.theta - n.trusted),
            ),
        ),
    ),
)
