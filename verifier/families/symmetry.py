"""Symmetries, whose follow-ups are exact in binary floating point: powers of two, negation, and doing nothing."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Expr, Integer, Symbol

from verifier.evidence import Strength
from verifier.families.facts import parity, scaling
from verifier.families.written import call, equation, law, named
from verifier.law import Goal, Inapplicable, Law, after, applied, domain_of, same_named, start
from verifier.printing import to_text
from verifier.rule import Rule, maximized, shared, transition

POWER = 2  # follow-ups scale by this to the power of each weight
SCALINGS = {"scale": (1, 1), "scale_parameters": (1, 0), "scale_gradients": (0, 1)}


def scale(rule: Rule, name: str) -> Law | Inapplicable:
    """Scaling theta and gradients scales the run, where the hyperparameters scale along."""
    weights = scaling(rule, *SCALINGS[name])
    if weights is None:
        return Inapplicable("terms of the rule scale differently: no hyperparameter makes up for it")
    c = Symbol("c", real=True)
    factor = {s: c**w for s, w in weights.items()}
    domain = {**domain_of(rule), c: sympy.Interval.open(0, sympy.oo)}
    moved = {s: factor[s] * s for s in factor if weights[s]}

    def goals(other: Rule) -> Iterator[Goal]:
        once, scaled = transition(other), after(other, moved)
        for s in (*same_named(rule, other, rule.state), other.theta):
            yield Goal(f"{s} after a scaled step", scaled[s], factor[s] * once[s], domain=domain)
        begin, scaled_begin = start(other), start(other, moved)
        for s in same_named(rule, other, rule.state):
            yield Goal(f"the initial {s}, scaled", scaled_begin[s], factor[s] * begin[s], domain=domain)

    hyper = [s for s in rule.hyper if weights[s]]
    states = [s for s in rule.state if s not in shared(rule)]
    changed = [s for s in (rule.theta, rule.grad, *hyper) if weights[s]]
    follow = [f'"{s.name}": {float(POWER) ** weights[s]}' for s in hyper]
    arguments = [
        f"theta={float(POWER) ** weights[rule.theta]}",
        f"grad={float(POWER) ** weights[rule.grad]}",
        f"hyper={{{', '.join(follow)}}}",
        "state={" + ", ".join(f'"{s.name}": {float(POWER) ** weights[s]}' for s in states) + "}",
    ]
    left = applied("theta_T", *(factor[s] * s for s in changed))
    right = factor[rule.theta] * applied("theta_T", *changed)
    text = ", ".join(f"{s.name} by {to_text(factor[s])}" for s in changed)
    outcome = "scales every theta alike" if weights[rule.theta] else "leaves every theta as it is"
    return law(
        rule,
        name,
        f"Scaling {text} {outcome}.",
        equation(left, right),
        "Terms of every sum, and the two sides of every comparison, scale alike.",
        goals,
        cases="steps=(1, 20), tame=True",
        body=call("scaled", *arguments),
        where=[sympy.StrictGreaterThan(c, 0)],
        also=["c a power of two, and no number leaves the normal range of its format: then scaling is exact"],
        strength=Strength.HELD,
    )


def sign(rule: Rule) -> Law | Inapplicable:
    """Negating theta and every gradient negates the run."""
    signs = parity(rule)
    if signs is None:
        return Inapplicable("some state variable is neither odd nor even in (theta, g)")
    flipped: dict[Symbol, Expr] = {rule.theta: -rule.theta, rule.grad: -rule.grad}
    flipped |= {s: factor * s for s, factor in signs.items() if factor < 0}
    domain = domain_of(rule)

    def goals(other: Rule) -> Iterator[Goal]:
        once, negated = transition(other), after(other, flipped)
        for s in (*same_named(rule, other, signs), other.theta):
            factor = -1 if s == other.theta else signs[s]
            yield Goal(f"{s} after a negated step", negated[s], factor * once[s], domain=domain)
        for s in same_named(rule, other, signs):
            initial = start(other)[s]
            yield Goal(f"the initial {s}", initial.xreplace(flipped), signs[s] * initial, domain=domain)

    states = {s: v for s, v in signs.items() if s not in shared(rule)}
    state = "{" + ", ".join(f'"{s.name}": {float(v)}' for s, v in states.items()) + "}"
    odd = ", ".join(s.name for s, v in states.items() if v < 0)
    even = ", ".join(s.name for s, v in states.items() if v > 0)
    kinds = [f"odd: {odd}"] * bool(odd) + [f"even: {even}"] * bool(even)
    return law(
        rule,
        "sign",
        "Negating theta and the gradients negates the run.",
        equation(applied("theta_T", -rule.theta, -rule.grad), -applied("theta_T", rule.theta, rule.grad)),
        f"Every line is odd or even in (theta, g){': ' if kinds else ''}{'; '.join(kinds)}.",
        goals,
        cases="steps=(1, 20)",
        body=[
            "negated = case.with_(theta=-case.theta, grads=-case.grads)",
            "",
            *call("same_run", "negated", "theta=-1.0", *([f"state={state}"] if states else [])),
        ],
        strength=Strength.HELD,
    )


def translation(rule: Rule) -> Law | Inapplicable:
    """Without decay, the state and the step do not depend on theta."""
    off = {s: Integer(0) for s in rule.hyper if s.name in ("weight_decay", "lambd")}
    c = Symbol("c", real=True)
    domain = domain_of(rule)
    blind = [s for s in rule.state if rule.theta not in transition(rule)[s].xreplace(off).free_symbols]
    begun = [s for s in blind if rule.theta in sympy.sympify(rule.state[s]).free_symbols]  # where theta was, for good
    blind = [s for s in blind if s not in begun]
    moved = {**off, rule.theta: rule.theta + c, **{s: s + c for s in begun}}
    states = [s for s in blind if s not in shared(rule)]

    def goals(other: Rule) -> Iterator[Goal]:
        once, shifted = after(other, off), after(other, moved)
        yield Goal("theta after a shifted step", shifted[other.theta], once[other.theta] + c, domain=domain)
        for s in same_named(rule, other, blind):
            yield Goal(f"{s} after a shifted step", shifted[s], once[s], domain=domain)
        for s in same_named(rule, other, begun):
            yield Goal(f"{s} after a shifted step", shifted[s], once[s] + c, domain=domain)

    names = ", ".join(f'"{s.name}"' for s in states)
    fixed = "".join(f", {s.name}=0" for s in off)
    body = [
        "other = case.with_(theta=case.theta[::-1].copy())",
        "",
        *call("same_state", "other", f"[{names}]"),
    ]
    return law(
        rule,
        "translation",
        "Without decay a step adds something to theta that does not depend on theta.",
        equation(applied("theta_T", rule.theta + c, rule.grad), applied("theta_T", rule.theta, rule.grad) + c),
        "Without decay, theta is read by the last line alone, which adds to it.",
        goals,
        cases=f"steps=(1, 20){fixed}",
        body=body if states else (),
        also=[f"{s.name} = 0" for s in off],
        strength=Strength.HELD,
    )


def permutation(rule: Rule) -> Law:
    """Each element moves by itself: the rule reads one element."""
    i, element = named("i"), sympy.Function("theta_T")

    def goals(other: Rule) -> Iterator[Goal]:
        once = transition(other)
        known = {other.theta, other.grad, *other.state, *other.hyper}
        for s, e in once.items():
            alien = sorted((x for x in e.free_symbols - known if x.name != "t"), key=str)
            yield Goal(f"what {s} reads beyond one element", Integer(len(alien)), Integer(0))

    return law(
        rule,
        "permutation",
        "Permuting the elements of a tensor permutes the run.",
        equation(element(sympy.Function("p")(i)), sympy.Function("p")(element(i))),
        "The rule reads one element, its gradient and its state, and nothing of any other element.",
        goals,
        cases="steps=(1, 20)",
        body=call("permuted"),
        strength=Strength.HELD,
    )


def maximize(rule: Rule) -> Law:
    """Climbing a function is descending its negative."""
    domain = domain_of(rule)

    def goals(other: Rule) -> Iterator[Goal]:
        up, down = after(maximized(other), {other.grad: -other.grad}), transition(other)
        for s in (*same_named(rule, other, rule.state), other.theta):
            yield Goal(f"{s} after a climbing step on -g", up[s], down[s], domain=domain)

    return law(
        rule,
        "maximize",
        "Maximizing is minimizing the negated loss.",
        equation(applied("ascent", rule.theta, -rule.grad), applied("descent", rule.theta, rule.grad)),
        "With maximize, the rule reads -g wherever it reads g; decay keeps its sign.",
        goals,
        cases="steps=(1, 20)",
        body=call("maximize"),
        strength=Strength.HELD,
    )
