"""What families over whole tensors share: arithmetic on doubles and on expressions, averages, decay, the gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from verifier.lift import matrix_numbers
from verifier.lift.matrix_numbers import Number
from verifier.lift.matrix_search import Line, Slot, Way, Written

COMMON = {
    "lr": ("learning_rate", "eta", "alpha"),
    "weight_decay": ("wd", "decay", "l2", "lam"),
    "beta1": ("b1", "beta", "momentum", "mu"),
    "beta2": ("b2",),
    "eps": ("epsilon", "delta", "eps1"),
}


def _symbolic(*values: Any) -> bool:
    return any(isinstance(v, Number) or (isinstance(v, np.ndarray) and v.dtype == object) for v in values)


def root(x: Any) -> Any:
    """The square root, of doubles or of expressions."""
    return matrix_numbers.sqrt(x) if _symbolic(x) else np.sqrt(x)


def larger(a: Any, b: Any) -> Any:
    """The larger of two, element by element."""
    return matrix_numbers.larger(a, b) if _symbolic(a, b) else np.maximum(a, b)


def smaller(a: Any, b: Any) -> Any:
    """The smaller of two, element by element."""
    return matrix_numbers.smaller(a, b) if _symbolic(a, b) else np.minimum(a, b)


def norm(x: Any) -> Any:
    """The Euclidean (Frobenius) norm."""
    return root((x * x).sum())


def rms(x: Any) -> Any:
    """The root of the mean square."""
    return root((x * x).sum() / x.size)


def square(x: Any) -> Any:
    """The square of the norm."""
    return (x * x).sum()


def usual(name: str, value: Written, says: str = "", **more: Any) -> Way:
    """A way of writing a line that is in use."""
    return Way(name, says, value, **more)


def wrong(name: str, says: str, value: Written, **more: Any) -> Way:
    """A way of writing a line that is a mistake."""
    return Way(name, says, value, wrong=True, **more)


def averages(slot: str, what: str, beta: Callable[[Line], Any], new: Written, *, begun: bool = False) -> Iterator[Way]:
    """Ways to keep an exponential average of `new`; `begun`: it may begin as the first of them."""
    yield usual("average", lambda n: beta(n) * n.was[slot] + (1 - beta(n)) * new(n))
    if begun:
        begins = f"the average of {what} begins with the first"
        yield usual("begun", lambda n: beta(n) * n.was[slot] + (1 - beta(n)) * new(n), begins, first=new)
    yield wrong(
        "weights_exchanged",
        f"the average of {what} gives the old the weight of the new",
        lambda n: (1 - beta(n)) * n.was[slot] + beta(n) * new(n),
    )
    yield wrong(
        "old_undecayed",
        f"the average of {what} keeps all of the old",
        lambda n: n.was[slot] + (1 - beta(n)) * new(n),
    )
    yield wrong(
        "same_weight",
        f"the average of {what} gives old and new the same weight",
        lambda n: beta(n) * (n.was[slot] + new(n)),
    )
    yield wrong("new_alone", f"the average of {what} forgets the old", lambda n: (1 - beta(n)) * new(n))
    yield wrong("overwritten", f"what should be the average of {what} is the last alone", lambda n: new(n) + 0 * n.g)
    yield wrong("old_alone", f"the average of {what} never sees the new", lambda n: beta(n) * n.was[slot])
    yield wrong(
        "subtracted",
        f"the average of {what} subtracts the new",
        lambda n: beta(n) * n.was[slot] - (1 - beta(n)) * new(n),
    )


def sums(slot: str, what: str, beta: Callable[[Line], Any], new: Written) -> Iterator[Way]:
    """Ways to keep a decaying sum, as heavy-ball momentum does."""
    yield usual("sum", lambda n: beta(n) * n.was[slot] + new(n))
    yield wrong("sum_undecayed", f"the sum of {what} never decays", lambda n: n.was[slot] + new(n))
    yield wrong("sum_subtracted", f"the sum of {what} subtracts the new", lambda n: beta(n) * n.was[slot] - new(n))


def decays(step: Written, rate: Written, *, said: str = "") -> Iterator[Way]:
    """Ways to take a `step` and to decay the weights beside it."""

    def wd(n: Line) -> Any:
        return n.weight_decay

    yield usual("decoupled", lambda n: n.theta * (1 - n.lr * wd(n)) - step(n), said)
    yield usual("by_the_rate", lambda n: n.theta * (1 - rate(n) * wd(n)) - step(n), "decay by the rate it is scaled to")
    yield usual("decayed_last", lambda n: (n.theta - step(n)) * (1 - n.lr * wd(n)), "decay after the step")
    yield usual("decayed_alone", lambda n: n.theta * (1 - wd(n)) - step(n), "decay that lr does not scale")
    yield usual("undecayed", lambda n: n.theta - step(n))
    yield wrong("ascends", "the step goes up the gradient", lambda n: n.theta * (1 - n.lr * wd(n)) + step(n))
    yield wrong("ascends_undecayed", "the step goes up the gradient", lambda n: n.theta + step(n))
    yield wrong("grows", "weight decay makes the weights grow", lambda n: n.theta * (1 + n.lr * wd(n)) - step(n))
    yield wrong(
        "grows_by_rate", "weight decay makes the weights grow", lambda n: n.theta * (1 + rate(n) * wd(n)) - step(n)
    )
    yield wrong(
        "decayed_twice",
        "weight decay acts twice",
        lambda n: n.theta * (1 - n.lr * wd(n)) * (1 - n.lr * wd(n)) - step(n),
    )
    yield wrong("decay_doubled", "weight decay is doubled", lambda n: n.theta * (1 - 2 * n.lr * wd(n)) - step(n))
    yield wrong("decay_squared", "weight decay is squared", lambda n: n.theta * (1 - n.lr * wd(n) * wd(n)) - step(n))
    yield wrong(
        "only_decay_is_left", "the weights are lost but for their decay", lambda n: n.theta * (n.lr * wd(n)) - step(n)
    )
    yield wrong("rate_squared", "lr scales the step twice", lambda n: n.theta * (1 - n.lr * wd(n)) - n.lr * step(n))
    yield wrong(
        "decay_of_gradient", "weight decay is of the gradient", lambda n: n.theta - n.lr * wd(n) * n.g - step(n)
    )


def gradient(*, clip: bool = False) -> Slot:
    """What the step takes for the gradient: as it is, with an L2 penalty, or clipped by its norm."""
    ways = [
        usual("plain", lambda n: n.g),
        usual("penalised", lambda n: n.g + n.weight_decay * n.theta, "weight decay as an L2 penalty"),
        wrong("penalty_subtracted", "the L2 penalty is subtracted", lambda n: n.g - n.weight_decay * n.theta),
        wrong("negated", "the gradient is negated", lambda n: -1 * n.g),
    ]
    if clip:
        said = "the gradient clipped by its norm"

        def small(n: Line) -> Any:
            return n.constant(Fraction(1, 10**6))

        ways += [
            usual("clipped", lambda n: n.g / larger(1, norm(n.g) / n.clip), said),
            usual("clipped_smaller", lambda n: n.g * smaller(1, n.clip / (norm(n.g) + small(n))), said),
            usual("clipped_larger", lambda n: n.g / larger(1, (norm(n.g) + small(n)) / n.clip), said),
            usual("clipped_eps", lambda n: n.g / larger(1, (norm(n.g) + n.eps) / n.clip), said),
            wrong(
                "always_clipped",
                "gradients shorter than the bound are lengthened",
                lambda n: n.g / (norm(n.g) / n.clip),
            ),
            wrong(
                "always_cut",
                "gradients shorter than the bound are lengthened",
                lambda n: n.g * (n.clip / (norm(n.g) + small(n))),
            ),
            wrong(
                "lengthened",
                "gradients longer than the bound are not clipped, and shorter ones are lengthened",
                lambda n: n.g / smaller(1, norm(n.g) / n.clip),
            ),
            wrong(
                "clip_multiplied",
                "gradients longer than the bound are lengthened",
                lambda n: n.g * larger(1, norm(n.g) / n.clip),
            ),
            wrong(
                "clip_inverted",
                "the bound on the gradient is upside down",
                lambda n: n.g / larger(1, n.clip / norm(n.g)),
            ),
            wrong(
                "clipped_by_square",
                "the gradient is clipped by the square of its norm",
                lambda n: n.g / larger(1, (n.g * n.g).sum() / n.clip),
            ),
        ]
    return Slot("grad", tuple(ways))
