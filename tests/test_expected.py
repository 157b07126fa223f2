"""Expected failures: which listings hold, which are stale, which are malformed."""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.errors import UsageError
from verifier.expected import Expected, read, reason, stale


def test_wildcards_cover_ids() -> None:
    """`*` stands for any run of characters, and only where it is written."""
    entry = Expected("sgd.purity@cpu-*-foreach", "writes to .grad")
    assert entry.covers("sgd.purity@cpu-float32-foreach")
    assert not entry.covers("sgd.purity@cpu-float32-forloop")


def test_until_voids_an_entry() -> None:
    """An entry is in force only while the installed version satisfies its requirement."""
    assert not Expected("a.b@c", "why", until="pytest < 1").covers("a.b@c")
    assert Expected("a.b@c", "why", until="pytest >= 1").covers("a.b@c")


def test_reason_of_a_listed_id() -> None:
    """The first entry that covers an id gives its reason; an unlisted id has none."""
    entries = (Expected("a.*", "first"), Expected("*", "second"))
    assert reason(entries, "a.b@c") == "first"
    assert reason(entries[:1], "b.b@c") is None


@pytest.mark.parametrize(
    ("verdicts", "complete", "expected"),
    [
        ({"a.b@x": "violated", "a.b@y": "held"}, True, []),
        ({"a.b@x": "held"}, False, ["is listed as failing, but now holds"]),
        ({"a.b@x": "untestable"}, True, []),
        ({"a.b@x": "held", "a.b@y": "untestable"}, True, ["is listed as failing, but now holds"]),
        ({}, True, ["matches nothing that was run"]),
        ({}, False, []),
    ],
)
def test_stale_listings(verdicts: dict[str, str], complete: bool, expected: list[str]) -> None:
    """A listing is stale when what it covers now holds, or, in a whole run, when it covers nothing."""
    assert [why for _, why in stale([Expected("a.b@*", "why")], verdicts, complete=complete)] == expected


@pytest.mark.parametrize(
    ("listed", "says"), [("a.b@cuda-*", []), ("a.b@cpu-float16-*", ["matches nothing that was run"])]
)
def test_a_device_that_nothing_was_run_on_settles_nothing(listed: str, says: list[str]) -> None:
    """Where there is no such device, what is listed of it matches nothing, and is not stale."""
    verdicts = {"a.b@cpu-float32-forloop": "held"}

    assert says == [why for _, why in stale([Expected(listed, "why")], verdicts, complete=True)]


def test_part_of_a_run_says_nothing_of_a_listing_about_several_laws() -> None:
    """`pytest properties -k zero_gradient` asks one law of many: that it holds does not say that the others do."""
    several = [Expected("a.*@x", "why")]

    assert [] == stale(several, {"a.b@x": "held"}, complete=False)
    assert [(several[0], "is listed as failing, but now holds")] == stale(several, {"a.b@x": "held"}, complete=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[expect]\n", "not a TOML file"),
        ("[[expects]]\n", "did you mean 'expect'"),
        ('[[expect]]\nid = "a"\n', "reason is missing"),
        ('[[expect]]\nid = "a"\nreasn = "b"\n', "did you mean 'reason'"),
        ('[[expect]]\nid = "a"\nreason = "b"\nuntil = "torch <"\n', "not a requirement"),
        ('[[expect]]\nid = 3\nreason = "b"\n', "must be a string"),
        ("expect = 3\n", "array of tables"),
    ],
)
def test_malformed_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    """A malformed file gives one line that says what is wrong and where."""
    path = tmp_path / "expected.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_lists_nothing(tmp_path: Path) -> None:
    """No file, no expected failures."""
    assert read(tmp_path / "expected.toml") == ()
