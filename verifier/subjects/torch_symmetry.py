"""What an optimizer does of itself: where it moves what rests, prefers a sign, or has an option that does nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from verifier.case import Case, Refused, Trajectory
from verifier.floats import FORMATS, same_bits
from verifier.strategies import IDLE
from verifier.subjects.torch_closures import evaluations
from verifier.subjects.torch_conventions import SHAPED, case_of
from verifier.subjects.torch_foreign import Foreign
from verifier.subjects.torch_life import Life
from verifier.subjects.torch_signature import Signature

Taken = Callable[[dict[str, float]], bool]
Note = tuple[str, str]

STEPS = 8
"""Steps of a run in which an option must show: past the periods and warm-ups that small whole numbers set."""


def _ran(signature: Signature, case: Case) -> Trajectory:
    return Life(Foreign(signature, FORMATS[signature.widest]), case).run()


def moves_at_rest(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """Parameters that never had a gradient other than zero, nor any decay, and move."""
    off = dict.fromkeys(signature.decays, 0.0)
    case = case_of(signature, [shape], {**signature.defaults, **off})
    if off and not taken(dict(case.hyper)):
        return
    seen = _ran(signature, case.with_(grads=np.zeros_like(case.grads))).theta
    if not same_bits(seen[-1], seen[0]).all():
        yield "convention", "moves parameters whose gradients have all been zero, without weight decay"


def prefers_a_sign(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """Parameters and gradients of the other sign, which do not go the mirrored way."""
    case = case_of(signature, [shape], signature.defaults, 4)
    plain = _ran(signature, case).theta
    mirrored = _ran(signature, case.with_(theta=-case.theta, grads=-case.grads)).theta
    if not (-mirrored == plain).all() and not np.isnan(plain).any():
        yield "convention", "is not symmetric: negated parameters and gradients do not take the negated steps"


def skips_what_is_not_finite(signature: Signature, shape: tuple[int, ...]) -> bool:
    """Whether one gradient that is not finite keeps its whole tensor, of several elements, where it was in that step.

    The tensor moves in the steps before and after it.
    """
    case = case_of(signature, [shape], signature.defaults)
    for value in (np.nan, np.inf, -np.inf):
        grads = case.grads.copy()
        grads[1, -1] = value
        try:
            seen = _ran(signature, case.with_(grads=grads)).theta
        except Exception:  # foreign code, which may refuse such gradients
            return False
        still = [bool(same_bits(seen[k], seen[k - 1]).all()) for k in (1, 2, 3)]
        if still != [False, True, False]:
            return False
    return True


def skips_zero_gradients(signature: Signature, shape: tuple[int, ...], hyper: Mapping[str, float]) -> bool:
    """Whether a gradient of zeros keeps its whole tensor where it was, which one zero does not do to its element."""
    still = []
    for part in (slice(None), slice(-1, None)):
        case = case_of(signature, [shape], hyper)
        grads = case.grads.copy()
        grads[2, part] = 0
        seen = _ran(signature, case.with_(grads=grads)).theta[:, part]
        still.append([bool(same_bits(seen[k + 1], seen[k]).all()) for k in (0, 1, 2)])
    return still == [[False, False, True], [False, False, False]]


def skipped(
    signature: Signature, shape: tuple[int, ...], combinations: Iterable[Mapping[str, float]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What keeps a whole tensor where it is for a step, in words, and the contracts that then say nothing of it."""
    if skips_what_is_not_finite(signature, shape):
        why = "a tensor whose gradient has NaN or infinity takes no step, with all its elements"
        yield why, ("nan_stays", "infinity_stays")
    for hyper in combinations:
        try:
            if not skips_zero_gradients(signature, shape, hyper):
                continue
        except Exception:  # foreign code on an unusual configuration; the contracts will meet it again
            continue
        yield "a tensor whose gradient is zero everywhere takes no step, with all its elements", SHAPED
        return


def steps_in_pairs(signature: Signature, shape: tuple[int, ...]) -> bool:
    """Whether a parameter is moved only beside another one: alone it rests, two move, and of three the last rests."""
    moved = []
    for count in (1, 2, 3):
        case = case_of(signature, [(3,) * max(1, len(shape))] * count, signature.defaults)
        try:
            seen = _ran(signature, case).theta
        except Exception:  # foreign code, which may refuse such parameters
            return False
        still = (same_bits(seen[-1, part], seen[0, part]).all() for part in case.slices)
        moved.append([not one for one in still])
        if moved[0][0]:
            return False
    return moved == [[False], [True, True], [True, True, False]]


LOOKS = 400
"""Combinations that are looked at for options that do nothing."""


def idle_options(signature: Signature, shape: tuple[int, ...], taken: Taken) -> Iterator[Note]:
    """Options of which no value changed a bit, beside any combination of the others, in runs of vectors and matrices.

    Gradients of every other element fade, so that running maxima show. What may count more steps than are taken here
    is left out; nothing is said of steps that evaluate their closure again: here the gradients are the same then. Nor
    of classes of very many options, whose combinations would take minutes.
    """
    if evaluations(signature, case_of(signature, [shape], signature.defaults)) > 1:
        return
    shapes = [shape, *(s for s in ((4, 3),) if signature.least_dimensions <= 2 <= signature.most_dimensions)]
    idle, looks = [], iter(range(LOOKS))
    for option in signature.options:
        values = option.values[:3]
        if len(values) < 2 or option.kind == "word" or min(values) > STEPS:
            continue
        bases = (signature.defaults, *signature.configurations)
        shows = False
        for base in bases:
            if next(looks, None) is None:
                return
            if shows := _shows(signature, shapes, dict(base), option.name, values):
                break
        if not shows:
            idle.append(option.name)
    if idle:
        yield "note", IDLE.format(", ".join(idle))


def _shows(
    signature: Signature,
    shapes: list[tuple[int, ...]],
    base: dict[str, float],
    name: str,
    values: tuple[float, ...],
) -> bool:
    """Whether two values of an option give different runs, or one of them none."""
    runs = []
    for value in values:
        case = case_of(signature, shapes, {**base, name: value}, STEPS)
        grads = case.grads.copy()
        grads[:, 1::2] *= 16.0 ** -np.arange(STEPS, dtype=np.float64)[:, None]
        try:
            runs.append(_ran(signature, case.with_(grads=grads)))
        except Refused:
            continue
        except Exception:  # foreign code: a value that makes it raise does something
            return True
    return any(not _same(one, runs[0]) for one in runs[1:])


def _same(one: Trajectory, other: Trajectory) -> bool:
    """Whether two runs went through the same parameters and the same state, an average of the parameters among it."""
    if one.state.keys() != other.state.keys() or not same_bits(one.theta, other.theta).all():
        return False
    return all(same_bits(one.state[name], other.state[name]).all() for name in one.state)
