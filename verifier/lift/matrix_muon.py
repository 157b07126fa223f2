"""Muon, line by line: the ways in use of writing each line, and the known mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

from verifier.lift.matrix_search import Family, Line, Slot, Way, Written
from verifier.lift.matrix_ways import (
    COMMON,
    averages,
    decays,
    gradient,
    larger,
    norm,
    rms,
    root,
    sums,
    usual,
    wrong,
)

_JORDAN = (Fraction("3.4445"), Fraction("-4.775"), Fraction("2.0315"))
"""The coefficients of the polynomial, Jordan et al. 2024."""


def _buffer() -> Slot:

    def gradient(n: Line) -> Any:
        return n.grad

    return Slot(
        "buf",
        (
            *sums("buf", "gradients", lambda n: n.momentum, gradient),
            *averages("buf", "gradients", lambda n: n.momentum, gradient, begun=True),
        ),
        state=True,
    )


def _looked_ahead() -> Slot:
    return Slot(
        "direction",
        (
            usual("nesterov_average", lambda n: (1 - n.momentum) * n.grad + n.momentum * n.buf, needs="nesterov"),
            usual("nesterov_sum", lambda n: n.grad + n.momentum * n.buf, needs="nesterov"),
            usual("heavy_ball", lambda n: n.buf, "without Nesterov's step", unless="nesterov"),
            wrong(
                "nesterov_turned",
                "Nesterov's step gives the gradient the weight of the average",
                lambda n: n.momentum * n.grad + (1 - n.momentum) * n.buf,
            ),
            wrong(
                "nesterov_stale",
                "Nesterov's step looks ahead from the average before this step",
                lambda n: n.grad + n.momentum * n.was.buf,
            ),
            wrong(
                "nesterov_stale_average",
                "Nesterov's step looks ahead from the average before this step",
                lambda n: (1 - n.momentum) * n.grad + n.momentum * n.was.buf,
            ),
            wrong("nesterov_unweighted", "Nesterov's step gives the average its full weight", lambda n: n.grad + n.buf),
            wrong(
                "nesterov_subtracted", "Nesterov's step subtracts the average", lambda n: n.grad - n.momentum * n.buf
            ),
            wrong(
                "nesterov_twice",
                "Nesterov's step takes the average for the gradient",
                lambda n: n.buf + n.momentum * n.buf,
            ),
            wrong("unused", "the average is kept and not used", lambda n: n.grad + 0 * n.buf),
            wrong("stale", "the average before this step is used", lambda n: n.was.buf + 0 * n.grad),
        ),
    )


def _by_least(least: Fraction) -> Iterator[Way]:
    """Divided by the norm, which a constant keeps from being zero."""
    yield usual("added", lambda n: n.direction / (norm(n.direction) + n.constant(least)))
    yield usual("above", lambda n: n.direction / larger(norm(n.direction), n.constant(least)))


def _unit() -> Slot:
    def ways() -> Iterator[Way]:
        for exponent in (7, 8, 12, 6, 30):
            yield from _by_least(Fraction(1, 10**exponent))
        yield usual("added_eps", lambda n: n.direction / (norm(n.direction) + n.eps))
        yield usual("above_eps", lambda n: n.direction / larger(norm(n.direction), n.eps))
        yield usual("divided", lambda n: n.direction / norm(n.direction))
        yield wrong("unnormalised", "the matrix is not divided by its norm", lambda n: n.direction)
        yield wrong(
            "by_square",
            "the matrix is divided by the square of its norm",
            lambda n: n.direction / (n.direction * n.direction).sum(),
        )
        yield wrong(
            "by_rms",
            "the matrix is divided by its root mean square, in the place of its norm",
            lambda n: n.direction / rms(n.direction),
        )
        yield wrong(
            "by_gradient", "the matrix is divided by the norm of the gradient", lambda n: n.direction / norm(n.grad)
        )
        yield wrong(
            "by_average", "the matrix is divided by the norm of the average", lambda n: n.direction / norm(n.buf)
        )
        yield wrong(
            "by_sum", "the matrix is divided by the sum of its elements", lambda n: n.direction / n.direction.sum()
        )

    return Slot("unit", tuple(ways()))


Polynomial = Callable[[Any, tuple[Any, Any, Any]], Any]


def _quintic(x: Any, c: tuple[Any, Any, Any]) -> Any:
    gram = x @ x.T
    return c[0] * x + (c[1] * gram + c[2] * (gram @ gram)) @ x


_SLIPS: dict[str, tuple[str, Polynomial]] = {
    "gram_once": (
        "the polynomial takes the product for its square",
        lambda x, c: c[0] * x + (c[1] * (x @ x.T) + c[2] * (x @ x.T)) @ x,
    ),
    "gram_by_element": (
        "the polynomial squares the elements of the product",
        lambda x, c: c[0] * x + (c[1] * (x @ x.T) + c[2] * (x @ x.T) * (x @ x.T)) @ x,
    ),
    "no_square": ("the polynomial lacks its last term", lambda x, c: c[0] * x + (c[1] * (x @ x.T)) @ x),
    "no_middle": ("the polynomial lacks its middle term", lambda x, c: c[0] * x + (c[2] * (x @ x.T @ x @ x.T)) @ x),
    "no_first": ("the polynomial lacks its first term", lambda x, c: _quintic(x, (0 * c[0], c[1], c[2]))),
    "exchanged": ("two coefficients of the polynomial are exchanged", lambda x, c: _quintic(x, (c[0], c[2], c[1]))),
    "exchanged_first": (
        "two coefficients of the polynomial are exchanged",
        lambda x, c: _quintic(x, (c[1], c[0], c[2])),
    ),
    "exchanged_ends": (
        "two coefficients of the polynomial are exchanged",
        lambda x, c: _quintic(x, (c[2], c[1], c[0])),
    ),
    "middle_negated": (
        "the middle term of the polynomial has the other sign",
        lambda x, c: _quintic(x, (c[0], 0 - c[1], c[2])),
    ),
    "last_negated": (
        "the last term of the polynomial has the other sign",
        lambda x, c: _quintic(x, (c[0], c[1], 0 - c[2])),
    ),
    "unscaled_first": (
        "the first term of the polynomial lacks its coefficient",
        lambda x, c: x + (c[1] * (x @ x.T) + c[2] * (x @ x.T @ x @ x.T)) @ x,
    ),
}
"""Mistakes in a step of the iteration, by name."""


def _orthogonal() -> Slot:
    def coefficients(n: Line) -> tuple[Any, Any, Any]:
        if "a1" in n:
            return n.a1, n.a2, n.a3
        a, b, c = (n.constant(value) for value in _JORDAN)
        return a, b, c

    def iterated(n: Line, steps: int, once: Polynomial = _quintic) -> Any:
        x = n.unit.T if n.unit.shape[0] > n.unit.shape[1] else n.unit
        for _ in range(steps):
            x = once(x, coefficients(n))
        return x.T if n.unit.shape[0] > n.unit.shape[1] else x

    def steps(n: Line) -> int:
        return int(n["options"].get("ns_steps", n["options"].get("steps", 5)) or 5)

    def slipped(once: Polynomial) -> Written:
        return lambda n: iterated(n, steps(n), once)

    def ways() -> Iterator[Way]:
        yield usual("newton_schulz", lambda n: iterated(n, steps(n)))
        for many in (5, 6, 3, 8, 10):
            yield Way("steps", f"{many} steps of the iteration", partial(iterated, steps=many), unless="ns_steps")
        yield wrong("step_short", "the iteration takes a step too few", lambda n: iterated(n, steps(n) - 1))
        yield wrong("step_long", "the iteration takes a step too many", lambda n: iterated(n, steps(n) + 1))
        for name, (says, once) in _SLIPS.items():
            yield wrong(name, says, slipped(once))
        yield wrong("not_iterated", "the matrix is not made orthogonal", lambda n: n.unit, named=True)

    return Slot("orthogonal", tuple(ways()))


def _by_shape() -> Slot:
    def sides(n: Line) -> tuple[int, int]:
        return n.theta.shape[0], n.theta.shape[1]

    def number(n: Line, value: Fraction) -> Any:
        return root(n.constant(value))

    def taller(n: Line) -> Fraction:
        return max(Fraction(1), Fraction(*sides(n)))

    def wider(n: Line) -> Fraction:
        return max(Fraction(1), 1 / Fraction(*sides(n)))

    fifth = Fraction(1, 25)  # the square of 0.2
    return Slot(
        "rate",
        (
            usual("taller", lambda n: n.lr * number(n, taller(n))),
            usual("plain", lambda n: n.lr, "a rate that does not depend on the shape"),
            usual(
                "like_adam",
                lambda n: n.lr * number(n, fifth * max(sides(n))),
                "a rate that matches the size of Adam's steps",
            ),
            usual("longest", lambda n: n.lr * number(n, Fraction(max(sides(n)))), "a rate by the longer side"),
            usual("ratio", lambda n: n.lr * number(n, Fraction(*sides(n))), "a rate by the ratio of the sides"),
            wrong(
                "wider",
                "the rate grows with the width, and should with the height",
                lambda n: n.lr * number(n, wider(n)),
            ),
            wrong(
                "rootless", "the root of the ratio of the sides is not taken", lambda n: n.lr * n.constant(taller(n))
            ),
            wrong(
                "rootless_wider",
                "the ratio of the sides is upside down, and its root is not taken",
                lambda n: n.lr * n.constant(wider(n)),
            ),
            wrong(
                "smallest",
                "the rate falls where it should grow",
                lambda n: n.lr * number(n, min(Fraction(1), Fraction(*sides(n)))),
            ),
            wrong(
                "divided",
                "the rate is divided by what it should be multiplied by",
                lambda n: n.lr / number(n, taller(n)),
            ),
            wrong(
                "shortest_like_adam",
                "the rate goes by the shorter side",
                lambda n: n.lr * number(n, fifth * min(sides(n))),
            ),
            wrong(
                "rootless_like_adam",
                "the root of the longer side is not taken",
                lambda n: n.lr * n.constant(Fraction(1, 5) * max(sides(n))),
            ),
        ),
    )


MUON = Family(
    "muon",
    "Jordan et al. 2024, kellerjordan.github.io/posts/muon",
    (2,),
    {
        "lr": (*COMMON["lr"], "muon_lr"),
        "weight_decay": COMMON["weight_decay"],
        "momentum": ("mu", "beta", "beta1", "muon_momentum"),
        "eps": ("epsilon", "ns_eps"),
        "a1": ("ns_coefficient1", "ns_coefficients1"),
        "a2": ("ns_coefficient2", "ns_coefficients2"),
        "a3": ("ns_coefficient3", "ns_coefficients3"),
    },
    (
        gradient(),
        _buffer(),
        _looked_ahead(),
        _unit(),
        _orthogonal(),
        _by_shape(),
        Slot("new", tuple(decays(lambda n: n.rate * n.orthogonal, lambda n: n.rate))),
    ),
)
