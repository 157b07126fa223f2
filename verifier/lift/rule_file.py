"""A rule file written from a lift, for a person to compare with the paper."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping

import sympy
from sympy import Expr, Symbol

from verifier.lift.lifted import Lift
from verifier.printing import _Text
from verifier.rule import Rule, t

_TEMPLATE = '''"""{title}: read out of {target}.

Compare it with the paper, and say in `cite` and `differs` what you found, before you rely on it.
"""

from sympy import {imports}

from verifier.rule import {rule_imports}

{symbols}

rule = Rule(
    name="{name}",
    cite="{cite}",
    theta=theta,
    grad=g,
    hyper={{{hyper}}},
    state={{{state}}},
    step=(
{step}
    ),
)
'''


class _Source(_Text):
    """sympy source that builds the very expression: fractions exact, cases as Piecewise."""

    functions: Mapping[type, str] = {
        sympy.sign: "sign", sympy.Max: "Max", sympy.Min: "Min", sympy.log: "log", sympy.Mod: "Mod",
    }  # fmt: skip

    def at(self, expr: sympy.Basic) -> tuple[str, int]:
        if isinstance(expr, sympy.Rational) and not isinstance(expr, sympy.Integer):
            return f"Rational({expr.p}, {expr.q})", 4
        return super().at(expr)

    def absolute(self, arg: Expr) -> str:
        return self.call("Abs", arg)

    def raised(self, base: Expr, exponent: Expr) -> str:
        return f"{self.wrapped(base, 4)}**{self.wrapped(exponent, 4)}"

    def piecewise(self, expr: Expr) -> tuple[str, int]:
        return f"Piecewise({', '.join(f'({self.show(v)}, {self.show(c)})' for v, c in expr.args)})", 4

    def logic(self, expr: sympy.Basic) -> tuple[str, int]:
        if isinstance(expr, sympy.Equality | sympy.Unequality):
            return self.call("Eq" if isinstance(expr, sympy.Equality) else "Ne", *expr.args), 4
        if isinstance(expr, sympy.And | sympy.Or | sympy.Not):
            return self.call(type(expr).__name__, *expr.args), 4
        return super().logic(expr)


_IMPORTABLE = ("Abs", "And", "Eq", "Integer", "Interval", "Max", "Min", "Mod", "Ne", "Not", "Or", "Piecewise",
               "Rational", "Symbol", "acos", "asin", "atan", "atan2", "ceiling", "cos", "cosh", "erf", "exp", "floor",
               "log", "sign", "sin", "sinh", "sqrt", "tan", "tanh")  # fmt: skip


def rule_source(lifted: Lift, name: str = "") -> str:
    """The text of a rule file. ValueError where the lift has no rule of one element."""
    rule = lifted.rule
    if rule is None:
        raise ValueError(f"{lifted.target} has no rule of one element: {lifted.stopped_by or lifted.coupled}")
    show = _Source().show
    names = [s.name for s in (*rule.hyper, *rule.state)]
    names += [s.name for s, _ in rule.step if s.name not in (*names, "theta")]
    body = {
        "hyper": _table({s.name: _interval(lifted, s) for s in rule.hyper}),
        "state": _table({s.name: _initial(show, e) for s, e in rule.state.items()}),
        "step": "\n".join(_line(s, show(sympy.sympify(e))) for s, e in rule.step),
    }
    written = "".join(body.values())
    reads_t = any(t in sympy.sympify(e).free_symbols for _, e in rule.step)
    calls = written.replace(".open", "").replace(".Ropen", "").replace(".Lopen", "")
    used = [n for n in _IMPORTABLE if f"{n}(" in calls]
    title = lifted.target.rpartition(":")[2]
    quoted = ", ".join(f'"{n}"' for n in names)
    symbols = 'theta, g = (Symbol(n, real=True) for n in ("theta", "g"))\n'
    if len(names) == 1:
        symbols += f'{names[0]} = Symbol("{names[0]}", real=True)'
    elif names:
        quoted = textwrap.fill(quoted, 112, initial_indent=" " * 8, subsequent_indent=" " * 8)
        targets = textwrap.fill(", ".join(names), 112, initial_indent="    ", subsequent_indent="    ")
        symbols += f"(\n{targets},\n) = (\n    Symbol(n, real=True)\n    for n in (\n{quoted},\n    )\n)"
    return _TEMPLATE.format(
        title=title, target=lifted.target, imports=", ".join(sorted({*used, "Symbol"}, key=str.lower)),
        rule_imports="Rule, t" if reads_t else "Rule", symbols=symbols.rstrip(), name=name or rule.name,
        cite=rule.cite, **body,
    )  # fmt: skip


def _line(target: Symbol, value: str) -> str:
    """One line of the step; a long one broken after its target and between the cases of a Piecewise."""
    line = f"        ({target}, {value}),"
    if len(line) <= 120:
        return line
    cases = value.replace("), (", "),\n                (") if value.startswith("Piecewise(") else value
    return f"        (\n            {target},\n            {cases},\n        ),"


def _table(entries: Mapping[str, str]) -> str:
    if not entries:
        return ""
    return "\n" + "".join(f"        {k}: {v},\n" for k, v in entries.items()) + "    "


def _initial(show: object, value: Expr) -> str:
    value = sympy.sympify(value)
    return f"Integer({value})" if isinstance(value, sympy.Integer) else _Source().show(value)


def _interval(lifted: Lift, symbol: Symbol) -> str:
    """The constructor's own bounds; where it has none, one that holds the default with room, for tests to draw from."""
    values = lifted.domain[symbol]
    default = abs(lifted.hyper.get(symbol.name, 1.0))
    room = sympy.Integer(1 if default <= 0.5 else 10 ** math.ceil(math.log10(2 * default)))
    low = -room if values.inf == -sympy.oo else values.inf
    high = low + room if values.sup == sympy.oo else values.sup
    kind = {(False, False): "", (True, False): ".Lopen", (False, True): ".Ropen", (True, True): ".open"}
    left, right = bool(values.left_open), bool(values.right_open) and values.sup != sympy.oo
    show = _Source().show
    return f"Interval{kind[left, right]}({show(low)}, {show(high)})"


def write_rule(lifted: Lift, name: str = "") -> Rule:
    """The rule that the written file holds: what `init` lifts back to."""
    space: dict[str, object] = {}
    exec(compile(rule_source(lifted, name), f"<rule of {lifted.target}>", "exec"), space)
    rule = space["rule"]
    assert isinstance(rule, Rule)
    return rule
