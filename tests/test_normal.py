"""Equality of expressions: what is proved, what is refuted with a witness, and what is left undecided."""

from __future__ import annotations

import itertools
import random

import pytest
import sympy
from sympy import Abs, Function, Integer, Interval, Max, Min, Mul, Piecewise, Pow, Rational, log, oo, sign, sqrt

from verifier.equality import witness
from verifier.equality.field import Field
from verifier.equality.normal import Status, conditions, equal, nonnegative
from verifier.equality.witness import evaluate
from verifier.rule import t, transition, unroll
from verifier.rules.adamw import exp_avg, exp_avg_sq
from verifier.rules.adamw import rule as adamw
from verifier.rules.symbols import beta1, beta2, eps, g, lr, theta, weight_decay

x, y, z = sympy.symbols("x y z", real=True)
DOMAIN = {**adamw.hyper, exp_avg_sq: Interval(0, oo)}
UNIT = Interval.Ropen(0, 1)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((x + y) ** 3, x**3 + 3 * x**2 * y + 3 * x * y**2 + y**3),
        (1 / x + 1 / y, (x + y) / (x * y)),
        (sqrt(x**2 + 1) ** 4, (x**2 + 1) ** 2),
        (1 / (sqrt(x) + 1), (sqrt(x) - 1) / (x - 1)),
        (sqrt(8), 2 * sqrt(2)),
        (sqrt(Rational(2, 3)), sqrt(6) / 3),
        (sqrt(x**2 + 2 * x * y + y**2), Abs(x + y)),
        (sqrt(sqrt(x**4 + 2) + x), sqrt(x + sqrt(2 + x**4))),
        (Abs(x) * sign(x), x),
        (Max(x, y), (x + y + Abs(x - y)) / 2),
        (Max(x, y) + Min(x, y), x + y),
        (Min(Max(x, 1), 2), Piecewise((1, x < 1), (2, x > 2), (x, True))),
        (Piecewise((x, x > 0), (-x, True)), Abs(x)),
        (Piecewise((1, sympy.Ne(x, 0) & (y > 0)), (0, True)), Piecewise((0, sympy.Eq(x, 0) | (y <= 0)), (1, True))),
        (x ** Rational(2, 3) * x ** Rational(1, 3), x),
        (sympy.Float(0.5) * x, x / 2),
    ],
)
def test_equal_expressions_are_proved(left: sympy.Expr, right: sympy.Expr) -> None:
    """Equal expressions are proved equal by their normal forms, case by case where signs matter."""
    decision = equal(left, right)

    assert Status.PROVED == decision.status, decision


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (sqrt(exp_avg_sq / (1 - beta2**t)), sqrt(exp_avg_sq) / sqrt(1 - beta2**t)),
        (beta2 ** (t + 1), beta2 * beta2**t),
        (beta2 ** (2 * t), (beta2**t) ** 2),
        (sqrt(beta2**t), beta2 ** (t / 2)),
        (sqrt((1 - beta2) * g**2) / sqrt(1 - beta2), Abs(g)),
        (sqrt((1 - beta2) ** 3), (1 - beta2) * sqrt(1 - beta2)),
    ],
)
def test_the_domain_lets_roots_be_split(left: sympy.Expr, right: sympy.Expr) -> None:
    """What a hyperparameter's range implies (1 - beta2**t > 0) is used to draw factors out of roots."""
    assert Status.PROVED == equal(left, right, DOMAIN).status


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (x, x + Rational(1, 10**40)),
        (sqrt(x**2), x),
        (sqrt(x + y), sqrt(x) + sqrt(y)),
        (Max(x, y), Max(x, -y)),
        (sign(x), Integer(1)),
        (Piecewise((x, x > 5), (0, True)), Piecewise((x, x >= 5), (Integer(1), True))),
        (sqrt(x**2 + 1), sqrt(x**2 + 1 + Rational(1, 10**30))),
    ],
)
def test_different_expressions_are_refuted_by_a_point(left: sympy.Expr, right: sympy.Expr) -> None:
    """Different expressions come with a rational point at which exact evaluation tells them apart."""
    decision = equal(left, right)
    point = {s: Rational(decision.witness[str(s)]) for s in left.free_symbols | right.free_symbols}

    assert Status.REFUTED == decision.status
    assert evaluate(left, point) != evaluate(right, point)


def test_a_branch_that_differs_at_one_point_alone_is_not_proved() -> None:
    """Two expressions that differ only at x = 5 are never called equal, though random points may miss it."""
    almost = Piecewise((x + 1, sympy.Eq(x, 5)), (x, True))

    assert Status.UNDECIDED == equal(almost, x).status


def test_unknown_functions_are_equal_only_on_equal_arguments() -> None:
    """A function nothing is known of is a generator of its own for each argument."""
    f = Function("f")

    assert Status.PROVED == equal(f(x + x), f(2 * x)).status
    with pytest.raises(TypeError, match="cannot be evaluated"):
        equal(f(x), f(y))


def test_two_forms_of_one_adamw_step_are_proved_equal_in_milliseconds() -> None:
    """torch's for-loop form (lerp, bias corrections folded into step size and denominator) is the paper's step."""
    lerp = exp_avg + (g - exp_avg) * (1 - beta1)
    second = beta2 * exp_avg_sq + g * g * (1 - beta2)
    step_size = lr / (1 - beta1**t)
    folded = theta - lr * weight_decay * theta - step_size * lerp / (sqrt(second / (1 - beta2**t)) + eps)

    decision = equal(transition(adamw)[theta], folded, DOMAIN)

    assert Status.PROVED == decision.status
    assert decision.seconds < 0.5


def test_a_step_that_is_off_by_one_percent_of_a_second_order_term_is_refuted() -> None:
    """A difference far below any rounding is still a certain difference."""
    right = transition(adamw)[theta]

    assert Status.REFUTED == equal(right, right + lr**2 * weight_decay * theta / 10**60, DOMAIN).status


def test_a_two_step_adamw_trajectory_equals_its_expansion() -> None:
    """Nested roots of two unrolled steps are decided, sign cases included."""
    twice = unroll(adamw, 2)[2][theta]

    assert Status.PROVED == equal(twice, sympy.expand(twice), adamw.hyper).status


def test_where_restricts_the_question() -> None:
    """A condition given as `where` is used as an assumption; without it the claim is refuted."""
    assert Status.REFUTED == equal(Abs(x), x).status
    assert Status.PROVED == equal(Abs(x), x, where=[x >= 0]).status
    assert Status.PROVED == equal(sqrt(x * y), sqrt(x) * sqrt(y), where=[x > 0, y > 0]).status


def test_nonnegative_is_decided_over_the_domain() -> None:
    """Convex combinations of squares are not negative; a difference of squares can be, and a point shows it."""
    assert Status.PROVED == nonnegative(beta2 * exp_avg_sq + (1 - beta2) * g**2, DOMAIN).status
    assert Status.PROVED == nonnegative(Max(x, y) - x).status
    assert Status.REFUTED == nonnegative(beta2 * exp_avg_sq - (1 - beta2) * g**2, DOMAIN).status


def test_conditions_are_collected_before_sympy_drops_them() -> None:
    """0/(0 + eps) asks for eps != 0, though sympy evaluates it to 0."""
    written = Mul(0, Pow(0 + eps, -1, evaluate=False), evaluate=False)

    assert Integer(0) == written.doit()
    assert (sympy.Ne(eps, 0),) == conditions([written], adamw.hyper)
    assert () == conditions([written], {eps: Interval.Lopen(0, 1)})


def test_conditions_leave_out_what_the_domain_implies() -> None:
    """Radicands and denominators that the ranges keep positive are not asked for; others are, under their guard."""
    assert () == conditions([sqrt(1 - beta2**t), 1 / (1 - beta1**t)], adamw.hyper)
    assert (x >= 0,) == conditions([sqrt(x)])
    assert (x > 0,) == conditions([log(x)])
    assert (sympy.Or(x <= 1, sympy.Ne(y, 0)),) == conditions([Piecewise((1 / y, x > 1), (0, True))])


def test_zero_over_zero_is_undecided() -> None:
    """An expression that divides by zero at every point equals nothing."""
    nowhere = Mul(x, Pow(Mul(0, y, evaluate=False), -1, evaluate=False), evaluate=False)

    assert Status.UNDECIDED == equal(nowhere, x).status


def random_expression(source: random.Random, depth: int) -> sympy.Expr:
    """A random expression with the functions rules are made of."""
    if depth == 0:
        return source.choice([x, y, beta2, lr, Integer(1), Integer(2), Rational(1, 2), Rational(-3, 4)])
    a, b = random_expression(source, depth - 1), random_expression(source, depth - 1)
    made = source.randrange(10)
    if made < 3:
        return a + b
    if made < 5:
        return a * b
    if made == 5:
        return a - b
    if made == 6:
        return sqrt(a**2 + b**2)
    if made == 7:
        return Max(a, b)
    if made == 8:
        return source.choice([Abs(a), sign(a), a**2, beta2**t * a])
    return Piecewise((a, b > 0), (b, True))


def values_of(expr: sympy.Expr) -> list[tuple[dict[sympy.Symbol, sympy.Rational], int]]:
    """Points of the domain and the certain sign of the expression there."""
    found = []
    for point in itertools.islice(witness.points(sorted(expr.free_symbols, key=str), DOMAIN, seed=7), 12):
        try:
            sign_there = witness.certified_sign(evaluate(expr, point))
        except witness.Undecidable:
            continue
        if sign_there is not None:
            found.append((point, sign_there))
    return found


def test_signs_contain_every_value_seen() -> None:
    """The signs an expression is said to have include those it has at random points."""
    source = random.Random(1)
    for _ in range(300):
        expr = random_expression(source, 3)
        signs = Field(DOMAIN).signs(expr)
        for point, seen in values_of(expr):
            assert seen in signs, f"{expr} is {seen} at {point}, but its signs are said to be {set(signs)}"


def test_nothing_is_proved_that_a_point_refutes() -> None:
    """Over random pairs, a proof of equality or of a sign never contradicts exact evaluation."""
    source = random.Random(2)
    proved = 0
    for _ in range(200):
        left, right = random_expression(source, 2), random_expression(source, 2)
        for pair in ((left, right), (left * right, right * left + 0), (left + right, right)):
            if equal(*pair, DOMAIN).proved:
                proved += 1
                assert all(seen == 0 for _, seen in values_of(pair[0] - pair[1])), pair
        if nonnegative(left - right, DOMAIN).proved:
            proved += 1
            assert all(seen >= 0 for _, seen in values_of(left - right)), (left, right)
    assert proved > 200
