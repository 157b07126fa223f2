"""What audits of other packages were wrong about; what is wrong beside it is still found."""

from __future__ import annotations

import functools
import math
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from tests.asked import FAST
from verifier import check, record
from verifier.auditing import collect
from verifier.auditing.probe import Found, learn, with_class
from verifier.auditing.request import Request
from verifier.auditing.scene import Scene, lines_of
from verifier.auditing.script import imports
from verifier.lift import expr, identity
from verifier.subjects.torch_conventions import case_of
from verifier.subjects.torch_probe import Untestable
from verifier.subjects.torch_signature import resolve


@functools.cache
def learnt(name: str) -> Found:
    """What an audit knows of one of the optimizers."""
    target = f"tests.abroad:{name}"
    return with_class(learn(Request(target)), resolve(target)[1])


@functools.cache
def contracts_of(name: str) -> Any:
    """Its contracts."""
    return collect._contract_module(learnt(name), "ci")


@functools.cache
def contract(name: str, law: str) -> Any:
    """One of them, asked of a few cases; its settings can be given once."""
    return FAST(getattr(contracts_of(name), f"test_{law}"))


def said(name: str, law: str, *formats: str) -> str:
    """What a contract finds wrong; empty where it holds of these formats."""
    for subject in contracts_of(name).subjects:
        if subject.format.name in formats and not subject.untestable:
            record.start()
            try:
                contract(name, law)(subject=subject)
            except record.Violation as found:
                return found.sentence
    return ""


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_complex_parameters_may_be_numbers(dtype: str) -> None:
    """What turns with its gradients, and moves real numbers as reals, has complex numbers; else it has not."""
    assert "" == said("DividesBySizes", "complex_numbers", dtype)
    assert "otherwise than its two parts" in said("DividesBySquares", "complex_numbers", dtype)
    assert "otherwise than its two parts" in said("DividesByRealParts", "complex_numbers", dtype)


def test_refusal_by_an_error_of_its_own_is_none() -> None:
    """A class that says that it takes no complex parameters breaks no contract, whatever its error is called."""
    assert "" == said("RefusesComplex", "complex_numbers", "float32")


def test_operation_that_fails_is_no_refusal() -> None:
    """A step that does not find complex numbers in a table has not refused them."""
    assert "KeyError" in said("StumblesOverComplex", "complex_numbers", "float32")


def test_infinite_default_has_no_point_near_it() -> None:
    """An option whose default is infinite is read at some other value."""
    growth = expr.sym("growth_rate")
    found: Any = types.SimpleNamespace(hyper={"growth_rate": math.inf}, domain={})

    assert 0 < identity._point({growth}, found, 1)[growth] < 1000


def test_estimate_made_of_signs_is_one_of_all_parameters() -> None:
    """An estimate that gradients a number of times as long leave as it is, is seen to be made of them."""
    signature = learnt("EstimatesOfSigns").signature
    assert signature is not None

    assert ("convention", "keeps grown for all parameters at once, made of all their gradients") in signature.notes
    assert "groups" in signature.exempt


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_sums_in_another_order_are_no_other_implementation(dtype: str) -> None:
    """What was read of vectors is no rule of matrices: there two orders of one sum are told by a coarser run."""
    assert "" == said("Projects", "implementations", dtype)


def test_implementation_that_leaves_a_part_out_is_found_without_a_rule() -> None:
    """Where no rule of matrices could be read, steps that go elsewhere are found all the same."""
    assert "differs from the for-loop" in said("ProjectsInLoops", "implementations", "float64", "float32")


def test_class_that_takes_a_model_has_a_script() -> None:
    """Its script makes a module that holds the parameters, and steps them."""
    found = learnt("OfModel").signature
    assert found is not None
    lines = lines_of(Scene(found, "forloop", "float32", {}), case_of(found, [(2,)], found.defaults, 1))
    place: dict[str, Any] = {}
    exec(
        "\n".join(["import torch", "from tests.abroad import OfModel", "def run():", *(f"    {x}" for x in lines)]),
        place,
    )

    assert 2 == place["run"]().numel()


def test_numbers_of_numpy_are_the_same_run_after_run() -> None:
    """Chance that a seed of numpy's decides is no second result of one case; one that no seed decides is."""
    assert ["", "a second run of the same case differs"] == [
        said(name, "determinism", "float64").partition(": ")[2].partition(" at ")[0]
        for name in ("Shakes", "ShakesByItself")
    ]


def test_chance_in_one_format_is_no_order_of_parameters() -> None:
    """Who draws numbers where values are rounded is asked nothing there that compares two runs; elsewhere it is."""
    assert ["", ""] == [said("RoundsByChance", law, "bfloat16", "float32") for law in ("order", "neighbours")]
    assert "order" not in (learnt("RoundsByChance").signature or learnt("Shakes").signature).exempt  # type: ignore[union-attr]


def test_state_dict_of_another_layout_is_no_error() -> None:
    """A state_dict without the entry that torch's have is loaded as any other."""
    assert ["", ""] == [said("KeepsItsOwnWay", law, "float32") for law in ("state_dtypes", "resume")]


def test_resumed_by_another_implementation_it_may_round() -> None:
    """A run that goes on in foreach may round otherwise; one that has lost its momentum on the way may not."""
    formats = ("float64", "float32")

    assert "" == said("Switches", "resume_across", *formats)
    assert "goes on differently" in said("Forgets", "resume_across", *formats)


def test_what_every_group_must_say_is_said() -> None:
    """A key without which the constructor refuses a group is given, and told; shapes that then raise are not taken."""
    signature = learnt("AsksOfGroups").signature
    assert signature is not None

    assert {"rotate": True} == signature.keys
    assert ("convention", "every group must say rotate; True was said") in signature.notes
    assert 1 == signature.least_dimensions
    assert ["", ""] == [said("AsksOfGroups", law, "float32") for law in ("groups", "added_group")]


def test_error_of_another_optimizer_says_nothing_of_the_first() -> None:
    """Where the second optimizer of a class raises, the first is not blamed for having one beside it."""
    assert "" == said("DislikesThree", "neighbours", "float32")


def test_rate_that_an_option_switches_off_is_no_mistake() -> None:
    """Steps that make their rate themselves move at lr = 0, as another option says; where none does, lr is not read."""
    assert "" == said("MakesItsRate", "resting_rate", "float64")
    assert "although lr is 0" in said("HasNoRate", "resting_rate", "float64")


@pytest.mark.parametrize(("name", "wrong"), [("LerpsToTheOld", False), ("LerpsTooFar", True)])
def test_lerp_towards_the_old_rounds_its_weight(name: str, wrong: bool) -> None:
    """1 - beta of a rounded beta is how torch's lerp computes an average; a weight that is off is found."""
    signature = learnt(name).signature
    assert signature is not None

    assert signature.lerps
    assert wrong is bool(said(name, "as_read", "float32") or said(name, "sizes", "float32"))


@pytest.mark.parametrize(("name", "wrong"), [("TrainsSmall", False), ("TrainsSmallAndSwallows", True)])
def test_element_that_is_not_trained_swallows_nothing(name: str, wrong: bool) -> None:
    """A NaN in an element whose gradients are never read is not swallowed; one that is taken for zero is."""
    assert wrong is ("swallowed" in said(name, "nan_stays", "float32"))


@pytest.mark.parametrize(("name", "wrong"), [("MakesReady", False), ("MakesHalfReady", True)])
def test_norm_that_no_gradient_changes_but_for_roundings(name: str, wrong: bool) -> None:
    """Where two steps show roundings alone, whether a norm is that of a whole tensor is asked of five."""
    assert wrong is ("reads some elements" in said(name, "whole_tensors", "float64", "float32"))


def test_pairs_of_parameters_are_no_mistake() -> None:
    """Whoever steps parameters two by two is not tested, and the reason says so."""
    with pytest.raises(Untestable, match="in pairs"):
        learn(Request("tests.abroad:StepsPairs"))


def test_last_parameter_that_is_forgotten_is_one() -> None:
    """An optimizer that leaves the last parameter where it is steps no pairs, and is tested."""
    assert "is not moved" in said("LeavesTheLast", "shapes", "float64")


@pytest.mark.parametrize(("name", "wrong"), [("WarmsUpByItsBeta", False), ("WarmsUpAndKeeps", True)])
def test_option_that_a_correction_cancels_shows_in_later_steps(name: str, wrong: bool) -> None:
    """In a first step a corrected average is the gradient, whatever beta is: more steps say whether it is read."""
    signature = learnt(name).signature
    assert signature is not None
    subject = next(s for s in contracts_of(name).subjects if s.format.name == "float64")
    record.start()
    found = ""
    try:
        check.set_later(subject, case_of(signature, [(5,)], signature.defaults, 1))
    except record.Violation as violation:
        found = violation.what

    assert ("beta has no effect when it is changed in param_groups" if wrong else "") == found


@pytest.mark.parametrize(("name", "wrong"), [("IteratesInBfloat16", False), ("IteratesAndStretches", True)])
def test_iterations_in_fewer_bits_round_by_those(name: str, wrong: bool) -> None:
    """What part of a step does in bfloat16, another implementation may round otherwise; a longer step is found."""
    assert wrong is ("differs" in said(name, "implementations", "float64", "float32"))


def test_generator_of_a_module_that_matrices_begin_by_is_chance() -> None:
    """A switch that makes matrices begin with numbers of the module's own generator is said to draw, and not turned."""
    signature = learnt("BeginsByChance").signature
    assert signature is not None

    assert ("convention", "draws random numbers where spectral is turned, which it was not") in signature.notes
    assert ["", ""] == [said("BeginsByChance", law, "float64", "float32") for law in ("determinism", "order")]


@pytest.mark.parametrize(("name", "wrong"), [("KeepsViews", False), ("KeepsGraphs", True)])
def test_views_that_torch_says_nothing_of_are_no_graphs(name: str, wrong: bool) -> None:
    """A view of a parameter that was changed since makes no error of ours; a graph that is kept is found."""
    found = [said(name, law, "float64", "float32") for law in ("no_graph", "bounded_memory", "own_state")]

    assert wrong is any("graph" in words for words in found)
    assert not any("view" in words for words in found)


def test_tensor_that_torch_does_not_unpickle_is_no_mistake() -> None:
    """A state that torch cannot read back from a pickle says nothing of the optimizer that keeps it."""
    assert ["", ""] == [said("KeepsEightBits", law, "float32") for law in ("pickling", "resume_from_pickle")]


@pytest.mark.parametrize("stem", ["my_opt", "my-opt", "2nd", "class"])
def test_script_imports_a_file_of_any_name(stem: str, tmp_path: Path) -> None:
    """A target in a file whose name is no identifier is imported all the same."""
    (tmp_path / f"{stem}.py").write_text("class Mine:\n    found = 7\n", encoding="utf-8")
    lines = [*imports(f"{tmp_path / stem}.py:Mine", []), "print(Mine.found)"]

    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert "7\n" == done.stdout
