"""The classic mistakes, as edits of a rule: what a test suite must reject to be worth anything.

Each mistake is a function from a rule to its edited lines, or None where the rule offers no place for it. An edit that
changes nothing (it is proved equal to the rule, or nobody can tell) is not a mutant.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import sympy
from sympy import Abs, Add, Expr, Integer, Max, Min, Mul, Piecewise, Pow, Rational, Symbol, sqrt, true

from verifier.normal import Status, equal
from verifier.rule import Rule, RuleError, t, transition

Lines = tuple[tuple[Symbol, Expr], ...]

NUDGE = Rational(1, 2**21)
"""A learning rate off by a part in two million: eight units in the last place of fp32."""


@dataclass(frozen=True)
class Mistake:
    """One mistake: its name, what somebody did wrong, in a sentence, and the edit."""

    name: str
    says: str
    edit: Callable[[Rule], Lines | Rule | None]


MISTAKES: dict[str, Mistake] = {}


def mistake(says: str) -> Callable[[Callable[[Rule], Lines | Rule | None]], Mistake]:
    """Registers an edit under its function's name."""

    def register(edit: Callable[[Rule], Lines | Rule | None]) -> Mistake:
        name = edit.__name__
        MISTAKES[name] = Mistake(name, says, edit)
        return MISTAKES[name]

    return register


@functools.cache
def mutants(rule: Rule) -> tuple[Rule, ...]:
    """The mistakes this rule can suffer, each as a rule called `<rule>__<mistake>`, refuted equal to the rule."""
    found = []
    for one in MISTAKES.values():
        wrong = mutant(rule, one)
        if wrong is not None and differs(rule, wrong):
            found.append(wrong)
    return tuple(found)


def mutant(rule: Rule, one: Mistake) -> Rule | None:
    """`rule` with one mistake made in it, or None where there is no place for it."""
    edited = one.edit(rule)
    if edited is None:
        return None
    wrong = edited if isinstance(edited, Rule) else replace(rule, step=edited)  # raises only for a faulty edit
    return (
        replace(wrong, name=f"{rule.name}__{one.name}")
        if wrong.step != rule.step or wrong.state != rule.state
        else None
    )


def says(wrong: Rule) -> str:
    """The sentence of a mutant's mistake."""
    return MISTAKES[wrong.name.partition("__")[2]].says


def differs(rule: Rule, wrong: Rule) -> bool:
    """Whether some point shows a difference: in a generic step, in the first one, or in the initial state."""
    domain = {**rule.hyper}
    ours, theirs = transition(rule), transition(wrong)
    pairs = [(ours[s], theirs[s]) for s in ours if s in theirs]
    pairs += [(a.subs(t, k), b.subs(t, k)) for a, b in pairs for k in (1, 50)]  # warm-up branches end by step 50
    pairs += [(sympy.sympify(rule.state[s]), sympy.sympify(wrong.state[s])) for s in rule.state if s in wrong.state]
    return any(a != b and equal(a, b, domain).status is Status.REFUTED for a, b in pairs)


# -- finding places


def _hyper(rule: Rule, name: str) -> Symbol | None:
    return next((s for s in rule.hyper if s.name == name), None)


def _without(rule: Rule, step: Lines, state: Mapping[Symbol, Expr] | None = None) -> Rule | None:
    """The rule with these lines, less the hyperparameters they no longer read; None where theta is not assigned."""
    kept = rule.state if state is None else state
    read = {s for _, value in step for s in sympy.sympify(value).free_symbols}
    read |= {s for value in kept.values() for s in sympy.sympify(value).free_symbols}
    hyper = {s: values for s, values in rule.hyper.items() if s in read}
    try:
        return replace(rule, step=step, hyper=hyper, state=kept)
    except RuleError:
        return None


def _coupled(rule: Rule) -> int | None:
    """The line that adds weight_decay * theta to the gradient."""
    decay = _hyper(rule, "weight_decay")
    if decay is None:
        return None
    wanted = rule.grad + decay * rule.theta
    return next((k for k, (_, value) in enumerate(rule.step) if value == wanted), None)


def _decoupled(rule: Rule) -> int | None:
    """The line that shrinks theta by weight_decay apart from the gradient."""
    decay = _hyper(rule, "weight_decay")
    if decay is None or _coupled(rule) is not None:
        return None
    lines = enumerate(rule.step)
    return next(
        (k for k, (x, e) in lines if x == rule.theta and decay in e.free_symbols and rule.grad not in e.free_symbols),
        None,
    )


def _mapped(rule: Rule, change: Callable[[Expr], Expr], *, only: set[Symbol] | None = None) -> Rule | None:
    """The rule with `change` applied to every line, or to the lines that assign `only`."""
    step = tuple((x, change(sympy.sympify(e)) if only is None or x in only else e) for x, e in rule.step)
    return _without(rule, step)


def _replaced(rule: Rule, old: Expr, new: Expr) -> Rule | None:
    return _mapped(rule, lambda e: e.subs(old, new))


def _roots(e: Expr) -> list[Pow]:
    return [node for node in sympy.preorder_traversal(e) if isinstance(node, Pow) and node.exp == Rational(1, 2)]


# -- weight decay


@mistake("weight decay is added to the gradient, and so passes through the moments (Adam's decay in AdamW)")
def coupled_decay(rule: Rule) -> Rule | None:
    """Decoupled rules only."""
    where = _decoupled(rule)
    decay = _hyper(rule, "weight_decay")
    if where is None or decay is None:
        return None
    step = tuple(
        (x, sympy.sympify(e).subs(rule.grad, rule.grad + decay * rule.theta))
        for k, (x, e) in enumerate(rule.step)
        if k != where
    )
    return _without(rule, step)


@mistake("weight decay shrinks the weight apart from the gradient (AdamW's decay in Adam)")
def decoupled_decay(rule: Rule) -> Rule | None:
    """Coupled rules only."""
    where = _coupled(rule)
    decay, lr = _hyper(rule, "weight_decay"), _hyper(rule, "lr")
    if where is None or decay is None or lr is None:
        return None
    step = tuple((x, rule.grad if k == where else e) for k, (x, e) in enumerate(rule.step))
    return _without(rule, ((rule.theta, rule.theta * (1 - lr * decay)), *step))


@mistake("weight decay is applied twice a step")
def double_decay(rule: Rule) -> Rule | None:
    """Once as the rule says, and once more beside it."""
    decay, lr = _hyper(rule, "weight_decay"), _hyper(rule, "lr")
    if decay is None or lr is None or (_coupled(rule) is None and _decoupled(rule) is None):
        return None
    return _without(rule, ((rule.theta, rule.theta * (1 - lr * decay)), *rule.step))


@mistake("weight decay has no effect")
def no_decay(rule: Rule) -> Rule | None:
    """Every use of weight_decay is gone."""
    decay = _hyper(rule, "weight_decay")
    return None if decay is None else _replaced(rule, decay, Integer(0))


@mistake("weight decay has the wrong sign: weights grow")
def negated_decay(rule: Rule) -> Rule | None:
    """weight_decay enters negated."""
    decay = _hyper(rule, "weight_decay")
    return None if decay is None else _replaced(rule, decay, -decay)


@mistake("weight decay is half of what was asked for: lam was taken for 2*lam")
def half_decay(rule: Rule) -> Rule | None:
    """The tutorial's factor of two is lost."""
    decay = _hyper(rule, "weight_decay")
    return None if decay is None else _replaced(rule, decay, decay / 2)


@mistake("weight decay is not scaled by the learning rate (fully decoupled)")
def decay_without_lr(rule: Rule) -> Rule | None:
    """Decoupled rules only."""
    where = _decoupled(rule)
    decay, lr = _hyper(rule, "weight_decay"), _hyper(rule, "lr")
    if where is None or decay is None or lr is None:
        return None
    return tuple((x, e.subs(lr * decay, decay) if k == where else e) for k, (x, e) in enumerate(rule.step))  # type: ignore[return-value]


@mistake("weight decay is applied after the update, to the weight already moved")
def decay_after(rule: Rule) -> Rule | None:
    """Decoupled rules only."""
    where = _decoupled(rule)
    if where is None:
        return None
    return replace(rule, step=(*(line for k, line in enumerate(rule.step) if k != where), rule.step[where]))


# -- epsilon


@mistake("eps is added inside the root")
def eps_inside(rule: Rule) -> Rule | None:
    """sqrt(v) + eps becomes sqrt(v + eps)."""
    eps = _hyper(rule, "eps")

    def change(e: Expr) -> Expr:
        for node in sympy.preorder_traversal(e):
            if isinstance(node, Add) and eps in node.args and (roots := _roots(node)):
                rest = node - eps
                return e.subs(node, rest.subs(roots[0], sqrt(roots[0].base + eps)))
        return e

    return None if eps is None else _mapped(rule, change)


@mistake("eps is added outside the root")
def eps_outside(rule: Rule) -> Rule | None:
    """sqrt(v + eps) becomes sqrt(v) + eps."""
    eps = _hyper(rule, "eps")

    def change(e: Expr) -> Expr:
        inside = [root for root in _roots(e) if isinstance(root.base, Add) and eps in root.base.args]
        return e.xreplace({root: sqrt(root.base - eps) + eps for root in inside})

    def inverse(e: Expr) -> Expr:  # 1/sqrt(v + eps) is a power of its own to sympy
        found = [p for p in sympy.preorder_traversal(e) if isinstance(p, Pow) and p.exp == Rational(-1, 2)]
        inside = [p for p in found if isinstance(p.base, Add) and eps in p.base.args]
        return e.xreplace({p: 1 / (sqrt(p.base - eps) + eps) for p in inside})

    return None if eps is None else _mapped(rule, lambda e: inverse(change(e)))


@mistake("eps is left out")
def no_eps(rule: Rule) -> Rule | None:
    """Every use of eps is gone."""
    eps = _hyper(rule, "eps")
    return None if eps is None else _replaced(rule, eps, Integer(0))


@mistake("eps is added before the bias of the second moment is corrected")
def eps_before_correction(rule: Rule) -> Rule | None:
    """sqrt(v)/sqrt(c) + eps becomes (sqrt(v) + eps)/sqrt(c)."""
    eps, beta2 = _hyper(rule, "eps"), _hyper(rule, "beta2")
    if eps is None or beta2 is None:
        return None
    correction = 1 / sqrt(1 - beta2**t)

    def change(e: Expr) -> Expr:
        if isinstance(e, Add) and eps in e.args and e.has(correction):
            return Mul(e - eps + eps * correction)
        return e

    return _mapped(rule, change)


# -- bias correction, step count and betas


@mistake("the first moment's bias is not corrected")
def no_first_correction(rule: Rule) -> Rule | None:
    """1 - beta1**t is taken to be 1."""
    beta1 = _hyper(rule, "beta1")
    return None if beta1 is None else _mapped(rule, lambda e: e.xreplace({1 - beta1**t: Integer(1)}))


@mistake("the second moment's bias is not corrected")
def no_second_correction(rule: Rule) -> Rule | None:
    """1 - beta2**t is taken to be 1."""
    beta2 = _hyper(rule, "beta2")
    return None if beta2 is None else _mapped(rule, lambda e: e.xreplace({1 - beta2**t: Integer(1)}))


@mistake("the second moment's correction is not under the root")
def correction_outside_root(rule: Rule) -> Rule | None:
    """sqrt(1 - beta2**t) becomes 1 - beta2**t."""
    beta2 = _hyper(rule, "beta2")
    if beta2 is None:
        return None
    c = 1 - beta2**t
    return _mapped(rule, lambda e: e.xreplace({1 / sqrt(c): 1 / c, sqrt(c): c}))


@mistake("steps are counted from two: every correction is one step ahead")
def late_count(rule: Rule) -> Rule | None:
    """t + 1 stands where t should."""
    return None if not any(sympy.sympify(e).has(t) for _, e in rule.step) else _mapped(rule, _ahead)


def _ahead(e: Expr) -> Expr:
    conditions = [c for node in e.atoms(Piecewise) for _, c in node.args if isinstance(c, sympy.Eq)]
    hidden = {c: sympy.Symbol(f"_first_{k}") for k, c in enumerate(conditions)}
    shown = {v: k for k, v in hidden.items()}
    kept = e.xreplace(hidden)  # the first step stays the first
    return kept.subs(t, t + 1).xreplace(shown)


@mistake("beta1 and beta2 are swapped")
def swapped_betas(rule: Rule) -> Rule | None:
    """Both betas change places everywhere."""
    beta1, beta2 = _hyper(rule, "beta1"), _hyper(rule, "beta2")
    if beta1 is None or beta2 is None:
        return None
    return _mapped(rule, lambda e: e.xreplace({beta1: beta2, beta2: beta1}))


# -- moments and state


def _averages(rule: Rule) -> list[tuple[int, Symbol, Symbol, Expr]]:
    """(line, state, weight b, what is averaged) of every line b*s + (1 - b)*x."""
    found = []
    for k, (s, e) in enumerate(rule.step):
        if s not in rule.state or not isinstance(e, Add) or len(e.args) != 2:
            continue
        for keep, new in (e.args, e.args[::-1]):
            b = sympy.cancel(keep / s)
            if b in rule.hyper and sympy.cancel(new / (1 - b)).free_symbols.isdisjoint({b, s}):
                found.append((k, s, b, sympy.cancel(new / (1 - b))))
    return found


def _average_edit(rule: Rule, which: int, change: Callable[[Symbol, Symbol, Expr], Expr]) -> Rule | None:
    averages = _averages(rule)
    if len(averages) <= which:
        return None
    line, s, b, x = averages[which]
    return _without(rule, tuple((n, change(s, b, x) if k == line else e) for k, (n, e) in enumerate(rule.step)))


@mistake("the first running average weighs new and old the wrong way round")
def weights_swapped(rule: Rule) -> Rule | None:
    """(1 - b)*m + b*x."""
    return _average_edit(rule, 0, lambda s, b, x: (1 - b) * s + b * x)


@mistake("the first running average does not damp what is new: a sum, not an average")
def first_undamped(rule: Rule) -> Rule | None:
    """b*m + x."""
    return _average_edit(rule, 0, lambda s, b, x: b * s + x)


@mistake("the second running average does not damp what is new: a sum, not an average")
def second_undamped(rule: Rule) -> Rule | None:
    """b*v + x**2."""
    return _average_edit(rule, 1, lambda s, b, x: b * s + x)


@mistake("the second moment averages |g| and not g**2")
def square_missing(rule: Rule) -> Rule | None:
    """A square in a state's line loses its exponent."""

    def change(e: Expr) -> Expr:
        squares = [node for node in sympy.preorder_traversal(e) if isinstance(node, Pow) and node.exp == 2]
        return e.xreplace({node: Abs(node.base) for node in squares[:1]})

    return _mapped(rule, change, only=set(rule.state))


@mistake("the second moment reads the gradient without weight decay")
def raw_second_moment(rule: Rule) -> Rule | None:
    """d**2 becomes g**2 where d is the decayed gradient."""
    where = _coupled(rule)
    if where is None or rule.step[where][0] == rule.grad:
        return None
    d = rule.step[where][0]
    return _mapped(rule, lambda e: e.xreplace({d**2: rule.grad**2}), only=set(rule.state))


@mistake("the first moment reads the gradient without weight decay")
def raw_first_moment(rule: Rule) -> Rule | None:
    """(1 - b)*d becomes (1 - b)*g where d is the decayed gradient."""
    where = _coupled(rule)
    if where is None or not _averages(rule):
        return None
    d = rule.step[where][0]
    for line, s, b, x in _averages(rule):
        if x == d:
            return _without(
                rule, tuple((n, b * s + (1 - b) * rule.grad if k == line else e) for k, (n, e) in enumerate(rule.step))
            )
    return None


@mistake("the parameter is updated from the state of the step before")
def stale_state(rule: Rule) -> Rule | None:
    """The first tensor state's line moves behind everything else."""
    for k, (s, _) in enumerate(rule.step[:-1]):
        if s in rule.state and any(s in sympy.sympify(e).free_symbols for _, e in rule.step[k + 1 :]):
            return _without(rule, (*rule.step[:k], *rule.step[k + 1 :], rule.step[k]))
    return None


@mistake("the running maximum is not taken")
def no_maximum(rule: Rule) -> Rule | None:
    """max(a, b) of a state and a new value becomes the new value."""

    def change(e: Expr) -> Expr:
        found = [node for node in sympy.preorder_traversal(e) if isinstance(node, Max)]
        for node in found:
            new = [a for a in node.args if not (a.free_symbols & _own)]
            if new and len(new) < len(node.args):
                return e.xreplace({node: new[0]})
        return e

    for s, _ in rule.step:
        if s in rule.state:
            _own = {s}
            changed = _mapped(rule, change, only={s})
            if changed is not None and changed.step != rule.step:
                return changed
    return None


@mistake("the running maximum is taken of old and new minimum")
def minimum_for_maximum(rule: Rule) -> Rule | None:
    """max becomes min."""
    return _mapped(rule, lambda e: e.replace(Max, Min) if e.has(Max) and not e.has(Min) else e)


@mistake("the step is not held to its bounds")
def no_clamp(rule: Rule) -> Rule | None:
    """min(max(x, lo), hi) becomes x."""

    def change(e: Expr) -> Expr:
        if isinstance(e, Min):
            inner = next((a for a in e.args if isinstance(a, Max)), None)
            if inner is not None:
                return next(a for a in inner.args if a not in rule.hyper)
        return e

    return _mapped(rule, change)


@mistake("the first step is treated like any other")
def first_step_plain(rule: Rule) -> Rule | None:
    """A branch on t == 1 takes its other side."""

    def change(e: Expr) -> Expr:
        if isinstance(e, Piecewise) and isinstance(e.args[0][1], sympy.Eq):
            return e.args[1][0]
        return e

    return _mapped(rule, change)


@mistake("a branch takes its other side always")
def branch_never(rule: Rule) -> Rule | None:
    """The first piece of a Piecewise that does not ask for t == 1 is never taken."""

    def change(e: Expr) -> Expr:
        for node in sympy.preorder_traversal(e):
            if isinstance(node, Piecewise) and not isinstance(node.args[0][1], sympy.Eq):
                rest = node.args[1:]
                other = rest[0][0] if rest[0][1] == true else Piecewise(*rest)
                return e.xreplace({node: other})
        return e

    for x, e in rule.step:
        if sympy.sympify(e).has(Piecewise) and change(sympy.sympify(e)) != e:
            return _mapped(rule, change, only={x})
    return None


@mistake("the mean is not subtracted from the second moment (not centered)")
def not_centered(rule: Rule) -> Rule | None:
    """sqrt(v - m**2) becomes sqrt(v)."""

    def change(e: Expr) -> Expr:
        for root in _roots(e):
            if isinstance(root.base, Add) and len(root.base.args) == 2:
                kept = [a for a in root.base.args if a in rule.state]
                if kept and all(a in rule.state or a.could_extract_minus_sign() for a in root.base.args):
                    return e.xreplace({root: sqrt(kept[0])})
        return e

    return _mapped(rule, change)


@mistake("the initial accumulator is ignored: state starts at zero")
def zero_start(rule: Rule) -> Rule | None:
    """A state whose initial value is a hyperparameter starts at zero."""
    state = {s: Integer(0) if sympy.sympify(e).free_symbols else e for s, e in rule.state.items()}
    return _without(rule, rule.step, state)


@mistake("the look-ahead is missing: plain momentum for Nesterov's")
def no_lookahead(rule: Rule) -> Rule | None:
    """d + momentum * buffer becomes the buffer."""
    momentum = _hyper(rule, "momentum")
    for x, e in rule.step:
        for s in rule.state:
            if momentum is not None and x not in rule.state and isinstance(e, Add) and momentum * s in e.args:
                return _mapped(rule, lambda _, s=s: s, only={x})  # type: ignore[misc]
    return None


@mistake("the buffer's update reads the gradient undamped")
def no_dampening(rule: Rule) -> Rule | None:
    """dampening is taken to be 0."""
    dampening = _hyper(rule, "dampening")
    return None if dampening is None else _replaced(rule, dampening, Integer(0))


# -- the step itself


@mistake("the step goes uphill")
def ascends(rule: Rule) -> Rule | None:
    """The gradient enters negated."""
    step = []
    rebound = False
    for x, e in rule.step:
        step.append((x, e if rebound else sympy.sympify(e).xreplace({rule.grad: -rule.grad})))
        rebound |= x == rule.grad
    return replace(rule, step=tuple(step))


@mistake("the learning rate is off by a part in two million")
def nudged_lr(rule: Rule) -> Rule | None:
    """lr * (1 + 2**-21)."""
    lr = _hyper(rule, "lr")
    return None if lr is None else _mapped(rule, lambda e: e.xreplace({lr: lr * (1 + NUDGE)}))


@mistake("the learning rate is squared")
def squared_lr(rule: Rule) -> Rule | None:
    """lr**2."""
    lr = _hyper(rule, "lr")
    return None if lr is None else _mapped(rule, lambda e: e.xreplace({lr: lr**2}))
