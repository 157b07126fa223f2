"""What every subject must do, whatever rule it claims: a check for authors of subjects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from verifier.case import Case, Group, Subject, Trajectory
from verifier.floats import same_bits
from verifier.rule import Rule, shared


class NonconformingSubject(AssertionError):
    """A subject whose runs nothing could be concluded from; the message says what was seen and what should be."""


def subject_conforms(subject: Subject) -> None:
    """Asserts that the subject can be tested at all: its shapes, its formats, its repeatability.

    Runs a handful of small cases. NonconformingSubject says which demand fails: trajectories of the right shape
    and dtype, values the subject's format can hold, row 0 the case's parameters rounded to it, the state the rule
    names, tensors without a gradient left alone, the case unchanged, and the same bits when run again.
    A subject that says it is untestable is asked for nothing.
    """
    if subject.untestable:
        return
    for what, case in conformance_cases(subject.rule):
        before = case.to_json()
        observed = subject.run(case)
        _check(subject, case, observed, what)
        if case.to_json() != before:
            raise _failed(subject, what, "the run changed the case it was given", "an unchanged case")
        again = subject.run(case)
        for name, first, second in _series(observed, again):
            if not same_bits(first, second).all():
                raise _failed(subject, what, f"{name} differs between two runs of one case", "the same bits")


def conformance_cases(rule: Rule) -> Iterator[tuple[str, Case]]:
    """Small cases any subject of `rule` must be able to run, each with a phrase that says what is special about it."""
    hyper = {symbol.name: _inside(domain) for symbol, domain in rule.hyper.items()}
    shapes = ((3, 2), (), (0,), (5,))
    theta = np.linspace(-2.0, 2.5, 12) + 0.1
    grads = np.stack([np.sin(np.arange(12.0) + step) for step in (1, 2, 3, 4)])
    plain = Case(shapes, theta, grads, hyper)
    yield "plain", plain
    yield "one element", Case(((1,),), theta[:1], grads[:, :1], hyper)
    yield "no steps", plain.with_(grads=grads[:0])
    yield "groups", plain.with_(groups=(Group((1, 3)), Group((0, 2), {"lr": 2.0**-9})))
    yield "a schedule", plain.with_(schedule={2: {"lr": 2.0**-7}, 4: {"lr": 0.0}})
    yield "absent gradients", plain.with_(absent=frozenset({(1, 0), (3, 0), (2, 3)}))
    yield "transposed", plain.with_(layout="transposed", grad_layout="sliced")
    yield "maximize", plain.with_(maximize=True)


def _inside(domain: object) -> float:
    """A number inside an interval, off its middle."""
    low, high = float(domain.inf), float(domain.sup)  # type: ignore[attr-defined]
    return low + (high - low) * 0.0625


def _check(subject: Subject, case: Case, observed: Trajectory, what: str) -> None:
    names = {symbol.name for symbol in subject.rule.state}
    unknown = set(observed.state) - names
    if unknown:
        raise _failed(subject, what, f"state {sorted(unknown)}", f"names among {sorted(names)}")
    scalars = {symbol.name for symbol in shared(subject.rule)}
    wanted = (case.steps + 1, len(case.theta))
    for name, values in [("theta", observed.theta), *observed.state.items()]:
        if not isinstance(values, np.ndarray) or values.dtype != np.float64 or values.shape != wanted:
            raise _failed(subject, what, f"{name} is {_kind(values)}", f"float64 of shape {wanted}")
        if name not in scalars and not same_bits(subject.format.round(values), values).all():
            raise _failed(subject, what, f"{name} holds values between those of {subject.format.name}", "values of it")
    if not same_bits(observed.theta[0], subject.format.round(case.theta)).all():
        raise _failed(subject, what, "row 0 of theta is not the case's parameters", "them, rounded to the format")
    if observed.grads is not None and observed.grads.shape != case.grads.shape:
        raise _failed(subject, what, f"grads is {_kind(observed.grads)}", f"shape {case.grads.shape}")
    for step, k in case.absent:
        rows = observed.theta[step - 1 : step + 1, case.slices[k]]
        if not same_bits(rows[0], rows[1]).all():
            raise _failed(subject, what, f"tensor {k} moved at step {step} without a gradient", "it left alone")
    if case.steps and not case.absent and same_bits(observed.theta[0], observed.theta[1]).all():
        raise _failed(subject, what, "no parameter moved at step 1", "a step")


def _series(first: Trajectory, second: Trajectory) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    yield "theta", first.theta, second.theta
    for name, values in first.state.items():
        yield name, values, second.state[name]


def _kind(values: object) -> str:
    if isinstance(values, np.ndarray):
        return f"{values.dtype} of shape {values.shape}"
    return type(values).__name__


def _failed(subject: Subject, what: str, observed: str, expected: str) -> NonconformingSubject:
    return NonconformingSubject(f"{subject.name} [{subject.id}], case {what!r}: {observed}; expected {expected}")
