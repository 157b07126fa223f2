from __future__ import annotations

import os
from pathlib import Path

from verifier import resume
from verifier.evidence import append, read

START = {"kind": "start", "fingerprint": "f1"}
ROW = {"kind": "evidence", "id": "sgd.first_step@cpu-float32-foreach"}
END = {"kind": "end", "end": True, "interrupted": False}


def run(folder: Path, name: str, *records: dict[str, object]) -> Path:
    path = folder / f"{name}.jsonl"
    for record in records:
        append(path, record)
    return path


def test_a_killed_run_is_found(tmp_path: Path) -> None:
    """A run without an end, of the same fingerprint, is the one to go on from."""
    path = run(tmp_path, "a", START, ROW)

    assert path == resume.interrupted(tmp_path, "f1")


def test_ctrl_c_is_an_interruption_too(tmp_path: Path) -> None:
    """A run that Ctrl-C ended in order has an end, which says so."""
    path = run(tmp_path, "a", START, ROW, END | {"interrupted": True})

    assert path == resume.interrupted(tmp_path, "f1")


def test_other_fingerprints_and_finished_runs_are_left_alone(tmp_path: Path) -> None:
    """Nothing goes on from a finished run, from one of other sources, or from an older one than the last finished."""
    killed = run(tmp_path, "a", START, ROW)
    os.utime(killed, (1, 1))
    run(tmp_path, "b", START, ROW, END)

    assert resume.interrupted(tmp_path, "f1") is None
    assert resume.interrupted(tmp_path, "f2") is None


def test_a_damaged_file_is_passed_by(tmp_path: Path) -> None:
    """A file that is not evidence does not stop a run."""
    path = run(tmp_path, "a", START)
    os.utime(path, (1, 1))
    (tmp_path / "b.jsonl").write_text("not json\n{}\n", encoding="utf-8")

    assert path == resume.interrupted(tmp_path, "f1")


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    """What kill -9 left unfinished goes; all whole lines stay, and the next record starts on its own line."""
    path = run(tmp_path, "a", START, ROW)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"kind": "evid')

    resume.mend(path)
    append(path, END)

    assert ["start", "evidence", "end"] == [record["kind"] for record in read(path)]


def test_the_fingerprint_follows_contents_and_choices_alone(tmp_path: Path) -> None:
    """It changes with a source or a choice, and not with the place or age of the files."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / "a.py").write_text("x = 1\n", encoding="utf-8")
    os.utime(there / "a.py", (1, 1))
    same = resume.fingerprint((here,), seed=0)

    assert same == resume.fingerprint((there,), seed=0)
    assert same != resume.fingerprint((here,), seed=1)
    (here / "a.py").write_text("x = 2\n", encoding="utf-8")
    assert same != resume.fingerprint((here,), seed=0)


def test_words_of_targets_that_are_no_text_are_written_as_escapes(tmp_path: Path) -> None:
    """A surrogate or a control character in what a target says can be printed; line feeds and other words stay."""
    append(tmp_path / "e.jsonl", {"reason": "bad \udcff \x1b[31m red\n\tblå", "rows": [("\x00", 1.5, None)]})

    assert [{"reason": "bad \\udcff \\x1b[31m red\n\tblå", "rows": [["\\x00", 1.5, None]]}] == list(
        read(tmp_path / "e.jsonl")
    )
