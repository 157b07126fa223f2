"""Mistakes in weight decay."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Abs, Integer, Symbol

from verifier.edits import Edit, coupling, everywhere, hyper, put, shrinking, with_line
from verifier.rule import Rule


def decay_of_coupled(rule: Rule) -> Iterator[Edit]:
    """The mistakes in decay that is added to the gradient."""
    line, lr, wd = coupling(rule), hyper(rule, "lr"), hyper(rule, "weight_decay")
    if line is None or wd is None:
        return
    d = rule.step[line][0]
    plain = with_line(rule, line, rule.grad)
    if lr is not None:
        yield Edit(
            "decoupled_decay",
            "weight decay is decoupled from the gradient",
            ((rule.theta, rule.theta * (1 - lr * wd)), *plain),
        )
        yield Edit(
            "decay_decoupled_too",
            "weight decay also shrinks the weight by itself",
            ((rule.theta, rule.theta * (1 - lr * wd)), *rule.step),
        )
        yield Edit(
            "decay_times_lr",
            "weight decay in the gradient is scaled by lr once more",
            with_line(rule, line, rule.grad + lr * wd * rule.theta),
        )
    yield Edit("decay_twice", "weight decay is applied twice", with_line(rule, line, rule.grad + 2 * wd * rule.theta))
    yield Edit(
        "decay_sign",
        "weight decay has the wrong sign: weights grow",
        with_line(rule, line, rule.grad - wd * rule.theta),
    )
    yield Edit("decay_missing", "weight decay is left out", plain)
    yield Edit(
        "decay_l1",
        "weight decay is that of the L1 penalty",
        with_line(rule, line, rule.grad + wd * sympy.sign(rule.theta)),
    )
    absolute = rule.grad + wd * Abs(rule.theta)
    yield Edit("decay_absolute", "weight decay pulls down, not towards zero", with_line(rule, line, absolute))
    for i, (target, e) in enumerate(rule.step):
        if i != line and target in rule.state and d in e.free_symbols:
            yield Edit(
                f"undecayed_{target}",
                f"{target} accumulates the gradient without weight decay",
                with_line(rule, i, e.xreplace({d: rule.grad})),
            )


def decay_of_decoupled(rule: Rule) -> Iterator[Edit]:
    """The mistakes in decay that shrinks the weights by itself."""
    line, lr, wd = shrinking(rule), hyper(rule, "lr"), hyper(rule, "weight_decay")
    if line is None or wd is None:
        return
    value = rule.step[line][1]
    rest = (*rule.step[:line], *rule.step[line + 1 :])
    coupled = {rule.grad: rule.grad + wd * rule.theta}
    d = Symbol("d", real=True)
    moved = tuple((x, e.xreplace({rule.grad: d})) for x, e in rest)
    yield Edit(
        "coupled_decay", "weight decay is coupled: added to the gradient", ((d, rule.grad + wd * rule.theta), *moved)
    )
    if line == 0:
        says, both = "weight decay is added to the gradient as well", (d, rule.grad + wd * rule.theta)
        yield Edit("decay_coupled_too", says, (rule.step[0], both, *moved))
        yield Edit("decay_coupled_first", f"{says}, before it shrinks the weight", (both, rule.step[0], *moved))
    yield Edit("decay_twice", "weight decay is applied twice", with_line(rule, line, value * value / rule.theta))
    yield Edit(
        "decay_doubled", "weight decay is twice what it should be", with_line(rule, line, value.xreplace({wd: 2 * wd}))
    )
    yield Edit(
        "decay_sign", "weight decay has the wrong sign: weights grow", with_line(rule, line, value.xreplace({wd: -wd}))
    )
    yield Edit("decay_missing", "weight decay is left out", rest)
    amount = 1 - value.diff(rule.theta)
    for name, other in (("decay_l1", sympy.sign(rule.theta)), ("decay_absolute", Abs(rule.theta))):
        says = (
            "weight decay is that of the L1 penalty" if name == "decay_l1" else "weight decay pulls down, not to zero"
        )
        yield Edit(name, says, with_line(rule, line, rule.theta - amount * other))
    yield Edit("decay_after", "weight decay is applied after the step instead of before it", (*rest, rule.step[line]))
    if lr is not None:
        yield Edit(
            "decay_without_lr",
            "weight decay is not scaled by lr",
            with_line(rule, line, value.xreplace({lr: Integer(1)})),
        )
        yield Edit(
            "decay_lr_squared", "weight decay is scaled by lr twice", with_line(rule, line, value.xreplace({lr: lr**2}))
        )
    for i, (target, e) in enumerate(rule.step):
        if target in rule.state and rule.grad in e.free_symbols:
            yield Edit(
                f"decayed_{target}",
                f"{target} accumulates the gradient with weight decay",
                with_line(rule, i, e.xreplace(coupled)),
            )


def decay_of_other(rule: Rule) -> Iterator[Edit]:
    """The mistakes in decay of any other form."""
    wd = hyper(rule, "weight_decay")
    if wd is None or coupling(rule) is not None or shrinking(rule) is not None:
        return
    yield Edit("decay_twice", "weight decay is applied twice", everywhere(rule, put({wd: 2 * wd})))
    yield Edit("decay_sign", "weight decay has the wrong sign: weights grow", everywhere(rule, put({wd: -wd})))
    yield Edit("decay_missing", "weight decay is left out", everywhere(rule, put({wd: Integer(0)})))
