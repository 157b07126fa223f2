"""Strategies draw what they are asked for, and what can make a check fail."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import find, given, settings

from verifier.case import Case
from verifier.rules import get, names
from verifier.strategies import cases, options_of

FEW = settings(max_examples=25, deadline=None, database=None)


@pytest.mark.parametrize("name", names())
def test_hyperparameters_lie_in_their_domains(name: str) -> None:
    """Whatever is drawn, scheduled changes and groups included, is a value the rule allows."""
    rule = get(name)
    domains = {symbol.name: domain for symbol, domain in rule.hyper.items()}

    @FEW
    @given(case=cases(rule, groups=True, schedule=True))
    def drawn(case: Case) -> None:
        tables = [case.hyper, *(g.hyper for g in case.groups), *case.schedule.values()]
        for table in tables:
            for key, value in table.items():
                assert domains[key].contains(sympy.Float(value)) is sympy.true, (key, value)

    drawn()


@FEW
@given(case=cases(get("adamw"), steps=3, grad=0, weight_decay=0))
def test_fixed_values_are_kept(case: Case) -> None:
    """Steps, a constant gradient and a held hyperparameter are as asked."""
    assert case.steps == 3
    assert not case.grads.any()
    assert case.hyper["weight_decay"] == 0


@FEW
@given(case=cases(get("sgd"), dyadic="weight_decay", grad="balanced"))
def test_balanced_gradients_cancel_the_decay(case: Case) -> None:
    """weight_decay is a power of two, and every gradient is exactly -weight_decay * theta."""
    mantissa, _ = np.frexp(case.hyper["weight_decay"])
    assert mantissa == 0.5
    assert (case.grads == -case.hyper["weight_decay"] * case.theta).all()


@FEW
@given(case=cases(get("adam"), tame=True))
def test_tame_magnitudes(case: Case) -> None:
    """Tame values keep clear of the ends of every format's range."""
    values = np.abs(np.concatenate([case.theta, case.grads.ravel()]))
    assert ((values >= 1 / 8) & (values <= 8)).all()


@FEW
@given(case=cases(get("adam"), groups=True, layouts=True))
def test_json_round_trip(case: Case) -> None:
    """A case written and read back is the same case, to the bit."""
    again = Case.from_json(case.to_json())
    assert again.to_json() == case.to_json()
    assert (again.theta == case.theta).all()


def test_groups_differ_from_the_constructor_in_every_option() -> None:
    """Every group draws every option anew: most differ from the constructor's, and in some case all do.

    An option that is read from the wrong place then shows.
    """
    cases_of_adam: list[Case] = []

    @FEW
    @given(case=cases(get("adam"), groups="always"))
    def drawn(case: Case) -> None:
        cases_of_adam.append(case)

    drawn()
    options = {symbol.name for symbol in get("adam").hyper}
    differing = [
        {name for name, value in group.hyper.items() if value != case.hyper[name]}
        for case in cases_of_adam
        for group in case.groups
    ]

    assert {frozenset(options)} == {frozenset(group.hyper) for case in cases_of_adam for group in case.groups}
    assert all(len(case.groups) > 1 for case in cases_of_adam)
    assert options in differing
    assert sum(map(len, differing)) > len(differing) * len(options) / 2


@pytest.mark.parametrize(
    "option", ["groups", "schedule", "absent gradients", "maximize", "0-dim tensors", "empty tensors"]
)
def test_every_option_is_drawn(option: str) -> None:
    """Each structural option occurs, and is counted under its name."""
    everything = cases(get("adam"), groups=True, schedule=True, absent=True, maximize=True, layouts=True)
    assert option in options_of(find(everything, lambda case: option in options_of(case)))


def test_unknown_hyperparameters_are_refused() -> None:
    """Holding a hyperparameter the rule does not have is an error that names those it has."""
    with pytest.raises(ValueError, match=r"\['momentum'\] is not among \['lr'"):
        find(cases(get("adam"), momentum=0.5), lambda case: True)
