"""sympy to Python source, text and LaTeX: one term order for all three, the one a person would write.

`1 - lr * weight_decay`, not `-lr*weight_decay + 1`; `beta1 * exp_avg + (1 - beta1) * g`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import sympy
from sympy import Expr, Symbol
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, BooleanFalse, BooleanTrue, Implies, Not, Or

from verifier.rule import Rule

SUM, PRODUCT, NEGATION, POWER, ATOM = 1, 2, 2, 3, 4  # how tightly a piece of output binds

GREEK = frozenset({"alpha", "beta", "delta", "epsilon", "eta", "gamma", "lambda", "mu", "phi", "psi", "rho", "theta"})
NAMES = {
    "g": "g",
    "lam": r"\lambda",
    "lambd": r"\lambda_d",
    "lr": r"\gamma",
    "eps": r"\epsilon",
    "weight_decay": r"\lambda_w",
    "momentum": r"\mu_m",
    "exp_avg": "m",
    "exp_avg_sq": "v",
    "max_exp_avg_sq": r"\hat{v}",
    "rho_inf": r"\rho_\infty",
    "etaminus": r"\eta^{-}",
    "etaplus": r"\eta^{+}",
}
"""LaTeX of the names whose letters are the field's custom; any other name is spelt out."""

RELATIONS = {
    sympy.Equality: ("==", "=", "="),
    sympy.Unequality: ("!=", "!=", r"\neq"),
    sympy.StrictLessThan: ("<", "<", "<"),
    sympy.StrictGreaterThan: (">", ">", ">"),
    sympy.LessThan: ("<=", "<=", r"\leq"),
    sympy.GreaterThan: (">=", ">=", r"\geq"),
}

_SHORT, _COMPUTED = 9, 10**12  # characters of a decimal a person wrote; denominators of numbers nobody writes

_PI = sympy.Rational(repr(math.pi))

NEGATED = ("not ", "not ", r"\neg ")
IMPLIES = ("=>", "=>", r"\Rightarrow")


def to_python(expr: sympy.Basic, module: str = "") -> str:
    """`expr` as Python source, spaced as black would; its functions are sqrt, sign, maximum, minimum, where, and abs.

    With `module`, the functions are read from it (check.sqrt), and so is any fraction a double cannot hold exactly
    (check.ratio(24, 25)).
    """
    return _Python(module).show(sympy.sympify(expr))


def to_text(expr: sympy.Basic) -> str:
    """`expr` as one line of plain text: powers `^`, `|x|`, relations `=` and `=>`; `1 - 0.999` as code has it."""
    expr = sympy.sympify(expr)
    return _Text().show(expr.xreplace({r: _remainder(r) for r in expr.atoms(sympy.Rational)}))


def _remainder(number: sympy.Rational) -> Expr:
    """The number; where it is the double `1 - d` of a short decimal d, as code computes it, that difference.

    A decimal fraction is written as one, and that of pi, or a share of it, by its name.
    """
    share = number / _PI
    if number.q > _COMPUTED and max(abs(share.p), share.q) < _COMPUTED:
        return share * Symbol("pi")
    size = float(abs(number))
    decimal = repr(1 - size)
    if number.q > _COMPUTED and 0 < size < 1 and len(decimal) <= _SHORT and 1 - float(decimal) == size:
        return sympy.sign(number) * Symbol(f"(1 - {decimal})")
    if number.q % 5 == 0 and sympy.Rational(written := repr(size)) == abs(number):
        return sympy.sign(number) * Symbol(written)
    return number


def to_latex(expr: sympy.Basic) -> str:
    """`expr` as LaTeX mathematics, without delimiters."""
    return _Latex().show(sympy.sympify(expr))


def terms(expr: Expr) -> tuple[Expr, ...]:
    """The terms of a sum in the order they are written: positive ones first, eps last, numbers before products."""
    positive_atom = any(term.is_Symbol and term.is_integer for term in expr.args)

    def key(term: Expr) -> tuple[int, int, int, int, str]:
        number = 0 if not positive_atom else 2  # 1 - lr * weight_decay, 1 + lambd * lr * t, but t + 1
        rank = number if term.is_Number else 1
        last = int(str(term) in ("eps", "epsilon"))
        return (int(_negative(term)), last, rank, int(sympy.count_ops(term)), str(term))

    return tuple(sorted(expr.args, key=key))


def _negative(expr: Expr) -> bool:
    return bool(expr.as_coeff_Mul()[0].is_negative)


def factors(expr: Expr) -> tuple[list[Expr], list[Expr]]:
    """Numerator and denominator factors of a product, in the order they are written; the sign is left to the caller.

    Numbers first, then hyperparameters, then the parameter, then sums, then gradients and other functions.
    """
    above: list[Expr] = []
    below: list[Expr] = []
    for factor in sympy.Mul.make_args(expr):
        if isinstance(factor, sympy.Rational):
            above += [sympy.Integer(abs(factor.p))] * (abs(factor.p) != 1)
            below += [sympy.Integer(factor.q)] * (factor.q != 1)
        elif _divides(factor):
            below.append(sympy.Pow(factor.base, -factor.exp, evaluate=False) if factor.exp != -1 else factor.base)
        else:
            above.append(factor)

    def key(factor: Expr) -> tuple[int, str]:
        base = factor.base if isinstance(factor, sympy.Pow) else factor
        if base.is_number or (isinstance(base, Symbol) and (base.name[0].isdigit() or base.name == "pi")):
            return (0, str(factor))
        if _tensor(base):
            return (3 if base.name.startswith("theta") else 5, str(factor))
        if isinstance(base, sympy.Add):
            return (6 if any(_tensor(s) for s in base.free_symbols) else 4, str(factor))
        if isinstance(base, Symbol):
            return (1, "" if base.name == "lr" else str(factor))
        return (2 if not any(_tensor(s) for s in base.free_symbols) else 5, str(factor))

    return sorted(above, key=key), sorted(below, key=key)


def _divides(factor: Expr) -> bool:
    return isinstance(factor, sympy.Pow) and bool(factor.exp.could_extract_minus_sign())


def _tensor(symbol: Expr) -> bool:
    """Whether a symbol is written last in its product, as a gradient, moment or other per-element value is."""
    if not isinstance(symbol, Symbol):
        return False
    name = symbol.name
    return name.split("_")[0] in ("theta", "g", "d", "w", "delta", "ahead") or name.startswith(ACCUMULATED)


ACCUMULATED = ("exp_avg", "square_avg", "grad_avg", "acc_", "momentum_buffer")


class _Text:
    """Plain text; the other two notations override what differs."""

    column = 1
    times = " * "
    functions: Mapping[type, str] = {sympy.sign: "sign", sympy.Max: "max", sympy.Min: "min", sympy.log: "log"}

    def show(self, expr: sympy.Basic) -> str:
        return self.at(expr)[0]

    def wrapped(self, expr: sympy.Basic, binding: int) -> str:
        text, own = self.at(expr)
        return text if own >= binding else self.parenthesised(text)

    def parenthesised(self, text: str) -> str:
        return f"({text})"

    def at(self, expr: sympy.Basic) -> tuple[str, int]:
        """The output and how tightly it binds."""
        if isinstance(expr, sympy.Tuple):
            return ", ".join(self.show(arg) for arg in expr.args), ATOM
        if isinstance(expr, Symbol):
            return self.name(expr.name), ATOM
        if isinstance(expr, Relational | sympy.logic.boolalg.Boolean):
            return self.logic(expr)
        if isinstance(expr, sympy.Integer):
            return str(expr), ATOM if expr >= 0 else SUM
        if isinstance(expr, sympy.Float):
            return repr(float(expr)), ATOM
        if isinstance(expr, sympy.Add):
            return self.sum(expr), SUM
        if _negative(expr):
            return f"-{self.wrapped(-expr, PRODUCT)}", SUM
        if isinstance(expr, sympy.Mul | sympy.Rational) or _divides(expr):
            return self.product(expr), PRODUCT
        if isinstance(expr, sympy.Pow):
            return self.power(expr)
        if isinstance(expr, sympy.Piecewise):
            return self.piecewise(expr)
        if isinstance(expr, sympy.Abs):
            return self.absolute(expr.args[0]), ATOM
        name = self.functions.get(type(expr)) or self.name(expr.func.__name__)
        return self.call(name, *expr.args), ATOM

    def name(self, name: str) -> str:
        return name

    def call(self, name: str, *args: sympy.Basic) -> str:
        return f"{name}({', '.join(self.show(arg) for arg in args)})"

    def absolute(self, arg: Expr) -> str:
        return f"|{self.show(arg)}|"

    def sum(self, expr: Expr) -> str:
        text = ""
        for term in terms(expr):
            if not text:
                text = self.wrapped(term, SUM)
            elif _negative(term):
                text += f" - {self.wrapped(-term, PRODUCT)}"
            else:
                text += f" + {self.wrapped(term, PRODUCT)}"
        return text

    def product(self, expr: Expr) -> str:
        above, below = factors(expr)
        text = self.times.join(self.wrapped(f, PRODUCT if i == 0 else POWER) for i, f in enumerate(above)) or "1"
        if not below:
            return text
        bottom = self.times.join(self.wrapped(f, POWER) for f in below)
        return f"{text} / {bottom if len(below) == 1 else self.parenthesised(bottom)}"

    def power(self, expr: Expr) -> tuple[str, int]:
        base, exponent = expr.args
        if exponent == sympy.Rational(1, 2):
            return self.call("sqrt", base), ATOM
        return self.raised(base, exponent), POWER

    def raised(self, base: Expr, exponent: Expr) -> str:
        return f"{self.wrapped(base, ATOM)}^{self.wrapped(exponent, ATOM)}"

    def piecewise(self, expr: Expr) -> tuple[str, int]:
        parts = []
        for value, guard in expr.args:
            case = "otherwise" if guard == sympy.true else f"if {self.show(guard)}"
            parts.append(f"{self.show(value)} {case}")
        return "{" + "; ".join(parts) + "}", ATOM

    def logic(self, expr: sympy.Basic) -> tuple[str, int]:
        if isinstance(expr, BooleanTrue | BooleanFalse):
            return str(bool(expr)), ATOM
        if isinstance(expr, Relational):
            return f"{self.show(expr.lhs)} {RELATIONS[type(expr)][self.column]} {self.show(expr.rhs)}", SUM
        words = {And: (" and ", " and ", r" \wedge "), Or: (" or ", " or ", r" \vee ")}
        for kind, spelt in words.items():
            if isinstance(expr, kind):
                args = sorted(expr.args, key=lambda a: (a.count_ops(), str(a)))
                return spelt[self.column].join(self.inside(arg) for arg in args), SUM
        if isinstance(expr, Not):
            return NEGATED[self.column] + self.inside(expr.args[0]), SUM
        if isinstance(expr, Implies):
            return f"{self.show(expr.args[0])}  {IMPLIES[self.column]}  {self.show(expr.args[1])}", SUM
        raise TypeError(f"{type(expr).__name__} has no notation")

    def inside(self, expr: sympy.Basic) -> str:
        text = self.show(expr)
        return text if isinstance(expr, Relational) else self.parenthesised(text)


class _Python(_Text):
    column = 0

    def __init__(self, module: str = "") -> None:
        self.module = module

    def at(self, expr: sympy.Basic) -> tuple[str, int]:
        if self.module and isinstance(expr, sympy.Rational) and expr.q & (expr.q - 1):
            sign = "-" if expr < 0 else ""
            return (
                f"{sign}{self.call('ratio', sympy.Integer(abs(expr.p)), sympy.Integer(expr.q))}",
                SUM if sign else ATOM,
            )
        return super().at(expr)

    def call(self, name: str, *args: sympy.Basic) -> str:
        inside = self.module and name != "abs"
        return super().call(f"{self.module}.{name}" if inside else name, *args)

    functions: Mapping[type, str] = {
        sympy.sign: "sign",
        sympy.Max: "maximum",
        sympy.Min: "minimum",
        sympy.log: "log",
        sympy.exp: "exp",
    }

    def absolute(self, arg: Expr) -> str:
        return self.call("abs", arg)

    def raised(self, base: Expr, exponent: Expr) -> str:
        mark = "**" if base.is_Atom and exponent.is_Atom else " ** "
        return f"{self.wrapped(base, ATOM)}{mark}{self.wrapped(exponent, ATOM)}"

    def piecewise(self, expr: Expr) -> tuple[str, int]:
        text = self.show(expr.args[-1][0])
        for value, guard in expr.args[-2::-1]:
            where = f"{self.module}.where" if self.module else "where"
            text = f"{where}({self.show(guard)}, {self.show(value)}, {text})"
        return text, ATOM

    def logic(self, expr: sympy.Basic) -> tuple[str, int]:
        marks = {And: " & ", Or: " | "}
        for kind, mark in marks.items():
            if isinstance(expr, kind):
                args = sorted(expr.args, key=lambda a: (a.count_ops(), str(a)))
                return mark.join(f"({self.show(arg)})" for arg in args), SUM
        return super().logic(expr)


class _Latex(_Text):
    column = 2
    times = r" \, "
    functions: Mapping[type, str] = {
        sympy.sign: r"\operatorname{sign}",
        sympy.Max: r"\max",
        sympy.Min: r"\min",
        sympy.log: r"\log",
        sympy.exp: r"\exp",
    }

    def parenthesised(self, text: str) -> str:
        return rf"\left({text}\right)"

    def name(self, name: str) -> str:
        if name in NAMES:
            return NAMES[name]
        if name in GREEK:
            return f"\\{name}"
        stem, _, index = name.rpartition("_")
        if stem and (index.isdigit() or len(index) == 1):
            return f"{self.name(stem)}_{{{index}}}"
        letters = name.rstrip("0123456789")
        if letters != name and letters in GREEK:
            return f"\\{letters}_{{{name[len(letters) :]}}}"
        if len(name) == 1:
            return name
        return "\\mathrm{" + name.replace("_", r"\_") + "}"

    def call(self, name: str, *args: sympy.Basic) -> str:
        if name == "sqrt":
            return rf"\sqrt{{{self.show(args[0])}}}"
        return f"{name}{self.parenthesised(', '.join(self.show(arg) for arg in args))}"

    def absolute(self, arg: Expr) -> str:
        return rf"\left|{self.show(arg)}\right|"

    def product(self, expr: Expr) -> str:
        above, below = factors(expr)
        if not below:
            return self.times.join(self.wrapped(f, PRODUCT if i == 0 else POWER) for i, f in enumerate(above)) or "1"
        top = self.times.join(self.wrapped(f, SUM if len(above) == 1 else POWER) for f in above) or "1"
        bottom = self.times.join(self.wrapped(f, SUM if len(below) == 1 else POWER) for f in below)
        return rf"\frac{{{top}}}{{{bottom}}}"

    def raised(self, base: Expr, exponent: Expr) -> str:
        return f"{self.wrapped(base, ATOM)}^{{{self.show(exponent)}}}"

    def piecewise(self, expr: Expr) -> tuple[str, int]:
        rows = []
        for value, guard in expr.args:
            case = r"\text{otherwise}" if guard == sympy.true else rf"\text{{if }} {self.show(guard)}"
            rows.append(rf"{self.show(value)} & {case}")
        return r"\begin{cases}" + r" \\ ".join(rows) + r"\end{cases}", ATOM


def rule_text(rule: Rule) -> str:
    """The rule as lines of text: the state it starts from, then its steps in order."""
    lines = [f"{to_text(s)} <- {to_text(initial)}" for s, initial in rule.state.items()]
    lines += ["for t = 1, 2, ...:"] if rule.state else []
    lines += [f"    {to_text(target)} <- {to_text(value)}" for target, value in rule.step]
    return "\n".join(lines)


def rule_latex(rule: Rule) -> str:
    """The rule as an align* environment: the state it starts from, then its steps in order."""
    rows = [rf"{to_latex(s)}_0 &= {to_latex(initial)}" for s, initial in rule.state.items()]
    rows += [rf"{to_latex(target)} &\leftarrow {to_latex(value)}" for target, value in rule.step]
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"
