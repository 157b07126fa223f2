"""Conventions: ways to write an optimizer that somebody publishes or ships on purpose, so that they are no mistakes.

`SHIPPED` says of the transformations of `mistakes` which are some, and whose; `conventions` yields those and further
ones that are nobody's mistake. `ABSENT` are conventions only where the class has no such option at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import sympy
from sympy import (
    Abs,
    Eq,
    Expr,
    GreaterThan,
    Integer,
    Max,
    Min,
    Piecewise,
    Pow,
    Rational,
    StrictGreaterThan,
    StrictLessThan,
    Symbol,
    sqrt,
)

from verifier.edits import Edit, hyper, shrinking, stepping, with_line
from verifier.mistakes import (
    betas,
    branches,
    corrections,
    counts,
    decay_of_coupled,
    decay_of_decoupled,
    decay_of_other,
    epsilons,
    momenta,
    moments,
    slips_of_averages,
    slips_of_bounds,
    slips_of_corrections,
    slips_of_decay,
    slips_of_differences,
    slips_of_eps,
    slips_of_loops,
    slips_of_mixtures,
    slips_of_order,
    slips_of_powers,
    slips_of_scalars,
    slips_of_signs,
    slips_of_steps,
    slips_of_weights,
    steps,
)
from verifier.mistakes.branched import slips_of_branched_decay, slips_of_branches
from verifier.mistakes.places import slips_in_place
from verifier.mistakes.powers import eps_in_weights
from verifier.rule import Rule, t

SHIPPED: Mapping[str, str] = {
    "decoupled_decay": "Loshchilov & Hutter 2019, SGDW and AdamW",
    "coupled_decay": "the L2 penalty of torch's Adam",
    "decay_l1": "the L1 penalty, as in Keras's regularizers.L1",
    "decay_after": "AdamW of Hugging Face transformers before 5.0",
    "decay_without_lr": "Loshchilov & Hutter 2019, Algorithm 2, whose lambda is not scaled by alpha",
    "eps_inside_root": "TensorFlow's RMSprop; eps_root of optax",
    "eps_outside_root": "torch's RMSprop and Adam",
    "uncorrected": "BERT's AdamWeightDecayOptimizer; LAMB's reference code",
    "uncorrected_beta1": "St John 2021, AdamD, arXiv:2110.10828",
    "averaged_momentum": "optax.ema; momentum of Signum (Bernstein et al. 2018)",
    "first_step_as_others": "optax.trace and Keras, whose buffers start from zero",
    "dampened_first_step": "buffers that start from zero, as in Caffe2",
    "nesterov_added": "torch's nesterov=True",
    "nesterov_missing": "heavy-ball momentum (Polyak 1964)",
    "threshold_low": "Liu et al. 2020, Algorithm 2, which rectifies from rho > 4 on",
    "prev_unbranched": "Rprop without the step back (Igel & Huesken 2000, Rprop-)",
    "zero_initial_sum": "Duchi et al. 2011, whose sum starts at zero",
    "zero_initial_exp_avg": "Zaheer et al. 2018, whose first moment starts at zero",
}
"""Transformations of `mistakes` that are conventions, by name: who publishes or ships them."""

ABSENT: Mapping[str, str] = {
    "decay_missing": "weight_decay",
    "eps_missing": "eps",
    "undampened": "dampening",
    "lr_missing": "lr",
}
"""Transformations that only say that an option is not there, and the option: to have it and not read it is no such."""

REVERSED = 0.5
"""A decay rate whose default is below names what is new, so that 1 - rate is kept (Keras's batch norm has it so)."""

SUMMED = frozenset({"step_stuck"})
"""Mistakes that code with sums in the place of averages makes on purpose: no state is mapped to find them."""

Transform = Callable[[Rule], Iterator[Edit]]


@dataclass(frozen=True)
class Aspect:
    """Transformations that act where some hyperparameters are not zero: `silent` are those hyperparameters."""

    silent: tuple[str, ...]
    mistakes: tuple[Transform, ...]
    others: tuple[Transform, ...]

    def slips(self, rule: Rule) -> Iterator[Edit]:
        """The mistakes that nobody makes on purpose."""
        for transform in self.mistakes:
            yield from (e for e in transform(rule) if e.name not in SHIPPED and e.name not in ABSENT)

    def conventions(self, rule: Rule) -> Iterator[Edit]:
        """What somebody does on purpose."""
        for transform in self.mistakes:
            yield from (e for e in transform(rule) if e.name in SHIPPED or e.name in ABSENT)
        for transform in self.others:
            yield from transform(rule)


def shipped(name: str) -> str:
    """Who publishes or ships a convention; '' where it is of no one in particular, or no convention."""
    return SHIPPED.get(name, OTHERS.get(name, ""))


OTHERS: Mapping[str, str] = {
    "eps_corrected": "optax.radam, whose eps is added to the corrected root",
    "eps_hat": "Kingma & Ba 2015, section 2; TensorFlow and Hugging Face transformers",
    "eps_under_corrected_root": "eps_root of optax.adam",
    "eps_inside_and_outside": "Zhuang et al. 2020, AdaBelief",
    "eps_accumulated": "Zhuang et al. 2020, Algorithm 2, which adds eps to the average",
    "eps_as_floor": "heavyball, which clamps the denominator from below",
    "eps_after_maximum": "Keras's Adamax, whose eps is added to the maximum",
    "eps_squared_inside_root": "big_vision and madgrad, whose eps is that of the root",
    "decay_implicit": "Xie et al. 2024, Adan, whose decay divides by 1 + lr * weight_decay",
    "decay_implicit_after": "Xie et al. 2024, Adan, Algorithm 1",
    "corrected_maximum": "optax.amsgrad, whose maximum is of bias-corrected values",
    "lookahead_moment": "NAdamW of timm, without a schedule of momenta",
    "threshold_included": "the authors' code of RAdam, which rectifies from rho >= 5 on",
    "initial_one": "TensorFlow's RMSprop, whose average of squares starts at one",
    "eps_not_in_lr": "Defazio & Jelassi 2021, Algorithm 1, whose weights are of lr alone",
    "corrected_after_bound": "Ding et al. 2019, AdaMod, whose bounds are of the rate alone",
    "averaged_momentum_ahead": "Jordan et al. 2024, Muon, whose Nesterov step is an average, too",
    "reversed": "averages whose rate weighs what is new, as momentum of batch norm",
}


def _eps_elsewhere(rule: Rule) -> Iterator[Edit]:
    """eps added before the correction, under a root, into the average, or as a floor."""
    eps = hyper(rule, "eps")
    if eps is None:
        return
    for i, (x, e) in enumerate(rule.step):
        line = sympy.sympify(e)
        rest = line - eps
        roots = sorted((p for p in line.atoms(Pow) if p.exp == Rational(1, 2) and t not in p.free_symbols), key=str)
        roots = [p for p in roots if p.base.free_symbols & set(rule.state)]
        if eps in sympy.Add.make_args(line) and len(roots) == 1:
            (root,) = roots
            forms = {
                "eps_hat": ("eps is added before the bias is corrected", rest.xreplace({root: root + eps})),
                "eps_under_corrected_root": ("eps is added under the corrected root", _root(rest**2 + eps)),
                "eps_inside_and_outside": (
                    "eps is added inside the root and outside",
                    rest.xreplace({root: sqrt(root.base + eps)}) + eps,
                ),
                "eps_squared_inside_root": ("eps**2 is added inside the root", _root(rest**2 + eps**2)),
                "eps_as_floor": ("eps is the least value of the denominator", Max(rest, eps)),
            }
            for name, (says, value) in forms.items():
                yield Edit(name, says, with_line(rule, i, value))
            squares = next((k for k, (s, _) in enumerate(rule.step) if s == root.base), None)
            if squares is not None:
                lines = list(with_line(rule, i, line))
                lines[squares] = (root.base, sympy.sympify(rule.step[squares][1]) + eps)
                yield Edit("eps_accumulated", "eps is added to the average of squares", tuple(lines))
        yield from _eps_corrected(rule, i, eps)
        added = [a for a in line.atoms(sympy.Add) if eps in a.args and a.has(Abs)]
        if isinstance(line, Max) and added and x in rule.state:
            lines = list(with_line(rule, i, line.xreplace({a: a - eps for a in added})))
            last = stepping(rule)
            lines[last] = (rule.theta, sympy.sympify(lines[last][1]).xreplace({1 / x: 1 / (x + eps)}))
            yield Edit("eps_after_maximum", "eps is added to the maximum", tuple(lines))


def _eps_corrected(rule: Rule, i: int, eps: sympy.Symbol) -> Iterator[Edit]:
    """eps added to what was corrected, where a rule corrects the sum of both, as torch's RAdam does."""
    line = sympy.sympify(rule.step[i][1])
    corrections = [p for p in line.atoms(Pow) if p.exp == Rational(1, 2) and p.base.has(t) and not p.base.has(eps)]
    sums = [a for a in line.atoms(sympy.Add) if eps in a.args and not a.has(t) and a.free_symbols & set(rule.state)]
    if len(corrections) == 1 and len(sums) == 1:
        (correction,), (added,) = corrections, sums
        value = line.xreplace({added: added - eps + eps * correction})
        yield Edit("eps_corrected", "eps is added after the bias is corrected", with_line(rule, i, value))


def _root(value: Expr) -> Expr:
    return sqrt(sympy.expand(value))


def _decay_implicit(rule: Rule) -> Iterator[Edit]:
    """Decay by division: the proximal step of the penalty."""
    line, wd = shrinking(rule), hyper(rule, "weight_decay")
    if line is None or wd is None:
        return
    amount = 1 - rule.step[line][1].diff(rule.theta)
    says = "weight decay divides the weight by 1 + lr * weight_decay"
    implicit = with_line(rule, line, rule.theta / (1 + amount))
    yield Edit("decay_implicit", says, implicit)
    last = (*(pair for k, pair in enumerate(implicit) if k != line), implicit[line])
    yield Edit("decay_implicit_after", f"{says}, after the step", last)


def _moments_elsewhere(rule: Rule) -> Iterator[Edit]:
    """Moments that start elsewhere, look ahead, or whose rates are named the other way round."""
    last, beta1 = stepping(rule), hyper(rule, "beta1")
    powers = {x: sympy.sympify(e).atoms(Pow) for x, e in rule.step}
    squares = [x for x, found in powers.items() if x in rule.state and any(p.exp == 2 for p in found)]
    corrected = any(p.exp == t for found in powers.values() for p in found)
    for i, (x, e) in enumerate(rule.step):
        line = sympy.sympify(e)
        if x in rule.state and beta1 is not None and line.has(beta1 * x) and rule.step[last][1].has(x) and i < last:
            ahead = rule.step[last][1].xreplace({x: line})
            yield Edit(
                "lookahead_moment", f"the step looks ahead by another update of {x}", with_line(rule, last, ahead)
            )
        if x in rule.state and [x] == squares and rule.state[x] == 0 and not corrected:
            ones = {s: Integer(1) if s == x else v for s, v in rule.state.items()}
            yield Edit("initial_one", f"{x} starts at one", None, ones)
        if isinstance(line, Max) and x in rule.state:
            yield from (_renamed(e, "corrected_maximum") for e in moments(rule) if e.name == f"corrected_{x}")


def _corrected_after(rule: Rule) -> Iterator[Edit]:
    """The first moment corrected itself, where the rate that is held below or above something has its correction."""
    last, beta1 = stepping(rule), hyper(rule, "beta1")
    value = sympy.sympify(rule.step[last][1])
    if beta1 is None or not value.has(Max, Min):
        return
    correction = 1 / (1 - beta1**t)
    for i, (x, e) in enumerate(rule.step):
        if x in value.free_symbols and x not in rule.state and correction in sympy.Mul.make_args(sympy.sympify(e)):
            lines = list(with_line(rule, i, sympy.sympify(e) / correction))
            lines[last] = (rule.theta, rule.theta + (value - rule.theta) * correction)
            yield Edit("corrected_after_bound", "the first moment is corrected, not the rate", tuple(lines))


def _renamed(edit: Edit, name: str) -> Edit:
    return Edit(name, edit.says, edit.step, edit.state)


def _buffers(rule: Rule) -> Iterator[Edit]:
    """Buffers that start from zero and average what is new."""
    for edit in momenta(rule):
        if edit.name == "averaged_momentum" and edit.step is not None:
            plain = [(x, e.args[-1][0] if isinstance(e, Piecewise) and e.args[0][1] == Eq(t, 1) else e)
                     for x, e in edit.step]  # fmt: skip
            yield Edit("averaged_momentum_from_zero", f"{edit.says}, from zero on", tuple(plain))
            yield from _averaged_ahead(rule, plain, edit.says)


def _averaged_ahead(rule: Rule, lines: list[tuple[Symbol, Expr]], says: str) -> Iterator[Edit]:
    """The look ahead of a buffer that averages, in which the newest gradient weighs as it does there."""
    momentum = hyper(rule, "momentum")
    if momentum is None:
        return
    for i, (x, e) in enumerate(lines):
        kept = [momentum * s for s in rule.state if momentum * s in sympy.Add.make_args(e)]
        if x not in rule.state and x != rule.theta and kept:
            ahead = (*lines[:i], (x, (1 - momentum) * (e - kept[0]) + kept[0]), *lines[i + 1 :])
            yield Edit("averaged_momentum_ahead", f"{says}, from zero on, and so does the look ahead", ahead)


def thresholds(rule: Rule) -> Iterator[Edit]:
    """A bound that belongs to the branch above it."""
    guards = {
        g for _, e in rule.step for g in sympy.sympify(e).atoms(StrictGreaterThan) if g.rhs.is_Number and g.rhs > 1
    }
    if guards:
        included = {g: GreaterThan(g.lhs, g.rhs) for g in guards}
        says = f"the branch begins with {min(map(str, included.values()))}"
        included |= {~g: StrictLessThan(g.lhs, g.rhs) for g in guards}
        yield Edit("threshold_included", says, tuple((x, sympy.sympify(e).xreplace(included)) for x, e in rule.step))


CORE = Aspect(
    ("weight_decay", "eps"),
    (
        *(corrections, counts, betas, moments, momenta, steps, branches),
        *(slips_of_corrections, slips_of_averages, slips_of_steps),
        *(slips_of_mixtures, slips_of_order, slips_of_signs, slips_of_bounds, slips_of_loops),
        *(slips_of_differences, slips_of_powers, slips_of_weights, slips_of_scalars, slips_of_branches, slips_in_place),
    ),
    (_moments_elsewhere, _corrected_after, _buffers, thresholds),
)
EPS = Aspect(("weight_decay",), (epsilons, slips_of_eps), (_eps_elsewhere, eps_in_weights))
DECAY = Aspect(
    (),
    (decay_of_coupled, decay_of_decoupled, decay_of_other, slips_of_decay, slips_of_branched_decay),
    (_decay_implicit,),
)

ASPECTS: tuple[Aspect, ...] = (CORE, EPS, DECAY)
"""In the order in which they can be told apart: where weight_decay and eps are zero, only the first shows."""

__all__ = ["ABSENT", "ASPECTS", "REVERSED", "SHIPPED", "SUMMED", "Aspect", "shipped", "thresholds"]
