"""Laws of motion: the step itself, what a learning rate of zero stops, what only grows, and where clamps end."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Expr, Integer, Symbol

from verifier.equality.normal import equal, nonnegative
from verifier.evidence import Strength
from verifier.families.written import call, equation, implies, law, named
from verifier.law import Goal, Inapplicable, Law, after, applied, domain_of, same_named, start
from verifier.printing import to_text
from verifier.rule import Rule, defined_where, shared, t, transition


def step(rule: Rule) -> Law:
    """Every step is the rule's, re-anchored on what was observed before it."""
    domain = domain_of(rule)

    def goals(other: Rule) -> Iterator[Goal]:
        once, wanted = transition(other), transition(rule)
        for s in (rule.theta, *same_named(rule, other, rule.state)):
            yield Goal(f"{s} after a step", once[s], wanted[s], domain=domain)
        for s in same_named(rule, other, rule.state):
            yield Goal(f"the initial {s}", start(other)[s], start(rule)[s], domain=domain)

    states = [s.name for s in rule.state]
    return law(
        rule,
        "step",
        "Every step lies inside the enclosure of the rule's step.",
        equation(named("theta_t"), applied("step", named("theta_{t-1}"), named("g_t"))),
        "This is the rule itself, evaluated with every rounding an implementation may make"
        + (
            f"; the state is read where it can be ({', '.join(states)}) and carried where it cannot." if states else "."
        ),
        goals,
        cases="steps=(20, 24), groups=True, schedule=True, absent=True, maximize=True",
        body=call("steps_enclosed"),
        where=defined_where(rule),
    )


def step_blind(rule: Rule) -> Law | Inapplicable:
    """Every step is the rule's, for a subject that hides its state."""
    seen = step(rule)
    if not rule.state:
        return Inapplicable("the rule has no state to hide")
    assert seen.formula is not None and seen.goals is not None
    return law(
        rule,
        "step_blind",
        "Every step lies inside the enclosure of the rule's step, though its state is not looked at.",
        seen.formula,
        "The state is carried from step to step as an enclosure, and only theta is compared with it.",
        seen.goals,
        cases="steps=(20, 24)",
        body=call("steps_enclosed_blind"),
        where=defined_where(rule),
    )


def zero_lr(rule: Rule) -> Law | Inapplicable:
    """A learning rate of zero moves nothing."""
    lr = next((s for s in rule.hyper if s.name == "lr"), None)
    if lr is None:
        return Inapplicable("the rule has no lr")
    zero: dict[Symbol, Expr] = {lr: Integer(0)}
    domain = domain_of(rule)
    held = {s: e.xreplace(zero) for s, e in start(rule).items() if lr in e.free_symbols}

    def goals(other: Rule) -> Iterator[Goal]:
        begun = {s: e for s, e in held.items() if s in other.state}
        once = after(other, {**begun, **zero})
        yield Goal("theta after a step with lr = 0", once[other.theta], other.theta, domain=domain)
        for s in begun:
            yield Goal(f"{s} after a step with lr = 0", once[s], begun[s], domain=domain)

    if any(not equal(g.left, g.right, g.domain).proved for g in goals(rule)):
        return Inapplicable("lr = 0 does not stop it: theta moves by other means")
    return law(
        rule,
        "zero_lr",
        "A learning rate of zero moves nothing.",
        implies(sympy.Eq(lr, 0), equation(named("theta_T"), rule.theta)),
        "lr multiplies every change of theta, decay included.",
        goals,
        cases="steps=(1, 20), lr=0",
        body=call("frozen", '"theta"'),
        where=[c for c in defined_where(rule)],
        strength=Strength.HELD,
    )


def monotone(rule: Rule, state: Symbol) -> Law | Inapplicable:
    """A state variable that never falls, or never rises."""
    domain = domain_of(rule)
    change = transition(rule)[state] - state
    direction = next((d for d, e in (("nondecreasing", change), ("nonincreasing", -change)) if _grows(e, domain)), None)
    if direction is None:
        return Inapplicable(f"{state} can rise and fall")
    side = 1 if direction == "nondecreasing" else -1

    def goals(other: Rule) -> Iterator[Goal]:
        if state in other.state:
            moved = transition(other)[state] - state
            yield Goal(f"the change of {state}", side * moved, Integer(0), ">=", domain)
        else:
            yield Goal(f"{state} is kept", Integer(0), Integer(1))

    after_ = named(f"{state}_t")
    before = named(f"{state}_{{t-1}}")
    formula = sympy.GreaterThan(after_, before) if side > 0 else sympy.LessThan(after_, before)
    return law(
        rule,
        f"{direction}_{state.name}",
        f"{state} never {'falls' if side > 0 else 'rises'}.",
        formula,
        f"A step changes it by {to_text(change)}, which is never {'negative' if side > 0 else 'positive'}.",
        goals,
        cases="steps=(1, 20)",
        body=call("monotone", f'"{state.name}"', f'"{direction}"') if state not in shared(rule) else (),
        strength=Strength.HELD,
    )


def _grows(change: Expr, domain: dict[Symbol, sympy.Set]) -> bool:
    return nonnegative(change, domain).proved


def clamp(rule: Rule, state: Symbol) -> Law | Inapplicable:
    """A state variable that stays between two hyperparameters."""
    domain = domain_of(rule)
    once = transition(rule)[state]
    if not once.has(sympy.Max, sympy.Min):
        return Inapplicable(f"{state} is not clamped")
    used = [s for s in rule.hyper if s in once.free_symbols]
    low = next((s for s in used if nonnegative(once - s, domain).proved), None)
    high = next((s for s in used if s != low and nonnegative(s - once, domain).proved), None)
    if low is None or high is None:
        return Inapplicable(f"no two hyperparameters bound {state}")

    def goals(other: Rule) -> Iterator[Goal]:
        moved = transition(other)[state]
        yield Goal(f"{state} above {low}", moved, low, ">=", domain)
        yield Goal(f"{state} below {high}", high, moved, ">=", domain)

    kept = named(f"{state}_t")
    return law(
        rule,
        f"clamped_{state.name}",
        f"{state} never leaves its bounds.",
        sympy.And(sympy.LessThan(low, kept), sympy.LessThan(kept, high), evaluate=False),
        f"Its line ends in {to_text(dict(rule.step)[state])}.",
        goals,
        cases="steps=(1, 20)",
        body=call("between", f'"{state.name}"', f'"{low.name}"', f'"{high.name}"'),
        strength=Strength.HELD,
    )


def held_back(rule: Rule) -> Law | Inapplicable:
    """For its first steps a rule with a branch on the step's number does not read some hyperparameter at all."""
    limit = 0
    domain = domain_of(rule)
    guards = [g for _, e in rule.step for p in sympy.sympify(e).atoms(sympy.Piecewise) for _, g in p.args]
    if not any(isinstance(g, sympy.core.relational.Relational) and g.free_symbols <= shared(rule) for g in guards):
        return Inapplicable("no branch turns on the step's number and hyperparameters")
    eps = next((s for s in rule.hyper if s.name == "eps"), None)
    if eps is None:
        return Inapplicable("the rule has no eps")
    other_eps = named("other_eps")

    def at(subject: Rule, number: int) -> tuple[Expr, Expr]:
        once = transition(subject)[subject.theta].subs(t, number)
        return once, once.xreplace({eps: other_eps})

    domain = {**domain, other_eps: rule.hyper[eps]}
    while limit < 8 and equal(*at(rule, limit + 1), domain).proved:
        limit += 1
    if limit == 0:
        return Inapplicable("eps is read from the first step on")

    def goals(other: Rule) -> Iterator[Goal]:
        for number in range(1, limit + 1):
            yield Goal(f"theta after step {number} with another eps", *at(other, number), domain=domain)

    return law(
        rule,
        "held_back",
        f"For the first {limit} steps the adaptive step is held back, so eps does not matter.",
        implies(sympy.LessThan(t, limit), equation(applied("theta_t", eps), applied("theta_t", other_eps))),
        f"At t = 1, ..., {limit} the branch without eps is taken, whatever the hyperparameters.",
        goals,
        cases=f"steps=(1, {limit})",
        body=[
            'other = case.with_(hyper={**case.hyper, "eps": 1.0})',
            "",
            *call("same_run", "other"),
        ],
        strength=Strength.HELD,
    )
