"""Slips of one symbol: another decay rate, a factor left out, a quotient upside down, a count one too many."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Abs, Expr, Integer, Pow, Rational, Symbol

from verifier.edits import Edit, everywhere, hyper, put, shrinking, stepping, swap, with_line
from verifier.rule import Rule, shared, t


def slips_of_corrections(rule: Rule) -> Iterator[Edit]:
    """Bias corrections that count otherwise, or stand the wrong way round."""
    powers = sorted(
        {p for _, e in rule.step for p in sympy.sympify(e).atoms(Pow) if p.exp == t and p.base in rule.hyper}, key=str
    )
    for power in powers:
        beta, corrected = power.base, 1 - power
        for other in (p for p in powers if p != power):
            yield Edit(
                f"ahead_{beta}",
                f"the bias correction of {beta} counts a step too many",
                everywhere(rule, put({power: beta ** (t + 1)})),
            )
            yield Edit(
                f"correction_of_{other.base}_for_{beta}",
                f"the bias correction of {beta} is made with {other.base}",
                everywhere(rule, put({power: other})),
            )
        yield Edit(
            f"constant_{beta}",
            f"the bias correction is 1 - {beta} at every step, not 1 - {beta}^t",
            everywhere(rule, put({power: beta})),
        )
        yield Edit(
            f"correction_turned_{beta}",
            f"{beta}^t stands where the bias correction 1 - {beta}^t should",
            everywhere(rule, put({corrected: power})),
        )
        yield Edit(
            f"summed_{beta}",
            f"the bias correction is 1 + {beta}^t, not 1 - {beta}^t",
            everywhere(rule, put({corrected: 1 + power})),
        )
        found = {p for _, e in rule.step for p in sympy.sympify(e).atoms(Pow) if p.base == corrected}
        yield Edit(
            f"multiplied_{beta}",
            f"the bias correction 1 - {beta}^t multiplies what it should divide",
            everywhere(rule, put({p: 1 / p for p in found})),
        )
        rooted = {p: p**2 for p in found if abs(p.exp) == Rational(1, 2)}
        if rooted:
            yield Edit(
                f"unrooted_{beta}",
                f"the root is missing from the bias correction 1 - {beta}^t",
                everywhere(rule, put(rooted)),
            )


def slips_of_averages(rule: Rule) -> Iterator[Edit]:
    """Averages that take another decay rate, or forget nothing."""
    rates = [s for s in rule.hyper if s.name in ("beta1", "beta2", "beta3")]
    for i, (target, e) in enumerate(rule.step):
        value = sympy.sympify(e)
        if target not in rule.state:
            continue
        for rate in rule.hyper:
            if value.has(rate * target):
                yield Edit(
                    f"unforgotten_{target}",
                    f"{target} forgets nothing: {rate} is left out",
                    with_line(rule, i, value.xreplace({rate * target: target})),
                )
            if value.has(rate * target) and value.has(1 - rate):
                for name, words, weight in (("overweighted", f"1 + {rate}", 1 + rate), ("both", f"{rate}", rate)):
                    says = f"{target} weighs what is new with {words} instead of 1 - {rate}"
                    yield Edit(f"{name}_{target}", says, with_line(rule, i, value.xreplace({1 - rate: weight})))
        for rate in rates:
            for other in (r for r in rates if r != rate and value.has(1 - rate) and value.has(rate * target)):
                fresh, kept = {1 - rate: 1 - other}, {rate * target: other * target}
                for name, says, change in (
                    ("fresh", f"{target} weighs what is new with 1 - {other} instead of 1 - {rate}", fresh),
                    ("kept", f"{target} keeps {other} of what it held instead of {rate}", kept),
                    ("rate", f"{target} is averaged with {other} instead of {rate}", fresh | kept),
                ):
                    yield Edit(f"{name}_{other}_{target}", says, with_line(rule, i, value.xreplace(change)))
        factor = value / target
        if factor.free_symbols and target not in factor.free_symbols and rule.state[target] == 1:
            yield Edit(
                f"power_{target}",
                f"the product {target} is replaced by a power of its newest factor",
                with_line(rule, i, factor**t),
            )
    for i, (now, e) in enumerate(rule.step):
        for k, (after, later) in enumerate(rule.step):
            ahead = sympy.sympify(e).subs(t, t + 1)
            if i != k and ahead != e and ahead == later:
                lines = tuple((x, v if j == k else sympy.sympify(v).xreplace({after: now}))
                              for j, (x, v) in enumerate(rule.step))  # fmt: skip
                yield Edit(f"{after}_as_{now}", f"{now} stands where {after} should", lines)


def slips_of_steps(rule: Rule) -> Iterator[Edit]:
    """Steps with a factor too few, a quotient upside down, or the wrong direction."""
    last, lr, momentum = stepping(rule), hyper(rule, "lr"), hyper(rule, "momentum")
    value = sympy.sympify(rule.step[last][1])
    gradient = next((x for x, e in rule.step if e.has(rule.grad) and x.name == "d"), rule.grad)
    assigned = {x for x, _ in rule.step if x != rule.theta}
    for x in sorted(assigned, key=str):
        if value.has(1 / x):
            says = f"the step is multiplied by {x} instead of divided by it"
            yield Edit(f"multiplied_by_{x}", says, with_line(rule, last, value.xreplace({1 / x: x})))
        elif x in rule.state and x in value.free_symbols and x not in shared(rule) | value.diff(x).free_symbols:
            says = f"the step takes the gradient, and {x} has no effect"
            yield Edit(f"gradient_for_{x}", says, with_line(rule, last, value.xreplace({x: gradient})))
    for i, (target, e) in enumerate(rule.step):
        line = sympy.sympify(e)
        if target in rule.state or target == rule.theta:
            continue
        if momentum is not None and line.has(momentum):
            says = f"momentum is missing from {target}, by which the step looks ahead"
            yield Edit(f"unfactored_{target}", says, with_line(rule, i, line.xreplace({momentum: Integer(1)})))
            rest = line.xreplace({gradient: Integer(0)})
            if rest not in (line, 0):
                says = f"the newest gradient is missing from {target}"
                yield Edit(f"stale_{target}", says, with_line(rule, i, rest))
        over, under = _quotient(rule, line)
        if over is not None and under is not None:
            says = f"the quotient of {over} and {under} is upside down"
            yield Edit(f"upside_down_{target}", says, with_line(rule, i, swap(over, under)(line)))
        for k, (held, kept) in enumerate(rule.step):
            read = held in rule.state and target != gradient and target in kept.free_symbols
            if read and lr is not None and value.has(lr * target):
                says = f"{held} remembers {target} scaled by lr"
                yield Edit(f"lr_in_{held}", says, with_line(rule, k, kept.xreplace({target: lr * target})))
    yield from _unsigned(rule)


def _quotient(rule: Rule, line: Expr) -> tuple[Symbol | None, Symbol | None]:
    """Two state variables of which one's root divides the other's, in a line."""
    roots = {p for p in line.atoms(Pow) if abs(p.exp) == Rational(1, 2)}
    found = {p.exp > 0: next(iter(p.free_symbols & set(rule.state))) for p in roots if p.free_symbols & set(rule.state)}
    return found.get(True), found.get(False)


def _unsigned(rule: Rule) -> Iterator[Edit]:
    for i, (target, e) in enumerate(rule.step):
        sizes = {a: a.args[0] for a in e.atoms(Abs)}
        if sizes and target in rule.state:
            yield Edit(
                f"signed_{target}", f"{target} takes the gradient with its sign", with_line(rule, i, e.xreplace(sizes))
            )
        for s in rule.state:
            if s != target and -(s**2) in sympy.Add.make_args(_under_root(e)):
                says = f"the square of {s} is added where it should be subtracted"
                yield Edit(f"added_{s}", says, with_line(rule, i, e.xreplace({-(s**2): s**2})))


def _under_root(e: Expr) -> Expr:
    """What stands under the first root of an expression."""
    return next((p.base for p in sympy.sympify(e).atoms(Pow) if abs(p.exp) == Rational(1, 2)), Integer(0))


def slips_of_decay(rule: Rule) -> Iterator[Edit]:
    """Decoupled decay that shrinks something else, or to something else."""
    line, wd = shrinking(rule), hyper(rule, "weight_decay")
    if line is None or wd is None:
        return
    amount = 1 - rule.step[line][1].diff(rule.theta)
    yield Edit(
        "decay_of_gradient",
        "weight decay takes its share of the gradient, not of the weight",
        with_line(rule, line, rule.theta - amount * rule.grad),
    )
    yield Edit(
        "decay_to_share",
        "weight decay leaves the share of the weight that it should take away",
        with_line(rule, line, rule.theta * amount),
    )


def slips_of_eps(rule: Rule) -> Iterator[Edit]:
    """eps that is subtracted or multiplied."""
    eps = hyper(rule, "eps")
    if eps is None:
        return
    sums = {a for _, e in rule.step for a in sympy.sympify(e).atoms(sympy.Add) if eps in a.args}
    yield Edit("eps_subtracted", "eps is subtracted", everywhere(rule, put({eps: -eps})))
    factors = {a: (a - eps) * eps for a in sums}
    yield Edit("eps_multiplied", "eps is multiplied, not added", everywhere(rule, put(factors)))
