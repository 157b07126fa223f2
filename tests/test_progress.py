from __future__ import annotations

import io
import time

import pytest

from verifier import progress


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "unknown"), (0.2, "0 s"), (48, "48 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s")]
)
def test_durations_are_said_as_people_say_them(seconds: float | None, words: str) -> None:
    """Below a minute in seconds, above in minutes and seconds."""
    assert words == progress.in_words(seconds)


def test_time_left_goes_on_at_the_pace_so_far() -> None:
    """A quarter done in 10 s leaves 30 s; nothing done leaves nobody the wiser."""
    assert 30 == progress.left(25, 100, 10.0)
    assert progress.left(0, 100, 10.0) is None


def test_plain_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log gets whole lines with count, note and time left, and no control characters."""
    monkeypatch.setattr(progress, "EVERY", 0.0)
    stream = io.StringIO()

    with progress.phases(stream) as begin:
        phase = begin("properties", 0)
        phase.update(3, 4, "1 violated")

    lines = stream.getvalue().splitlines()
    assert "properties: 3/4, 1 violated, about 0 s left" in lines
    assert "properties: 3/4, 1 violated, took 0 s" == lines[-1]
    assert "\x1b" not in stream.getvalue()


def test_a_log_is_not_flooded() -> None:
    """A thousand updates within a moment are one line, at the end."""
    stream = io.StringIO()

    with progress.phases(stream) as begin:
        phase = begin("proofs", 1000)
        for done in range(1001):
            phase.update(done)

    assert ["proofs: 1000/1000, took 0 s"] == stream.getvalue().splitlines()


def test_a_terminal_gets_a_bar_with_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the phase is drawn as a bar, with its count and an ETA."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    stream = io.StringIO()

    with progress.phases(stream) as begin:
        phase = begin("properties", 4)
        phase.started -= 30
        phase.update(3)
        time.sleep(0.5)  # the bar is redrawn five times a second

    assert "3/4" in stream.getvalue()
    assert "10 s left" in stream.getvalue()


def test_quiet_says_nothing() -> None:
    """-q leaves stderr empty."""
    stream = io.StringIO()

    with progress.phases(stream, quiet=True) as begin:
        begin("proofs", 3).update(3)

    assert "" == stream.getvalue()
