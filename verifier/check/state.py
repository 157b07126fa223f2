"""What state, schedules and events between steps must not change: runs compared bit for bit, and facts read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from verifier.case import Case, Group, Refused, Subject, Trajectory
from verifier.check.alike import breach, during, explained, middle
from verifier.check.arranged import rounded_alike
from verifier.check.bits import same_trajectory
from verifier.check.changes import acts_at_once
from verifier.check.judged import decided
from verifier.check.pairs import compared
from verifier.check.seen import run
from verifier.floats import FP32, same_bits
from verifier.record import Pair, Violation, current
from verifier.rule import Rule


def unmoved_by(subject: Subject, case: Case, event: str, *steps: int) -> None:
    """An event between two steps changes nothing: the run goes on as if it had not happened."""
    other = during(case, event, *(steps or (middle(case),)))
    what = f"differs after {EVENTS.get(event.partition(':')[0], event)}"
    try:
        seen = run(subject, other)
    except Refused as no:
        current().notes[str(no)] += 1
        return
    except Violation as found:
        if not _of_the_other(found):
            raise
        current().violation = None
        current().notes["the step of the other optimizer raises, which has other options"] += 1
        return
    with compared(other, case):
        same_trajectory(what, subject, other, seen, run(subject, case))
    if event == "zero_grad" and not isinstance(subject.rule, Rule):
        _clears_gradients(subject, case)


def _clears_gradients(subject: Subject, case: Case) -> None:
    """zero_grad leaves no gradient but zero, whether it sets them to None or to zero; one case of two groups."""
    foreign, _ = subject.run.args  # type: ignore[attr-defined]  # a partial of `torch_foreign.run`
    if not current().first("gradients are cleared", case):
        return
    apart = "groups" not in getattr(subject.rule, "exempt", {})
    shapes = case.shapes[:1] * (2 if apart else 1)
    size = case.sizes[0] * len(shapes)
    other = case.with_(
        shapes=shapes,
        theta=np.resize(case.theta, size),
        grads=np.resize(case.grads, (case.steps, size)),
        groups=tuple(Group((k,), {}) for k in range(len(shapes))) if apart else (),
        schedule={},
        absent=frozenset(),
        events={},
    )
    for given in ({}, {"set_to_none": False}):
        parameters = foreign.parameters(other)
        optimizer = foreign.optimizer(other, parameters)
        for p in parameters:
            p.grad = p.detach() * 0 + 1
        try:
            optimizer.zero_grad(**given)
        except Exception as no:  # foreign code: without arguments it went through before
            current().notes[f"zero_grad raises {type(no).__name__}: {no}"] += 1
            continue
        left = [k for k, p in enumerate(parameters) if p.grad is not None and bool(p.grad.any())]
        current().compared(len(parameters))
        if left:
            told = "set_to_none=False" if given else ""
            raise breach(f"zero_grad({told}) leaves gradients", subject, other, f"of parameters {left}", "none")


def _of_the_other(found: Violation) -> bool:
    """Whether an error came out of the step of the second optimizer, and says nothing of the first."""
    at = found.__cause__.__traceback__ if found.__cause__ is not None else None
    while at is not None:
        if at.tb_frame.f_code.co_name == "_step_neighbour":
            return True
        at = at.tb_next
    return False


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

    So it does in another implementation, but for roundings of the rule read out of the code.

    `how`: memory, file, pickle or deepcopy for the way it travels; "other" for a constructor given other values;
    the name of an implementation for one built to run another.
    """
    other = during(case, f"resume:{how}", *sorted({2, middle(case), case.steps} & set(range(2, case.steps + 1))))
    if not other.events:
        return
    seen = run(subject, other)
    if any(seen.facts.get("moved", ())):
        raise breach("load_state_dict moved a parameter", subject, other, "another value", "the same value")
    what, expected = f"resumed from a state_dict ({how}), it goes on differently", run(subject, case)
    with compared(other, case):
        try:
            same_trajectory(what, subject, other, seen, expected)
        except Violation as found:
            if how not in ("forloop", "foreach", "fused") or isinstance(subject.rule, Rule):
                raise
            decided(what, explained(subject, other, case, seen, expected), found)  # another implementation may round
    climbs = how == "memory" and getattr(subject.rule, "can_maximize", False) and not case.maximize
    if climbs and current().first("what ascends goes on", case):
        resumes(subject, case.with_(maximize=True), how)


def keeps_state_dtypes(subject: Subject, case: Case) -> None:
    """Loading a state_dict leaves every state tensor its dtype."""
    other = during(case, "resume:memory", middle(case))
    for changed in run(subject, other).facts.get("dtypes", ()):
        current().compared(1)
        if changed:
            name, _, dtypes = changed[0].rpartition(" of ")
            seen, wanted = changed[0].rpartition(" -> ")[2], dtypes.split("parameter ")[-1].partition(" -> ")[0]
            raise breach(f"load_state_dict changes the dtype of {name}", subject, other, seen, wanted)


def keeps_state_apart(subject: Subject, case: Case) -> None:
    """A loaded state_dict shares no memory with the optimizer that loaded it."""
    other = during(case, "resume:deepcopy", middle(case))
    for shared in run(subject, other).facts.get("shared", ()):
        current().compared(1)
        if shared:
            names = ", ".join(shared)
            raise breach(
                "the state_dict that was loaded changes with every later step",
                subject,
                other,
                f"shared {names}",
                "a copy",
            )


def takes_closures(subject: Subject, case: Case) -> None:
    """step(closure) calls the closure once, with gradients enabled, before it reads them, and returns its value.

    Whoever searches along a line calls it more often, each time elsewhere: what it computes in one place it has told.
    """
    steps = range(1, case.steps + 1)
    other = during(case.with_(absent=frozenset()), "closure", *steps)
    seen = run(subject, other)
    told = seen.facts["closure"]
    if _tells(subject, case) and all(again for *_, again in told):
        what = "step(closure) calls the closure again before it has moved any parameter"
        raise breach(what, subject, other, f"{told[0][0]} calls", "1 call", 1)
    for step, (calls, enabled, value, _) in zip(steps, told, strict=True):
        current().compared(1)
        if calls < 1:
            raise breach("step(closure) never calls the closure", subject, other, f"{calls} calls", "1 call", step)
        if not enabled:
            raise breach("the closure is called with gradients disabled", subject, other, "disabled", "enabled", step)
        if value != float(step):
            raise breach("step(closure) does not return the loss", subject, other, f"{value}", f"{float(step)}", step)
    _returns_when_idle(subject, case)
    plain = run(subject, case.with_(absent=frozenset()))
    with compared(other, case.with_(absent=frozenset())):
        same_trajectory("step(closure) differs from step()", subject, other, seen, plain)


def _returns_when_idle(subject: Subject, case: Case) -> None:
    """The loss is returned where no parameter has a gradient, too; what raises there is the matter of `idle_step`."""
    if "idle_step" in getattr(subject.rule, "exempt", {}) or not current().first("a closure without gradients", case):
        return
    alone = case.with_(grads=case.grads[:1], absent=frozenset((1, k) for k in range(len(case.shapes))), schedule={})
    idle = during(alone, "closure", 1)
    try:
        ((_, _, value, _),) = run(subject, idle).facts["closure"]
    except (Refused, Violation) as no:
        current().violation = None
        current().notes[str(no)] += 1
        return
    current().compared(1)
    if value != 1.0:
        what = "step(closure) does not return the loss where no parameter has a gradient"
        raise breach(what, subject, idle, f"{value}", "1.0", 1)


def _tells(subject: Subject, case: Case) -> bool:
    """Whether whoever moves parameters for a second call of the closure would do so here: nothing is switched off."""
    defaults = getattr(subject.rule, "defaults", {})
    off = any(not value and defaults.get(name, value) for name, value in case.hyper.items())
    wide = subject.format.precision >= FP32.precision
    return bool(wide and case.steps and case.grads.size and case.grads.all() and not off)


def bounded_memory(subject: Subject, case: Case) -> None:
    """State does not grow with the number of steps."""
    other = case.with_(
        grads=np.concatenate([case.grads] * (1 + 12 // max(1, case.steps)))[:12], schedule={}, absent=frozenset()
    )
    other = during(other, "inspect", 0)
    seen = run(subject, other)
    memory, objects = seen.facts["memory"], seen.facts["objects"]
    current().compared(len(memory))
    half = len(memory) // 2
    growing = all(a < b for a, b in zip(memory[half:-1], memory[half + 1 :], strict=True))
    if growing or all(a < b for a, b in zip(objects[half:-1], objects[half + 1 :], strict=True)):
        text = f"{memory[-1]} bytes in {objects[-1]} tensors"
        raise breach(
            "state grows with every step", subject, other, text, f"{memory[0]} bytes in {objects[0]} tensors", 12
        )


def keeps_state_to_itself(subject: Subject, case: Case) -> None:
    """State of one parameter lies in no memory of another's state, nor in that of a gradient.

    Every tensor is there twice: what is kept by shape, or by value, would be shared by these.
    """
    twice = case.with_(
        shapes=case.shapes * 2,
        theta=np.tile(case.theta, 2),
        grads=np.tile(case.grads, (1, 2)),
        groups=(),
        absent=frozenset(),
    )
    other = during(twice, "inspect", 0)
    for step, found in enumerate(run(subject, other).facts.get("aliases", ()), 1):
        current().compared(1)
        if found:
            raise breach("state is shared", subject, other, f"one memory for {found[0]}", "memory of its own", step)


def keeps_no_graph(subject: Subject, case: Case) -> None:
    """No state tensor and no parameter keeps an autograd graph after a step."""
    other = during(case, "inspect", 0)
    for step, graphs in enumerate(run(subject, other).facts["graphs"], 1):
        current().compared(1)
        if graphs:
            raise breach("an autograd graph is kept", subject, other, f"{graphs} tensors with grad_fn", "none", step)


def scheduled(subject: Subject, case: Case) -> None:
    """An option changed between steps acts from the next step on, as if the optimizer had been built with it."""
    if not isinstance(subject.rule, Rule):
        acts_at_once(subject, case)
    steps = sorted(k for k in case.schedule if 1 < k <= case.steps)
    if not steps:
        return
    other = during(case, "rebuild", *steps)
    try:
        rebuilt = run(subject, other)
    except Refused as no:
        current().notes[str(no)] += 1
        return
    what = "an option changed between steps acts otherwise than one given to the constructor"
    with compared(case, other):
        _acts(what, subject, case, rebuilt, case.with_(schedule={}), during(case.with_(schedule={}), "rebuild", *steps))


SCHEDULED = ("lr", "weight_decay", "wd", "momentum", "beta", "eps", "alpha", "rho")
"""What options are called that schedules write, and that no state begins with."""


def set_later(subject: Subject, case: Case) -> None:
    """Options written into `param_groups` before the first step act as those given to the constructor.

    All at once; where they do not, one after the other: beside others that act, one that is ignored does not show.
    """
    another = _another(subject, case.hyper)
    what = "an option set in param_groups acts otherwise than in the constructor"
    given = case.with_(groups=(), schedule={})
    expected = run(subject, given)
    asked: list[tuple[dict[str, float], dict[str, float]]] = [(another, dict(case.hyper))]
    while asked:
        built, written = asked.pop(0)
        other = case.with_(schedule={1: written}, groups=(), hyper=built)
        told = f"{next(iter(written))} has no effect when it is changed in param_groups" if len(written) == 1 else ""
        try:
            with compared(other, given):
                as_given = _acts(what, subject, other, expected, other.with_(schedule={}), told=told)
        except Refused as no:
            current().notes[str(no)] += 1
            continue
        if not as_given and built is another:
            apart = (n for n in sorted(another) if another[n] != case.hyper[n] and n.startswith(SCHEDULED))
            asked = [({**case.hyper, n: another[n]}, {n: case.hyper[n]}) for n in apart]


def _acts(
    what: str,
    subject: Subject,
    case: Case,
    expected: Trajectory,
    without: Case,
    same: Case | None = None,
    told: str = "",
) -> bool:
    """The run of `case`, whose options change, is the expected one; without a rule, it at least is not that without.

    An optimizer may remember the lr it was built with, as a reference; one that ignores what is written is wrong,
    unless the change does not matter: building anew with what it was (`same`) must go on, and not as expected.
    Returns whether it is the expected one. `told`: what is said of an option that is ignored.
    """
    seen = run(subject, case)
    try:
        same_trajectory(what, subject, case, seen, expected)
        return True
    except Violation as found:
        if isinstance(subject.rule, Rule):
            raise
        record = current()
        record.violation = None
        try:
            plain = run(subject, without)
            same_trajectory(what, subject, case, Trajectory(seen.theta), plain)
            rebuilt = plain.theta if same is None else run(subject, same).theta
            # what restarts when it is built anew, whatever its options, is not told by that how they act
            matters = same_bits(rebuilt, plain.theta).all() and not same_bits(rebuilt, expected.theta).all()
        except Violation:
            matters = False
        if not matters or (same is None and _shows_later(subject, case, without)):
            record.violation = None
            record.notes[what] += 1
            return False
        found.what = told or "an option changed in param_groups has no effect"
        found.pair = Pair(case, without, unlike=True)
        record.violation = found
        raise found from None


def _shows_later(subject: Subject, case: Case, without: Case) -> bool:
    """Whether options that are changed before the first step tell in some more steps, though not in these.

    In a first step, or in steps of one gradient, a correction of the bias cancels what it corrects.
    """
    size = case.grads.shape[1]
    more = np.concatenate([case.grads, np.random.default_rng(size).standard_normal((6, size))])
    seen, plain = (run(subject, one.with_(grads=more)).theta for one in (case, without))
    return not same_bits(seen, plain).all()


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
    late, step = len(case.all_groups) - 1, middle(case)
    case = case.with_(schedule={}, absent=frozenset(), events={})
    other = during(case, f"group:{late}", step)
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
        expected = run(subject, alone)
        rows = {n: r[start:, index].copy() for n, r in together.state.items() if n in expected.state}
        for name, values in rows.items():
            values[0] = expected.state[name][0]  # an optimizer that did not know of the group yet has no state to show
        seen = Trajectory(together.theta[start:, index], rows)
        what = "a group added in the middle of a run moves otherwise than alone"
        with compared(other, alone, here=index):
            rounded_alike(what, subject, alone, seen, expected)
