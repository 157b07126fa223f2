"""The checks themselves: each lets the rule pass and rejects something wrong, saying where and how far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verifier import check, lineup, record
from verifier.auditing.cases import full
from verifier.auditing.laws import Laws
from verifier.auditing.request import Request
from verifier.case import Case, Subject, Trajectory
from verifier.check.distinct import MANY, once_each
from verifier.floats import BF16, FORMATS, FP16, FP32, FP64, Format
from verifier.mutants import mutants
from verifier.record import Violation
from verifier.rules import get, names
from verifier.subjects.reference import reference
from verifier.subjects.torch_sandbox import in_child

HYPER = {"lr": 0.25, "beta1": 0.75, "beta2": 0.875, "eps": 1e-3, "weight_decay": 0.5}


def case(rule: str = "adamw", steps: int = 6, **changes: object) -> Case:
    """A few ordinary elements in two tensors."""
    rng = np.random.default_rng(7)
    names = {symbol.name for symbol in get(rule).hyper}
    made = Case(
        shapes=((5,), (2, 2)),
        theta=rng.standard_normal(9),
        grads=rng.standard_normal((steps, 9)),
        hyper={name: HYPER.get(name, 0.5) for name in names},
    )
    return made.with_(**changes)


def right(rule: str = "adamw", fmt: Format = FP32) -> Subject:
    """The rule itself, as a subject."""
    return reference(get(rule), fmt)


def wrong(rule: str, mistake: str, fmt: Format = FP32) -> Subject:
    """A known mistake, claiming to be the rule."""
    found = [m for m in mutants(get(rule)) if m.name == f"{rule}__{mistake}"]
    assert found, [m.name for m in mutants(get(rule))]
    return replace(reference(found[0], fmt), rule=get(rule))


def altered(subject: Subject, change: Callable[[Trajectory], Trajectory]) -> Subject:
    """A subject whose trajectory is tampered with."""
    return replace(subject, run=lambda case: change(subject.run(case)))


def bump(trajectory: Trajectory) -> Trajectory:
    """One element of theta, two thousand units in the last place away from step 3 on."""
    theta = trajectory.theta.copy()
    theta[3:, 7] *= 1 + 2.0**-12
    return replace(trajectory, theta=theta)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
@pytest.mark.parametrize("assertion", [check.steps_enclosed, check.steps_enclosed_blind])
def test_steps_enclosed_accepts_the_rule(fmt: Format, assertion: Callable[[Subject, Case], None]) -> None:
    """The rule itself stays inside its enclosure in every format, and elements were compared."""
    seen = record.start()
    assertion(right(fmt=fmt), case())
    assert seen.elements >= 6 * 9
    assert not seen.empty


@pytest.mark.parametrize("fmt", [FP64, FP32], ids=lambda fmt: fmt.name)
@pytest.mark.parametrize("assertion", [check.steps_enclosed, check.steps_enclosed_blind])
def test_steps_enclosed_rejects_every_mutant(fmt: Format, assertion: Callable[[Subject, Case], None]) -> None:
    """Every known mistake in AdamW's step leaves the enclosure on ordinary inputs.

    Each step is enclosed from what was observed before it, so that a wrong start is another law's to reject.
    """
    survivors = []
    for mutant in (m for m in mutants(get("adamw")) if m.step != get("adamw").step):
        record.start()
        try:
            assertion(replace(reference(mutant, fmt), rule=get("adamw")), case())
        except Violation:
            continue
        survivors.append(mutant.name)
    assert survivors == []


def test_a_violation_says_where_and_how_far() -> None:
    """Step, tensor, element, observed, expected and distance are those of the tampered element."""
    with pytest.raises(Violation) as caught:
        check.steps_enclosed(altered(right(), bump), case())
    found = caught.value
    assert (found.step, found.tensor, found.element) == (3, 1, 2)
    assert found.ulps is not None
    assert 1000 < found.ulps < 5000
    assert "step 3, tensor 1, element 2: observed " in str(found)
    assert ", but should be " in str(found)


def test_elements_alike_are_enclosed_once_and_the_one_that_is_not_is_found() -> None:
    """A tensor that repeats nine elements is enclosed as those, and counted whole; one that strays is seen."""
    index = np.arange(2 * MANY) % 9
    small = case(steps=4, shapes=((9,),))
    large = small.with_(shapes=((len(index),),), theta=small.theta[index], grads=small.grads[:, index])
    steps, indices = np.nonzero(np.ones(large.grads.shape, bool))

    first, chosen, times = once_each(steps, indices, large.grads, large.grads)

    assert (4 * 9, large.grads.size) == (len(first), int(times.sum()))
    assert sorted(range(9)) * 4 == list(chosen)
    seen = record.start()
    check.steps_enclosed(right(), large)
    assert 3 * large.grads.size == seen.elements

    def strays(trajectory: Trajectory) -> Trajectory:
        theta = trajectory.theta.copy()
        theta[3, 5000] *= 1 + 2.0**-12
        return replace(trajectory, theta=theta)

    with pytest.raises(Violation) as caught:
        check.steps_enclosed(altered(right(), strays), large)
    assert (3, 5000) == (caught.value.step, caught.value.element)


def test_an_exception_of_the_optimizer_is_a_violation() -> None:
    """What foreign code raises on a legitimate case is what was observed."""

    def fails(case: Case) -> Trajectory:
        raise ZeroDivisionError("lr")

    with pytest.raises(Violation, match="raised instead of stepping: observed ZeroDivisionError: lr"):
        check.steps_enclosed(replace(right(), run=fails), case())


def test_follows_accepts_the_closed_form_and_rejects_another() -> None:
    """A zero gradient shrinks AdamW's parameters by lr * weight_decay, and by nothing else."""
    subject, quiet = right(), case(steps=1, grads=np.zeros((1, 9)))
    theta, lr, weight_decay = check.exact(subject, quiet, "theta lr weight_decay")
    check.follows(subject, quiet, theta * (1 - lr * weight_decay))
    with pytest.raises(Violation, match="theta is not the closed form at step 1, tensor 0, element 0"):
        check.follows(subject, quiet, theta * (1 - weight_decay))


def test_state_follows_rejects_a_wrong_moment() -> None:
    """The first moment after one step is (1 - beta1) * g, in the rule and not in its mutant."""
    once = case(steps=1)
    beta1, g = check.exact(right(), once, "beta1 g_1")
    check.state_follows(right(), once, "exp_avg", (1 - beta1) * g)
    with pytest.raises(Violation, match="exp_avg is not the closed form"):
        check.state_follows(wrong("adamw", "unweighted_exp_avg"), once, "exp_avg", (1 - beta1) * g)


def test_unreadable_state_is_inconclusive_not_green() -> None:
    """Where a state variable cannot be read, nothing is compared and the reason is kept."""
    hidden = altered(right(), lambda trajectory: replace(trajectory, state={}))
    seen = record.start()
    check.state_follows(hidden, case(steps=1), "exp_avg", check.ratio(1, 2))
    assert seen.empty
    assert list(seen.notes) == ["exp_avg cannot be read"]


def test_frozen_and_monotone() -> None:
    """theta that moves is not frozen; a sum that falls is not nondecreasing; overflow is neither."""
    with pytest.raises(Violation, match="theta moved at step 1"):
        check.frozen(right(), case())
    check.frozen(right(), case(hyper={**HYPER, "lr": 0.0}))
    rising = right("adagrad")
    check.monotone(rising, case("adagrad"), "sum")
    with pytest.raises(Violation, match="sum is not nondecreasing at step 2"):
        check.monotone(altered(rising, falling), case("adagrad"), "sum")


def falling(trajectory: Trajectory) -> Trajectory:
    """The accumulator loses what it had from step 2 on."""
    total = trajectory.state["sum"].copy()
    total[2:] = 0.0
    return replace(trajectory, state={"sum": total})


def test_between_rejects_an_unclamped_step_size() -> None:
    """Rprop's step sizes stay within their bounds; without the clamp they leave them."""
    hyper = {"lr": 0.5, "etaminus": 0.5, "etaplus": 1.5, "step_size_min": 2.0**-10, "step_size_max": 1.0}
    steady = case("rprop", hyper=hyper, grads=np.ones((6, 9)))
    check.between(right("rprop"), steady, "step_size", "step_size_min", "step_size_max")
    loose = altered(right("rprop"), lambda t: replace(t, state={**t.state, "step_size": t.state["step_size"] * 4}))
    with pytest.raises(Violation, match="step_size left its bounds"):
        check.between(loose, steady, "step_size", "step_size_min", "step_size_max")


def test_scaled_rejects_an_epsilon_that_does_not_scale() -> None:
    """Scaling gradients and eps by two leaves AdamW's parameters alone; forgetting eps shows."""
    factors = {"exp_avg": 2.0, "exp_avg_sq": 4.0}
    check.scaled(right(), case(), theta=1.0, grad=2.0, hyper={"eps": 2.0}, state=factors)
    with pytest.raises(Violation, match="scaling by powers of two is not exact"):
        check.scaled(right(), case(), theta=1.0, grad=2.0, hyper={}, state=factors)


def test_scaled_says_nothing_in_fp16() -> None:
    """fp16's range is too short for the law: nothing is compared, and the reason is kept."""
    seen = record.start()
    check.scaled(right(fmt=FP16), case(), theta=1.0, grad=2.0, hyper={"eps": 2.0}, state={})
    assert seen.empty
    assert len(seen.notes) == 1


@pytest.mark.parametrize("fmt", [FP32, BF16], ids=lambda fmt: fmt.name)
def test_permuted_rejects_a_kernel_that_skips_its_tail(fmt: Format) -> None:
    """An implementation that leaves the last element of a tensor alone depends on an element's place."""

    def skips(trajectory: Trajectory) -> Trajectory:
        theta = trajectory.theta.copy()
        theta[:, 4] = theta[0, 4]
        return replace(trajectory, theta=theta)

    check.permuted(right(fmt=fmt), case())
    with pytest.raises(Violation):
        check.permuted(altered(right(fmt=fmt), skips), case())


def test_a_weight_whose_double_overflows_is_no_alarm() -> None:
    """Autograd doubles 40,000 to infinity in fp16, weight_decay does not; the smaller weights are compared still."""
    subject = torch_subject("sgd", fmt="float16")
    theta = np.array([40000.0, 1.0, -2.0, 3.0, 0.5, -40000.0, 1.5, 2.5, -1.0])
    large = case("sgd", steps=2, theta=theta, hyper={"lr": 2.0**-6, "weight_decay": 0.5})
    penalty = lineup.along(subject, "penalty")

    assert penalty is not None
    assert [True, False] == np.isinf(penalty.run(large).grads[0, :2]).tolist()
    check.paths_agree(subject, large)
    check.paths_enclosed(subject, large)


def test_layouts_may_turn_the_sign_of_a_zero_and_nothing_else() -> None:
    """A zero of the other sign is no difference of layouts; the smallest number is one."""

    def moved(by: float) -> Subject:
        def change(trajectory: Trajectory) -> Trajectory:
            return replace(trajectory, theta=np.where(trajectory.theta == 0, by, trajectory.theta))

        whole, tampered = right("sgd"), altered(right("sgd"), change)
        return replace(whole, run=lambda c: (whole if c.layout == "contiguous" else tampered).run(c))

    still = case("sgd", theta=np.zeros(9), grads=np.zeros((6, 9)))
    check.layout_free(moved(-0.0), still)
    with pytest.raises(Violation, match="depends on the memory layout"):
        check.layout_free(moved(2.0**-149), still)


def test_same_state_rejects_a_moment_that_reads_theta() -> None:
    """AdamW's moments do not depend on theta; with coupled decay they do."""
    other = case(theta=case().theta[::-1].copy())
    check.same_state(right(), case(), other, ["exp_avg", "exp_avg_sq"])
    with pytest.raises(Violation, match="exp_avg depends on theta"):
        check.same_state(wrong("adamw", "coupled_decay"), case(), other, ["exp_avg", "exp_avg_sq"])


def torch_subject(rule: str, implementation: str = "forloop", fmt: str = "float32") -> Subject:
    """A subject of torch.optim."""
    return next(s for s in lineup.of(get(rule), "cpu") if s.implementation == implementation and s.format.name == fmt)


def test_paths_accept_torch_and_reject_a_penalty_half_as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """lam*sum(p**2) equals weight_decay = 2*lam; taking lam for 2*lam is seen by bits and by the enclosure."""
    subject, halved = torch_subject("adam"), case("adam")
    check.paths_agree(subject, halved)
    check.paths_enclosed(subject, halved)
    along = lineup.along

    def half(subject: Subject, path: str) -> Subject | None:
        found = along(subject, path)
        if found is None or path != "penalty":
            return found
        run = found.run
        return replace(
            found, run=lambda c: run(c.with_(hyper={**c.hyper, "weight_decay": c.hyper["weight_decay"] / 2}))
        )

    monkeypatch.setattr(lineup, "along", half)
    with pytest.raises(Violation, match="the penalty in the loss differs from weight_decay"):
        check.paths_agree(subject, halved)
    with pytest.raises(Violation, match="autograd's gradient of the penalty"):
        check.paths_enclosed(subject, halved)


def test_a_listed_failure_is_not_shrunk() -> None:
    """Once a listed subject has failed, further cases fail at once, without running it."""
    seen = record.start()
    seen.listed = True
    calls = []

    def counted(case: Case) -> Trajectory:
        calls.append(case)
        return bump(right().run(case))

    subject = replace(right(), run=counted)
    for _ in range(3):
        with pytest.raises(Violation):
            check.steps_enclosed(subject, case())
    assert len(calls) == 1


def test_a_profile_that_does_not_fit_is_no_violation_where_another_one_does() -> None:
    """Scalars rounded to fp32 first fit one profile and not the likelier one: the record holds no violation."""
    seen = record.start()
    single = {name: float(np.float32(value)) for name, value in HYPER.items()} | {"beta2": 0.999}
    coefficient = {"beta2": float(np.float32(0.999))}
    given = case("adam", hyper=single)
    kernel = replace(right("adam"), run=lambda c: right("adam").run(c.with_(hyper={**c.hyper, **coefficient})))

    check.steps_enclosed(kernel, given)

    assert ({"consistent": 1}, None) == (dict(seen.profiles), seen.violation)


def test_the_violation_remembered_is_the_one_raised() -> None:
    """Of the profiles that were tried, the one that explains most of the run is shown and recorded alike."""
    seen = record.start()
    with pytest.raises(Violation) as caught:
        check.steps_enclosed(altered(right(), bump), case())

    assert seen.violation is caught.value


@pytest.mark.parametrize("rule", [name for name in names() if get(name).state])
def test_a_carried_state_still_tells_after_twenty_steps(rule: str) -> None:
    """Of no element is nothing said after 22 steps, and a slip of 2^-12 in the last of them leaves the enclosure."""
    seen, given = record.start(), case(rule, steps=22)
    check.steps_enclosed_blind(right(rule), given)

    def slips(trajectory: Trajectory) -> Trajectory:
        theta = trajectory.theta.copy()
        theta[-1] *= 1 + 2.0**-12
        return replace(trajectory, theta=theta)

    assert (22 * 9, 0) == (seen.elements, seen.vacuous)
    with pytest.raises(Violation, match="theta left its enclosure at step 22"):
        check.steps_enclosed_blind(altered(right(rule), slips), given)


SCALES = """
import torch

class Scales(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr / 2})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                p.add_(p.grad, alpha=-group["lr"])
"""


def test_only_option_that_acts_otherwise_in_a_group_is_asked_once(tmp_path: Path) -> None:
    """Options set in param_groups are asked one after the other; where there is one, that comes to an end."""
    (tmp_path / "scales.py").write_text(SCALES, encoding="utf-8")
    laws = Laws(Request(f"{tmp_path / 'scales.py'}:Scales"))
    assert laws.found.signature is not None
    (case,) = full(laws.found.signature)

    assert in_child(lambda: laws.violation("scales.options_read", "cpu-float32-forloop", case), seconds=20) is None


SUMS = """
import torch

class Sums(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1, initial_accumulator_value=0.0):
        if initial_accumulator_value < 0:
            raise ValueError("negative")
        super().__init__(params, dict(lr=lr, initial_accumulator_value=initial_accumulator_value))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                first = torch.full_like(p, group["initial_accumulator_value"])
                total = self.state[p].setdefault("sum", first)
                total.addcmul_(p.grad, p.grad)
                p.addcdiv_(p.grad, total.sqrt().add_(1e-3), value=-group["lr"])
"""


@pytest.mark.parametrize("read", [True, False])
def test_what_sums_begin_with_is_read(read: bool, tmp_path: Path) -> None:
    """Of options that no schedule changes it is asked, too, whether anything but the constructor reads them."""
    text = (
        SUMS if read else SUMS.replace('torch.full_like(p, group["initial_accumulator_value"])', "torch.zeros_like(p)")
    )
    (tmp_path / "sums.py").write_text(text, encoding="utf-8")
    laws = Laws(Request(f"{tmp_path / 'sums.py'}:Sums"))
    assert laws.found.signature is not None
    exempt = dict(laws.found.signature.exempt)

    found = [
        laws.violation("sums.read_options", "cpu-float32-forloop", c) for c in full(laws.found.signature) if not read
    ]

    assert read == ("read_options" in exempt)
    assert read == (not any(found))
