"""Where two expressions differ, as small as it gets: a part of the code, and what the rule has in its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import sympy
from sympy import Expr

from verifier.printing import to_text
from verifier.rule import Rule, t, transition

LONGEST = 100
"""Characters of a part beyond which it is no small difference."""


def unlike(one: sympy.Basic, two: sympy.Basic) -> tuple[sympy.Basic, sympy.Basic] | None:
    """The smallest parts by which two expressions differ, the rest being alike; None where they are the same.

    Of sums and products what they have in common is left out, in whatever order it stands.
    """
    if one == two:
        return None
    if isinstance(one, sympy.Add | sympy.Mul) and one.func == two.func:
        mine, theirs = Counter(one.args), Counter(two.args)
        rest, other = list((mine - theirs).elements()), list((theirs - mine).elements())
        if len(rest) == len(other) == 1:
            return _telling(unlike(rest[0], other[0]), one, two)
        pairs = _paired(rest, other)
        if pairs is not None:
            return _telling(pairs, one, two)
        left = one.func(*rest), one.func(*other)
        if isinstance(one, sympy.Add) and not (rest and other) and not sum(left).is_Number:
            return left  # a term that only one of them has
        return _telling(left, one, two)
    if one.func == two.func and len(one.args) == len(two.args) and one.args:
        apart = [(a, b) for a, b in zip(one.args, two.args, strict=True) if a != b]
        if len(apart) == 1 and not (one.is_Pow and one.args[0] == two.args[0]):  # a power is read as one
            return _telling(unlike(*apart[0]), one, two)
    return one, two


def _telling(
    parts: tuple[sympy.Basic, sympy.Basic] | None, one: sympy.Basic, two: sympy.Basic
) -> tuple[sympy.Basic, sympy.Basic]:
    """Parts that differ, or the whole they are in where a number or one symbol would not say which it is."""
    if parts is None or any(p.is_Number for p in parts) or all(map(_is_multiple, parts)):
        return one, two
    return parts


def _is_multiple(part: sympy.Basic) -> bool:
    """Whether it is one symbol, or a number of them; conditions of branches are not."""
    return isinstance(part, sympy.Expr) and bool(part.as_coeff_Mul()[1].is_Atom)


def _paired(rest: list[sympy.Basic], other: list[sympy.Basic]) -> tuple[sympy.Basic, sympy.Basic] | None:
    """What two terms differ by where several differ by the same: swapped signs, or one factor in each."""
    if len(rest) != len(other):
        return None
    found = set()
    for a, b in zip(sorted(rest, key=str), sorted(other, key=str), strict=True):
        found.add(unlike(a, b))
    return found.pop() if len(found) == 1 else None


def difference(code: Rule, rule: Rule) -> str:
    """In words, what stands in the code where the rule has something else; '' where that cannot be said shortly.

    Both have the same lines but for some; of two rules that were written apart, the new values are compared.
    """
    lines = [(x, a, b) for (x, a), (y, b) in zip(code.step, rule.step, strict=False) if x == y and a != b]
    if len(code.step) == len(rule.step) and len(lines) >= 1 and [x for x, _ in code.step] == [x for x, _ in rule.step]:
        told = {_words(a, b, rule.name) for _, a, b in lines}
        return told.pop() if len(told) == 1 else ""
    return ""


def of_nearest(code: Rule, rule: Rule, states: Mapping[str, str] | None = None) -> str:
    """The same of code that was read and the rule it is nearest to: its state is renamed, and new values are compared.

    The first variable whose new value differs is told of, where the parts that differ are short.
    """
    renamed = {sympy.Symbol(mine, real=True): sympy.Symbol(name, real=True) for name, mine in (states or {}).items()}
    later = {sympy.Eq(t, 1): sympy.false}
    after = {renamed.get(s, s).name: e.xreplace(renamed).xreplace(later) for s, e in transition(code).items()}
    wanted = {s.name: e.xreplace(later) for s, e in transition(rule).items()}
    if set(wanted) - set(after):
        return ""
    for name in [*(n for n in wanted if n != rule.theta.name), rule.theta.name]:
        words = _words(after[name], wanted[name], rule.name)
        if words:
            return words if name == rule.theta.name else f"in {name}, {words}"
        if after[name] != wanted[name]:
            return ""
    return ""


def _words(one: Expr, two: Expr, name: str) -> str:
    parts = unlike(sympy.sympify(one), sympy.sympify(two))
    if parts is None:
        return ""
    mine, theirs = parts
    whole = (sympy.sympify(one), sympy.sympify(two))
    if parts == whole and whole[0].count_ops() + whole[1].count_ops() > 12:
        return ""
    if mine in (0, 1) and theirs not in (0, 1):
        said = f"the code lacks {_text(theirs)}, which {name} has"
    elif theirs in (0, 1) and mine not in (0, 1):
        said = f"the code has {_text(mine)}, which {name} has not"
    else:
        said = f"the code has {_text(mine)} where {name} has {_text(theirs)}"
    return said if max(len(_text(mine)), len(_text(theirs))) <= LONGEST else ""


def _text(part: sympy.Basic) -> str:
    return to_text(part)
