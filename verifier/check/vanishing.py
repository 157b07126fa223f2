"""What has no effect where there is nothing to act on, and what has one: momentum, decay, a past, a look aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from verifier.case import Case, Subject, Trajectory
from verifier.check.alike import breach, during, middle
from verifier.check.changes import fullest, ordinary
from verifier.check.coarser import coarser_run, farther_than_rounding
from verifier.check.direction import GRAD, LOOKS, beside, same_run
from verifier.check.judged import Judgement
from verifier.check.pairs import compared
from verifier.check.seen import asked_once, attempted
from verifier.floats import FP32, same_bits
from verifier.record import Pair, Violation, current, place_of, show

AVERAGES = ("beta", "momentum")
"""What options are called, at least in the beginning, by which steps depend on earlier gradients."""

LARGER = 2.0**10
"""How much larger parameters are that a decay must feel."""

NEXT_TO_NONE = 2.0**-70
"""A momentum whose share of a sum of ordinary numbers is lost in rounding, in float64 too."""


def remembers(subject: Subject, case: Case) -> None:
    """With a beta or a momentum that is not zero, some step depends on gradients before its own.

    A step is taken once more by an optimizer that begins where it began, and must end elsewhere, or leave another
    state, under the defaults or another combination of options. Large gradients come before a small one that turns.
    """
    signature: Any = subject.rule
    if not asked_once(subject, case, "what steps remember"):
        return
    options = [o for o in signature.options if o.kind == "float" and o.name.startswith(AVERAGES)]
    names = [o.name for o in options if o.default < 1]  # what is kept of an average is less than all of it
    if not names:
        current().says_nothing("it has no beta and no momentum")
    forgetful: list[tuple[Case, Case]] = []
    for hyper in combinations(signature):
        if not any(hyper[name] for name in names):
            continue
        grads = np.outer((64.0, 32.0, -1.0), GRAD)
        whole = beside(subject, case, {**case.hyper, **hyper}, grads)
        ran = attempted(subject, whole)
        if ran is None or not np.isfinite(ran.theta).all() or same_bits(ran.theta[-1], ran.theta[-2]).all():
            continue
        last = whole.with_(theta=ran.theta[-2], grads=grads[-1:])
        anew = attempted(subject, last)
        if anew is None:
            continue
        current().compared(ran.theta.shape[1])
        kept = [(ran.state[n][-1], anew.state[n][-1]) for n in ran.state if n in anew.state]
        if not all(same_bits(*pair).all() for pair in ((ran.theta[-1], anew.theta[-1]), *kept)):
            _remembers_squares(subject, case, names)
            return
        forgetful.append((whole, last))
    if forgetful:
        whole, last = forgetful[0]
        acting = next(n for n in names if whole.hyper[n])
        with compared(whole, last, unlike=True):
            what = f"no step depends on the gradients before it, whatever {acting} is"
            raise breach(what, subject, whole, "the step of an optimizer that begins there", "another step", 3)


def _remembers_squares(subject: Subject, case: Case, names: Sequence[str]) -> None:
    """Where there are two betas, and the first is zero, the second remembers: as an average of squares does.

    The first step goes nowhere to speak of, so that what its gradient has left is what later steps differ by. Asked
    where the second beta changes anything, and steps are as long for larger gradients.
    """
    signature: Any = subject.rule
    if [n for n in names if n.startswith("beta")] != ["beta1", "beta2"] or "lr" not in signature.group_options:
        return
    if 0.0 not in signature.option("beta1").values:
        return
    hyper = {**case.hyper, **signature.defaults, "beta1": 0.0}
    still = {1: {"lr": hyper["lr"] * NEXT_TO_NONE}, 2: {"lr": hyper["lr"]}}
    cases = []
    turning = np.outer((-2.0, 1.0, -0.5), GRAD)
    larger, otherwise = np.array(GRAD) * 64.0, np.array(GRAD) * (64.0, 8.0, 4.0, 16.0)  # some read directions alone
    cases = [
        beside(subject, case, {**hyper, "beta2": beta2}, np.vstack([first, later])).with_(schedule=still)
        for beta2, first, later in (
            (hyper["beta2"], larger, turning),
            (hyper["beta2"], otherwise, turning),
            (0.5, larger, turning),
            (hyper["beta2"], larger, 4 * turning),
        )
    ]
    one, other, changed, longer = (attempted(subject, each) for each in cases)
    if one is None or other is None or changed is None or longer is None or not np.isfinite(one.theta).all():
        return
    if same_run(one, longer):
        current().notes["gradients are clipped to one size, however large they are"] += 1
        return
    current().compared(one.theta.size)
    rows = [(one.state[n][2:], other.state[n][2:]) for n in one.state if n in other.state]
    forgets = all(same_bits(*pair).all() for pair in ((one.theta, other.theta), *rows))
    lengths = [np.abs(ran.theta[2] - ran.theta[1]) for ran in (one, longer)]
    divides = (lengths[1] < 2 * lengths[0]).all()  # where gradients differ from their average, it may be by nothing
    if forgets and divides and not same_run(one, changed) and not _kept_at_full_rate(subject, cases[0], cases[1]):
        if _tells_small_ones(subject, cases[0], cases[1]):
            current().notes["large gradients are told apart no more, small ones are"] += 1
            return
        with compared(cases[0], cases[1], unlike=True):
            what = "no step depends on gradients before it through beta2, whatever that is"
            raise breach(what, subject, cases[0], "the steps after another gradient", "other steps", cases[0].steps)


def _tells_small_ones(subject: Subject, one: Case, other: Case) -> bool:
    """Whether steps do depend on the first gradient where it is small: what clips gradients makes large ones alike."""
    share = np.vstack([np.full(one.grads.shape[1], 2.0**-12), *np.ones_like(one.grads[1:])])
    ran, beside_it = (attempted(subject, case.with_(grads=case.grads * share)) for case in (one, other))
    if ran is None or beside_it is None:
        return False
    rows = [(ran.state[n][2:], beside_it.state[n][2:]) for n in ran.state if n in beside_it.state]
    return not all(same_bits(*pair).all() for pair in ((ran.theta, beside_it.theta), *rows))


def _kept_at_full_rate(subject: Subject, one: Case, other: Case) -> bool:
    """Whether the first gradient stays in the state if its step is taken in full: some weigh gradients by the rate."""
    ran, beside_it = (attempted(subject, case.with_(schedule={})) for case in (one, other))
    if ran is None or beside_it is None:
        return True
    return any(not same_bits(ran.state[n][-1], beside_it.state[n][-1]).all() for n in ran.state if n in beside_it.state)


def combinations(signature: Any) -> Iterator[Mapping[str, float]]:
    """The class's own options, and some other combinations of them."""
    yield signature.defaults
    yield from signature.configurations[:LOOKS]


def vanishes(subject: Subject, case: Case) -> None:
    """Steps with next to no momentum are those without, under the defaults, or with any one switch turned.

    So are those with next to no dampening, where there is momentum.
    """
    signature: Any = subject.rule
    names = [o.name for o in signature.options if o.name == "momentum" and o.kind == "float"]
    if not names or not asked_once(subject, case, "little momentum"):
        return
    for hyper in (signature.defaults, *signature.plain):
        without = ordinary(subject, case.with_(hyper={**case.hyper, **hyper, "momentum": 0.0}))
        little = without.with_(hyper={**without.hyper, "momentum": NEXT_TO_NONE})
        expected, seen = attempted(subject, without), attempted(subject, little)
        if expected is None or seen is None or not np.isfinite(expected.theta).all():
            continue
        if _waits(subject, little, without):
            current().notes["other options act with momentum alone"] += 1
            continue
        what = "steps with next to no momentum are not those without"
        but_for_rounding(what, subject, (little, seen), (without, expected))
    _without_momentum(subject, case)
    _little_dampening(subject, case)


def _little_dampening(subject: Subject, case: Case) -> None:
    """With momentum, next to no dampening is none: the share of gradients that it leaves is one, and not itself."""
    signature: Any = subject.rule
    if not any(o.name == "dampening" and o.kind == "float" for o in signature.options):
        return
    momentum = next((v for v in signature.option("momentum").values if v), 0.0)
    on = {**case.hyper, **signature.defaults, "momentum": momentum, "dampening": 0.0}
    without = ordinary(subject, case.with_(hyper=on))
    little = without.with_(hyper={**without.hyper, "dampening": NEXT_TO_NONE})
    expected, seen = attempted(subject, without), attempted(subject, little)
    if expected is not None and seen is not None and np.isfinite(expected.theta).all():
        what = "steps with next to no dampening are not those without"
        but_for_rounding(what, subject, (little, seen), (without, expected))


OF_MOMENTUM = ("dampening", "nesterov")
"""Options that say how a momentum acts."""


def _without_momentum(subject: Subject, case: Case) -> None:
    """Where there is no momentum, what says how it acts changes nothing; under the class's own options.

    Or it changes what it changes beside next to no momentum: dampened gradients are then no matter of the momentum.
    """
    signature: Any = subject.rule
    for option in signature.options:
        if option.name not in OF_MOMENTUM or option.default != 0:
            continue
        value = next((v for v in option.values if v), 0.0)
        without = ordinary(subject, case.with_(hyper={**case.hyper, **signature.defaults, "momentum": 0.0}))
        turned = without.with_(hyper={**without.hyper, option.name: value})
        expected, seen = attempted(subject, without), attempted(subject, turned)
        if expected is None or seen is None or not np.isfinite(expected.theta).all():
            current().notes[f"{option.name} cannot be chosen without momentum"] += 1
            continue
        little = attempted(subject, turned.with_(hyper={**turned.hyper, "momentum": NEXT_TO_NONE}))
        far = None if little is None else farther_than_rounding(subject, turned, seen, little.theta)
        if far is None or not far.any():
            continue
        what = f"{option.name} changes steps although there is no momentum"
        but_for_rounding(what, subject, (turned, seen), (without, expected))


def _waits(subject: Subject, little: Case, without: Case) -> bool:
    """Whether an option that is on acts with the momentum and not without: it is no momentum alone that begins."""
    signature: Any = subject.rule
    for option in signature.options:
        other = next((v for v in option.values if v != option.default), option.default)
        if option.kind != "float" or not option.default or option.name == "momentum" or other == option.default:
            continue
        pairs = [(one, one.with_(hyper={**one.hyper, option.name: other})) for one in (little, without)]
        ran = [[attempted(subject, one) for one in pair] for pair in pairs]
        acts = [not (a and b and same_bits(a.theta, b.theta).all()) for a, b in ran]
        if acts == [True, False]:
            return True
    return False


def looks_aside(subject: Subject, case: Case) -> None:
    """eval() and train() between two steps lead back to where training was, but for rounding."""
    signature: Any = subject.rule
    if not all(callable(getattr(signature.build, name, None)) for name in ("eval", "train")):
        current().notes["it has no eval() and train()"] += 1
        return
    other = during(case, "evaluated", middle(case))
    seen, expected = attempted(subject, other), attempted(subject, case)
    if seen is None or expected is None:
        return
    what = "eval() and train() between two steps leave it elsewhere"
    but_for_rounding(what, subject, (other, seen), (case, expected))


def decays_matrices(subject: Subject, case: Case) -> None:
    """A weight_decay that acts on vectors acts on matrices: what is left out on purpose are vectors."""
    signature: Any = subject.rule
    names = [name for name in ("weight_decay", "wd") if name in signature.decays]
    if signature.least_dimensions > 1 or signature.most_dimensions < 2 or not names:
        return
    if not asked_once(subject, case, "matrices that decay"):
        return
    draw = np.random.default_rng(3)
    theta, grads = draw.uniform(0.25, 1, 12), draw.uniform(0.25, 1, (2, 12))
    on = {**case.hyper, **signature.defaults, **{name: signature.decays[name] for name in names}}
    vector = case.with_(
        shapes=((12,),), theta=theta, grads=grads, hyper=on, groups=(), schedule={}, absent=frozenset(), events={}
    )
    acts = {}
    for shape in ((12,), (4, 3)):
        with_decay = vector.with_(shapes=(shape,))
        without = with_decay.with_(hyper={**on, **dict.fromkeys(names, 0.0)})
        seen, expected = attempted(subject, with_decay), attempted(subject, without)
        if seen is None or expected is None:
            return
        current().compared(12)
        acts[shape] = with_decay, without, not same_bits(seen.theta, expected.theta).all()
    (*_, vectors), (one, other, matrices) = acts.values()
    if vectors and not matrices:
        with compared(one, other, unlike=True):
            what = f"{names[0]} acts on vectors and not on matrices"
            raise breach(what, subject, one, "the steps without it", "other steps, as of a vector", 2)


def reads_parameters(subject: Subject, case: Case) -> None:
    """What weight decay adds to steps depends on the parameters: not on gradients, or averages of them, alone.

    Breached where it moves nothing without gradients, and moves ordinary steps alike from parameters of other signs and
    sizes, in state to the bit, and in parameters but for what is lost where they are larger. Of its defaults.
    """
    signature: Any = subject.rule
    if not asked_once(subject, case, "decay that reads parameters"):
        return
    on = {**case.hyper, **signature.defaults, **signature.decays}
    off = {**on, **dict.fromkeys(signature.decays, 0.0)}
    fading = np.outer((1.0, -0.25, 0.5, 0.125), GRAD)
    resting = [beside(subject, case, hyper, np.zeros((8, 4))) for hyper in (on, off)]
    with_decay, without = (attempted(subject, one) for one in resting)
    if with_decay is None or without is None or not same_bits(with_decay.theta, without.theta).all():
        current().says_nothing("weight decay moves parameters that have gradients of zero: it reads them")
        return
    effects = []
    for factor in (1.0, -LARGER):
        cases = [beside(subject, case, hyper, fading) for hyper in (on, off)]
        ran = [attempted(subject, one.with_(theta=factor * one.theta)) for one in cases]
        if any(one is None or not np.isfinite(one.theta).all() for one in ran):
            return
        effects.append([one for one in ran if one is not None])
    (one, other), (far_one, far_other) = effects
    current().compared(one.theta.size)
    names = sorted(set(one.state) & set(far_one.state))
    largest = np.maximum(np.abs(far_one.theta), np.abs(far_other.theta))
    lost = 2 * len(one.theta) * largest * 2.0 ** (1 - subject.format.precision)  # an ulp of both runs, in every step
    moved, far_moved = one.theta - other.theta, far_one.theta - far_other.theta
    same = (np.abs(moved - far_moved) <= lost).all()
    if same and (np.abs(moved) > lost).any() and all(same_bits(one.state[n], far_one.state[n]).all() for n in names):
        with compared(*resting, unlike=True):
            what = f"what {next(iter(signature.decays))} adds to steps does not depend on the parameters"
            raise breach(what, subject, resting[0], "no step without gradients", "steps towards zero", 8)


def formats_agree(subject: Subject, case: Case) -> None:
    """A run in float64 is that in float32, but for rounding: no farther from it than 16 bits take it."""
    signature: Any = subject.rule
    if subject.format is not FP32:
        current().says_nothing("float32 is compared with float64, once")
    if subject.format is not FP32 or not current().first("two formats", case):
        return
    if signature.unavailable.get("float64") or signature.unavailable.get(f"{subject.implementation} float64"):
        current().notes["it has no float64"] += 1
        return
    for hyper in (signature.defaults, fullest(signature)):
        plain = ordinary(subject, case.with_(hyper={**case.hyper, **hyper}))
        wider = during(plain, "implementation:float64", 0)
        seen, expected = attempted(subject, wider), attempted(subject, plain)
        if seen is None or expected is None or not np.isfinite(expected.theta).all():
            continue
        what = "a run in float64 is not that in float32, up to what rounding explains"
        but_for_rounding(what, subject, (wider, seen), (plain, expected))


def but_for_rounding(what: str, subject: Subject, one: tuple[Case, Trajectory], other: tuple[Case, Trajectory]) -> None:
    """Both runs have the same parameters, or such as the next coarser format takes farther apart.

    A script holds them to as much as the other run is taken by that format.
    """
    (case, seen), (plain, expected) = one, other
    current().compared(seen.theta.size)
    if same_bits(seen.theta, expected.theta).all():
        return
    far = farther_than_rounding(subject, plain, expected, seen.theta)
    coarse = coarser_run(subject, plain, expected)
    if far is None or coarse is None:
        current().undecided[f"{what}; {Judgement.UNKNOWN.value}"] += 1
    elif far.any():
        step, element = (int(k) for k in np.argwhere(far)[0])
        tensor, inside = place_of(plain, element)
        value, should = (show(float(run.theta[step, element])) for run in (seen, expected))
        found: Violation = breach(what, subject, case, value, should, step, tensor=tensor, element=inside)
        found.pair = Pair(case, plain, reach=_reach(coarse, expected, seen, element))
        raise found


def _reach(coarse: Trajectory, expected: Trajectory, seen: Trajectory, element: int) -> float:
    """How far a coarser format takes a run at most, relative to each element, for one of them."""
    largest = np.maximum(np.abs(seen.theta), np.abs(expected.theta)).max(axis=0)
    scale = np.where(largest > 0, largest, 1.0)
    return float((np.abs(coarse.theta - expected.theta) / scale).max() * scale[element])
