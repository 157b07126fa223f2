"""Every format from one fixed report, compared with tests/golden/ (`pytest tests/test_formats.py --update-golden`)."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.fixed_report import FIXED, row
from verifier import formats
from verifier.errors import UsageError
from verifier.evidence import Verdict
from verifier.formats import commands, limits, terminal, view
from verifier.formats.targets import described
from verifier.formats.templating import code, printable, prose
from verifier.report import Report
from verifier.rows import Claim, Listing, ProofRow, Run, Target, parse

HOSTILE = "<script>alert(1)</script> & \"quoted\" 'too' | `code` *star* \x00 ]]>"

GREEN = Report(runs=(Run("r", finished=True),), evidence=(row("sgd.a", "cpu-float32-forloop"),))
BAD = row("sgd.b", "cpu-float32-forloop", verdict=Verdict.VIOLATED)
RED = {
    "violated": replace(GREEN, evidence=(*GREEN.evidence, BAD)),
    "broken": replace(GREEN, evidence=(*GREEN.evidence, replace(BAD, verdict=Verdict.BROKEN))),
    "untestable alone": replace(GREEN, evidence=(replace(BAD, verdict=Verdict.UNTESTABLE),)),
    "inconclusive alone": replace(GREEN, evidence=(replace(BAD, verdict=Verdict.INCONCLUSIVE),)),
    "held, and nothing was looked at": replace(GREEN, evidence=(replace(GREEN.evidence[0], cases=0, elements=0),)),
    "listed, and it passes": replace(GREEN, evidence=(replace(GREEN.evidence[0], expected_failure="known"),)),
    "listed, and not there": replace(GREEN, listings=(Listing("adam.*"),)),
    "refuted": replace(GREEN, proofs=(ProofRow("sgd.a", "refuted"),)),
    "claim violated": replace(GREEN, claims=(Claim("claim.l1", "", Verdict.VIOLATED),)),
    "interrupted": replace(GREEN, runs=(Run("r"),)),
    "empty": Report(),
}


def schema(name: str) -> dict[str, Any]:
    """A JSON Schema as the package ships it."""
    found: dict[str, Any] = json.loads(files("verifier").joinpath(f"schema/{name}.schema.json").read_text("utf-8"))
    return found


class Page(HTMLParser):
    """What a test asks of a page: its elements with their attributes, and its text outside style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop(), f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text += data

    def of(self, tag: str, name: str) -> list[str]:
        return [str(attrs[name]) for t, attrs in self.elements if (not tag or t == tag) and name in attrs]


@pytest.mark.parametrize("name", formats.NAMES)
def test_a_format_is_as_it_was(name: str, golden: Callable[[str, str], None]) -> None:
    """Each format of the fixed report equals its golden file, and names every violation that is not listed."""
    text = formats.render(name, FIXED)

    golden(formats.NAMES[name], text)
    assert [] == [one.id for one in FIXED.unlisted if one.law not in text or one.subject not in text]


@pytest.mark.parametrize("width", [60, 100])
def test_the_terminal_is_as_it_was(width: int, golden: Callable[[str, str], None]) -> None:
    """The terminal's summary of the fixed report equals its golden file, in both widths, and keeps to the width."""
    text = terminal.render(FIXED, width, colour=False)

    golden(f"report.{width}.txt", text)
    assert [] == [line for line in text.splitlines()[:-1] if len(line) > width]


@pytest.mark.parametrize("name", formats.NAMES)
def test_rendering_is_repeatable(name: str) -> None:
    """No date, no address, no order of a set: twice the same report is twice the same text."""
    assert formats.render(name, FIXED) == formats.render(name, FIXED)


@pytest.mark.parametrize("name", formats.NAMES)
@pytest.mark.parametrize("given", [Report(), GREEN, FIXED], ids=["empty", "green", "fixed"])
def test_every_format_renders_every_report(name: str, given: Report) -> None:
    """An empty report is a report too."""
    assert formats.render(name, given).endswith("\n")


def test_an_unknown_format_offers_the_nearest() -> None:
    """`htm` is a usage error with a hint."""
    with pytest.raises(UsageError, match="did you mean 'html'"):
        formats.render("htm", FIXED)


def test_writing_renders_before_it_writes(tmp_path: Path) -> None:
    """The three files of a reports folder; a folder that is a file is a usage error."""
    assert ["report.md", "report.html", "report.json"] == [p.name for p in formats.write(FIXED, tmp_path / "new")]
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        formats.write(FIXED, tmp_path / "file")


# --- red stays red ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", RED.values(), ids=RED)
def test_no_format_renders_a_wrong_report_green(given: Report) -> None:
    """Whatever is wrong shows in each format's own sign of red."""
    data = json.loads(formats.render("json", given))
    assert 0 != data["exit_code"]

    tests = ElementTree.fromstring(formats.render("junit", given))
    assert 0 < int(tests.get("failures", 0)) + int(tests.get("errors", 0))

    log = json.loads(formats.render("sarif", given))
    assert data["exit_code"] == log["runs"][0]["invocations"][0]["exitCode"]

    answer = re.search(r'<p class="answer (\w+)">', formats.render("html", given))
    assert answer is not None
    assert "held" != answer[1]

    assert f"**{view.MARKS['held']}" not in formats.render("md", given)
    assert not terminal.render(given, 100, colour=False).splitlines()[-1].startswith(view.MARKS["held"])


def test_a_good_report_is_green_in_every_format() -> None:
    """The tests above can fail: the same signs are green where nothing is wrong."""
    assert 0 == json.loads(formats.render("json", GREEN))["exit_code"]
    assert "0" == ElementTree.fromstring(formats.render("junit", GREEN)).get("failures")
    assert '<p class="answer held">' in formats.render("html", GREEN)
    assert f"**{view.MARKS['held']}" in formats.render("md", GREEN)
    assert terminal.render(GREEN, 100, colour=False).splitlines()[-1].startswith(view.MARKS["held"])


@pytest.mark.parametrize("name", ["md", "html", "sarif"])
def test_a_violation_can_be_read(name: str) -> None:
    """Step, parameter, element, observed, expected, distance, the mistake it equals, and how to run it again."""
    text = formats.render(name, FIXED)
    text = Page(text).text if name == "html" else text

    for part in ("step 1, parameter 0, element 3", "0.9999 (0x1.fff2e4p-1)", "[0.99990004, 0.9999001]", "1.7e7 ulp"):
        assert part in text
    for part in ("adamw__coupled_decay", "verifier replay 7kq2"):
        assert part in text


# --- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [Report(), GREEN, FIXED, *RED.values()])
def test_json_obeys_its_schema(given: Report) -> None:
    """What is written is what the shipped schema says, and the schema describes every key that is written."""
    data = json.loads(formats.render("json", given), parse_constant=pytest.fail)
    known = schema("report")

    jsonschema.Draft202012Validator.check_schema(known)
    jsonschema.validate(data, known)
    assert set(data) == set(known["properties"])
    for key, table in (("evidence", "evidence"), ("runs", "run"), ("claims", "claim"), ("proofs", "proof")):
        for one in data[key]:
            assert set(one) <= set(known["$defs"][table]["properties"])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("exit_code",), 2.5),
        (("summary", "held"), -1),
        (("evidence", 0, "verdict"), "green"),
        (("evidence", 0, "id"), "no subject"),
        (("targets", 0, "weight_decay"), "some"),
    ],
)
def test_the_schema_rejects_what_is_wrong(place: tuple[str | int, ...], value: object) -> None:
    """The schema is not a rubber stamp."""
    data = json.loads(formats.render("json", FIXED))
    inner: Any = data
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema("report"))


def test_json_has_the_documented_keys() -> None:
    """The keys of INTERFACE.md, in its order, come first in every object."""
    data = json.loads(formats.render("json", FIXED))

    assert ["schema_version", "exit_code", "machine", "targets", "evidence", "summary"] == list(data)[:6]
    assert ["torch", "python", "cpu", "device", "seed", "commit"] == list(data["machine"])[:6]
    assert ["target", "rule", "rule_source", "weight_decay", "lift", "proof"] == list(data["targets"][0])
    first = ["id", "target", "law", "subject", "verdict", "strength", "expected_failure", "cases", "margin"]
    assert [*first, "observed", "expected", "step", "repro", "replay"] == list(data["evidence"][0])[:14]
    assert {"held": 5, "violated": 2, "inconclusive": 1, "untestable": 1, "broken": 1, "expected": 1} == data["summary"]


def test_numbers_that_json_cannot_say_are_named() -> None:
    """An infinite distance stays visible, and the text stays strict JSON."""
    given = replace(GREEN, evidence=(replace(BAD, ulps=float("inf"), margin=float("nan")),))
    data = json.loads(formats.render("json", given), parse_constant=pytest.fail)

    assert ("inf", "nan") == (data["evidence"][0]["ulps"], data["evidence"][0]["margin"])
    jsonschema.validate(data, schema("report"))


def test_evidence_lines_obey_their_schema() -> None:
    """A row that `Evidence.to_json` writes is a record of the shipped schema, and a wrong one is not."""
    known = schema("evidence")
    record = {"kind": "evidence", **FIXED.evidence[6].to_json()}

    jsonschema.Draft202012Validator.check_schema(known)
    jsonschema.validate(record, known)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**record, "verdict": "green"}, known)


# --- HTML ------------------------------------------------------------------------------------------------------------


def test_the_page_loads_nothing() -> None:
    """Self-contained: no element refers outside, and the page's own policy forbids it."""
    page = Page(formats.render("html", FIXED))

    assert [] == [tag for tag, _ in page.elements if tag in ("link", "img", "iframe", "object", "base")]
    assert [] == page.of("", "src")
    assert all(href.startswith("#") for href in page.of("", "href"))
    assert any("default-src 'none'" in content for content in page.of("meta", "content"))
    assert "url(" not in formats.render("html", FIXED)


def test_every_link_of_the_page_leads_somewhere() -> None:
    """Ids are unique, and each #link has one."""
    page = Page(formats.render("html", FIXED))
    ids = page.of("", "id")

    assert sorted(set(ids)) == sorted(ids)
    assert set() == {href[1:] for href in page.of("a", "href")} - set(ids)
    assert set() == {name for names in page.of("", "aria-labelledby") for name in names.split()} - set(ids)


def test_the_page_can_be_listened_to() -> None:
    """Language, landmarks, one h1, headings that skip no level, scopes on header cells, names for scrolling regions."""
    page = Page(formats.render("html", FIXED))
    tags = [tag for tag, _ in page.elements]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]

    assert ["en"] == page.of("html", "lang")
    assert (1, 1) == (tags.count("main"), tags.count("h1"))
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    assert all("scope" in attrs for tag, attrs in page.elements if tag == "th")
    assert all("aria-labelledby" in attrs for _, attrs in page.elements if attrs.get("role") == "region")


def test_claims_come_before_anything_else() -> None:
    """The tutorial's claims are the first section."""
    page = Page(formats.render("html", FIXED))

    assert "claims" == next(str(attrs["id"]) for tag, attrs in page.elements if tag == "h2")


@pytest.mark.parametrize("name", ["html", "junit", "md"])
def test_foreign_text_never_becomes_markup(name: str) -> None:
    """A reason or a message from an evidence file is text, whatever it holds."""
    hostile = replace(BAD, message=HOSTILE, reason=HOSTILE, observed=HOSTILE, expected=HOSTILE, equals=HOSTILE)
    given = replace(
        FIXED,
        evidence=(hostile, replace(hostile, law="sgd.c", expected_failure=HOSTILE)),
        claims=(Claim(HOSTILE, HOSTILE, Verdict.HELD, how=HOSTILE, detail=HOSTILE),),
        proofs=(ProofRow("sgd.b", "undecided", HOSTILE, {"x": HOSTILE}, (HOSTILE,), HOSTILE, says=HOSTILE),),
    )
    text = formats.render(name, given)

    if name == "junit":
        ElementTree.fromstring(text)
    elif name == "html":
        assert 1 == [tag for tag, _ in Page(text).elements].count("script")
    else:
        outside = re.sub(r"(`+).*?\1", "", text)
        assert "<script>" not in outside


def test_a_large_report_stays_small() -> None:
    """Four thousand rows of twenty rules make a page of less than 3 MB."""
    rows = tuple(
        row(f"rule{r}.law{law}", f"cpu-float32-implementation{subject}", margin=0.5, discriminates=("a", "b"))
        for r in range(20)
        for law in range(15)
        for subject in range(14)
    )
    text = formats.render("html", replace(GREEN, evidence=rows))

    assert 4200 == len(rows)
    assert len(text.encode()) < 3_000_000


# --- the other formats -----------------------------------------------------------------------------------------------


def test_junit_counts_what_it_holds() -> None:
    """The counts of every suite are those of its test cases, and the totals are their sums."""
    root = ElementTree.fromstring(formats.render("junit", FIXED))

    counts = {"failures": "failure", "errors": "error", "skipped": "skipped", "tests": "testcase"}
    for suite in [*root, root]:
        for attribute, tag in counts.items():
            if suite is not root or attribute != "skipped":  # which the schema that Jenkins reads has not there
                assert str(len(list(suite.iter(tag)))) == suite.get(attribute)


def test_rows_of_one_id_have_names_of_their_own_in_junit() -> None:
    """Two targets held to one rule have rows of the same id: a reader of JUnit must not take them for one."""
    rows = [replace(BAD, target=target) for target in ("my.py:Mine", "my.py:Other")]
    root = ElementTree.fromstring(formats.render("junit", Report(runs=AUDITED.runs, evidence=tuple(rows))))

    names = [test.get("name") for test in root.iter("testcase")]
    assert ["exit_code", f"{BAD.subject} (my.py:Mine)", f"{BAD.subject} (my.py:Other)"] == names


@pytest.mark.parametrize(
    ("target", "uri"), [("my.py:Mine", "my.py"), ("/a b/my.py:Mine", "file:///a%20b/my.py"), ("a.b:Mine", "a/b.py")]
)
def test_sarif_shows_the_file_of_an_audited_class(target: str, uri: str) -> None:
    """An audit's laws are in no file of properties: what is wrong is shown where the class is."""
    run = json.loads(formats.render("sarif", replace(AUDITED, evidence=(replace(BAD, target=target),))))["runs"][0]

    assert uri == run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_sarif_suppresses_what_is_listed() -> None:
    """A listed failure is a suppressed result with its reason; what held is not a result; what broke is notified."""
    run = json.loads(formats.render("sarif", FIXED))["runs"][0]
    by_kind = {result["message"]["text"]: result for result in run["results"]}
    suppressed = [r["suppressions"][0]["justification"] for r in by_kind.values() if "suppressions" in r]

    assert [row.expected_failure for row in FIXED.listed] == suppressed
    assert ["error", "error", "none", "note"] == sorted(result["level"] for result in run["results"])
    assert all(run["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])
    assert ["sgd.step_enclosed@cpu-float16-forloop: KeyError: 'momentum_buffer'"] == [
        one["message"]["text"] for one in run["invocations"][0]["toolExecutionNotifications"]
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_terminal_keeps_to_its_width(width: int) -> None:
    """No line is wider than the terminal but the last, which programs read and terminals fold."""
    lines = terminal.render(FIXED, width, colour=False).splitlines()

    assert width >= max(map(len, lines[:-1]))
    assert lines[-1].endswith("(exit 1)")


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Escapes appear on request alone; NO_COLOR and a pipe both mean none."""
    assert "\x1b[" in terminal.render(FIXED, 80, colour=True)
    assert "\x1b" not in terminal.render(FIXED, 80, colour=False)
    assert "\x1b" not in terminal.render(FIXED, 80)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in terminal.render(FIXED, 80)


def test_listed_findings_are_spelt_out_on_request() -> None:
    """Quiet about what is known, unless asked."""
    listed = "sgd.groups_as_alone@cpu-float16-foreach"

    assert listed not in terminal.render(FIXED, 100, colour=False)
    assert listed in terminal.render(FIXED, 100, colour=False, verbose=True)


# --- the views -------------------------------------------------------------------------------------------------------


def test_equal_findings_are_one() -> None:
    """The same law and mistake on several subjects, or the same listed reason, is one finding with a count."""
    rows = [replace(BAD, subject=f"cpu-float32-{n}", equals="sgd__x") for n in range(3)]
    listed = [replace(BAD, law=f"sgd.{n}", expected_failure="known") for n in "xyz"]
    other = replace(BAD, equals="sgd__y")

    found = view.findings(replace(GREEN, evidence=(*listed, *rows, other)))

    assert [(False, 3), (False, 1), (True, 3)] == [(one.listed, len(one.rows)) for one in found]


@pytest.mark.parametrize("name", ["md", "html", "terminal"])
def test_what_is_nobodys_row_is_a_finding_too(name: str) -> None:
    """A check that broke and a law that algebra refutes decide the exit code, so they are spelt out."""
    given = replace(FIXED, proofs=(ProofRow("sgd.a", "refuted", witness={"lr": "1/2"}, difference="2"),))
    text = terminal.render(given, 200, colour=False) if name == "terminal" else formats.render(name, given)

    assert "momentum_buffer" in text
    assert "at lr = 1/2: the sides differ by 2" in text


def test_gaps_are_named() -> None:
    """Laws that could not fail, mistakes that survive, options never drawn, vacuous checks, what did not run."""
    gaps = limits.gaps(FIXED, view.rules(FIXED))

    assert ("sgd.zero_gradient",) == gaps.blind
    assert (("adamw", "eps_inside"), ("sgd", "dampening_first")) == gaps.survivors
    assert ["capturable"] == [one.option for one in gaps.unexamined]
    assert (("adamw.step_enclosed", 3, 3200),) == gaps.vacuous
    assert (("no CUDA device", 1, ("adamw",)),) == gaps.untestable
    assert ["sgd.fixed_point"] == [one.law for one in gaps.undecided]


def test_an_option_drawn_nowhere_is_unexamined() -> None:
    """A count of zero over all rows of a rule is a gap; a count anywhere closes it."""
    rows = (replace(GREEN.evidence[0], options={"a": 0, "b": 0}), row("sgd.z", "cpu-float64-forloop", options={"b": 2}))
    given = replace(GREEN, evidence=rows)

    assert [("sgd", "a")] == [(u.rule, u.option) for u in limits.gaps(given, view.rules(given)).unexamined]


def test_a_kill_by_algebra_is_not_a_kill_on_the_cases_drawn() -> None:
    """Only a float format's kill shows that the cases could have failed."""
    adamw = next(one for one in view.rules(FIXED) if one.name == "adamw")

    assert ("coupled_decay",) == next(law for law in adamw.laws if law.name == "zero_gradient").kills


def test_margins_are_binned_by_tenths() -> None:
    """1 belongs to the last bin; beyond 1 is a bin of its own; NaN is beyond."""
    rows = tuple(row("sgd.a", f"cpu-float32-{n}", margin=m) for n, m in enumerate((0.0, 0.05, 0.1, 0.99, 1.0, 1.01)))

    found = limits.margins(replace(GREEN, evidence=rows))

    assert ((2, 1, 0, 0, 0, 0, 0, 0, 0, 2), 1) == (found.bins, found.over)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5234, "0.52"), (1.0, "1"), (12.0, "12"), (32.1, "32.1"), (1.7e7, "1.7e7"), (3e-7, "3e-7"), (None, "")],
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    """Margins and distances in a few characters."""
    assert text == view.number(value)


def test_numbers_that_are_none() -> None:
    """Infinity and NaN have their own signs."""
    assert ("∞", "NaN") == (view.number(float("inf")), view.number(float("nan")))


def test_markdown_is_escaped_where_it_would_be_read() -> None:
    """Prose keeps its stars, a code span outgrows its backticks, control characters are replaced in XML."""
    assert r"2\*lam\*w \| a_b \_c\_ &lt;x&gt;" == prose("2*lam*w | a_b _c_ <x>")
    assert ("``a`b``", "`` `a ``", "") == (code("a`b"), code("`a"), code(""))
    assert "a\ufffdb" == printable("a\x00b")


# --- audits ----------------------------------------------------------------------------------------------------------


AUDITED = Report(
    runs=(Run("audit-20260101T000000", finished=True, seed=3, profile="smoke"),),
    evidence=(replace(BAD, target="my.py:Mine"), *GREEN.evidence),
    targets=(
        Target(
            "my.py:Mine",
            "adam",
            "matched",
            "coupled",
            {"status": "lifted", "formula": "theta = theta - lr*g", "stopped_by": None},
            notes=(("convention", "counts steps once"), ("note", "accepts lr = nan")),
        ),
    ),
)


@pytest.mark.parametrize("name", ["md", "html"])
def test_an_audit_begins_with_what_the_optimizer_is(name: str) -> None:
    """Formula, weight decay, rule, and what is no bug come before the findings, conventions apart from notes."""
    text = formats.render(name, AUDITED)
    shown = Page(text).text if name == "html" else text
    words = ["theta = theta - lr*g", "coupled", "adam: proved", "convention", "counts steps once", "note", "accepts lr"]
    places = [shown.find(word) for word in words]

    assert -1 not in places and sorted(places) == places
    assert places[-1] < shown.rfind("Findings")


@pytest.mark.parametrize(
    ("source", "lift", "proof", "told"),
    [
        ("matched", {}, {"where": ["0 < momentum"]}, "adam: proved, for every number of steps, where 0 < momentum"),
        (None, {"whole_tensors": "muon over whole tensors: checked"}, {}, "muon over whole tensors: checked"),
        (None, {}, {"rule": "sgd"}, "none known; nearest sgd"),
    ],
)
def test_pages_say_of_the_rule_what_the_terminal_says(
    source: str | None, lift: dict[str, Any], proof: dict[str, Any], told: str
) -> None:
    """Where the rule holds, and that one over whole tensors was checked, is said on every page."""
    target = replace(AUDITED.targets[0], rule_source=source, lift={**AUDITED.targets[0].lift, **lift}, proof=proof)

    (shown,) = described(replace(AUDITED, targets=(target,)))

    assert ("rule", told) in shown.facts


def test_an_audits_row_is_run_again_by_an_audit() -> None:
    """The tests of an audit are in no file, so no command names one; those of properties are."""
    bad = AUDITED.evidence[0]

    assert ("verifier audit my.py:Mine --profile smoke --seed 3",) == commands.again(bad, AUDITED)
    assert "properties/test_sgd.py" in commands.again(bad, RED["violated"])[0]


def test_commands_of_an_audit_name_its_folder_where_it_is_not_the_usual_one() -> None:
    """A replay finds its record only in the folder of its audit; the whole audit is what is run again, no `verify`."""
    bad = replace(AUDITED.evidence[0], replay="7kq2")
    away = replace(AUDITED, runs=(replace(AUDITED.runs[0], out="out/audit", device="cpu"),))

    assert "verifier replay 7kq2" == commands.again(bad, AUDITED)[0]
    assert "verifier replay 7kq2 --out out/audit" == commands.again(bad, away)[0]
    alone = replace(away, evidence=(bad,))
    assert "verifier audit my.py:Mine --profile smoke --device cpu --seed 3 --out out/audit" == commands.rerun(alone)


def test_finding_is_told_by_the_row_that_its_script_shows() -> None:
    """Of the rows of a finding the one whose law the script is about comes first, in a format with digits."""

    def row(law: str, subject: str) -> Any:
        return replace(BAD, law=law, subject=subject, replay="7kq2", repro="x/a_step_7kq2.py")

    rows = (
        row("a.maximize", "cpu-bfloat16-forloop"),
        row("a.step", "cpu-bfloat16-forloop"),
        row("a.step", "cpu-float32-x"),
    )
    (finding,) = view.findings(replace(AUDITED, evidence=rows))

    assert ("a.step", "cpu-float32-x") == (finding.first.law, finding.first.subject)


@pytest.mark.parametrize("notes", [[["note"], [3]], ["note"]])
def test_notes_that_are_no_pairs_are_a_usage_error(notes: list[object]) -> None:
    """A malformed line of evidence names its place."""
    with pytest.raises(UsageError, match="should be a list of pairs"):
        parse({"kind": "target", "target": "my.py:Mine", "notes": notes}, "here")
