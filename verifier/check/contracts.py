"""What torch's documentation promises of every optimizer, as assertions about runs: no formula, no tolerance."""

from __future__ import annotations

import math

import numpy as np

from verifier.case import Case, Group, Refused, Subject, Trajectory
from verifier.check.alike import alike, breach, during
from verifier.check.coarser import farther_than_rounding
from verifier.check.enclosed import steps_enclosed
from verifier.check.judged import Judgement, decided, judged, leaves_coarse
from verifier.check.pairs import compared
from verifier.check.seen import RAISED, bits, keeps_norm, run
from verifier.check.sizes import squared
from verifier.check.turns import unless_in_turns
from verifier.floats import FP32, FP64, Array, Mask, same_bits
from verifier.record import Violation, current, show
from verifier.rule import Rule


def stays_in_element(subject: Subject, case: Case, value: float) -> None:
    """A gradient of NaN or infinity in one element changes no other element, and is not swallowed."""
    if not case.steps:
        return
    sizes = np.concatenate([np.arange(s.start, s.stop) for s in case.slices])
    element = int(sizes[len(sizes) // 2])
    tensor = next(k for k, s in enumerate(case.slices) if s.start <= element < s.stop)
    step = next((k for k in range(1, case.steps + 1) if (k, tensor) not in case.absent), None)
    if step is None:
        return
    grads = case.grads.copy()
    grads[step - 1, element] = value
    other = case.with_(grads=grads)
    plain, seen = run(subject, case), run(subject, other)
    elsewhere = np.arange(len(case.theta)) != element
    what = f"a gradient of {value} in tensor {tensor}, element {element - case.slices[tensor].start} reaches others"
    with compared(other, case, here=(others := np.flatnonzero(elsewhere)), there=others):
        for k in range(case.steps + 1):
            bits(what, subject, other, seen.theta[k], plain.theta[k], k, elsewhere)
    touched = [seen.theta[step:, element], *(rows[step:, element] for rows in seen.state.values())]
    if np.isnan(value) and all(np.isfinite(rows).all() for rows in touched):
        if not _reads_gradient(subject, case, step, element, plain):
            current().notes["no gradient moves an element, which then reads none, NaN or not"] += 1
            return
        place = {"tensor": tensor, "element": element - case.slices[tensor].start}
        value = float(seen.theta[step][element])
        raise breach("a NaN gradient is swallowed", subject, other, show(value), "nan", step, **place)


def _reads_gradient(subject: Subject, case: Case, step: int, element: int, plain: Trajectory) -> bool:
    """Whether another finite gradient in one step makes an element, or state beside it, another. `plain`: the run."""
    grads = case.grads.copy()
    grads[step - 1, element] = -16 * (1 + abs(grads[step - 1, element]))
    seen = run(subject, case.with_(grads=grads))
    rows = [(seen.theta, plain.theta), *((seen.state[n], plain.state[n]) for n in seen.state if n in plain.state)]
    return not all(same_bits(one[:, element], other[:, element]).all() for one, other in rows)


def partitioned(subject: Subject, case: Case) -> None:
    """How elements are cut into tensors does not matter: 0-dim ones, empty ones in between; unless they take turns."""
    unless_in_turns(_partitioned, subject, case)


def _partitioned(subject: Subject, case: Case) -> None:
    """The case with every tensor cut into pieces."""
    shapes: list[tuple[int, ...]] = []
    place: dict[int, list[int]] = {}
    for k, size in enumerate(case.sizes):
        pieces = _pieces(size, empty=getattr(subject.rule, "takes_empty", True))
        place[k] = list(range(len(shapes), len(shapes) + len(pieces)))
        shapes += pieces
    groups = tuple(Group(tuple(n for k in g.tensors for n in place[k]), g.hyper) for g in case.all_groups)
    absent = frozenset((step, n) for step, k in case.absent for n in place[k])
    other = case.with_(
        shapes=tuple(shapes), groups=groups, absent=absent, layout="contiguous", grad_layout="contiguous"
    )
    what = "depends on how elements are cut into tensors"
    whole = case.with_(groups=case.all_groups)

    with compared(other, whole):
        alike(what, subject, other, run(subject, other), run(subject, whole), plain=whole)


def _pieces(size: int, *, empty: bool) -> list[tuple[int, ...]]:
    """The shapes a tensor of `size` elements is cut into: a single number, the rest, and an empty one if may be."""
    if size == 0:
        return [(0,)]
    rest: list[tuple[int, ...]] = [(), (size - 1,)] if size > 1 else [()]
    return [(0,), *rest] if empty else rest


def acts_on_all(subject: Subject, case: Case) -> None:
    """Every parameter of a group is treated alike, whatever its shape: weights, biases and single numbers.

    All elements get the value and the gradients of the first, so all must move as one, unless tensors take turns.
    """
    unless_in_turns(_acts_on_all, subject, case)


def _acts_on_all(subject: Subject, case: Case) -> None:
    """The first element in tensors of several shapes."""
    shapes = ((3, 2), (4,), (), (1, 1, 2), (1,))
    theta, grads = np.full(14, case.theta[0]), np.repeat(case.grads[:, :1], 14, axis=1)
    other = case.with_(shapes=shapes, theta=theta, grads=grads, groups=(), absent=frozenset())
    seen = run(subject, other)
    expected = Trajectory(np.repeat(seen.theta[:, :1], 14, axis=1))
    with compared(other, other, there=np.zeros(14, dtype=int)):
        alike("parameters of one group are treated differently", subject, other, seen, expected)


def in_company(subject: Subject, case: Case, dtype: str) -> None:
    """A parameter of another dtype in the same list changes nothing for the others.

    A foreach implementation may leave such lists to the for-loop, whose bits are then those to be had. Where no rule
    can be read, what rounding explains is undecided.
    """
    extra = case.theta[: case.sizes[0]]
    count = len(case.shapes)
    groups = tuple(Group((*g.tensors, count) if 0 in g.tensors else g.tensors, g.hyper) for g in case.all_groups)
    other = case.with_(
        shapes=(*case.shapes, case.shapes[0]),
        theta=np.concatenate([case.theta, extra]),
        grads=np.concatenate([case.grads, case.grads[:, : len(extra)]], axis=1),
        groups=groups,
        events={0: (f"dtype:{count}:{dtype}",)},
    )
    alone = case.with_(groups=case.all_groups)
    seen, plain = run(subject, other), run(subject, alone)
    ours = np.arange(len(other.theta)) < len(case.theta)
    pad = np.zeros(len(extra))
    what = f"a {dtype} parameter in the list changes the others"
    with compared(other, alone, here=np.flatnonzero(ours), there=np.flatnonzero(ours)):
        if subject.implementation == "foreach" and not same_bits(seen.theta[:, ours], plain.theta).all():
            loop = run(subject, during(alone, "implementation:forloop", 0))
            plain = loop if same_bits(seen.theta[:, ours], loop.theta).all() else plain
        try:
            for step in range(case.steps + 1):
                expected: Array = np.concatenate([plain.theta[step], pad])
                bits(what, subject, other, seen.theta[step], expected, step, ours)
        except Violation as found:  # matrices of one shape may be multiplied as a batch, whose last bits are others
            if isinstance(subject.rule, Rule) or judged(subject, alone) is not Judgement.UNKNOWN:
                raise
            far = farther_than_rounding(subject, alone, plain, seen.theta[:, ours])
            told = far is not None and bool(far.any())
            decided(what, Judgement.OTHERWISE if told else Judgement.UNKNOWN, found)


def sparse_as_dense(subject: Subject, case: Case) -> None:
    """A sparse gradient with duplicate entries acts as the dense gradient it stands for."""
    if getattr(subject.rule, "can_maximize", False) and not case.maximize:
        sparse_as_dense(subject, case.with_(maximize=True))
    plain = case.with_(grad_layout="contiguous", absent=frozenset())
    seen, other = None, plain
    for one in (plain, _undecayed(subject, plain)):  # decay is often refused, since it would make a gradient dense
        other = during(one, "sparse", 0)
        try:
            plain, seen = one, subject.run(other)
            break
        except Exception as no:  # foreign code: whatever it raises, it does not take sparse gradients
            current().notes[f"takes no sparse gradients: {no}"] += 1
    if seen is None:
        return
    what = "a sparse gradient acts otherwise than the dense one"
    with compared(other, plain):
        alike(what, subject, other, seen, run(subject, plain), scalars=True)


def _undecayed(subject: Subject, case: Case) -> Case:
    """The case without weight decay, in any group and at any step."""
    names = getattr(subject.rule, "decays", ())
    off = {name: 0.0 for name in (*names, "weight_decay") if name in case.hyper}
    groups = tuple(Group(g.tensors, {n: v for n, v in g.hyper.items() if n not in off}) for g in case.groups)
    schedule = {step: {n: v for n, v in table.items() if n not in off} for step, table in case.schedule.items()}
    return case.with_(hyper={**case.hyper, **off}, groups=groups, schedule=schedule)


def reads_all(subject: Subject, case: Case) -> None:
    """A step that reads whole tensors reads all of each: if one part of a tensor moves the rest of it, every part does.

    The tensor repeats one part eight times, so that all parts have one norm. One part after the other is made larger,
    in the gradients of the last step or from the start, and whether anything outside it moves otherwise must have one
    answer. As a vector, and as a matrix whose rows are of one part each.
    """
    if "nan_stays" not in getattr(subject.rule, "exempt", {}) or subject.format.precision < FP32.precision:
        current().notes["an element's step reads no other element, or this format hides what it reads"] += 1
        return
    most, least = (getattr(subject.rule, f"{end}_dimensions", default) for end, default in (("most", 5), ("least", 0)))
    switches = [o.name for o in getattr(subject.rule, "options", ()) if o.kind == "switch"]
    told = ["", *(f" where {name} = {case.hyper.get(name)}" for name in switches)]
    fresh = any([current().first(f"whole tensors{setting}", case) for setting in told])  # of every one, not up to one
    moved = False
    for part in (5, 160):
        shapes = [shape for shape in ((8 * part,), (8 * part // 5, 5)) if least <= len(shape) <= most]
        if not fresh:
            shapes = shapes[:1] if part == 5 else []
        elif part > 5 and not moved:
            current().notes["no part of a tensor of 40 moves the rest: none of more than 40 is asked"] += 1
            break
        for shape in shapes:
            try:
                if part > 5 and squared(subject, case, (40,) if len(shape) == 1 else (8, 5)):
                    current().notes["its state grows by the square of a tensor: none of more than 40 is asked"] += 1
                    continue
                moved |= _reads_all_of(subject, case, shape, part)
            except Violation as found:
                if found.what != RAISED:
                    raise
                current().violation = None  # a matrix of equal rows may have no root: which sizes step is another law's
                current().notes["a step of a tensor made of equal parts raises"] += 1


def _reads_all_of(subject: Subject, case: Case, shape: tuple[int, ...], part: int, steps: int = 2) -> bool:
    """`reads_all` of one shape, eight parts of `part` elements; whether anything moves what is outside of it.

    What two steps show, five must show as well, and they are asked where two show nothing: where the second is the
    first that is taken, and as long for every gradient, nothing but rounding is seen in it.
    """
    draw = np.random.default_rng(part)
    theta, grads = draw.uniform(0.25, 1, part), draw.uniform(0.25, 1, (steps, part))
    signs = draw.choice((-1.0, 1.0), (steps + 1, part))
    plain = case.with_(
        shapes=(shape,),
        theta=np.tile(theta * signs[0], 8),
        grads=np.tile(grads * signs[1:], (1, 8)),
        groups=(),
        schedule={},
        absent=frozenset(),
    )
    source, moved = run(subject, plain), False
    for kind in ("gradients", "parameters"):
        halves = [_larger(plain, kind, np.arange(8 * part) // part // 4 == half) for half in (0, 1)]
        current().compared(8 * part)
        if not any(_outside(subject, other, source, inside)[1] for other, inside in halves):
            continue  # nothing reads across the middle: a part for each of eight is for those of whom something does
        asked = [_larger(plain, kind, np.arange(8 * part) // part == number) for number in range(8)]
        seen = [_outside(subject, other, source, inside) for other, inside in asked]
        answers = [answer for _, answer in seen]
        if all(answers) or not any(answers):
            moved |= any(answers)
            continue
        if steps == 2:
            moved = False
            break
        if not any(_moved(subject, plain, source, theta, k, part) for k, (theta, answer) in enumerate(seen) if answer):
            current().undecided["parts of a tensor move the rest of it by no more than rounding"] += 1
            return True
        where = ", ".join(f"{k * part}-{(k + 1) * part - 1}" for k, answer in enumerate(answers) if not answer)
        what = f"a step reads some elements of a tensor of {8 * part}, and not others"
        raise breach(what, subject, plain, f"{kind} of {where} move nothing else", "what others do, these do")
    return moved or (steps == 2 and _reads_all_of(subject, case, shape, part, steps=5))


def _larger(plain: Case, kind: str, inside: Mask) -> tuple[Case, Mask]:
    """The case with the gradients of its last step, or its parameters, larger where `inside`; and where that is."""
    if kind == "parameters":
        return plain.with_(theta=plain.theta * np.where(inside, 64.0, 1.0)), inside
    last = np.arange(plain.steps)[:, None] == plain.steps - 1
    return plain.with_(grads=plain.grads * np.where(inside & last, 64.0, 1.0)), inside


def _outside(subject: Subject, other: Case, source: Trajectory, inside: Mask) -> tuple[Array, bool]:
    """The parameters of a case at every step, and whether any that is not `inside` ends otherwise than in `source`."""
    theta = run(subject, other).theta
    return theta, bool((~same_bits(theta[-1], source.theta[-1]) & ~inside).any())


def _moved(subject: Subject, plain: Case, source: Trajectory, theta: Array, number: int, part: int) -> bool:
    """Whether a larger part moves the rest of its tensor farther than rounding does, from the run of `plain`."""
    far = farther_than_rounding(subject, plain, source, theta)
    return far is not None and bool(far[-1, np.arange(8 * part) // part != number].any())


def threads_do_not_matter(subject: Subject, case: Case, size: int) -> None:
    """A tensor large enough to be split among threads moves alike with one thread and with several."""
    index = np.arange(size) % len(case.theta)
    large = case.with_(
        shapes=((size,),), theta=case.theta[index], grads=case.grads[:, index], groups=(), absent=frozenset()
    )
    single = during(large, "threads:1", 0)
    one = run(subject, single)
    for count in (2, 3):
        other = during(large, f"threads:{count}", 0)
        with compared(other, single):
            alike(f"{count} threads differ from one", subject, other, run(subject, other), one, plain=single)


def layout_free(subject: Subject, case: Case) -> None:
    """How parameters and gradients lie in memory does not matter: dense, strided or transposed, alike or not."""
    least, most = (getattr(subject.rule, f"{end}_dimensions", default) for end, default in (("least", 0), ("most", 5)))
    shapes = tuple(shape for shape in ((3, 5), (7,), (2, 3, 2, 2)) if least <= len(shape) <= most)
    index = np.arange(sum(math.prod(shape) for shape in shapes)) % len(case.theta)
    dense = case.with_(
        shapes=shapes, theta=case.theta[index], grads=case.grads[:, index], groups=(), absent=frozenset()
    )
    dense = dense.with_(layout="contiguous", grad_layout="contiguous")
    plain = run(subject, dense)
    pairs = [
        ("sliced", "contiguous"),
        ("contiguous", "sliced"),
        ("transposed", "contiguous"),
        ("transposed", "transposed"),
        ("channels_last", "channels_last"),
    ]
    for layout, grad_layout in [*pairs, (case.layout, case.grad_layout)]:
        other = dense.with_(layout=layout, grad_layout=grad_layout)
        what = f"depends on the memory layout (parameters {layout}, gradients {grad_layout})"
        with compared(other, dense):
            alike(what, subject, other, run(subject, other), plain, plain=dense)


def takes_shapes(subject: Subject, case: Case) -> None:
    """A parameter of any shape can be stepped, alone and beside others: empty, a single number, of many dimensions.

    In fp64, where nothing is lost below rounding: gradients around 1 that move a 1 of one shape move it in any shape.
    They are not all alike, since some steps take their mean away; nor are the parameters, whose norm some steps keep:
    such steps leave a single number as it is.
    Where a step reads whole tensors, as one that makes a matrix orthogonal does, a matrix without columns may raise.
    """
    still: set[tuple[int, ...]] = set()
    moved: set[tuple[int, ...]] = set()
    around = False
    for shapes in (((0,),), ((),), ((1,),), ((3,),), ((3, 2),), ((3, 0), (2, 2)), ((), (2, 2)), ((2, 3, 2, 2), (0,))):
        count = sum(math.prod(shape) for shape in shapes)
        grads = np.tile(1 + np.arange(count) / 8, (case.steps, 1))
        theta = 1 + np.arange(count) % 5 / 4
        other = case.with_(shapes=shapes, theta=theta, grads=grads, groups=(), absent=frozenset())
        try:
            seen = run(subject, other)
        except Refused as no:
            current().notes[str(no)] += 1
            continue
        except Violation as found:
            if found.what != RAISED or (3, 0) not in shapes or "nan_stays" not in getattr(subject.rule, "exempt", {}):
                raise
            current().violation = None
            current().notes["a matrix without columns raises in a step of whole matrices"] += 1
            continue
        current().compared(seen.theta.size)
        around = around or (shapes == ((3,),) and keeps_norm(seen))
        still |= {s for s, part in zip(shapes, other.slices, strict=True) if _rests(seen, part)}
        moved |= {s for s, part in zip(shapes, other.slices, strict=True) if not _rests(seen, part)}
    still = {shape for shape in still if not around or math.prod(shape) > 1}
    if subject.format is FP64 and still and any(0 not in shape for shape in moved):
        shape = min(still, key=len)
        grads = np.tile(1 + np.arange(math.prod(shape)) / 8, (case.steps, 1))
        theta = 1 + np.arange(math.prod(shape)) % 5 / 4
        other = case.with_(shapes=(shape,), theta=theta, grads=grads, groups=(), absent=frozenset())
        what, should = f"a parameter of shape {shape} is not moved", "another value, as for parameters of other shapes"
        raise breach(what, subject, other, "1.0, the value it had", should, case.steps, tensor=0, element=0)


def _rests(seen: Trajectory, part: slice) -> bool:
    """Whether the elements of a tensor, if it has any, end where they began."""
    return part.stop > part.start and bool((seen.theta[:, part] == seen.theta[0, part]).all())


def steps_follow(subject: Subject, case: Case) -> None:
    """Every step lies in the rule's enclosure, or in that of the same rule as the code itself writes it.

    The enclosure covers implementations written as the rule is; foreign code may arrange the same formula otherwise.
    Then the form read out of the code, proved to be the rule, must hold its steps. Where nothing could be read, a run
    is wrong whose steps in fp64 leave even what fp32 arithmetic may make of the rule, and undecided otherwise.
    """
    try:
        steps_enclosed(subject, case)
    except Violation as found:
        verdict = judged(subject, case, subject.rule)
        if verdict is Judgement.UNKNOWN and leaves_coarse(subject, case):
            verdict = Judgement.OTHERWISE
        decided("a step leaves the enclosure", verdict, found)
