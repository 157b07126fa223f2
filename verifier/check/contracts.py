"""What torch's documentation promises of every optimizer, as assertions about runs: no formula, no tolerance.

Most compare the bits of a run with those of a second one that differs in something that must not matter. The rest
read facts that the run collected on its way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from verifier.case import Case, Group, Refused, Subject, Trajectory
from verifier.check.bits import same_trajectory
from verifier.check.enclosed import steps_enclosed, trajectory_enclosed
from verifier.check.seen import bits, run, violation
from verifier.floats import FP32, FP64, Array
from verifier.record import Violation, current, show
from verifier.rule import Rule
from verifier.subjects.reference import reference


def _during(case: Case, name: str, *steps: int) -> Case:
    """The case with one event more before each of `steps`, or in step 0: for the whole run."""
    events = dict(case.events)
    for step in steps:
        events[step] = (*events.get(step, ()), name)
    return case.with_(events=events)


def _middle(case: Case) -> int:
    """A step in the middle of the run, never the first."""
    return max(2, (case.steps + 2) // 2)


Pair = Callable[[str], tuple[Case, Trajectory, Trajectory]]
"""From one more event of the whole run, or none, to a case, its trajectory and the one it should have."""


def _alike(what: str, subject: Subject, pair: Pair, *, scalars: bool = False) -> None:
    """The same bits; where kernels may round otherwise, the same formula.

    Vector bodies and tails of fused kernels, and of any kernel in the formats narrower than fp32, round differently,
    and complex arithmetic does not contract. There each step must lie in the rule's enclosure; without a rule, the
    difference must shrink with the format as rounding does. `scalars`: what all elements share may round otherwise too.
    """
    case, seen, expected = pair("")
    try:
        same_trajectory(what, subject, case, seen, expected)
    except Violation as found:
        otherwise = scalars or subject.format.precision < FP32.precision
        if not (otherwise or subject.implementation == "fused" or "complex" in case.events.get(0, ())):
            raise
        if isinstance(subject.rule, Rule):
            try:
                trajectory_enclosed(subject, case, seen)
            except Violation:
                current().violation = found
                raise found from None
        elif _is_formula({name: pair(f"implementation:{name}")[1:] for name in ("float32", "float64")}):
            current().violation = found
            raise found from None
        else:
            current().notes[f"{what}, by rounding alone"] += 1
        current().violation = None


def _is_formula(runs: Mapping[str, tuple[Trajectory, Trajectory]]) -> bool:
    """Whether two runs, each in fp32 and in fp64, differ by their formula and not by rounding alone.

    Rounding differs by units in the last place, so between fp32 and fp64 such a difference shrinks by 2^29; one of the
    formula does not shrink at all. The two are told apart at the geometric mean, 2^-14.5 of the difference in fp32,
    which counts as a unit roundoff of the largest parameter where it is less. Scalars may be held in fp32 whatever the
    format: in fp64 a formula must therefore show in more than 2^-12 of the way an element went, the geometric mean of
    a unit roundoff of fp32 and of all the way.
    """
    gaps: dict[str, Array] = {}
    for name, (one, other) in runs.items():
        finite = np.isfinite(one.theta) & np.isfinite(other.theta)
        gap = np.abs(np.where(finite, one.theta, 0.0) - np.where(finite, other.theta, 0.0))
        gaps[name] = np.where(np.isfinite(one.theta) != np.isfinite(other.theta), np.inf, gap)
    theta = np.nan_to_num(runs["float64"][1].theta, nan=0.0, posinf=0.0, neginf=0.0)
    coarse = max(float(gaps["float32"].max(initial=0.0)), FP32.u * float(np.abs(theta).max(initial=0.0)))
    way = np.abs(np.diff(theta, axis=0)).sum(axis=0)
    fine = gaps["float64"].max(axis=0, initial=0.0)
    return bool(((fine > coarse * 2.0**-14.5) & (fine > way * 2.0**-12)).any())


def _with(case: Case, event: str) -> Case:
    return _during(case, event, 0) if event else case


def unmoved_by(subject: Subject, case: Case, event: str, *steps: int) -> None:
    """An event between two steps changes nothing: the run goes on as if it had not happened."""
    other = _during(case, event, *(steps or (_middle(case),)))
    what = f"differs after {EVENTS.get(event.partition(':')[0], event)}"
    try:
        seen = run(subject, other)
    except Refused as no:
        current().notes[str(no)] += 1
        return
    same_trajectory(what, subject, other, seen, run(subject, case))


EVENTS = {
    "save": "a state_dict was taken",
    "copy": "deepcopy of the optimizer",
    "pickle": "pickling the optimizer",
    "idle": "a step without gradients",
    "zero_grad": "zero_grad()",
    "neighbour": "a step of another optimizer of the same class",
    "found_inf": "a step that found_inf says to skip",
    "threads": "changing the number of threads",
    "filled": "filling fresh memory: it reads memory it never wrote",
    "closure": "a step whose gradients a closure computed",
}


def resumes(subject: Subject, case: Case, how: str = "memory") -> None:
    """A state_dict loaded into a new optimizer continues the run bit for bit; loading moves no parameter.

    `how`: memory, file, pickle or deepcopy for the way it travels; "other" for a constructor given other values;
    the name of an implementation for one built to run another.
    """
    other = _during(case, f"resume:{how}", *sorted({2, _middle(case), case.steps} & set(range(2, case.steps + 1))))
    if not other.events:
        return
    seen = run(subject, other)
    if any(seen.facts.get("moved", ())):
        raise _breach("load_state_dict moved a parameter", subject, other, "another value", "the same value")
    same_trajectory(
        f"resumed from a state_dict ({how}), it goes on differently", subject, other, seen, run(subject, case)
    )


def keeps_state_dtypes(subject: Subject, case: Case) -> None:
    """Loading a state_dict leaves every state tensor its dtype."""
    other = _during(case, "resume:memory", _middle(case))
    for changed in run(subject, other).facts.get("dtypes", ()):
        current().compared(1)
        if changed:
            name, _, dtypes = changed[0].rpartition(" of ")
            seen, wanted = changed[0].rpartition(" -> ")[2], dtypes.split("parameter ")[-1].partition(" -> ")[0]
            raise _breach(f"load_state_dict changes the dtype of {name}", subject, other, seen, wanted)


def keeps_state_apart(subject: Subject, case: Case) -> None:
    """A loaded state_dict shares no memory with the optimizer that loaded it."""
    other = _during(case, "resume:deepcopy", _middle(case))
    for shared in run(subject, other).facts.get("shared", ()):
        current().compared(1)
        if shared:
            names = ", ".join(shared)
            raise _breach(
                "the state_dict that was loaded changes with every later step",
                subject,
                other,
                f"shared {names}",
                "a copy",
            )


def takes_closures(subject: Subject, case: Case) -> None:
    """step(closure) calls the closure once, with gradients enabled, before it reads them, and returns its value."""
    steps = range(1, case.steps + 1)
    other = _during(case.with_(absent=frozenset()), "closure", *steps)
    seen = run(subject, other)
    for step, (calls, enabled, value) in zip(steps, seen.facts["closure"], strict=True):
        current().compared(1)
        if calls < 1:
            raise _breach("step(closure) never calls the closure", subject, other, f"{calls} calls", "1 call", step)
        if not enabled:
            raise _breach("the closure is called with gradients disabled", subject, other, "disabled", "enabled", step)
        if value != float(step):
            raise _breach("step(closure) does not return the loss", subject, other, f"{value}", f"{float(step)}", step)
    plain = run(subject, case.with_(absent=frozenset()))
    same_trajectory("step(closure) differs from step()", subject, other, seen, plain)


def bounded_memory(subject: Subject, case: Case) -> None:
    """State does not grow with the number of steps."""
    other = case.with_(
        grads=np.concatenate([case.grads] * (1 + 12 // max(1, case.steps)))[:12], schedule={}, absent=frozenset()
    )
    other = _during(other, "inspect", 0)
    seen = run(subject, other)
    memory, objects = seen.facts["memory"], seen.facts["objects"]
    current().compared(len(memory))
    half = len(memory) // 2
    growing = all(a < b for a, b in zip(memory[half:-1], memory[half + 1 :], strict=True))
    if growing or all(a < b for a, b in zip(objects[half:-1], objects[half + 1 :], strict=True)):
        text = f"{memory[-1]} bytes in {objects[-1]} tensors"
        raise _breach(
            "state grows with every step", subject, other, text, f"{memory[0]} bytes in {objects[0]} tensors", 12
        )


def keeps_no_graph(subject: Subject, case: Case) -> None:
    """No state tensor and no parameter keeps an autograd graph after a step."""
    other = _during(case, "inspect", 0)
    for step, graphs in enumerate(run(subject, other).facts["graphs"], 1):
        current().compared(1)
        if graphs:
            raise _breach("an autograd graph is kept", subject, other, f"{graphs} tensors with grad_fn", "none", step)


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
    for k in range(case.steps + 1):
        what = f"a gradient of {value} in tensor {tensor}, element {element - case.slices[tensor].start} reaches others"
        bits(what, subject, other, seen.theta[k], plain.theta[k], k, elsewhere)
    touched = [seen.theta[step:, element], *(rows[step:, element] for rows in seen.state.values())]
    if np.isnan(value) and all(np.isfinite(rows).all() for rows in touched):
        raise _breach(
            "a NaN gradient is swallowed", subject, other, show(float(seen.theta[step][element])), "nan", step
        )


def partitioned(subject: Subject, case: Case) -> None:
    """How the same elements are cut into tensors does not matter: shapes, 0-dim tensors, empty ones in between."""
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

    def pair(event: str) -> tuple[Case, Trajectory, Trajectory]:
        return other, run(subject, _with(other, event)), run(subject, _with(whole, event))

    _alike(what, subject, pair)


def _pieces(size: int, *, empty: bool) -> list[tuple[int, ...]]:
    """The shapes a tensor of `size` elements is cut into: a single number, the rest, and an empty one if may be."""
    if size == 0:
        return [(0,)]
    rest: list[tuple[int, ...]] = [(), (size - 1,)] if size > 1 else [()]
    return [(0,), *rest] if empty else rest


def sized(subject: Subject, case: Case, size: int) -> None:
    """An element moves alike in a tensor of any size: here one of `size` elements that repeats the case's."""
    count = len(case.theta)
    index = np.arange(size) % count
    small = case.with_(shapes=((count,),), groups=(), absent=frozenset(), schedule={}, layout="contiguous")
    large = small.with_(shapes=((size,),), theta=case.theta[index], grads=case.grads[:, index])

    def pair(event: str) -> tuple[Case, Trajectory, Trajectory]:
        plain = run(subject, _with(small, event))
        states = {name: rows[:, index] for name, rows in plain.state.items()}
        return large, run(subject, _with(large, event)), Trajectory(plain.theta[:, index], states)

    _alike(f"an element of a tensor of {size} moves otherwise", subject, pair)


def acts_on_all(subject: Subject, case: Case) -> None:
    """Every parameter of a group is treated alike, whatever its shape: weights, biases and single numbers.

    All elements get the value and the gradients of the first, so all must move as one.
    """
    shapes = ((3, 2), (4,), (), (1, 1, 2), (1,))
    theta, grads = np.full(14, case.theta[0]), np.repeat(case.grads[:, :1], 14, axis=1)
    other = case.with_(shapes=shapes, theta=theta, grads=grads, groups=(), absent=frozenset())

    def pair(event: str) -> tuple[Case, Trajectory, Trajectory]:
        seen = run(subject, _with(other, event))
        return other, seen, Trajectory(np.repeat(seen.theta[:, :1], 14, axis=1))

    _alike("parameters of one group are treated differently", subject, pair)


def scheduled(subject: Subject, case: Case) -> None:
    """An option changed between steps acts from the next step on, as if the optimizer had been built with it."""
    steps = sorted(k for k in case.schedule if 1 < k <= case.steps)
    if not steps:
        return
    other = _during(case, "rebuild", *steps)
    try:
        rebuilt = run(subject, other)
    except Refused as no:
        current().notes[str(no)] += 1
        return
    what = "an option changed between steps acts otherwise than one given to the constructor"
    _acts(what, subject, case, rebuilt, case.with_(schedule={}))


def set_later(subject: Subject, case: Case) -> None:
    """Options written into `param_groups` before the first step act as those given to the constructor."""
    other = case.with_(schedule={1: dict(case.hyper)}, groups=(), hyper=_another(subject, case.hyper))
    what = "an option set in param_groups acts otherwise than in the constructor"
    plain = run(subject, case.with_(groups=(), schedule={}))
    _acts(what, subject, other, plain, other.with_(schedule={}))


def _acts(what: str, subject: Subject, case: Case, expected: Trajectory, without: Case) -> None:
    """The run of `case`, whose options change, is the expected one; without a rule, it at least is not that without.

    An optimizer may remember the lr it was built with, as a reference; one that ignores what is written is wrong.
    """
    seen = run(subject, case)
    try:
        same_trajectory(what, subject, case, seen, expected)
    except Violation as found:
        if isinstance(subject.rule, Rule):
            raise
        record = current()
        record.violation = None
        try:
            same_trajectory(what, subject, case, Trajectory(seen.theta), run(subject, without))
        except Violation:
            record.violation = None
            record.notes[what] += 1
            return
        found.what = "an option changed in param_groups has no effect"
        record.violation = found
        raise found from None


def _another(subject: Subject, hyper: Mapping[str, float]) -> dict[str, float]:
    from verifier.strategies import ROUND_STATE, alternatives

    if not isinstance(subject.rule, Rule):  # a signature knows what its constructor takes
        found: dict[str, float] = subject.rule.another(hyper)
        return found
    domains = {symbol.name: domain for symbol, domain in subject.rule.hyper.items()}
    return {n: v if n in ROUND_STATE else alternatives(n, domains[n], v)[0] for n, v in hyper.items()}


def joined(subject: Subject, case: Case) -> None:
    """A group added with add_param_group in the middle of a run moves as in an optimizer of its own from then on."""
    if len(case.all_groups) < 2 or case.steps < 2:
        return
    late, step = len(case.all_groups) - 1, _middle(case)
    case = case.with_(schedule={}, absent=frozenset(), events={})
    other = _during(case, f"group:{late}", step)
    together = run(subject, other)
    for number, group in enumerate(case.all_groups):
        index = case.elements_of(group)
        start = step - 1 if number == late else 0
        alone = case.with_(
            shapes=tuple(case.shapes[k] for k in sorted(group.tensors)),
            theta=case.theta[index],
            grads=case.grads[start:, index],
            hyper={**case.hyper, **group.hyper},
            groups=(),
        )
        seen = Trajectory(together.theta[start:, index], {n: rows[start:, index] for n, rows in together.state.items()})
        what = "a group added in the middle of a run moves otherwise than alone"
        same_trajectory(what, subject, alone, seen, run(subject, alone))


def late(subject: Subject, case: Case) -> None:
    """A parameter whose gradients begin late, or pause, moves as if the steps it missed had never been."""
    if case.steps < 3:
        return
    number = len(case.shapes) - 1
    missing = {1, _middle(case)} if case.steps > 3 else {1}
    other = case.with_(absent=frozenset((step, number) for step in missing), groups=(), schedule={})
    together = run(subject, other)
    part = case.slices[number]
    taken = [k for k in range(1, case.steps + 1) if k not in missing]
    alone = case.with_(
        shapes=(case.shapes[number],),
        theta=case.theta[part],
        grads=case.grads[[k - 1 for k in taken], part],
        groups=(),
        schedule={},
        absent=frozenset(),
    )
    rows = [0, *taken]
    seen = Trajectory(together.theta[rows][:, part])
    what = "a parameter that missed steps moves otherwise than one that never had them"
    same_trajectory(what, subject, alone, seen, run(subject, alone))


def in_company(subject: Subject, case: Case, dtype: str) -> None:
    """A parameter of another dtype in the same list changes nothing for the others."""
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
    seen, plain = run(subject, other), run(subject, case.with_(groups=case.all_groups))
    ours = np.arange(len(other.theta)) < len(case.theta)
    pad = np.zeros(len(extra))
    for step in range(case.steps + 1):
        expected: Array = np.concatenate([plain.theta[step], pad])
        bits(
            f"a {dtype} parameter in the list changes the others",
            subject,
            other,
            seen.theta[step],
            expected,
            step,
            ours,
        )


def as_reals(subject: Subject, case: Case) -> None:
    """A complex parameter moves as the pair of its real and imaginary parts."""
    count = len(case.theta) // 2
    if not count or subject.format.precision < FP32.precision:
        current().notes["torch has no complex numbers of this format"] += 1
        return
    pairs = case.with_(
        shapes=((count, 2),), theta=case.theta[: 2 * count], grads=case.grads[:, : 2 * count], groups=(),
        absent=frozenset(), layout="contiguous", grad_layout="contiguous",
    )  # fmt: skip
    other = _during(pairs, "complex", 0)

    def pair(event: str) -> tuple[Case, Trajectory, Trajectory]:
        return other, run(subject, _with(other, event)), run(subject, _with(pairs, event))

    try:
        _alike("a complex parameter moves otherwise than its two parts", subject, pair)
    except Refused as no:
        current().notes[str(no)] += 1


def sparse_as_dense(subject: Subject, case: Case) -> None:
    """A sparse gradient with duplicate entries acts as the dense gradient it stands for."""
    plain = case.with_(grad_layout="contiguous", absent=frozenset())
    other = _during(plain, "sparse", 0)
    try:
        seen = subject.run(other)
    except Exception as no:  # foreign code: whatever it raises, it does not take sparse gradients
        current().notes[f"takes no sparse gradients: {no}"] += 1
        return

    def pair(event: str) -> tuple[Case, Trajectory, Trajectory]:
        return other, run(subject, _with(other, event)) if event else seen, run(subject, _with(plain, event))

    _alike("a sparse gradient acts otherwise than the dense one", subject, pair, scalars=True)


def tensor_lr(subject: Subject, case: Case) -> None:
    """lr given as a 0-dim tensor acts as the same number given as a float."""
    if subject.implementation == "differentiable":
        current().notes["a differentiable step computes its scalars as tensors"] += 1
        return
    other = _during(case.with_(schedule={}), "tensor_lr", 0)

    def pair(event: str) -> tuple[Case, Trajectory, Trajectory]:
        return other, run(subject, _with(other, event)), run(subject, _with(case.with_(schedule={}), event))

    try:
        _alike("a tensor lr acts otherwise than a float", subject, pair, scalars=True)
    except Refused as no:
        current().notes[str(no)] += 1


def _breach(what: str, subject: Subject, case: Case, observed: str, expected: str, step: int | None = None) -> Any:
    return violation(what, subject, case, observed=observed, expected=expected, step=step)


def threads_do_not_matter(subject: Subject, case: Case, size: int) -> None:
    """A tensor large enough to be split among threads moves alike with one thread and with several."""
    index = np.arange(size) % len(case.theta)
    large = case.with_(
        shapes=((size,),), theta=case.theta[index], grads=case.grads[:, index], groups=(), absent=frozenset()
    )
    one = run(subject, _during(large, "threads:1", 0))
    for count in (2, 3):
        other = _during(large, f"threads:{count}", 0)

        def pair(event: str, other: Case = other) -> tuple[Case, Trajectory, Trajectory]:
            single = _during(_with(large, event), "threads:1", 0)
            return other, run(subject, _with(other, event)), run(subject, single) if event else one

        _alike(f"{count} threads differ from one", subject, pair)


def layout_free(subject: Subject, case: Case) -> None:
    """How parameters and gradients lie in memory does not matter: dense, strided or transposed, alike or not."""
    count = 22
    index = np.arange(count) % len(case.theta)
    dense = case.with_(
        shapes=((3, 5), (7,)), theta=case.theta[index], grads=case.grads[:, index], groups=(), absent=frozenset()
    )
    dense = dense.with_(layout="contiguous", grad_layout="contiguous")
    plain = run(subject, dense)
    pairs = [
        ("sliced", "contiguous"),
        ("contiguous", "sliced"),
        ("transposed", "contiguous"),
        ("transposed", "transposed"),
    ]
    for layout, grad_layout in [*pairs, (case.layout, case.grad_layout)]:
        other = dense.with_(layout=layout, grad_layout=grad_layout)
        what = f"depends on the memory layout (parameters {layout}, gradients {grad_layout})"

        def pair(event: str, other: Case = other) -> tuple[Case, Trajectory, Trajectory]:
            return other, run(subject, _with(other, event)), run(subject, _with(dense, event)) if event else plain

        _alike(what, subject, pair)


def implementations_agree(subject: Subject, case: Case) -> None:
    """Every implementation computes what the for-loop does: the same bits, or differences that only rounding makes.
    See `_is_formula` for how the two are told apart.
    """
    if subject.implementation == "forloop":
        current().notes["the for-loop is what the others are compared with"] += 1
        return
    loop = _during(case, "implementation:forloop", 0)
    seen, expected = run(subject, case), run(subject, loop)
    try:
        same_trajectory("differs from the for-loop", subject, case, Trajectory(seen.theta), expected)
    except Violation as found:
        events = {name: f"implementation:{name}" for name in ("float32", "float64")}
        if _is_formula({n: (run(subject, _with(case, e)), run(subject, _with(loop, e))) for n, e in events.items()}):
            current().violation = found
            raise found from None
        current().violation = None
        current().notes["differs from the for-loop by rounding alone"] += 1


def takes_shapes(subject: Subject, case: Case) -> None:
    """A parameter of any shape can be stepped, alone and beside others: empty, a single number, of many dimensions."""
    for shapes in (((0,),), ((),), ((3,),), ((3, 2),), ((3, 0), (2, 2)), ((), (2, 2)), ((2, 3, 2, 2), (0,))):
        count = sum(math.prod(shape) for shape in shapes)
        index = np.arange(count) % max(1, len(case.theta))
        other = case.with_(
            shapes=shapes, theta=case.theta[index], grads=case.grads[:, index], groups=(), absent=frozenset()
        )
        try:
            seen = run(subject, other)
        except Refused as no:
            current().notes[str(no)] += 1
            continue
        current().compared(seen.theta.size)


def steps_follow(subject: Subject, case: Case) -> None:
    """Every step lies in the rule's enclosure, or departs from the rule by what rounding alone explains.

    The enclosure covers implementations written as the rule is; foreign code may arrange the same formula otherwise.
    What it computes is therefore compared with the rule in fp64 as well (see `_is_formula`).
    """
    try:
        steps_enclosed(subject, case)
    except Violation as found:
        narrow = case.with_(theta=FP32.round(case.theta), grads=FP32.round(case.grads))
        exact = reference(subject.rule, FP64).run(narrow)
        seen = {name: run(subject, _with(narrow, f"implementation:{name}")) for name in ("float32", "float64")}
        if _is_formula({name: (one, exact) for name, one in seen.items()}):
            current().violation = found
            raise found from None
        current().violation = None
        current().notes["a step leaves the enclosure by rounding alone"] += 1


def ascends(subject: Subject, case: Case) -> None:
    """`maximize` equals negated gradients: ascending a function is descending its negative."""
    up = case.with_(maximize=True, grads=-case.grads)
    down = case.with_(maximize=False)

    def pair(event: str) -> tuple[Case, Trajectory, Trajectory]:
        return up, run(subject, _with(up, event)), run(subject, _with(down, event))

    _alike("maximize differs from negated gradients", subject, pair)
