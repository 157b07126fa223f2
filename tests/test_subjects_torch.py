"""torch.optim as subjects: which there are, what they are given, what is read back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from verifier import rules
from verifier.case import Case, Group, Subject, Trajectory
from verifier.errors import UsageError
from verifier.floats import BF16, FORMATS, FP32, FP64, same_bits
from verifier.subjects.conformance import NonconformingSubject, conformance_cases, subject_conforms
from verifier.subjects.reference import reference
from verifier.subjects.torch import Torch, same_values, subjects
from verifier.subjects.torch_layouts import LAYOUTS, place
from verifier.subjects.torch_paths import PATHS, is_coupled, path_subjects, with_path

every_rule = pytest.mark.parametrize("name", rules.names())
COUPLED = [name for name in rules.names() if is_coupled(rules.get(name))]
NEEDS_EVERY_GRADIENT = {"sgd_momentum", "sgd_nesterov"}  # fused: tests/findings/fused_sgd_late_gradient.py


def plain(name: str) -> Case:
    """The first case every subject must be able to run."""
    return dict(conformance_cases(rules.get(name)))["plain"]


def one(name: str, dtype: str = "float32", implementation: str = "forloop") -> Subject:
    (found,) = subjects(name, dtypes=[dtype], implementations=[implementation])
    return found


@pytest.mark.parametrize(
    ("name", "implementations"),
    [
        ("sgd", {"forloop", "foreach", "fused", "differentiable"}),
        ("adamw", {"forloop", "foreach", "fused", "differentiable"}),
        ("adagrad", {"forloop", "foreach", "fused", "differentiable"}),
        ("rprop", {"forloop", "foreach", "differentiable"}),
    ],
)
def test_subjects_are_implementations_times_formats(name: str, implementations: set[str]) -> None:
    """A rule has a subject for each implementation torch offers and each format, with ids all different."""
    found = subjects(name)
    assert set(itertools.product(implementations, FORMATS)) == {(s.implementation, s.format.name) for s in found}
    assert len(found) == len({s.id for s in found})


def test_missing_device_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CUDA its subjects are still there, each with the reason it cannot run."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    from verifier.subjects.torch import missing

    missing.cache_clear()
    found = subjects("adam", "all")
    missing.cache_clear()
    assert {("cpu", ""), ("cuda", "no CUDA device")} == {(s.device, s.untestable) for s in found}
    assert len(subjects("adam")) * 2 == len(found)


def test_unknown_device_is_a_usage_error() -> None:
    """A device nobody has heard of is refused, with the nearest one."""
    with pytest.raises(UsageError) as caught:
        subjects("adam", "cuda0")
    assert "cuda" == caught.value.nearest


@every_rule
def test_torch_conforms(name: str) -> None:
    """Every implementation can be tested: shapes, formats, repeatability. What torch cannot run is listed above."""
    for subject in subjects(name, dtypes=["float32", "bfloat16"]):
        if subject.implementation == "fused" and name in NEEDS_EVERY_GRADIENT:
            with pytest.raises(TypeError, match="NoneType"):
                subject_conforms(subject)
        else:
            subject_conforms(subject)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
def test_reference_conforms(fmt: object) -> None:
    """The reference of every rule is a subject that can be tested."""
    for name in rules.names():
        subject_conforms(reference(rules.get(name), fmt))


def wrong_shape(case: Case, honest: Trajectory) -> Trajectory:
    return replace(honest, theta=honest.theta[1:])


def wrong_dtype(case: Case, honest: Trajectory) -> Trajectory:
    return replace(honest, theta=honest.theta.astype(np.float32))


def between_values(case: Case, honest: Trajectory) -> Trajectory:
    return replace(honest, theta=honest.theta * (1 + 2.0**-40))


def wrong_start(case: Case, honest: Trajectory) -> Trajectory:
    return replace(honest, theta=np.concatenate([honest.theta[1:], honest.theta[-1:]]))


def unknown_state(case: Case, honest: Trajectory) -> Trajectory:
    return replace(honest, state={**honest.state, "velocity": honest.theta})


def frozen(case: Case, honest: Trajectory) -> Trajectory:
    return replace(honest, theta=np.broadcast_to(honest.theta[:1], honest.theta.shape).copy())


unseeded = np.random.default_rng()


def random(case: Case, honest: Trajectory) -> Trajectory:
    noisy = honest.theta.copy()
    noisy[1:] += unseeded.integers(1, 1 << 20, size=noisy[1:].shape)
    return replace(honest, theta=FP32.round(noisy))


def changes_the_case(case: Case, honest: Trajectory) -> Trajectory:
    case.grads[:] *= 2
    return honest


def moves_without_gradient(case: Case, honest: Trajectory) -> Trajectory:
    moved = honest.theta.copy()
    for step, k in case.absent:
        moved[step:, case.slices[k]] += 1.0
    return replace(honest, theta=FP32.round(moved))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (wrong_shape, "of shape"),
        (wrong_dtype, "float32"),
        (between_values, "between those of float32"),
        (wrong_start, "row 0"),
        (unknown_state, "velocity"),
        (frozen, "no parameter moved"),
        (random, "differs between two runs"),
        (changes_the_case, "changed the case"),
        (moves_without_gradient, "without a gradient"),
    ],
)
def test_broken_subject_is_rejected(broken: Callable[[Case, Trajectory], Trajectory], words: str) -> None:
    """A subject that breaks one demand is rejected, and the message says which."""
    honest = reference(rules.get("adam"), FP32)
    lying = replace(honest, run=lambda case: broken(case, honest.run(case)))
    with pytest.raises(NonconformingSubject, match=words):
        subject_conforms(lying)


def test_values_are_rounded_once() -> None:
    """A double just above a tie of bfloat16 goes up: by way of float it would land on the tie and go down."""
    above_tie = np.array([1 + 2.0**-8 + 2.0**-40])
    assert [1 + 2.0**-7] == Torch("sgd", "cpu", BF16, "forloop").tensor(above_tie).tolist()


@pytest.mark.parametrize("fmt", [FORMATS["float32"], FORMATS["float16"]], ids=lambda fmt: fmt.name)
def test_rounding_is_numpys(fmt: object) -> None:
    """Format.round agrees with numpy's conversion, subnormals and overflow included."""
    draw = np.random.default_rng(7)
    values = draw.normal(size=4096) * 2.0 ** draw.integers(-160, 140, size=4096)
    with np.errstate(over="ignore"):
        expected = values.astype(fmt.name).astype(np.float64)
    assert same_bits(expected, fmt.round(values)).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 4), (2, 3, 4), (2, 3, 4, 5), (2, 0, 3), (2, 2, 2, 2, 2)])
def test_layouts_hold_the_same_values(layout: str, shape: tuple[int, ...]) -> None:
    """A layout changes where values lie in memory, not what they are, and shares no memory with its source."""
    values = torch.arange(float(np.prod(shape, dtype=int)))
    placed = place(values, shape, layout)
    kept = placed.reshape(-1).tolist()
    values += 1
    assert (shape, kept) == (tuple(placed.shape), placed.reshape(-1).tolist())
    assert [x - 1 for x in values.tolist()] == kept


@pytest.mark.parametrize(
    ("layout", "strides"),
    [("contiguous", (20, 5, 1)), ("transposed", (20, 1, 4)), ("sliced", (40, 10, 2)), ("offset", (20, 5, 1))],
)
def test_layouts_are_what_they_say(layout: str, strides: tuple[int, ...]) -> None:
    """Strides of a (3, 4, 5) tensor in each layout."""
    assert strides == place(torch.zeros(60), (3, 4, 5), layout).stride()


@every_rule
def test_layout_does_not_matter(name: str) -> None:
    """For-loop and foreach give the same fp32 bits for every layout of parameters and gradients."""
    case = plain(name)
    for subject in subjects(name, dtypes=["float32"], implementations=["forloop", "foreach"]):
        expected = subject.run(case)
        for layout, grad_layout in [("transposed", "sliced"), ("sliced", "transposed"), ("offset", "channels_last")]:
            assert same_values(expected, subject.run(case.with_(layout=layout, grad_layout=grad_layout)))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adagrad"])
def test_layout_matters_to_fused_kernels(name: str) -> None:
    """The subject hands layouts on: the fused kernels' known defect shows (findings/fused_cpu_ignores_strides.py)."""
    subject, case = one(name, implementation="fused"), plain(name)
    assert not same_values(subject.run(case), subject.run(case.with_(layout="transposed")))


@every_rule
def test_groups_move_as_alone(name: str) -> None:
    """A tensor in a group of its own moves as it would in an optimizer of its own with the group's options."""
    case = plain(name).with_(groups=(Group((0, 1, 2)), Group((3,), {"lr": 2.0**-9})), schedule={3: {"lr": 2.0**-5}})
    where = case.slices[3]
    alone = Case(
        case.shapes[3:], case.theta[where], case.grads[:, where], {**case.hyper, "lr": 2.0**-9}, schedule=case.schedule
    )
    subject = one(name, "float64")
    assert same_bits(subject.run(alone).theta, subject.run(case).theta[:, where]).all()


def test_options_change_between_steps() -> None:
    """Options scheduled for a step are in force from that step on, pairs included."""
    case = plain("adam").with_(schedule={2: {"beta1": 0.0, "eps": 1.0}})
    changed, unchanged = one("adam").run(case), one("adam").run(case.with_(schedule={}))
    assert same_bits(unchanged.theta[1], changed.theta[1]).all()
    assert same_bits(FP32.round(case.grads[1]), changed.grads[1]).all()
    assert not same_bits(unchanged.theta[2], changed.theta[2]).all()


def test_row_zero_of_state_is_the_rules() -> None:
    """State that torch creates lazily shows the rule's initial value before it exists; scalars fill their tensor."""
    case = plain("nadam")
    observed = one("nadam").run(case)
    assert (1.0, 0.0) == (observed.state["mu_product"][0].min(), np.abs(observed.state["exp_avg"][0]).max())
    assert 1 == len(set(observed.state["mu_product"][2]))
    rprop = plain("rprop")
    assert {FP32.round(rprop.hyper["lr"]).item()} == set(one("rprop").run(rprop).state["step_size"][0])


def test_late_state_starts_with_the_rate_in_force() -> None:
    """Rprop's step size of a tensor without gradients so far is the learning rate of its first step."""
    case = plain("rprop").with_(schedule={2: {"lr": 0.5}}, absent=frozenset({(1, 0), (1, 1), (1, 3)}))
    assert {0.5} == set(one("rprop").run(case).state["step_size"][0])


def test_maximize_climbs() -> None:
    """Maximizing is minimizing the negated gradient, bit for bit."""
    case = plain("sgd_momentum")
    climbed = one("sgd_momentum").run(case.with_(maximize=True))
    assert same_bits(one("sgd_momentum").run(case.with_(grads=-case.grads)).theta, climbed.theta).all()


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop"])
def test_tensor_learning_rate(name: str) -> None:
    """A learning rate given as a tensor is the same number: for-loop fp64 runs agree to the bit."""
    (subject,) = subjects(name, dtypes=["float64"], implementations=["forloop"], tensor_lr=True)
    assert "cpu-float64-forloop_tensor_lr" == subject.id
    assert same_values(one(name, "float64").run(plain(name)), subject.run(plain(name)))


def test_no_elements_and_no_steps() -> None:
    """Zero-size tensors, 0-dim tensors and runs without steps give trajectories of the right shape."""
    case = Case(((0,), (), (2, 0)), np.ones(1), np.ones((0, 1)), plain("adam").hyper)
    assert (1, 1) == one("adam").run(case).theta.shape


def case_with_biases(name: str, decay: float) -> Case:
    """Weights decay, the bias (tensor 3) does not."""
    case = plain(name)
    hyper = {**case.hyper, "weight_decay": decay}
    return case.with_(hyper=hyper, groups=(Group((0, 1, 2)), Group((3,), {"weight_decay": 0.0})))


def test_paths_are_of_coupled_rules() -> None:
    """Rules that decay otherwise have no penalty to stand for their decay, hence no paths."""
    assert set(rules.names()) - set(COUPLED) == {
        "adamw",
        "adamw_amsgrad",
        "nadam_decoupled",
        "radam_decoupled",
        "rprop",
    }
    assert [] == path_subjects("adamw")
    assert set(PATHS) == {subject.path for subject in path_subjects("adam")}


@pytest.mark.parametrize("name", COUPLED)
def test_paths_agree_to_the_bit_for_a_power_of_two(name: str) -> None:
    """lam = 2^-7: penalty, weight_decay and groups leave the same bits, fp32 and fp64, in every implementation."""
    case = case_with_biases(name, 2.0**-6)
    for subject in path_subjects(name, dtypes=["float32", "float64"], paths=["weight_decay"]):
        expected = subject.run(case)
        for path in ("penalty", "groups"):
            assert same_values(expected, with_path(subject, path).run(case)), f"{subject.id}: {path}"


@pytest.mark.parametrize("maximize", [False, True])
def test_penalty_shows_in_the_gradient(maximize: bool) -> None:
    """The penalty path's gradients hold 2*lam*p, of the group's lam; the other paths' are the data's."""
    case = case_with_biases("sgd", 2.0**-6).with_(maximize=maximize)
    penalty, decay = (with_path(one("sgd", "float64"), path).run(case).grads[0] for path in ("penalty", "weight_decay"))
    decayed = np.where(np.arange(len(case.theta)) < case.slices[3].start, case.theta, 0.0) * 2.0**-6
    assert same_bits(case.grads[0], decay).all()
    assert same_bits(case.grads[0] + (-decayed if maximize else decayed), penalty).all()


def test_penalty_follows_a_scheduled_decay() -> None:
    """A weight_decay changed between steps changes the penalty, not the optimizer, of the penalty path."""
    case = case_with_biases("adam", 2.0**-6).with_(groups=(), schedule={2: {"weight_decay": 2.0**-3}})
    subject = one("adam", "float64")
    observed = [with_path(subject, path).run(case) for path in ("penalty", "weight_decay")]
    assert same_values(*observed)


def test_absent_gradients_on_every_path() -> None:
    """A tensor left out of the loss has no gradient on any path: it is neither stepped nor penalised."""
    case = case_with_biases("adam", 2.0**-6).with_(absent=frozenset({(2, 0)}))
    for path in PATHS:
        moved = with_path(one("adam"), path).run(case).theta[:, case.slices[0]]
        assert same_bits(moved[1], moved[2]).all() and not same_bits(moved[0], moved[1]).any()


def test_reference_and_torch_agree_on_what_is_exact() -> None:
    """Where no operation of SGD rounds, torch's every implementation gives the reference's bits in fp64."""
    grads = np.array([[1.0, -2.0, 0.5], [0.25, 1.0, -1.0]])
    case = Case(((3,),), np.array([4.0, 2.0, -1.0]), grads, {"lr": 0.5, "weight_decay": 0.25})
    expected = reference(rules.get("sgd"), FP64).run(case)
    assert all(same_values(expected, subject.run(case)) for subject in subjects("sgd", dtypes=["float64"]))
