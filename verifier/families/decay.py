"""Laws of weight decay: equal to an L2 penalty or not, with the value solved for, and where it lets weights rest."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Expr, Integer, Symbol

from verifier.equality.normal import Decision, Status, equal
from verifier.evidence import Strength
from verifier.families.facts import coupled
from verifier.families.facts import decay as decay_of
from verifier.families.written import call, equation, implies, law, named
from verifier.law import Decided, Goal, Inapplicable, Law, N, after, applied, domain_of, same_named, start
from verifier.penalty import L1, L2, STRENGTH, Solution, lam, w, weight_decay
from verifier.printing import to_text
from verifier.rule import Rule, shared
from verifier.tidy import tidy


def penalty(rule: Rule) -> Law | Inapplicable:
    """weight_decay equals an L2 penalty in the loss, for the value that is solved for."""
    wd = decay_of(rule)
    if wd is None:
        return Inapplicable("the rule has no weight_decay")
    solution = weight_decay(rule, L2)
    if solution.value is None:
        return Inapplicable(f"no weight_decay reproduces the L2 penalty ({solution.method}); see not_a_penalty")
    value, domain = solution.value, {**domain_of(rule), **STRENGTH}
    penalised: dict[Symbol, Expr] = {wd: Integer(0), rule.grad: rule.grad + L2.at(rule.theta)}

    def goals(other: Rule) -> Iterator[Goal]:
        decayed, plain = after(other, {wd: value}), after(other, penalised)
        for s in (*same_named(rule, other, rule.state), other.theta):
            yield Goal(f"{s} by weight_decay and by penalty", decayed[s], plain[s], domain=domain)

    return law(
        rule,
        "penalty",
        f"weight_decay = {to_text(value)} steps exactly as the penalty lam*w^2 in the loss does.",
        equation(applied("step", rule.grad, value), applied("step", rule.grad + L2.at(rule.theta), 0)),
        f"The gradient of lam*w^2 is {to_text(L2.gradient)}, by differentiation; weight_decay is {solution.method}.",
        goals,
        cases='steps=(1, 20), groups=True, dyadic="weight_decay"',
        body=call("paths_agree"),
        also=["weight_decay a power of two: then 2*lam*w is exact, and bits are compared"],
        strength=Strength.HELD,
    )


def penalty_enclosed(rule: Rule) -> Law | Inapplicable:
    """The same for any weight_decay, where rounding lets the three paths part: each lies in its enclosure."""
    found = penalty(rule)
    if isinstance(found, Inapplicable) or found.formula is None or found.goals is None:
        return found if isinstance(found, Inapplicable) else Inapplicable("there is no formula")
    return law(
        rule,
        "penalty_any",
        "Penalty, weight_decay and groups follow one rule, whatever weight_decay is.",
        found.formula,
        found.because,
        found.goals,
        cases="steps=(1, 20), groups=True",
        body=call("paths_enclosed"),
    )


def not_a_penalty(rule: Rule, name: str) -> Law | Inapplicable:
    """No weight_decay reproduces a penalty: two runs each of which would need another value."""
    wd = decay_of(rule)
    if wd is None:
        return Inapplicable("the rule has no weight_decay")
    kind = L1 if name == "not_l1" else L2
    solution = weight_decay(rule, kind)
    if solution.value is not None:
        return Inapplicable(f"weight_decay = {to_text(solution.value)} reproduces the {kind.name} penalty")
    if not solution.witness:
        return Inapplicable(f"whether a weight_decay reproduces the {kind.name} penalty is not settled")

    def goals(other: Rule) -> Iterator[Decided]:
        if decay_of(other) is None:
            yield Decided("a weight_decay to solve for", Decision(Status.UNDECIDED, "the rule has no weight_decay"))
            return
        # of a mistaken rule a solution refutes the law; two runs without one would only confirm it, at some cost
        found = solution if other is rule else weight_decay(other, kind, witnesses=False)
        yield Decided(f"no weight_decay reproduces {kind.name}", _none_found(found))

    through = applied("step", rule.grad + kind.at(rule.theta), 0)
    formula = sympy.Ne(applied("step", rule.grad, wd), through) if kind is L2 else sympy.Ne(wd * w, kind.gradient)
    return law(
        rule,
        name,
        f"No value of weight_decay reproduces the {kind.name} penalty {to_text(kind.term)}.",
        formula,
        "Solved for weight_decay at two runs, the equation has no solution in common.",
        goals,
    )


def _none_found(solution: Solution) -> Decision:
    """That an equation for weight_decay has no solution, as a decision."""
    if solution.value is not None:
        found = {"weight_decay": to_text(solution.value)}
        return Decision(Status.REFUTED, solution.method, found, f"weight_decay = {found['weight_decay']} does")
    if not solution.witness:
        return Decision(Status.UNDECIDED, solution.method)
    return Decision(Status.PROVED, solution.method, solution.witness[0], two_runs(solution))


def two_runs(solution: Solution) -> str:
    """The witness of a question without a solution, in a sentence."""
    one, two = solution.witness
    differ = [k for k in one if k != "weight_decay" and one[k] != two.get(k)] + [k for k in two if k not in one]
    here = ", ".join(f"{k} = {one[k]}" for k in differ if k in one) or "one step"
    there = ", ".join(f"{k} = {two[k]}" for k in differ)
    same = ", ".join(f"{k} = {v}" for k, v in one.items() if k != "weight_decay" and k not in differ)
    return (
        f"With {here} it would have to be {one['weight_decay']}, with {there} it would have to be "
        f"{two['weight_decay']} (at {same})."
    )


def fixed_point(rule: Rule) -> Law | Inapplicable:
    """On a quadratic the penalised optimum is where the rule rests, and it is smaller than the optimum."""
    wd = decay_of(rule)
    if wd is None:
        return Inapplicable("the rule has no weight_decay")
    h, b = Symbol("h", real=True), Symbol("b", real=True)
    domain = {**domain_of(rule), h: sympy.Interval.open(0, sympy.oo), **STRENGTH}
    rest = rest_point(rule, h, b)
    if rest is None:
        reason = (
            "its decay acts through the gradient" if coupled(rule) else "its decay does not act through the gradient"
        )
        return Inapplicable(f"{reason}: no point of a quadratic is at rest whatever the learning rate")
    ridge = tidy(rest.xreplace({wd: 2 * lam}), domain)
    pinned = _pinned(rule, rest, h, b)

    def goals(other: Rule) -> Iterator[Goal]:
        held = {s: e for s, e in start(other).items() if s in pinned}
        at = {**held, other.theta: rest, other.grad: h * rest - b}
        once = after(other, at, N + 1)
        yield Goal("theta after a step from the ridge optimum", once[other.theta], rest, domain=domain)
        for s in held:
            if s in once:
                yield Goal(f"{s} after that step", once[s], held[s], domain=domain)

    if any(not equal(g.left, g.right, g.domain).proved for g in goals(rule)):
        return Inapplicable("the point the first step leaves alone does not stay at rest on later steps")
    only = rest.free_symbols <= {h, b, wd}
    return law(
        rule,
        "fixed_point",
        "On the loss h*w^2/2 - b*w the rule rests at the ridge optimum, below b/h.",
        implies(sympy.Eq(rule.grad, h * rule.theta - b), equation(named("theta_star"), ridge)),
        f"There g + weight_decay*theta = 0 with weight_decay = 2*lam: {to_text(rest)} is at rest.",
        goals,
        cases='steps=(1, 20), grad="balanced", dyadic="weight_decay"',
        body=call("frozen", '"theta"') if only else (),
        also=["h > 0", "the gradient is -weight_decay*theta, exact for a power of two"],
        strength=Strength.HELD,
    )


def rest_point(rule: Rule, h: Symbol, b: Symbol) -> Expr | None:
    """The weight from which a first step on the quadratic does not move, if it is one for all learning rates."""
    wd = decay_of(rule)
    d = sympy.Dummy("d", real=True)
    domain = domain_of(rule)
    extra = [s for s in rule.hyper if s.name == "lambd"]
    for decayed in (wd, *(wd + s for s in extra)) if wd is not None else ():
        # at rest d = g + decay*theta is zero; theta from d = 0 on the quadratic
        through = {rule.grad: d - decayed * rule.theta, **start(rule)}
        moved = after(rule, through, 1)[rule.theta].xreplace({d: Integer(0)})
        if equal(moved, rule.theta, domain).proved:
            (root,) = sympy.solve(h * rule.theta - b + decayed * rule.theta, rule.theta)
            return root
    return None


def _pinned(rule: Rule, rest: Expr, h: Symbol, b: Symbol) -> set[Symbol]:
    """The state variables that keep their initial value at the fixed point; the others may be anything."""
    kept = set(rule.state) - shared(rule)
    while True:
        held = {s: e for s, e in start(rule).items() if s in kept}
        once = after(rule, {**held, rule.theta: rest, rule.grad: h * rest - b}, N + 1)
        left = {s for s in kept if not equal(once[s], held[s], domain_of(rule)).proved}
        if not left:
            return kept
        kept -= left


__all__ = ["fixed_point", "not_a_penalty", "penalty", "penalty_enclosed", "rest_point", "two_runs"]
