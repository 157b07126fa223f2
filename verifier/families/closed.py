"""Closed forms: the first step, steps without a gradient, and n steps where a formula for n exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sympy
from sympy import Expr, Integer, Symbol

from verifier.equality.normal import Domain, equal
from verifier.families.written import assigned, call, equation, implies, law, named, reads, source
from verifier.law import (
    Goal,
    Inapplicable,
    Law,
    N,
    after,
    domain_of,
    first_gradient,
    first_step,
    needs,
    same_named,
    start,
)
from verifier.printing import to_text
from verifier.rule import Rule, shared, t, transition
from verifier.tidy import tidy

Forms = Mapping[Symbol, Expr]
SHORT = 60  # characters of a line's value that is worth showing
LONG = 160  # characters of a closed form beyond which per-step scalars keep their names


def _first(rule: Rule, values: Mapping[Symbol, Expr]) -> tuple[Expr, dict[Symbol, Expr]]:
    """theta after the first step, written short, and the per-step scalars it still names with their values."""
    domain = domain_of(rule)
    raw = first_step(rule, values)[rule.theta]
    if len(to_text(raw)) <= 3 * LONG:
        full = tidy(raw, domain, rule.theta)
        if len(to_text(full)) <= LONG:
            return full, {}
    known: dict[Symbol, Expr] = {}
    kept: dict[Symbol, Expr] = {}
    for target, value in rule.step:  # the same, with the scalars that all elements share left as names
        now = {**start(rule, values), **values, **known}
        line = sympy.sympify(value).subs(t, 1).xreplace(now)
        if target in shared(rule) and target not in rule.state:
            kept[target] = line
        else:
            known[target] = line
    ranges = {**domain, **{s: sympy.Interval(0, 1) for s in kept if 0 <= _sample(kept[s], rule) <= 1}}
    short = tidy(known[rule.theta], ranges, rule.theta)
    used: dict[Symbol, Expr] = {}
    for s in reversed(list(kept)):
        if s in short.free_symbols | {x for e in used.values() for x in e.free_symbols}:
            used[s] = kept[s]
    return short, dict(reversed(used.items()))


def _sample(value: Expr, rule: Rule) -> float:
    return float(value.subs({s: sympy.Rational(1, 2) for s in rule.hyper}))


def zero_gradient(rule: Rule) -> Law | Inapplicable:
    """What one step from the initial state does without a gradient."""
    zero = {rule.grad: Integer(0)}
    closed, names = _first(rule, zero)
    inlined = closed.xreplace(names)
    domain = domain_of(rule)

    def goals(other: Rule) -> Iterator[Goal]:
        yield Goal("theta after one step with g = 0", first_step(other, zero)[other.theta], inlined, domain=domain)

    still = closed == rule.theta
    body = call("frozen", '"theta"') if still else _closed_body(rule, closed, names, step=1)
    return law(
        rule,
        "zero_gradient",
        "A zero gradient leaves theta alone." if still else "A zero gradient leaves only weight decay.",
        implies(sympy.Eq(rule.grad, 0), equation(named("theta_1"), inlined if len(to_text(inlined)) < 300 else closed)),
        f"{_lines(rule, zero)}{_named(names)}.",
        goals,
        cases="steps=1, grad=0",
        body=body,
        where=needs(rule, {**start(rule), **zero}, 1),
    )


def _lines(rule: Rule, values: Mapping[Symbol, Expr]) -> str:
    """What the lines before the last give on the first step, where that is short, as a clause."""
    known: dict[Symbol, Expr] = {**start(rule, values), **values}
    found: dict[str, str] = {}
    for target, value in rule.step:
        known[target] = sympy.sympify(value).subs(t, 1).xreplace(known)
        if target != rule.theta and target not in shared(rule):
            shown = to_text(tidy(known[target], domain_of(rule)))
            if len(shown) <= SHORT:
                found[to_text(target)] = shown
    lines = ", ".join(f"{name} = {shown}" for name, shown in found.items())
    return f"With g = 0 and the initial state, {lines}" if lines else "No other line reads the gradient"


def _named(names: Mapping[Symbol, Expr]) -> str:
    with_ = " and ".join(f"{to_text(s)} = {to_text(e)}" for s, e in names.items())
    return f", with {with_}" if with_ else ""


def _closed_body(rule: Rule, closed: Expr, names: Mapping[Symbol, Expr], step: int | str) -> list[str]:
    lines = reads(rule, closed, *names.values(), but=names)
    for s, value in names.items():
        lines += assigned(s.name, value)
    one = call("follows", source(closed), f"step={step}")
    if len(one) == 1:
        return [*lines, "", *one]
    return [*lines, *assigned("closed", closed), "", *call("follows", "closed", f"step={step}")]


def first_step_law(rule: Rule) -> Law | Inapplicable:
    """theta after the first step, in closed form."""
    g1 = first_gradient(rule)
    values = {rule.grad: g1}
    closed, names = _first(rule, values)
    inlined = closed.xreplace(names)
    domain = domain_of(rule)

    def goals(other: Rule) -> Iterator[Goal]:
        yield Goal("theta after the first step", first_step(other, values)[other.theta], inlined, domain=domain)

    return law(
        rule,
        "first_step",
        "The first step has a closed form.",
        equation(named("theta_1"), closed),
        f"The state starts at {_initial(rule)}{_named(names)}." if rule.state else "The rule has no state.",
        goals,
        cases="steps=1",
        body=_closed_body(rule, closed, names, step=1),
        where=needs(rule, {**start(rule), **values}, 1),
    )


def _initial(rule: Rule) -> str:
    return ", ".join(f"{to_text(s)} = {to_text(e)}" for s, e in rule.state.items())


def first_state(rule: Rule) -> Law | Inapplicable:
    """Every state variable after the first step, in closed form."""
    tensors = [s for s in rule.state if s not in shared(rule)]
    if not tensors:
        return Inapplicable("the rule has no state, or none of its own for each element")
    g1 = first_gradient(rule)
    values = {rule.grad: g1}
    domain = domain_of(rule)
    found = {s: e for s, e in first_step(rule, values).items() if s in tensors}
    closed = {s: tidy(e, domain) for s, e in found.items()}
    long = [s.name for s, e in closed.items() if len(to_text(e)) > LONG]
    if long:
        return Inapplicable(f"{', '.join(long)} after one step has no short closed form")

    def goals(other: Rule) -> Iterator[Goal]:
        once = first_step(other, values)
        for s in same_named(rule, other, closed):
            yield Goal(f"{s} after the first step", once[s], closed[s], domain=domain)

    body = [*reads(rule, *closed.values()), ""]
    for s, e in closed.items():
        one = call("state_follows", f'"{s.name}"', source(e), "step=1")
        if len(one) > 1:
            body += assigned("closed", e)
            one = call("state_follows", f'"{s.name}"', "closed", "step=1")
        body += one
    return law(
        rule,
        "first_state",
        "The state after the first step has a closed form.",
        sympy.Tuple(*(equation(named(f"{s.name}_1"), e) for s, e in closed.items())),
        f"The state starts at {_initial(rule)}.",
        goals,
        cases="steps=1",
        body=body if body[0] else body[1:],
        where=needs(rule, {**start(rule), **values}, 1),
    )


# -- n steps


def solve_run(rule: Rule, setting: Mapping[Symbol, Expr]) -> dict[Symbol, Expr]:
    """theta and state after n steps in closed form, for those that have one; `setting` fixes gradient and options.

    A variable whose transition is x -> a*x + b has one if a and b do not change from step to step, or if a = 1 and
    b = p + q*r**n. Found in dependency order, by putting in what is already solved; each is proved by induction.
    """
    domain = {**domain_of(rule), N: sympy.Interval(0, sympy.oo)}
    once = {s: _after_n(e.xreplace(dict(setting))) for s, e in transition(rule).items()}
    begin = {**start(rule, setting), rule.theta: rule.theta}
    solved: dict[Symbol, Expr] = {}
    fresh = {s: sympy.Dummy(s.name, real=True) for s in begin}
    pending = [*rule.state, rule.theta]
    progress = True
    while progress and pending:
        progress = False
        for s in list(pending):
            after_n = once[s].xreplace({**solved, s: fresh[s]})
            if any(x in after_n.free_symbols for x in pending if x not in (s, rule.theta)):
                continue
            if s != rule.theta and rule.theta in after_n.free_symbols:
                continue
            closed = _recurrence(after_n, fresh[s], begin[s], domain)
            if closed is not None and _inductive(once, s, {**solved, s: closed}, begin[s], domain):
                solved[s] = closed
                pending.remove(s)
                progress = True
    return solved


def _after_n(expr: Expr) -> Expr:
    """A transition as step n + 1, a branch on the first step taken as past it."""
    return expr.subs(t, N + 1)


def _later(expr: Expr) -> Expr:
    """The branch that holds from the second step on."""
    return expr.replace(
        lambda e: isinstance(e, sympy.Piecewise) and e.args[0][1].free_symbols == {N}, lambda e: e.args[-1][0]
    )


def _recurrence(step: Expr, x: Symbol, begin: Expr, domain: Domain) -> Expr | None:
    """x after n steps of x -> a*x + b from `begin`."""
    later = _later(step)
    b = later.xreplace({x: Integer(0)})
    a = tidy(later.xreplace({x: Integer(1)}) - b, domain)
    if a.free_symbols & {x, N} or not equal(later, a * x + b, domain).proved:
        return None
    at_zero = tidy(b.subs(N, 0), domain)
    if N not in b.free_symbols or equal(b, at_zero, domain).proved:
        if a == 1:
            return begin + N * at_zero
        if at_zero == 0:
            return begin * a**N
        return begin * a**N + at_zero * (1 - a**N) / (1 - a)
    return _summed(b, begin, domain) if a == 1 else None


def _summed(b: Expr, begin: Expr, domain: Domain) -> Expr | None:
    """begin + b(0) + ... + b(n - 1), for b = p + q * r**n."""
    powers = {p.base for p in sympy.expand(b, power_base=False).atoms(sympy.Pow) if N in p.exp.free_symbols}
    if len(powers) != 1:
        return None
    (r,) = powers
    x = sympy.Dummy("x", real=True)
    inner = sympy.expand(sympy.powsimp(sympy.expand(b)).subs(r ** (N + 1), r * r**N)).xreplace({r**N: x})
    if N in inner.free_symbols or sympy.diff(inner, x, 2) != 0:
        return None
    q = tidy(sympy.diff(inner, x), domain)
    p = tidy(inner.xreplace({x: Integer(0)}), domain)
    return begin + N * p + q * (1 - r**N) / (1 - r)


def _inductive(once: Forms, s: Symbol, closed: Forms, begin: Expr, domain: Domain) -> bool:
    return all(equal(g.left, g.right, g.domain, g.where).proved for g in _induction(once, s, closed, begin, domain))


def _induction(once: Forms, s: Symbol, closed: Forms, begin: Expr, domain: Domain) -> Iterator[Goal]:
    """Base and step of the induction that `s` is closed[s] after n steps."""
    yield Goal(f"{s} after 0 steps", closed[s].subs(N, 0), begin, domain=domain)
    for first in (True, False):
        n = Integer(0) if first else N + 1
        reached = once[s].subs(N, n).xreplace({x: e.subs(N, n) for x, e in closed.items()})
        yield Goal(f"{s} after step {1 if first else 'n + 2'}", reached, closed[s].subs(N, n + 1), domain=domain)


def n_steps(rule: Rule, kind: str) -> Law | Inapplicable:
    """theta after n steps without a gradient ("decay"), or with a constant one and no decay ("constant_gradient")."""
    decay = next((s for s in rule.hyper if s.name == "weight_decay"), None)
    if kind == "decay" and decay is None:
        return Inapplicable("the rule has no weight_decay")
    g = named("g")
    setting: dict[Symbol, Expr] = {rule.grad: Integer(0)} if kind == "decay" else {rule.grad: g}
    off = [s for s in rule.hyper if s.name in ("weight_decay", "dampening")] if kind != "decay" else []
    fixed = "".join(f", {s.name}=0" for s in off)
    setting |= dict.fromkeys(off, Integer(0))
    solved = solve_run(rule, setting)
    if rule.theta not in solved:
        return Inapplicable("theta after n steps has no closed form that is found")
    domain = {**domain_of(rule), N: sympy.Interval(0, sympy.oo)}
    closed = solved[rule.theta]
    closed = tidy(closed, domain, rule.theta) if kind != "decay" else closed
    if closed == rule.theta:
        return Inapplicable("theta does not move: zero_gradient says it")

    def goals(other: Rule) -> Iterator[Goal]:
        once = {s: _after_n(e.xreplace(setting)) for s, e in transition(other).items()}
        forms = {s: solved[s] for s in (*same_named(rule, other, solved), rule.theta)}
        for s in forms:
            begin = rule.theta if s == rule.theta else start(other, setting)[s]
            yield from _induction(once, s, forms, begin, domain)

    conditions = [c.subs(t, N + 1).xreplace({**setting, **solved}) for c in needs(rule, setting)]
    ones = [sympy.Ne(base, 1) for base in sorted(_geometric(closed), key=str)]
    by = ", ".join(f"{to_text(s)} = {to_text(tidy(e, domain))}" for s, e in solved.items() if s != rule.theta)
    because = "By induction on n" + (f", with {by} after n steps." if by else ".")
    sentence = "shrink theta geometrically" if kind == "decay" else "move theta by a closed form"
    condition = sympy.Eq(named("g_k"), 0) if kind == "decay" else sympy.Eq(named("g_k"), g)
    return law(
        rule,
        kind,
        f"n steps {'without a gradient' if kind == 'decay' else 'with a constant gradient'} {sentence}.",
        implies(condition, equation(named("theta_n"), closed)),
        because,
        goals,
        cases=("steps=(1, 20), grad=0" if kind == "decay" else 'steps=(1, 20), grad="constant"') + fixed,
        body=[
            *reads(rule, closed),
            *(["n = case.steps"] if N in closed.free_symbols else []),
            "",
            *_following(closed),
        ],
        where=[*conditions, *ones],
    )


def _following(closed: Expr) -> list[str]:
    one = call("follows", source(closed), "step=n")
    return one if len(one) == 1 else [*assigned("closed", closed), "", *call("follows", "closed", "step=n")]


def _geometric(closed: Expr) -> set[Expr]:
    """The bases r of sums over r**k, whose closed form divides by 1 - r."""
    below = sympy.denom(sympy.together(closed))
    powers = {p for p in closed.atoms(sympy.Pow) if N in p.exp.free_symbols}
    return {p.base for p in powers if p.base.free_symbols & below.free_symbols}


__all__ = ["after", "first_state", "first_step_law", "n_steps", "solve_run", "zero_gradient"]
