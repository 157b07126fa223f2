"""The classic mistakes, as transformations of a rule's lines: each applies to every rule of the shape it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy
from sympy import Abs, Eq, Expr, Integer, Max, Min, Number, Piecewise, Pow, Rational, Symbol, sqrt
from sympy.core.relational import Relational

from verifier.edits import Edit, Lines, coupling, everywhere, hyper, put, shrinking, stepping, swap, with_line
from verifier.rule import Rule, t

# -- decay


def _decay_of_coupled(rule: Rule) -> Iterator[Edit]:
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


def _decay_of_decoupled(rule: Rule) -> Iterator[Edit]:
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
    yield Edit("decay_twice", "weight decay is applied twice", with_line(rule, line, value * value / rule.theta))
    yield Edit(
        "decay_sign", "weight decay has the wrong sign: weights grow", with_line(rule, line, value.xreplace({wd: -wd}))
    )
    yield Edit("decay_missing", "weight decay is left out", rest)
    amount = rule.theta - value
    for name, other in (("decay_l1", sympy.sign(rule.theta)), ("decay_absolute", Abs(rule.theta))):
        says = (
            "weight decay is that of the L1 penalty" if name == "decay_l1" else "weight decay pulls down, not to zero"
        )
        yield Edit(name, says, with_line(rule, line, rule.theta - sympy.cancel(amount / rule.theta) * other))
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


def _decay_of_other(rule: Rule) -> Iterator[Edit]:
    wd = hyper(rule, "weight_decay")
    if wd is None or coupling(rule) is not None or shrinking(rule) is not None:
        return
    yield Edit("decay_twice", "weight decay is applied twice", everywhere(rule, put({wd: 2 * wd})))
    yield Edit("decay_sign", "weight decay has the wrong sign: weights grow", everywhere(rule, put({wd: -wd})))
    yield Edit("decay_missing", "weight decay is left out", everywhere(rule, put({wd: Integer(0)})))


# -- eps


def _eps(rule: Rule) -> Iterator[Edit]:
    eps = hyper(rule, "eps")
    if eps is None:
        return

    def inside(e: Expr) -> Expr:
        for node in sorted(e.atoms(sympy.Add), key=sympy.count_ops):
            roots = [a for a in node.args if a.has(sqrt) or any(p.exp == Rational(1, 2) for p in a.atoms(Pow))]
            if eps in node.args and roots:
                root = next(p for p in roots[0].atoms(Pow) if p.exp == Rational(1, 2))
                return e.xreplace({node: node.xreplace({root: sqrt(root.base + eps)}) - eps})
        return e

    def outside(e: Expr) -> Expr:
        return e.replace(
            lambda p: isinstance(p, Pow) and abs(p.exp) == Rational(1, 2) and eps in sympy.Add.make_args(p.base),
            lambda p: (sqrt(p.base - eps) + eps) ** sympy.sign(p.exp),
        )

    yield Edit("eps_inside_root", "eps is added inside the root", everywhere(rule, inside))
    yield Edit("eps_outside_root", "eps is added outside the root", everywhere(rule, outside))
    yield Edit("eps_missing", "eps is left out", everywhere(rule, lambda e: e.xreplace({eps: Integer(0)})))
    yield Edit("eps_squared", "eps is squared", everywhere(rule, lambda e: e.xreplace({eps: eps**2})))


# -- bias correction and the step's number


def _bias(rule: Rule) -> Iterator[Edit]:
    corrections = {p for _, e in rule.step for p in sympy.sympify(e).atoms(Pow) if p.exp == t and p.base in rule.hyper}
    for power in sorted(corrections, key=str):
        yield Edit(
            f"uncorrected_{power.base}",
            f"the bias correction 1 - {power.base}^t is left out",
            everywhere(rule, put({power: Integer(0)})),
        )
    if len(corrections) == 2:
        one, two = sorted(corrections, key=str)
        yield Edit(
            "corrections_swapped",
            "each moment is divided by the other's bias correction",
            everywhere(rule, swap(one, two)),
        )
        yield Edit(
            "uncorrected",
            "no bias is corrected",
            everywhere(rule, lambda e: e.xreplace({one: Integer(0), two: Integer(0)})),
        )
    if any(t in sympy.sympify(e).free_symbols for _, e in rule.step):
        yield Edit("step_ahead", "the step's number is one ahead", everywhere(rule, lambda e: e.subs(t, t + 1)))
    if any(e.has(t - 1) for _, e in rule.step):
        yield Edit(
            "step_behind", "the step's number is one behind", everywhere(rule, lambda e: e.xreplace({t - 1: t - 2}))
        )


def _betas(rule: Rule) -> Iterator[Edit]:
    for low, high in (("beta1", "beta2"), ("etaminus", "etaplus")):
        a, b = hyper(rule, low), hyper(rule, high)
        if a is not None and b is not None:
            yield Edit(f"{low}_{high}_swapped", f"{low} and {high} are swapped", everywhere(rule, swap(a, b)))
    for i, (target, e) in enumerate(rule.step):
        value = sympy.sympify(e)
        for beta in rule.hyper:
            if target in rule.state and value.has(1 - beta) and beta * target in sympy.Add.make_args(value):
                yield Edit(
                    f"unweighted_{target}",
                    f"1 - {beta} is missing from the average {target}",
                    with_line(rule, i, value.xreplace({1 - beta: Integer(1)})),
                )
                other = value.xreplace({beta: 1 - beta, 1 - beta: beta})
                yield Edit(
                    f"reversed_{target}", f"{beta} and 1 - {beta} are swapped in {target}", with_line(rule, i, other)
                )


# -- moments, momentum, order


def _moments(rule: Rule) -> Iterator[Edit]:
    for i, (target, e) in enumerate(rule.step):
        value = sympy.sympify(e)
        if target not in rule.state:
            continue
        if target in value.free_symbols:
            yield Edit(
                f"forgotten_{target}",
                f"{target} forgets what it held",
                with_line(rule, i, value.xreplace({target: Integer(0)})),
            )
        squares = {p: Abs(p.base) for p in value.atoms(Pow) if p.exp == 2}
        if squares:
            yield Edit(
                f"unsquared_{target}",
                f"the square is missing from {target}",
                with_line(rule, i, value.xreplace(squares)),
            )
        if i < stepping(rule):
            moved = (*(line for k, line in enumerate(rule.step) if k != i), rule.step[i])
            yield Edit(f"late_{target}", f"{target} is updated after theta, which reads the old one", moved)
        if isinstance(value, Max) and target in value.args:
            (current,) = (a for a in value.args if a != target)
            yield Edit(
                f"maximum_missing_{target}",
                f"{target} is the current value, not the largest so far",
                with_line(rule, i, current),
            )
            yield Edit(
                f"minimum_{target}",
                f"{target} keeps the smallest value instead of the largest",
                with_line(rule, i, Min(*value.args)),
            )
            yield from _corrected_maximum(rule, i, target, current)


def _corrected_maximum(rule: Rule, line: int, target: Symbol, current: Expr) -> Iterator[Edit]:
    """The maximum taken of bias-corrected values, and divided by no correction after."""
    for i, (x, e) in enumerate(rule.step):
        corrections = [p for p in e.atoms(Pow) if p.exp == Rational(-1, 2) and t in p.free_symbols]
        if target in e.free_symbols and corrections:
            lines = list(with_line(rule, line, Max(target, current / corrections[0].base)))
            lines[i] = (x, e.xreplace({corrections[0]: Integer(1)}))
            yield Edit(f"corrected_{target}", f"{target} is the maximum of bias-corrected values", tuple(lines))


def _momentum(rule: Rule) -> Iterator[Edit]:
    momentum, dampening = hyper(rule, "momentum"), hyper(rule, "dampening")
    for i, (target, e) in enumerate(rule.step):
        if isinstance(e, Piecewise) and e.args[0][1] == Eq(t, 1):
            yield Edit(
                "first_step_as_others",
                "the first gradient enters the buffer as later ones do",
                with_line(rule, i, e.args[-1][0]),
            )
            first = e.args[0][0]
            if dampening is not None:
                yield Edit(
                    "dampened_first_step",
                    "the first gradient is dampened",
                    with_line(rule, i, Piecewise(((1 - dampening) * first, Eq(t, 1)), *e.args[1:])),
                )
        if dampening is not None and e.has(1 - dampening):
            yield Edit(
                "undampened", "dampening is left out", with_line(rule, i, e.xreplace({1 - dampening: Integer(1)}))
            )
        if momentum is not None and target in rule.state and e.has(momentum * target):
            buffer = target
            yield Edit(
                "averaged_momentum",
                "the gradient enters the buffer weighted by 1 - momentum",
                _averaged(rule, i, momentum),
            )
            last = stepping(rule)
            value = rule.step[last][1]
            if value.has(buffer):
                ahead = momentum * buffer + _fresh(e, buffer)
                yield Edit(
                    "nesterov_added",
                    "the step looks a momentum update ahead",
                    with_line(rule, last, value.xreplace({buffer: ahead})),
                )
    for i, (target, e) in enumerate(rule.step):
        if momentum is not None and target not in rule.state and target != rule.theta and momentum in e.free_symbols:
            buffer = next((s for s in rule.state if momentum * s in sympy.Add.make_args(e)), None)
            if buffer is not None:
                yield Edit(
                    "nesterov_missing", "the step takes the buffer and does not look ahead", with_line(rule, i, buffer)
                )


def _fresh(value: Expr, buffer: Symbol) -> Expr:
    """What a step adds to the buffer."""
    last = value.args[-1][0] if isinstance(value, Piecewise) else value
    return last.xreplace({buffer: Integer(0)})


def _averaged(rule: Rule, line: int, momentum: Symbol) -> Lines:
    target, value = rule.step[line]
    last = value.args[-1][0] if isinstance(value, Piecewise) else value
    fresh = last.xreplace({target: Integer(0)})
    averaged = momentum * target + (1 - momentum) * fresh
    return with_line(
        rule, line, Piecewise(*value.args[:-1], (averaged, True)) if isinstance(value, Piecewise) else averaged
    )


# -- the step


def _steps(rule: Rule) -> Iterator[Edit]:
    last, lr = stepping(rule), hyper(rule, "lr")
    _, value = rule.step[last]
    yield Edit("ascends", "the step has the wrong sign", with_line(rule, last, 2 * rule.theta - value))
    relative = rule.theta + (value - rule.theta) * Abs(rule.theta)
    yield Edit("relative_step", "the step is scaled by the size of the weight", with_line(rule, last, relative))
    if lr is not None and lr in value.free_symbols:
        yield Edit("lr_missing", "lr is left out of the step", with_line(rule, last, value.xreplace({lr: Integer(1)})))
        yield Edit("lr_squared", "the step is scaled by lr twice", with_line(rule, last, value.xreplace({lr: lr**2})))
    for i, (target, e) in enumerate(rule.step):
        roots = {p: p.base if p.exp > 0 else 1 / p.base for p in e.atoms(Pow) if abs(p.exp) == Rational(1, 2)}
        for root in sorted(roots, key=str):
            if root.base.free_symbols & set(rule.state):
                yield Edit(
                    f"root_missing_{target}",
                    f"the root is missing from {target}",
                    with_line(rule, i, e.xreplace({root: roots[root]})),
                )
    for s, initial in rule.state.items():
        if sympy.sympify(initial) != 0:
            zeroed = {x: Integer(0) if x == s else e for x, e in rule.state.items()}
            yield Edit(f"zero_initial_{s}", f"{s} starts at zero instead of {initial}", None, zeroed)


# -- branches and clamps


def _branches(rule: Rule) -> Iterator[Edit]:
    for i, (target, e) in enumerate(rule.step):
        for piecewise in sorted(e.atoms(Piecewise), key=str):
            for _, guard in piecewise.args[:-1]:
                yield Edit(
                    f"{target}_unbranched",
                    f"{target} ignores the branch on {guard}",
                    with_line(rule, i, e.xreplace({piecewise: piecewise.args[-1][0]})),
                )
                if isinstance(guard, Relational) and isinstance(guard.rhs, Number) and guard.rhs > 1:
                    yield Edit(
                        "threshold_low",
                        f"the threshold {guard.rhs} is {guard.rhs - 1}",
                        everywhere(rule, put({guard: guard.func(guard.lhs, guard.rhs - 1)})),
                    )
        for clamp in sorted(e.atoms(Max, Min), key=str):
            if target in rule.state and target in clamp.args:
                continue
            for arg in clamp.args:
                rest = [a for a in clamp.args if a != arg]
                if arg.is_Symbol or arg.is_Number:
                    yield Edit(
                        f"{target}_past_{_word(arg)}",
                        f"{target} is not held at {arg}",
                        with_line(rule, i, e.xreplace({clamp: rest[0]})),
                    )


def _word(bound: Expr) -> str:
    return str(bound).replace("-", "minus_")


MISTAKES: tuple[Callable[[Rule], Iterator[Edit]], ...] = (
    _decay_of_coupled,
    _decay_of_decoupled,
    _decay_of_other,
    _eps,
    _bias,
    _betas,
    _moments,
    _momentum,
    _steps,
    _branches,
)
