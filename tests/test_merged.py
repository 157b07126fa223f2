"""Expressions that are too large for algebra as they are: equal parts are made one first."""

from __future__ import annotations

from sympy import Interval, S, Symbol

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.merged import merged
from verifier.lift.same import differ, same

BETA, T, EPS = expr.sym("beta"), expr.sym("t"), expr.sym("eps")
BELOW_ONE = {Symbol("beta", real=True): Interval.Ropen(0, 1), Symbol("eps", real=True): Interval(0, S.Infinity)}


def updates(*, folded: bool, slip: bool = False, elements: int = 3) -> Node:
    """An Adam update over its norm, the bias correction in every element or folded into the norm and `eps`."""
    correction = expr.sub(expr.ONE, expr.power(BETA, T))
    found = []
    for k in range(elements):
        m, v = expr.sym("m", (0, k)), expr.sqrt(expr.power(expr.sym("v", (0, k)), expr.const(2)))
        if folded:
            found.append(expr.div(m, expr.add(v, EPS if slip else expr.mul(EPS, correction))))
        else:
            found.append(expr.div(expr.div(m, correction), expr.add(expr.div(v, correction), EPS)))
    total = found[0]
    for update in found:
        total = expr.add(total, expr.mul(update, update))
    return expr.div(found[0], expr.sqrt(total))


def test_a_norm_of_updates_is_proved_whose_bias_correction_is_folded() -> None:
    """LAMB's foreach code has the correction in its step size and in eps, the for-loop in every element."""
    assert same(updates(folded=False), updates(folded=True), BELOW_ONE)


def test_and_with_the_correction_of_eps_forgotten_it_is_not() -> None:
    """One slip in the folding, and points show it."""
    plain, wrong = updates(folded=False), updates(folded=True, slip=True)
    assert differ(plain, wrong, domain=BELOW_ONE) is not None
    assert not same(plain, wrong, BELOW_ONE)


def test_parts_that_agree_at_points_alone_are_not_made_one() -> None:
    """A part takes the place of another where it is proved equal, and nowhere else."""
    x, y = expr.sym("x"), expr.sym("y")
    one, two = expr.add(expr.sqrt(x), y), expr.add(expr.sqrt(expr.add(x, expr.ZERO)), expr.absolute(y))
    points = [{x: 0.5, y: 2.0}]  # where y is its own absolute value
    left, right = merged(one, two, points, lambda a, b, parts: False)
    assert left is not right


def test_what_is_compared_of_parts_holds_for_every_value_they_have() -> None:
    """The square root of a square is the part again where the part is no negative number, and is asked with that."""
    beta = expr.sub(expr.ONE, BETA)
    one, two = expr.sqrt(expr.mul(beta, beta)), beta
    grown_one, grown_two = one, two
    for k in range(12):
        grown_one = expr.add(expr.mul(grown_one, expr.sym(f"a{k}")), expr.sym(f"b{k}"))
        grown_two = expr.add(expr.mul(grown_two, expr.sym(f"a{k}")), expr.sym(f"b{k}"))
    assert same(grown_one, grown_two, BELOW_ONE)
    assert not same(grown_one, grown_two, {Symbol("beta", real=True): Interval(0, S.Infinity)})


def test_points_are_of_the_domain() -> None:
    """Where nobody goes, as decay rates above one, two expressions may differ."""
    beta = expr.sub(expr.ONE, BETA)
    one, two = expr.sqrt(expr.mul(beta, beta)), beta
    assert differ(one, two, points=24) is not None
    assert differ(one, two, points=24, domain=BELOW_ONE) is None
