"""What ordinary training must not do to an optimizer: make its parameters NaN, or have it raise at a new option."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from verifier.case import Case, Group, Refused, Subject, Trajectory
from verifier.check.alike import alike, breach, during
from verifier.check.bits import same_trajectory
from verifier.check.pairs import compared
from verifier.check.seen import RAISED, run
from verifier.check.state import unmoved_by
from verifier.floats import FP32, Mask
from verifier.record import Violation, current, place_of
from verifier.strategies import ROUND_STATE, is_eps

STEPS = 64
"""Steps of the same gradient: past where averages of decay 1/2 have converged in float64."""

FEW = 6
"""Steps where nothing converges anyway."""

FADING = 2.0**-4
"""How much smaller fading gradients are from step to step."""

ELEMENTS = 24

FADES = ("beta", "alpha", "rho")
"""What options are called that say how slowly an average forgets."""

DRAWN = ("lr", "weight_decay", "wd", "momentum")
"""What options are called whose values are drawn."""


def stays_finite(subject: Subject, case: Case) -> None:
    """Gradients between 1/2 and 3/2, and zeros among them, the same at every step, make no parameter NaN.

    Nor do gradients that fade, in 32 bits or more. With averages that forget fast too, so that they converge, and with
    a learning rate of zero, as warm-ups begin. Of other numbers that options take, only rates, decays and momenta: eps
    and coefficients keep the class's own values.
    What comes after a number so large that its square, or a sum of squares, overflows is left out: that is a rate too
    large, and no mistake of the step. Not asked where eps itself rounds to zero; of what raises, other laws tell.
    """
    signature: Any = subject.rule
    options = [signature.option(name) for name in case.hyper]
    kept = {o.name: o.default for o in options if o.kind == "float" and not o.name.startswith(DRAWN)}
    case = case.with_(hyper={**case.hyper, **kept})
    if not subject.format.round(np.array([v for name, v in case.hyper.items() if is_eps(name)])).all():
        current().notes["eps is zero in this format, and so may be a divisor"] += 1
        return
    fast = {o.name: 0.5 for o in options if o.name.startswith(FADES) and 0.5 in o.values and 0 < o.default < 1}
    resting = {name: 0.0 for name in case.hyper if name == "lr"}
    asked = [(fast, STEPS, 1.0), (resting, FEW, 1.0), ({}, FEW, 1.0)]
    if subject.format.precision >= FP32.precision:
        asked.append(({}, FEW, FADING))
    for more, steps, fading in asked:
        other = _steady(subject, case.with_(hyper={**case.hyper, **more}), steps)
        other = other.with_(grads=other.grads * fading ** np.arange(len(other.grads))[:, None])
        key = f"stays finite {sorted(other.hyper.items())} {steps} {fading}"
        if key in current().firsts:
            continue
        try:
            seen = run(subject, other)
        except Refused as no:
            current().notes[str(no)] += 1
            continue
        except Violation:  # it raises
            current().violation = None
            continue
        wrong = _made_nan(subject, seen)
        current().compared(wrong.size)
        if wrong.any():
            step, element = (int(k) for k in np.argwhere(wrong)[0])
            raise _smallest(subject, other, step, element)
        current().firsts[key] = True


def _steady(subject: Subject, case: Case, steps: int) -> Case:
    """The case as one tensor of ordinary numbers, every eighth gradient zero, and the same gradients at every step."""
    draw = np.random.default_rng(steps)
    signs = draw.choice((-1.0, 1.0), (2, ELEMENTS))
    grad = draw.uniform(0.5, 1.5, ELEMENTS) * signs[0]
    grad[::8] = 0.0
    return case.with_(
        shapes=((ELEMENTS // 2, 2),) if signature_of(subject).least_dimensions > 1 else ((ELEMENTS,),),
        theta=draw.uniform(0.5, 1.5, ELEMENTS) * signs[1],
        grads=np.tile(grad, (steps, 1)),
        groups=(),
        schedule={},
        absent=frozenset(),
        events={},
    )


def signature_of(subject: Subject) -> Any:
    """The signature that stands where a rule stands."""
    return subject.rule


def _made_nan(subject: Subject, seen: Trajectory) -> Mask:
    """Where a parameter is NaN, and no number was ever large before; shape=(steps + 1, elements)."""
    most = np.sqrt(subject.format.largest / ELEMENTS)
    with np.errstate(invalid="ignore"):
        large = np.logical_or.reduce([(np.abs(rows) > most).any(axis=1) for rows in (seen.theta, *seen.state.values())])
    return np.isnan(seen.theta) & ~np.logical_or.accumulate(large)[:, None]


def _smallest(subject: Subject, case: Case, step: int, element: int) -> Violation:
    """The violation, on that element alone and as many steps as it takes, where it shows there too."""
    alone = case.with_(
        shapes=((1, 1),) if len(case.shapes[0]) > 1 else ((1,),),
        theta=case.theta[[element]],
        grads=case.grads[:step, [element]],
    )
    if _made_nan(subject, run(subject, alone))[-1].any():
        case, element = alone, 0
    grads = case.grads[:, element]
    kept = "stays the same" if (grads == grads[0]).all() else "fades"
    what = f"a gradient that {kept}" if grads[0] else "a zero gradient"
    tensor, element = place_of(case, element)
    what += " makes a parameter NaN" + (" where lr is 0" if case.hyper.get("lr") == 0 else "")
    found: Violation = breach(what, subject, case, "nan", "a number", step, tensor=tensor, element=element)
    return found


def skips_first(subject: Subject, case: Case) -> None:
    """A first step that `found_inf` says to skip leaves no state that was never written behind."""
    unmoved_by(subject, during(case, "filled", 0), "found_inf", 1)


SCALE = 8.0
"""A power of two, so that the gradients come back exactly, and none of the scales in which a mistake cancels."""


def unscales(subject: Subject, case: Case) -> None:
    """Gradients that were multiplied by a power of two, which `grad_scale` says, make the step of those that were not.

    So do gradients where `grad_scale` and `found_inf` say that there is nothing to be done.
    """
    rounded = subject.format.round(case.grads)
    most = subject.format.largest / SCALE
    plain = case.with_(grads=np.where(np.isfinite(rounded), np.clip(rounded, -most, most), 1.0))
    for scale, what in ((1.0, "grad_scale is 1 and found_inf 0"), (SCALE, "gradients are scaled as grad_scale says")):
        other = during(plain, f"scaled:{scale:g}", 0)
        try:
            seen = run(subject, other)
        except Refused as no:
            current().notes[str(no)] += 1
            return
        with compared(other, plain):
            alike(f"steps otherwise where {what}", subject, other, seen, run(subject, plain), plain=plain)


def switched_on(subject: Subject, case: Case) -> None:
    """An option of a group that is zero at first, and is not between later steps, makes no step raise.

    Asked of each option that may be either for good; what cannot be taken from the start is not asked.
    """
    signature = signature_of(subject)
    plain = case.with_(groups=(), schedule={}, absent=frozenset(), events={})
    for name in sorted(signature.group_options):
        option = signature.option(name)
        on = next((value for value in option.values if value > 0), 0.0)
        if option.kind != "float" or not on or 0.0 not in option.values:
            continue
        off = plain.with_(hyper={**plain.hyper, name: 0.0})
        try:
            for_good = off, plain.with_(hyper={**plain.hyper, name: on})
            current().compared(sum(run(subject, one).theta.size for one in for_good))
        except Refused as no:
            current().notes[str(no)] += 1
            continue
        except Violation as found:  # it raises without any change
            if found.what != RAISED:
                raise
            current().violation = None
            continue
        changes = {2: {name: on}, 3: {name: 0.0}, 4: {name: on}}
        current().compared(run(subject, off.with_(schedule=changes)).theta.size)


def begins_in_groups(subject: Subject, case: Case) -> None:
    """An option by which the state begins acts in a group as it does in the constructor."""
    foreign, fixed = subject.run.args  # type: ignore[attr-defined]  # a partial of `torch_foreign.run`
    plain = case.with_(groups=(), schedule={}, absent=frozenset(), events={})
    plain = plain.with_(hyper={**plain.hyper, **fixed})
    own = foreign.optimizer(plain, foreign.parameters(plain)).param_groups[0]
    for name in sorted(ROUND_STATE & set(plain.hyper) & set(own)):
        option = signature_of(subject).option(name)
        value = next(v for v in (*option.values[1:], option.default) if v != plain.hyper[name])
        alone = plain.with_(hyper={**plain.hyper, name: value})
        group = plain.with_(groups=(Group(tuple(range(len(plain.shapes))), {name: value}),))
        with compared(group, alone):
            what = f"{name} of a group is not what its state begins with"
            same_trajectory(what, subject, group, run(subject, group), expected := run(subject, alone))
        if len(plain.shapes) > 1 and "groups" not in signature_of(subject).exempt:
            _begins_beside(what, subject, alone, {name: value, "": plain.hyper[name]}, expected)


def _begins_beside(what: str, subject: Subject, alone: Case, values: Mapping[str, float], expected: Trajectory) -> None:
    """The state of each group begins with its own option, where the one before it has another.

    `values`: the option and the value that the second group has of it, and the first group's; `expected`: the run of
    `alone`, in which all tensors have the second group's.
    """
    (name, value), (_, first) = values.items()
    rest = tuple(range(1, len(alone.shapes)))
    groups = (Group((0,), {name: first}), Group(rest, {name: value}))
    both = alone.with_(hyper={**alone.hyper, name: first}, groups=groups)
    index = both.elements_of(groups[1])
    seen = run(subject, both)
    rows = {n: r[:, index] for n, r in seen.state.items() if n in expected.state}
    wanted = Trajectory(expected.theta[:, index], {n: expected.state[n][:, index] for n in rows})
    part = alone.with_(shapes=alone.shapes[1:], theta=alone.theta[index], grads=alone.grads[:, index])
    with compared(both, alone, here=index, there=index):
        same_trajectory(what, subject, part, Trajectory(seen.theta[:, index], rows), wanted)
