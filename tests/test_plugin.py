"""The pytest plugin: rows, expected failures, resumption and messages, on a property module of its own."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from verifier.plugin import _address

pytest_plugins = ("pytester",)

MODULE = '''
from dataclasses import replace

import numpy as np
from hypothesis import given

from verifier import check
from verifier.floats import FP32
from verifier.rules.sgd import rule
from verifier.strategies import cases
from verifier.subjects.reference import reference

right = reference(rule, FP32)


def doubled(case):
    seen = right.run(case)
    return replace(seen, theta=seen.theta * np.where(np.arange(case.steps + 1) > 0, 2.0, 1.0)[:, None])


def dies(case):
    import os

    os._exit(3)


def broken(case):
    return None


subjects = [
    replace(right, implementation="right"),
    replace(right, implementation="doubled", run=doubled),
    replace(right, implementation="absent", untestable="no such device"),
]
EXTRA


@given(case=cases(rule, steps=(1, 3)))
def test_step(subject, case):
    """Every step lies inside the enclosure."""
    check.steps_enclosed(subject, case)
'''

LISTING = '[[expect]]\nid = "sgd.step@*-doubled"\nreason = "known"\n'


def run(
    pytester: pytest.Pytester, *arguments: str, extra: str = "", listing: str = ""
) -> tuple[pytest.RunResult, list[dict[str, Any]]]:
    """Runs the module in a process of its own; the result and the evidence rows."""
    pytester.makepyfile(test_sgd=MODULE.replace("EXTRA", extra))
    (pytester.path / "expected.toml").write_text(listing)
    words = ("-p", "no:cacheprovider", "--verifier-evidence", "rows.jsonl", "--verifier-profile", "ci")
    result = pytester.runpytest_subprocess(*words, "--hypothesis-seed=1", *arguments)
    rows = [json.loads(line) for line in (pytester.path / "rows.jsonl").read_text().splitlines()]
    return result, rows


def verdicts(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Implementation -> verdict."""
    return {row["subject"].rpartition("-")[2]: row["verdict"] for row in rows if row["kind"] == "evidence"}


def test_rows_say_held_violated_and_untestable(pytester: pytest.Pytester) -> None:
    """Each subject has its row; the wrong one fails the run and the absent one is not green."""
    result, rows = run(pytester)
    assert verdicts(rows) == {"right": "held", "doubled": "violated", "absent": "untestable"}
    assert result.ret == 1
    row = next(r for r in rows if r.get("verdict") == "violated")
    assert row["id"].startswith("sgd.step@")
    assert (row["step"], row["case"]["shapes"]) == (1, [[1]])  # shrunk to one element
    assert row["strength"] == "enclosed"
    result.stdout.fnmatch_lines(["*sgd on *-doubled: theta left its enclosure at step 1*observed*but should be*"])
    result.stdout.fnmatch_lines(["*run it again*", "*pytest 'test_sgd.py::test_step*--hypothesis-seed=1*"])


def test_a_listed_failure_is_expected(pytester: pytest.Pytester) -> None:
    """A violation that is listed carries its reason and does not fail the run."""
    result, rows = run(pytester, listing=LISTING)
    assert result.ret == 0
    row = next(r for r in rows if r.get("verdict") == "violated")
    assert row["expected_failure"] == "known"
    assert row["message"].startswith("sgd on ")  # remembered and raised again, it does not differ from run to run


def test_a_stale_listing_fails_the_run(pytester: pytest.Pytester) -> None:
    """What is listed as failing and holds turns the run red, and is named."""
    result, rows = run(pytester, listing=LISTING.replace("doubled", "right") + LISTING)
    assert result.ret == 1
    assert [row["id"] for row in rows if row["kind"] == "stale"] == ["sgd.step@*-right"]
    result.stdout.fnmatch_lines(["stale expected failure: sgd.step@*-right is listed as failing, but now holds"])


def test_resume_runs_what_is_left(pytester: pytest.Pytester) -> None:
    """Rows already in the file are not measured again; those cut short are."""
    _, rows = run(pytester, listing=LISTING)
    path = pytester.path / "rows.jsonl"
    kept = [row for row in rows if row.get("subject", "").endswith("right")]
    path.write_text("".join(json.dumps(row) + "\n" for row in kept) + '{"kind": "evid')
    path.write_text(path.read_text().rpartition("\n")[0] + "\n")
    run(pytester, "--verifier-resume", listing=LISTING)
    again = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(row["subject"].rpartition("-")[2] for row in again if row["kind"] == "evidence") == [
        "absent",
        "doubled",
        "right",
    ]


def test_our_own_fault_has_its_own_word(pytester: pytest.Pytester) -> None:
    """A check that breaks is broken, not violated."""
    extra = 'subjects += [replace(right, implementation="broken", run=broken)]'
    _, rows = run(pytester, extra=extra, listing=LISTING)
    assert verdicts(rows)["broken"] == "broken"


def test_a_worker_that_dies_takes_one_row_with_it(pytester: pytest.Pytester) -> None:
    """os._exit in an optimizer is that optimizer's violation; all other rows stand."""
    extra = 'subjects += [replace(right, implementation="dies", run=dies), replace(right, implementation="last")]'
    _, rows = run(pytester, "-n", "1", extra=extra, listing=LISTING)
    found = verdicts(rows)
    assert found["dies"] == "violated"
    assert (found["right"], found["last"], found["absent"]) == ("held", "held", "untestable")


def test_other_tests_are_left_alone(pytester: pytest.Pytester) -> None:
    """Without a property in sight the plugin says and does nothing."""
    pytester.makepyfile(test_other="def test_one():\n    assert True\n")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert not Path(pytester.path / "rows.jsonl").exists()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("my.py:Lion", "--verifier-target my.py:Lion --verifier-rule lion -k 'test_purity[cpu-float32-forloop]'"),
        ("torch.optim:SGD", "'tests/x.py::test_purity[cpu-float32-forloop]'"),
    ],
)
def test_a_test_in_no_file_is_found_again_by_its_target(target: str, words: str) -> None:
    """Tests of --verifier-target have ids that pytest takes from nobody; those in files have theirs."""
    option = SimpleNamespace(verifier_target=["my.py:Lion"], verifier_rule="lion", verifier_arg=[])
    name = "test_purity[cpu-float32-forloop]"
    item: Any = SimpleNamespace(config=SimpleNamespace(option=option), name=name, nodeid=f"tests/x.py::{name}")

    assert words == _address(item, target)


def test_a_rule_that_a_target_cannot_have_is_an_error(pytester: pytest.Pytester) -> None:
    """A target that cannot be held to the rule asked for has one item, which fails and says why: none is skipped."""
    words = ("--verifier-target", "torch.optim:Adagrad", "--verifier-rule", "adamw", "--verifier-profile", "smoke")
    result = pytester.runpytest_subprocess("-p", "no:xdist", *words)

    assert 1 == result.ret
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*--verifier-target torch.optim:Adagrad: rule adamw has a hyperparameter 'beta1'*"])
