"""LAMB, line by line: the ways in use of writing each line, and the known mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from verifier.lift.matrix_search import Family, Line, Slot, Way
from verifier.lift.matrix_trust import adam, trust
from verifier.lift.matrix_ways import (
    COMMON,
    averages,
    gradient,
    root,
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

    average, *others = averages("m", "gradients", lambda n: n.beta1, gradient)
    first = [
        replace(average, needs="grad_averaging"),
        *others,
        usual("sum", unweighted, "gradients not averaged but summed", unless="grad_averaging"),
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
        yield usual("both", lambda n: (1 - n.beta1**n.t, 1 - n.beta2**n.t), needs="bias_correction")
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


def _update() -> Slot:
    return Slot(
        "whole",
        (
            usual("published", lambda n: adam(n) + n.weight_decay * n.theta),
            usual("undecayed", adam),
            usual(
                "nesterov",
                lambda n: (
                    (n.beta1 * n.m / n.corrected[0] + (1 - n.beta1) * n.grad / n.corrected[0]) / n.denom
                    + n.weight_decay * n.theta
                ),
                "with Nesterov's average",
            ),
            wrong("decay_subtracted", "weight decay is subtracted", lambda n: adam(n) - n.weight_decay * n.theta),
            wrong("decay_twice", "weight decay is added twice", lambda n: adam(n) + 2 * n.weight_decay * n.theta),
            wrong(
                "decay_squared",
                "weight decay is squared",
                lambda n: adam(n) + n.weight_decay * n.weight_decay * n.theta,
            ),
            wrong(
                "decay_by_lr",
                "weight decay is scaled by lr twice",
                lambda n: adam(n) + n.lr * n.weight_decay * n.theta,
            ),
            wrong("decay_of_gradient", "weight decay is of the gradient", lambda n: adam(n) + n.weight_decay * n.grad),
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
        trust(),
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
