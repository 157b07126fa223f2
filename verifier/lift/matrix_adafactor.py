"""Adafactor, line by line: the ways in use of writing each line, and the known mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from verifier.lift.matrix_rates import clipped, rate, scale
from verifier.lift.matrix_search import Family, Line, Slot, Way
from verifier.lift.matrix_ways import (
    COMMON,
    averages,
    decays,
    gradient,
    larger,
    root,
    smaller,
    usual,
    wrong,
)


def _fresh() -> Slot:
    """What the newest squares weigh in their averages."""

    def miscounted(sign: int) -> Iterator[Way]:
        yield wrong(
            "late",
            "the decay of the averages counts a step too few",
            lambda n: (n.t - 1) ** (sign * n.decay_rate),
            first=lambda n: n.constant(0),
        )
        yield wrong(
            "ahead",
            "the decay of the averages counts a step too many",
            lambda n: (n.t + 1) ** (sign * n.decay_rate),
        )
        yield wrong(
            "uncounted",
            "the decay of the averages does not count steps",
            lambda n: n.constant(2) ** (sign * n.decay_rate),
            first=lambda n: n.constant(1),
        )
        yield wrong(
            "turned",
            "the averages give the old the weight of the new",
            lambda n: 1 - n.t ** (sign * n.decay_rate),
        )

    def ways() -> Iterator[Way]:
        yield usual("power", lambda n: n.t**n.decay_rate)
        yield usual("negative_power", lambda n: n.t ** (0 - n.decay_rate))
        yield usual("constant", lambda n: 1 - n.beta2, "a constant beta2")
        yield usual("capped", lambda n: larger(1 - n.beta2, n.t ** (0 - n.decay_rate)), "beta2 with a bound")
        yield usual("capped_power", lambda n: larger(1 - n.beta2, n.t**n.decay_rate), "beta2 with a bound")
        yield from miscounted(1)
        yield from miscounted(-1)

    return Slot("fresh", tuple(ways()))


def _squares() -> Slot:
    return Slot(
        "squares",
        (
            usual("plain", lambda n: n.grad * n.grad),
            usual("eps", lambda n: n.grad * n.grad + n.eps1),
            wrong("unsquared", "the gradient is not squared", lambda n: n.grad + n.eps1),
            wrong("unsquared_plain", "the gradient is not squared", lambda n: n.grad + 0 * n.theta),
            wrong("other_eps", "the second eps is added to the squares", lambda n: n.grad * n.grad + n.eps2),
            wrong("eps_squared_in", "eps is added before squaring", lambda n: (n.grad + n.eps1) * (n.grad + n.eps1)),
            wrong("eps_subtracted", "eps is subtracted", lambda n: n.grad * n.grad - n.eps1),
            wrong("eps_times", "eps scales the squares", lambda n: n.grad * n.grad * n.eps1),
        ),
    )


def _factor(slot: str, axis: int, what: str) -> Slot:
    def mean(n: Line) -> Any:
        return n.squares.sum(axis=axis, keepdims=True) / n.squares.shape[axis]

    def total(n: Line) -> Any:
        return n.squares.sum(axis=axis, keepdims=True)

    def ways() -> Iterator[Way]:
        for way in averages(slot, f"the squares' {what} means", lambda n: 1 - n.fresh, mean):
            if way.name != "overwritten":  # it would take the shape of the parameter
                yield way
        yield wrong("replaced", f"the {what} means are the last alone", mean)
        yield wrong(
            "sums",
            f"{what} sums are kept, in the place of means",
            lambda n: (1 - n.fresh) * n.was[slot] + n.fresh * total(n),
        )
        yield wrong(
            "maxima",
            f"the {what} averages never fall",
            lambda n: larger(n.was[slot], (1 - n.fresh) * n.was[slot] + n.fresh * mean(n)),
        )
        other = axis - 1
        yield wrong(
            "by_the_other",
            f"the {what} means divide by the other side's length",
            lambda n: (1 - n.fresh) * n.was[slot] + n.fresh * total(n) / n.squares.shape[other],
        )

    return Slot(slot, tuple(ways()), state=True)


def _estimate() -> Slot:
    def mean(x: Any) -> Any:
        return x.sum() / x.size

    return Slot(
        "estimate",
        (
            usual("factored", lambda n: n.row * n.col / mean(n.row)),
            usual("factored_above", lambda n: n.row * n.col / larger(mean(n.row), n.eps1)),
            usual("by_columns", lambda n: n.row * n.col / mean(n.col)),
            wrong("sum", "the estimate divides by the sum of the row averages", lambda n: n.row * n.col / n.row.sum()),
            wrong("undivided", "the estimate is not divided by the mean of the row averages", lambda n: n.row * n.col),
            wrong("rows_alone", "the column averages are not used", lambda n: n.row / mean(n.row) + 0 * n.col),
            wrong("columns_alone", "the row averages are not used", lambda n: n.col + 0 * n.row),
            wrong("rows_undivided", "the column averages are not used", lambda n: n.row + 0 * n.col),
            wrong(
                "times",
                "the estimate is multiplied by the mean of the row averages",
                lambda n: n.row * n.col * mean(n.row),
            ),
            wrong(
                "column_inverted",
                "the column averages multiply where they should divide",
                lambda n: n.row / mean(n.row) / n.col,
            ),
            wrong(
                "row_inverted",
                "the row averages multiply where they should divide",
                lambda n: mean(n.row) / n.row * n.col,
            ),
            wrong(
                "column_squared",
                "the root of the column averages is not taken",
                lambda n: n.row / mean(n.row) * n.col * n.col,
            ),
            wrong(
                "row_squared",
                "the root of the row averages is not taken",
                lambda n: (n.row / mean(n.row)) * (n.row / mean(n.row)) * n.col,
            ),
        ),
    )


def _divided(*, vector: bool) -> Slot:
    def by(n: Line) -> Any:
        return n.sq if vector else n.estimate

    return Slot(
        "divided",
        (
            usual("root", lambda n: n.grad / root(by(n))),
            usual("above", lambda n: n.grad / root(larger(by(n), n.eps1 * n.eps1))),
            usual("root_above", lambda n: n.grad / larger(root(by(n)), n.eps1)),
            usual("eps_added", lambda n: n.grad / (root(by(n)) + n.eps1)),
            usual("eps_inside", lambda n: n.grad / root(by(n) + n.eps1)),
            usual(
                "corrected",
                lambda n: n.grad / root(by(n) / (1 - n.beta2**n.t)),
                "the averages corrected for their start",
            ),
            usual("eps_above", lambda n: n.grad / root(larger(by(n), n.eps1))),
            wrong("rootless", "the root of the estimate is not taken", lambda n: n.grad / by(n)),
            wrong(
                "multiplied", "the gradient is multiplied by the root of the estimate", lambda n: n.grad * root(by(n))
            ),
            wrong("root_of_root", "the root is taken twice", lambda n: n.grad / root(root(by(n)))),
            wrong("below", "the estimate is at most eps", lambda n: n.grad / root(smaller(by(n), n.eps1 * n.eps1))),
            wrong("undivided", "the gradient is not divided by the estimate", lambda n: n.grad),
            wrong(
                "squares_divided",
                "the squares are divided, in the place of the gradient",
                lambda n: n.squares / root(by(n)),
            ),
        ),
    )


def _moved() -> Slot:
    """The update, or its average: of what is scaled by the rate already, or not yet."""

    def scaled(n: Line) -> Any:
        return n.rate * n.clipped

    def ways() -> Iterator[Way]:
        yield usual("no_momentum", lambda n: n.clipped, unless="beta1", stateless=True)
        for way in averages("moved", "updates", lambda n: n.beta1, lambda n: n.clipped):
            yield way
        for way in averages("moved", "updates", lambda n: n.beta1, scaled):
            yield Way(f"scaled_{way.name}", way.says, way.value, way.wrong)

    return Slot("moved", tuple(ways()), state=True)


def _taken() -> Slot:
    return Slot(
        "taken",
        (
            usual("by_the_rate", lambda n: n.rate * n.moved),
            usual("scaled_before", lambda n: n.moved),
            wrong(
                "unaveraged",
                "the average of updates is kept and not used",
                lambda n: n.rate * n.clipped + 0 * n.was.moved,
            ),
            wrong("stale", "the average of updates before this step is used", lambda n: n.rate * n.was.moved),
        ),
    )


_ADAFACTOR = "Shazeer and Stern 2018, Algorithms 4 to 6, arXiv:1804.04235"
_ADAFACTOR_NAMES = {
    "lr": COMMON["lr"],
    "eps1": ("eps", "epsilon", "epsilon1"),
    "eps2": ("min_scale", "epsilon2"),
    "d": ("clip_threshold", "clipping_threshold", "clip"),
    "decay_rate": ("beta2_decay", "decay", "decay_rate_", "beta2_power"),
    "beta1": ("b1", "momentum", "beta"),
    "beta2": ("b2", "beta2_cap", "beta2_max"),
    "weight_decay": ("wd", "l2"),
}
_EPSILONS = {"eps1": Fraction(1, 2**52), "eps2": Fraction(1, 1000)}  # eps1: that of doubles, in which code is read
_TAIL = (
    clipped(),
    scale(),
    rate(),
    _moved(),
    _taken(),
    Slot("new", tuple(decays(lambda n: n.taken, lambda n: n.rate))),
)
VECTORS = Family(
    "adafactor",
    _ADAFACTOR,
    (1, 2),
    _ADAFACTOR_NAMES,
    (
        gradient(),
        _fresh(),
        _squares(),
        Slot("sq", tuple(averages("sq", "squares", lambda n: 1 - n.fresh, lambda n: n.squares)), state=True),
        _divided(vector=True),
        *_TAIL,
    ),
    defaults=_EPSILONS,
)
MATRICES = Family(
    "adafactor",
    _ADAFACTOR,
    (2,),
    _ADAFACTOR_NAMES,
    (
        gradient(),
        _fresh(),
        _squares(),
        _factor("row", 1, "row"),
        _factor("col", 0, "column"),
        _estimate(),
        _divided(vector=False),
        *_TAIL,
    ),
    {"row": lambda shape: (shape[0], 1), "col": lambda shape: (1, shape[1])},
    _EPSILONS,
)
