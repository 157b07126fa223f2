"""Expressions as people write them: one term order in Python, text and LaTeX."""

from __future__ import annotations

import pytest
import sympy
from sympy import Abs, Eq, Expr, Implies, Integer, Max, Piecewise, Rational, Symbol, sign, sqrt

from verifier import rules
from verifier.equality.normal import equal
from verifier.printing import rule_latex, rule_text, to_latex, to_python, to_text
from verifier.rule import t
from verifier.rules.symbols import beta1, beta2, eps, g, lr, theta, weight_decay

m, v, x, y = sympy.symbols("exp_avg exp_avg_sq x y", real=True)


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (1 - lr * weight_decay, "1 - lr * weight_decay"),
        (theta * (1 - lr * weight_decay), "theta * (1 - lr * weight_decay)"),
        (beta1 * m + (1 - beta1) * g, "beta1 * exp_avg + (1 - beta1) * g"),
        (beta2 * v + (1 - beta2) * g**2, "beta2 * exp_avg_sq + (1 - beta2) * g**2"),
        (g + weight_decay * theta, "g + weight_decay * theta"),
        (sqrt(v) / sqrt(1 - beta2**t) + eps, "sqrt(exp_avg_sq) / sqrt(1 - beta2**t) + eps"),
        (theta - lr * g / (Abs(g) + eps), "theta - lr * g / (abs(g) + eps)"),
        (-2 * x * y, "-2 * x * y"),
        (x - (y - 1), "1 + x - y"),
        (t + 1, "t + 1"),
        (x ** (t + 1), "x ** (t + 1)"),
        (x / 3, "x / 3"),
        (Rational(-2, 3) * x, "-2 * x / 3"),
        (1 / (x * y), "1 / (x * y)"),
        ((x + y) ** -2, "1 / (x + y) ** 2"),
        (Max(x, y) * sign(g), "maximum(x, y) * sign(g)"),
        (Piecewise((x, y > 1), (0, True)), "where(y > 1, x, 0)"),
        (-(x + y), "-x - y"),
        (x * -y / (x + y), "-x * y / (x + y)"),
    ],
)
def test_python_reads_as_if_written_by_hand(expr: Expr, expected: str) -> None:
    """Terms come in reading order: positive ones first, hyperparameters before tensors, eps last."""
    assert expected == to_python(expr)


@pytest.mark.parametrize("name", rules.names())
def test_python_source_means_the_expression(name: str) -> None:
    """Evaluating the printed source of every line of every rule gives the line back."""
    rule = rules.get(name)
    functions = {
        "sqrt": sqrt,
        "abs": Abs,
        "sign": sign,
        "maximum": sympy.Max,
        "minimum": sympy.Min,
        "where": lambda guard, a, b: Piecewise((a, guard), (b, True)),
    }
    for target, value in rule.step:
        names = {s.name: s for s in sympy.sympify(value).free_symbols}
        source = to_python(sympy.sympify(value).xreplace({Rational(24, 25): Symbol("base")}))
        runnable = source.replace("t == 1", "Eq(t, 1)")  # on symbols == asks whether they are the same object
        read = eval(runnable, {**functions, **names, "base": Rational(24, 25), "t": t, "Eq": Eq})
        assert equal(read, value, rule.hyper).proved, f"{name}, {target}: {source}"


def test_python_of_a_module_keeps_fractions_exact() -> None:
    """With a module, its functions are called, and a fraction no double holds is asked for as one."""
    assert "check.sqrt(x) + check.ratio(24, 25)" == to_python(sqrt(x) + Rational(24, 25), "check").replace(
        "check.ratio(24, 25) + check.sqrt(x)", "check.sqrt(x) + check.ratio(24, 25)"
    )
    assert "x / 4" == to_python(x / 4, "check")


def test_text_and_latex_have_the_order_of_python() -> None:
    """The same terms in the same order, in three notations."""
    expr = theta * (1 - lr * weight_decay) - lr * g / (Abs(g) + eps)

    assert "theta * (1 - lr * weight_decay) - lr * g / (|g| + eps)" == to_text(expr)
    assert (
        r"\theta \, \left(1 - \gamma \, \lambda_w\right) - \frac{\gamma \, g}{\left|g\right| + \epsilon}"
        == to_latex(expr)
    )


def test_formulas_with_conditions_are_printed_as_implications() -> None:
    """A law reads `condition  =>  equation`."""
    formula = Implies(Eq(g, 0), Eq(Symbol("theta_1"), theta, evaluate=False), evaluate=False)

    assert "g = 0  =>  theta_1 = theta" == to_text(formula)
    assert r"g = 0  \Rightarrow  \theta_{1} = \theta" == to_latex(formula)


def test_a_rule_is_printed_line_by_line() -> None:
    """The state's start, then the step, in the order of the rule."""
    rule = rules.get("adamw")

    lines = rule_text(rule).splitlines()

    assert "exp_avg <- 0" == lines[0]
    assert "    theta <- theta * (1 - lr * weight_decay)" == lines[3]
    assert rule_latex(rule).count(r"\leftarrow") == len(rule.step)


def test_an_integer_is_text() -> None:
    """Plain numbers and negative ones print as they are."""
    assert ["0", "-3", "-1 / 2"] == [to_text(Integer(0)), to_text(Integer(-3)), to_text(Rational(-1, 2))]


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (Rational(24, 25) ** x, "0.96^x"),
        (x - Rational(3, 10) * lr, "x - 0.3 * lr"),
        (Rational(1, 10**8) + x, "1e-08 + x"),
        (Rational("3.141592653589793") * x, "pi * x"),
        (Rational("3.141592653589793") * x / 990, "pi * x / 990"),
        (x / 4, "x / 4"),
        (x / 3, "x / 3"),
    ],
)
def test_decimal_fractions_are_written_as_such(expr: Expr, expected: str) -> None:
    """A constant of the code reads as it stands there; halves and thirds stay fractions."""
    assert expected == to_text(expr)
