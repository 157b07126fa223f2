"""The algebra behind the tutorial's claims: what differentiation and solving say, for all real values.

Each function takes the penalty or the rules it speaks of, so that a wrong one can be refuted, and returns a `Finding`.
Nothing is typed in that can be derived: the gradient comes from `diff`, the weight decay from `solve`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Expr, Integer, Rational, Symbol, sign

from verifier.equality import normal
from verifier.evidence import Strength, Verdict
from verifier.penalty import L1, L2, lam
from verifier.penalty import w as weight
from verifier.printing import to_text
from verifier.rule import Rule, t, transition, unroll


@dataclass(frozen=True)
class Finding:
    """What one check of a claim saw: a verdict, the strength it can give, and the sentence that goes with it."""

    verdict: Verdict
    said: str
    strength: Strength = Strength.HELD


def proved(said: str) -> Finding:
    """A finding shown for all real values."""
    return Finding(Verdict.HELD, said, Strength.PROVED)


def refuted(said: str) -> Finding:
    """A finding shown to be false, with its witness in `said`."""
    return Finding(Verdict.VIOLATED, said, Strength.PROVED)


def same(a: Expr, b: Expr) -> bool:
    """Whether two expressions are proved equal, by normal form."""
    return normal.equal(a, b).status is normal.Status.PROVED


def gradient(penalty: Expr, w: Symbol) -> Finding:
    """The negative gradient of the penalty on one weight is -2*lam*w."""
    derived = sympy.diff(-penalty, w)
    if not same(derived, -2 * lam * w):
        return refuted(f"d/d{w} of -({to_text(penalty)}) is {to_text(derived)}, but should be {to_text(-2 * lam * w)}")
    return proved(f"d/d{w} of -({to_text(penalty)}) is {to_text(derived)}")


def l1_gradient(penalty: Expr, w: Symbol) -> Finding:
    """The gradient of the L1 penalty is lam*sign(w), and no weight_decay value times w reproduces it."""
    derived = sympy.diff(penalty, w)
    if derived != lam * sign(w):
        return refuted(f"d/d{w} of {to_text(penalty)} is {to_text(derived)}, but should be {to_text(lam * sign(w))}")
    decay, away = Symbol("weight_decay", real=True), Symbol(w.name, real=True, nonzero=True)
    (needed,) = (s.subs(away, w) for s in sympy.solve((decay * w - derived).subs(w, away), decay))
    at = [needed.subs(w, value) for value in (Integer(1), Integer(2))]
    if same(at[0], at[1]):
        return refuted(f"weight_decay = {to_text(needed)} reproduces the L1 gradient, but no value should")
    return proved(
        f"d/d{w} of {to_text(penalty)} is {to_text(derived)}; weight_decay would have to be {to_text(needed)}, "
        f"{to_text(at[0])} at {w} = 1 and {to_text(at[1])} at {w} = 2: no value serves both"
    )


def shrink(sgd: Rule) -> Finding:
    """With g = 0 and weight_decay = 2*lam, n steps leave theta * (1 - 2*lr*lam)^n: proved by induction on n."""
    lr, n = sgd.symbol("lr"), Symbol("n", integer=True, nonnegative=True)
    once = transition(sgd)[sgd.theta].subs({sgd.grad: 0, sgd.symbol("weight_decay"): 2 * lam})
    factor = sympy.cancel(once / sgd.theta)
    if sgd.theta in factor.free_symbols or not same(factor, 1 - 2 * lr * lam):
        return refuted(f"a step with g = 0 takes theta to {to_text(once)}, but should take it to theta*(1 - 2*lr*lam)")
    closed = sgd.theta * factor**n
    step = sympy.powsimp(closed.subs(n, n + 1) - once.subs(sgd.theta, closed))
    if closed.subs(n, 0) != sgd.theta or sympy.expand(sympy.powsimp(sympy.expand(step))) != 0:
        return refuted(f"{closed} is not the n-step closed form: {step}")
    return proved("by induction theta_n = theta*(1 - 2*lr*lam)^n; each step takes the share 2*lr*lam of any weight")


def decay_line(rule: Rule) -> tuple[Symbol, Expr] | None:
    """The one line where grad and weight_decay are read, both, before theta moves; None where they are read apart."""
    decay = rule.symbol("weight_decay")
    reads = [k for k, (_, e) in enumerate(rule.step) if {decay, rule.grad} & sympy.sympify(e).free_symbols]
    if len(reads) != 1 or not {decay, rule.grad} <= rule.step[reads[0]][1].free_symbols:
        return None
    moved = rule.theta in {x for x, _ in rule.step[: reads[0]]}
    return None if moved else rule.step[reads[0]]


def solved_decay(rule: Rule, penalty: Expr) -> Expr | None:
    """The weight_decay under which the rule without decay, fed the penalised gradient, is the rule itself.

    None where the rule does not read decay and gradient in one line, as decoupled rules do not. Equal lines make
    equal steps, since all other lines read neither; equal steps from equal states make equal trajectories.
    """
    found = decay_line(rule)
    if found is None:
        return None
    decay, unknown = rule.symbol("weight_decay"), Symbol("unknown", real=True)
    penalised = found[1].subs({decay: 0}).subs(rule.grad, rule.grad + sympy.diff(penalty, rule.theta))
    solutions = sympy.solve(found[1].subs(decay, unknown) - penalised, unknown)
    return sympy.cancel(solutions[0]) if len(solutions) == 1 else None


def no_decay(rule: Rule, penalty: Expr) -> str:
    """Two exact points that need different weight_decay values, for a rule linear in it; empty where none is found."""
    decay, once = rule.symbol("weight_decay"), transition(rule)[rule.theta]
    unknown = Symbol("unknown", real=True)
    fixed: dict[Any, Any] = {s: Rational(1, 2) for s in (*rule.hyper, *rule.state)}
    fixed |= {s: Rational(1, 4) for s in rule.state if str(s).endswith("sq")} | {lam: Rational(1, 4)}
    fixed |= {s: Rational(999, 1000) for s in rule.hyper if str(s) == "beta2"}  # RAdam rectifies by step 7
    del fixed[decay]
    needs = []
    for theta in (Integer(1), Integer(2)):
        at = {**fixed, rule.theta: theta}
        penalised = once.subs(decay, 0).subs(rule.grad, rule.grad + sympy.diff(penalty, rule.theta))
        difference = (once.subs(decay, unknown) - penalised).subs(t, 7).subs(rule.grad, 1).subs(at)
        solutions = sympy.solve(difference, unknown)
        if len(solutions) != 1:
            return "" if solutions else f"none at theta = {theta}"
        needs.append(solutions[0])
    if abs((needs[0] - needs[1]).evalf(60)) < Rational(1, 10**20):
        return ""
    return f"{sympy.N(needs[0], 6)} at theta = 1, {sympy.N(needs[1], 6)} at theta = 2"


def equivalent(rules: Mapping[str, Rule], penalty: Expr) -> tuple[Finding, tuple[str, ...], dict[str, str]]:
    """Which rules have a weight_decay equal to the penalty, and the witness for each that has none.

    Returns the finding, the rules for which the solution is 2*lam, and a witness for each of the others.
    """
    coupled: list[str] = []
    without: dict[str, str] = {}
    for name, rule in rules.items():
        solution = solved_decay(rule, penalty)
        if solution is None:
            without[name] = no_decay(rule, penalty)
            if not without[name]:
                return Finding(Verdict.INCONCLUSIVE, f"{name}: neither solved nor refuted"), (), {}
        elif same(solution, 2 * lam):
            coupled.append(name)
        else:
            return refuted(f"{name}: solving gives weight_decay = {to_text(solution)}, but should give 2*lam"), (), {}
    if not coupled:
        return refuted("no rule has a weight_decay that equals the penalty"), (), without
    said = f"solving gives weight_decay = 2*lam for {', '.join(coupled)}"
    if without:
        needed = "; ".join(f"{name} {witness}" for name, witness in without.items())
        said += f". No one value serves decoupled decay: at lam = 1/4, g = 1, t = 7 it would have to be, for {needed}"
    return proved(said), tuple(coupled), without


def rescaled(sgd: Rule, momentum: Rule, adam: Rule) -> Finding:
    """L2 on plain SGD is decoupled decay by lr*weight_decay; no decoupled amount serves with momentum, nor for Adam."""
    decay, lr = sgd.symbol("weight_decay"), sgd.symbol("lr")
    amount = Symbol("amount", real=True)
    once = transition(sgd)[sgd.theta]
    apart = sgd.theta * (1 - amount) + once.subs({decay: 0}) - sgd.theta
    solutions = sympy.solve(once - apart, amount)
    if len(solutions) != 1 or not same(solutions[0], lr * decay):
        return refuted(f"SGD: the decoupled amount comes out as {solutions}, but should be lr*weight_decay")
    said = f"SGD: solving gives the decoupled amount {to_text(solutions[0])}"
    two = decoupled_momentum(momentum)
    if two is None:
        return refuted("SGD with momentum: L2 and decoupled decay agree for two steps, but should not")
    one = decoupled_adam(adam)
    if one is None:
        return refuted("Adam: one decoupled amount serves two points, but should not")
    return proved(f"{said}; with momentum they part at step 2 ({two}); for Adam {one}")


def decoupled_momentum(momentum: Rule) -> str | None:
    """A witness that with momentum no decoupled amount reproduces L2 for two steps: exact values; None without one."""
    half = Rational(1, 2)
    hyper = {s: Integer(0) if str(s) == "dampening" else half for s in momentum.hyper}
    values = {**hyper, momentum.theta: Integer(1)}
    zero = [Integer(0), Integer(0)]
    amount = Symbol("amount", real=True)
    l2 = [row[momentum.theta].subs(values) for row in unroll(momentum, 2, zero)]
    (needed,) = sympy.solve(1 - amount - l2[1], amount)
    after = (1 - needed) ** 2  # no gradient, so nothing but the decay moves theta
    return f"theta = 1, g = 0, rest 1/2: {l2[2]} by L2, {after} decoupled" if l2[2] != after else None


def decoupled_adam(adam: Rule) -> str | None:
    """A witness that no decoupled amount reproduces L2 for Adam's first step at two weights; None without one."""
    amount = Symbol("amount", real=True)
    half = {s: Rational(1, 2) for s in adam.hyper}
    needs = []
    for theta in (Integer(1), Integer(2)):
        coupled = unroll(adam, 1, [Integer(1)])[1][adam.theta].subs({**half, adam.theta: theta})
        plain = unroll(adam, 1, [Integer(1)])[1][adam.theta]
        plain = plain.subs({**half, adam.symbol("weight_decay"): 0}).subs(adam.theta, theta)
        (needed,) = sympy.solve(theta * (1 - amount) + (plain - theta) - coupled, amount)
        needs.append(sympy.nsimplify(needed))
    if needs[0] == needs[1]:
        return None
    return f"theta = 1 needs {needs[0]} and theta = 2 needs {needs[1]} (g = 1, rest 1/2)"


def smaller(sgd: Rule, penalty: Expr) -> Finding:
    """On a quadratic of curvature h the fixed point is b/(h + 2*lam), below b/h for lam > 0; for vectors, in norm."""
    h, b, positive = sympy.symbols("h b lam", positive=True)
    decay = solved_decay(sgd, penalty)
    if decay is None:
        return refuted(f"{sgd.name} has no weight_decay equal to {penalty}")
    once = transition(sgd)[sgd.theta].subs(sgd.symbol("weight_decay"), decay).subs(lam, positive)
    fixed = sympy.solve(once.subs(sgd.grad, h * sgd.theta - b) - sgd.theta, sgd.theta)
    if len(fixed) != 1 or not same(fixed[0], b / (h + 2 * positive)):
        return refuted(f"the fixed point is {fixed}, but should be b/(h + 2*lam)")
    if not sympy.factor(1 - fixed[0] / (b / h)).is_positive:
        return refuted(f"{fixed[0]} is not below b/h for every lam > 0")
    grown = one_weight_grows()
    return proved(
        "solving theta' = theta gives b/(h + 2*lam), and 1 - (b/(h + 2*lam))/(b/h) = 2*lam/(h + 2*lam) > 0; in the "
        f"eigenbasis of any quadratic each coordinate shrinks so, hence the norm does; one weight may grow: {grown}"
    )


def one_weight_grows() -> str:
    """A quadratic on which one weight of two grows under L2, though the norm falls: exact values."""
    hessian, b = sympy.Matrix([[2, 1], [1, 2]]), sympy.Matrix([1, 2])
    free, ridge = hessian.solve(b), (hessian + sympy.eye(2)).solve(b)
    if not (abs(ridge[0]) > abs(free[0]) and ridge.dot(ridge) < free.dot(free)):
        raise ArithmeticError(f"{free} and {ridge} are no witness")
    return f"H = [[2, 1], [1, 2]], b = (1, 2), 2*lam = 1 takes {tuple(free)} to {tuple(ridge)}"


def l2_penalty(w: Symbol) -> Expr:
    """lam * w^2: the L2 term of one weight."""
    return L2.term.xreplace({weight: w})


def l1_penalty(w: Symbol) -> Expr:
    """lam * |w|: the L1 term of one weight."""
    return L1.term.xreplace({weight: w})


def plain(sgd: Rule) -> Finding:
    """Without decay the rule is theta - lr*g."""
    derived = transition(sgd)[sgd.theta].subs(sgd.symbol("weight_decay"), 0)
    expected = sgd.theta - sgd.symbol("lr") * sgd.grad
    if not same(derived, expected):
        return refuted(f"the rule takes theta to {to_text(derived)}, but should take it to {to_text(expected)}")
    return proved(f"the rule without decay is theta' = {to_text(expected)}")


def worst(findings: Sequence[Finding]) -> Verdict:
    """The verdict of several findings together: the gravest of them."""
    gravity = (Verdict.BROKEN, Verdict.VIOLATED, Verdict.UNTESTABLE, Verdict.INCONCLUSIVE, Verdict.HELD)
    return min((f.verdict for f in findings), key=gravity.index, default=Verdict.INCONCLUSIVE)
