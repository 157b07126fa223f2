"""Merging evidence files and deciding the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fixed_report import FIXED, MACHINE, OTHER, row
from verifier.errors import UsageError
from verifier.evidence import Strength, Verdict
from verifier.formats.view import findings
from verifier.report import Report, collect, exit_code
from verifier.rows import Claim, Listing, ProofRow, Run

START: dict[str, Any] = {
    "kind": "start",
    "schema_version": "1.0",
    "run": "r",
    "seed": 7,
    "profile": "ci",
    "device": "cpu",
    "machine": MACHINE,
    "fingerprint": "f00d",
    "planned": 0,
}
END: dict[str, Any] = {"kind": "end", "end": True, "exit_code": 0, "interrupted": False, "seconds": 2.5}


def held(law: str = "sgd.first_step", subject: str = "cpu-float32-forloop", **more: object) -> dict[str, Any]:
    """The record of a row that held."""
    record = {"kind": "evidence", "law": law, "subject": subject, "verdict": "held", "strength": "enclosed"}
    return record | {"cases": 20, "elements": 640} | more


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes records as an evidence file."""

    def written(name: str, *records: dict[str, Any], tail: str = "") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(one) + "\n" for one in records) + tail, encoding="utf-8")
        return path

    return written


def report(*rows: object, **fields: Any) -> Report:
    """A report of one finished run with these rows."""
    return Report(runs=(Run("r", finished=True),), evidence=rows, **fields)  # type: ignore[arg-type]


# --- merging ---------------------------------------------------------------------------------------------------------


def test_every_kind_of_record_is_collected(write: Callable[..., Path]) -> None:
    """Each kind of line lands in its own field of the report."""
    path = write(
        "a.jsonl",
        START,
        {"kind": "planned", "planned": 3, "resumed": 0},
        {
            "kind": "proof",
            "law": "sgd.first_step",
            "status": "proved",
            "method": "m",
            "where": ["lr >= 0"],
            "seconds": 1,
        },
        held(),
        {"kind": "claim", "id": "claim.vanilla", "claim": "c", "verdict": "held", "strength": "proved"},
        {"kind": "power", "rule": "sgd", "law": "first_step", "mutant": "no_decay", "dtype": "reals", "killed": True},
        {"kind": "timing", "name": "proofs", "seconds": 1.5},
        {"kind": "not_covered", "name": "lbfgs", "reason": "a line search"},
        {"kind": "unexamined", "rule": "sgd", "option": "foreach"},
        {"kind": "derivation", "rule": "sgd", "text": "theta - lr * g"},
        {"kind": "target", "target": "torch.optim:SGD", "rule": "sgd", "weight_decay": "coupled"},
        {"kind": "expectation", "id": "sgd.*", "reason": "known", "link": "", "until": ""},
        END,
    )

    found = collect([path])

    assert ("r", 7, "ci", MACHINE["commit"]) == (found.runs[0].run, found.seed, found.profile, found.commit)
    assert {name: 1 for name in vars(found)} == {name: len(value) for name, value in vars(found).items()}
    assert (3, 1, 2) == (found.runs[0].planned, found.runs[0].rows, found.missing)
    assert 2.5 == found.runs[0].seconds


def test_a_later_row_of_the_same_id_supersedes(write: Callable[..., Path]) -> None:
    """On one machine the last word counts, across files too."""
    first = write("a.jsonl", START, held(verdict="violated"), held("sgd.zero_gradient"), END)
    second = write("b.jsonl", {**START, "run": "s"}, held(), END)

    rows = collect([first, second]).evidence

    assert [("sgd.first_step", Verdict.HELD), ("sgd.zero_gradient", Verdict.HELD)] == [(r.law, r.verdict) for r in rows]


def test_the_same_id_from_two_machines_is_kept_twice(write: Callable[..., Path]) -> None:
    """Machines do not supersede each other; seed, commit and device do not make another machine."""
    same = {**MACHINE, "seed": 8, "commit": "other", "device": "cpu"}
    paths = [
        write("a.jsonl", START, held(), END),
        write("b.jsonl", {**START, "machine": OTHER, "fingerprint": "beef"}, held(verdict="violated"), END),
        write("c.jsonl", {**START, "machine": same, "fingerprint": "cafe"}, held(margin=0.5), END),
    ]

    found = collect(paths)

    assert [("m1", Verdict.HELD), ("m2", Verdict.VIOLATED)] == [(r.machine, r.verdict) for r in found.evidence]
    assert 0.5 == found.evidence[0].margin
    assert ["m1", "m2"] == list(found.machines)


def test_rows_come_in_an_order_that_no_worker_decides(write: Callable[..., Path]) -> None:
    """The same rows in another order of arrival give the same report."""
    rows = [held("sgd.b"), held("sgd.a"), held("adam.c"), held("sgd.a", "cpu-float64-forloop")]
    one, other = write("a.jsonl", START, *rows, END), write("b.jsonl", START, *reversed(rows), END)

    assert collect([one]) == collect([other])


def test_a_folder_stands_for_its_evidence_files(write: Callable[..., Path], tmp_path: Path) -> None:
    """A folder's *.jsonl files are read in order of name."""
    write("b.jsonl", START, held(cases=2), END)
    write("a.jsonl", START, held(cases=1), END)

    assert 2 == collect([tmp_path]).evidence[0].cases


def test_a_mutant_killed_on_one_machine_is_killed(write: Callable[..., Path]) -> None:
    """Power is about the law: any machine's kill counts."""
    power = {"kind": "power", "rule": "sgd", "law": "a", "mutant": "m", "dtype": "float32"}
    one = write("a.jsonl", START, {**power, "killed": True}, END)
    other = write("b.jsonl", {**START, "machine": OTHER}, {**power, "killed": False}, END)

    assert [True] == [row.killed for row in collect([one, other]).power]
    assert [True] == [row.killed for row in collect([other, one]).power]


def test_machines_that_disagree_on_a_proof_keep_a_row_each(write: Callable[..., Path]) -> None:
    """Equal proofs are one; a refutation anywhere is not lost."""
    proof = {"kind": "proof", "law": "sgd.a", "status": "proved"}
    paths = [write("a.jsonl", START, proof, END), write("b.jsonl", {**START, "machine": OTHER}, proof, END)]
    paths.append(write("c.jsonl", {**START, "machine": {"cpu": "third"}}, {**proof, "status": "refuted"}, END))

    assert ["proved", "refuted"] == [one.status for one in collect(paths).proofs]


# --- interruption ----------------------------------------------------------------------------------------------------


def test_a_file_without_an_end_was_interrupted(write: Callable[..., Path]) -> None:
    """A kill leaves no end record, and perhaps half a line; what was measured is there, and 130 says so."""
    path = write("a.jsonl", {**START, "planned": 5}, held(), tail='{"kind": "evid')

    found = collect([path])

    assert (True, 1, 4) == (found.interrupted, len(found.evidence), found.missing)
    assert (130, "interrupted after 1 rows, 4 planned rows to go; the next run goes on from here") == exit_code(found)


def test_ctrl_c_is_an_interruption_too(write: Callable[..., Path]) -> None:
    """A run that ended early says so in its end record."""
    assert 130 == exit_code(collect([write("a.jsonl", START, held(), {**END, "interrupted": True})]))[0]


@pytest.mark.parametrize("appended", [True, False])
def test_a_resumed_run_is_whole(write: Callable[..., Path], appended: bool) -> None:
    """A later run of the same fingerprint, in the same file or another, completes an interrupted one."""
    before = [START, {"kind": "planned", "planned": 2, "resumed": 0}, held("sgd.a")]
    after = [START, {"kind": "planned", "planned": 1, "resumed": 1}, held("sgd.b"), END]
    if appended:
        paths = [write("a.jsonl", *before, *after)]
    else:
        paths = [write("a.jsonl", *before), write("b.jsonl", *after)]

    found = collect(paths)

    assert ([True, False], False, 0) == ([run.resumed for run in found.runs], found.interrupted, found.missing)
    assert 0 == exit_code(found)[0]


def test_another_fingerprint_does_not_resume(write: Callable[..., Path]) -> None:
    """Changed code is another run: the interrupted one stays interrupted."""
    one = write("a.jsonl", START, held())
    other = write("b.jsonl", {**START, "fingerprint": "beef"}, held(), END)

    assert 130 == exit_code(collect([one, other]))[0]


def test_a_file_written_by_plain_pytest_is_read(write: Callable[..., Path]) -> None:
    """`pytest --verifier-evidence` writes neither start nor end; rows that were planned and are missing still show."""
    planned = {"kind": "planned", "planned": 2, "resumed": 0}

    assert 0 == exit_code(collect([write("a.jsonl", planned, held("sgd.a"), held("sgd.b"))]))[0]
    assert 130 == exit_code(collect([write("a.jsonl", planned, held("sgd.a"))]))[0]


# --- what cannot be read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "tail", "said"),
    [
        ([], "", "holds no records"),
        ([START], "[1]\n", "line 2: a record is a JSON object, not list"),
        ([START], "nonsense\n\n", "line 2: not JSON"),
        ([{**START, "schema_version": "2.0"}], "", "schema_version '2.0', but this verifier reads 1.0"),
        ([START, {"kind": "evidance"}], "", "unknown kind 'evidance'; did you mean 'evidence'?"),
        ([START, held(verdict="hold")], "", "verdict = 'hold' is unknown; did you mean 'held'?"),
        ([START, held(cases="20")], "", "cases = '20' should be int"),
        ([START, held(cases=True)], "", "cases = True should be int"),
        ([START, held(discriminates="all")], "", "discriminates = 'all' should be list[str, ...]"),
        ([START, {"kind": "evidence", "law": "sgd.a"}], "", "a evidence record needs 'subject'"),
        ([START, {"kind": "proof", "law": "sgd.a", "status": "true"}], "", "status 'true' of sgd.a is none of proved"),
        ([{"kind": "planned", "planned": "many"}], "", "planned and resumed should be counts"),
    ],
)
def test_a_malformed_file_is_a_usage_error(
    write: Callable[..., Path], records: list[dict[str, Any]], tail: str, said: str
) -> None:
    """The one line names the file, the record and what is wrong with it."""
    path = write("a.jsonl", *records, tail=tail)

    with pytest.raises(UsageError) as caught:
        collect([path])

    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_offers_the_nearest(write: Callable[..., Path], tmp_path: Path) -> None:
    """No file, no folder content, no argument: each is said in a line."""
    path = write("run.jsonl", START, END)

    with pytest.raises(UsageError, match="did you mean") as caught:
        collect([tmp_path / "rum.jsonl"])
    assert str(path) == caught.value.nearest
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no evidence"):
        collect([tmp_path / "empty"])
    with pytest.raises(UsageError, match="no evidence file was given"):
        collect([])


# --- exit codes ------------------------------------------------------------------------------------------------------

GOOD = row("sgd.a", "cpu-float32-forloop")
VIOLATED = replace(GOOD, law="sgd.b", verdict=Verdict.VIOLATED)
LISTED = replace(VIOLATED, law="sgd.c", expected_failure="known")
BROKEN = replace(GOOD, law="sgd.d", verdict=Verdict.BROKEN)
UNTESTABLE = replace(GOOD, law="sgd.e", verdict=Verdict.UNTESTABLE)
INCONCLUSIVE = replace(GOOD, law="sgd.f", verdict=Verdict.INCONCLUSIVE)
PASSES = replace(GOOD, law="sgd.g", expected_failure="known")


@pytest.mark.parametrize(
    ("code", "given"),
    [
        (0, report(GOOD)),
        (0, report(GOOD, LISTED, UNTESTABLE, INCONCLUSIVE)),
        (1, report(GOOD, VIOLATED)),
        (1, report(GOOD, VIOLATED, BROKEN, PASSES)),
        (1, report(GOOD, proofs=(ProofRow("sgd.a", "refuted"),))),
        (1, report(GOOD, claims=(Claim("claim.l1", "", Verdict.VIOLATED),))),
        (3, report()),
        (3, report(UNTESTABLE)),
        (3, report(UNTESTABLE, INCONCLUSIVE)),
        (3, report(LISTED)),
        (3, report(proofs=(ProofRow("sgd.a", "proved"),))),
        (4, report(GOOD, PASSES)),
        (4, report(GOOD, listings=(Listing("adam.*"),))),
        (4, report(GOOD, listings=(Listing("sgd.a@*"),))),
        (0, report(GOOD, LISTED, listings=(Listing("sgd.c@*"),))),
        (0, report(GOOD, UNTESTABLE, listings=(Listing("sgd.e@*"),))),
        (5, report(GOOD, BROKEN, PASSES)),
        (5, report(GOOD, claims=(Claim("claim.l1", "", Verdict.BROKEN),))),
        (5, Report(runs=(Run("r", finished=True, exit_code=5),), evidence=(GOOD,))),
        (130, Report(runs=(Run("r"),), evidence=(GOOD, VIOLATED))),
    ],
)
def test_the_exit_code(code: int, given: Report) -> None:
    """Each exit code of the interface, with what takes precedence over what."""
    found, sentence = exit_code(given)

    assert code == found, sentence


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            report(GOOD, LISTED, UNTESTABLE),
            "nothing new is wrong: 1 rows held; 1 failed as listed; 1 untestable, which count",
        ),
        (report(GOOD, VIOLATED), "1 violation (sgd.b@cpu-float32-forloop) not listed among the expected failures"),
        (report(UNTESTABLE), "nothing could be verified: 1 rows untestable"),
        (report(), "nothing could be verified: nothing ran"),
        (report(GOOD, PASSES), "sgd.g@cpu-float32-forloop is listed as a failure and now passes"),
        (report(GOOD, listings=(Listing("adam.*"),)), "adam.* matches nothing that was run"),
        (report(BROKEN), "the check itself broke in 1 place (sgd.d@cpu-float32-forloop)"),
    ],
)
def test_the_sentence_says_why(given: Report, said: str) -> None:
    """The last line of every command names the reason and the first id."""
    assert said in exit_code(given)[1]


@pytest.mark.parametrize(
    ("verdict", "fields"),
    [
        (Verdict.INCONCLUSIVE, {"cases": 0, "elements": 0}),
        (Verdict.INCONCLUSIVE, {"elements": 640, "vacuous": 640}),
        (Verdict.HELD, {"elements": 640, "vacuous": 639}),
        (Verdict.HELD, {"cases": 0, "elements": 0, "strength": Strength.PROVED}),
        (Verdict.HELD, {"cases": 3, "elements": 0, "strength": Strength.HELD}),
    ],
)
def test_a_row_that_shows_nothing_is_inconclusive(verdict: Verdict, fields: dict[str, Any]) -> None:
    """However it calls itself: no case, or only unbounded enclosures, is not a row that held."""
    found = report(replace(GOOD, **fields))

    assert verdict is found.evidence[0].verdict
    assert (0 if verdict is Verdict.HELD else 3) == exit_code(found)[0]


def test_listings_of_two_machines_justify_each_other() -> None:
    """An entry that one machine cannot see fail is not stale when another machine does."""
    entry = Listing("sgd.c@*", "known", why="is listed as failing, but now holds")
    passes, fails = replace(LISTED, verdict=Verdict.HELD, expected_failure=None), replace(LISTED, machine="m2")

    assert ("sgd.c@*",) == tuple(one.id for one in report(passes, listings=(entry,)).out_of_date)
    assert () == report(passes, fails, listings=(entry,)).out_of_date


def test_violations_that_one_replay_shows_are_one_finding() -> None:
    """An audit gives the rows of one finding one replay, whatever their laws; others go by law and mistake."""
    wrong = {"verdict": Verdict.VIOLATED}
    rows = (
        row("a.groups", "cpu-float32-forloop", replay="7kq2", **wrong),
        row("a.added_group", "cpu-float32-forloop", replay="7kq2", **wrong),
        row("a.groups", "cpu-float64-forloop", **wrong),
        row("a.purity", "cpu-float32-forloop", **wrong),
    )

    assert [3, 1] == [len(one.rows) for one in findings(report(*rows))]


def test_the_fixed_report_is_red() -> None:
    """The report behind the golden files has an unlisted violation."""
    assert 1 == exit_code(FIXED)[0]


def test_importing_the_report_imports_neither_torch_nor_sympy() -> None:
    """Reading evidence is fast: formats are plain data and templates."""
    modules = ["verifier.report", "verifier.formats.html", "verifier.formats.terminal", "verifier.formats.sarif"]
    code = f"import {', '.join(modules)}, sys; print({{'torch', 'sympy', 'numpy', 'pytest'}} & set(sys.modules))"

    assert "set()\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
