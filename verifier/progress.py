"""How far a run has come: a bar with the time left on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

EVERY = 10.0  # seconds between two plain lines: a log stays readable


def left(done: int, planned: int, seconds: float) -> float | None:
    """Seconds left at the pace so far; None before anything is done."""
    return seconds / done * (planned - done) if done else None


def in_words(seconds: float | None) -> str:
    """A duration as people say it: '48 s', '3 min 20 s'; 'unknown' for None."""
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


class Phase:
    """One part of a run that counts towards `planned`; `note` is what it says beside the count."""

    def __init__(self, name: str, show: Callable[[Phase], None], planned: int = 0) -> None:
        self.name = name
        self.planned = planned
        self.done = 0
        self.note = ""
        self.ended = False
        self.started = time.monotonic()
        self._show = show

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def eta(self) -> float | None:
        """Seconds left, or None while nothing is known."""
        return left(self.done, self.planned, self.seconds) if self.planned else None

    def update(self, done: int, planned: int | None = None, note: str | None = None) -> None:
        """Shows that `done` of `planned` are done."""
        self.done = done
        self.planned = self.planned if planned is None else planned
        self.note = self.note if note is None else note
        self._show(self)

    @property
    def line(self) -> str:
        """The phase as one plain line."""
        count = f"{self.done}/{self.planned}" if self.planned else str(self.done)
        end = f"took {in_words(self.seconds)}" if self.ended else f"about {in_words(self.eta)} left"
        return f"{self.name}: {count}{', ' + self.note if self.note else ''}, {end}"


@contextmanager
def phases(stream: TextIO, *, quiet: bool = False) -> Iterator[Callable[[str, int], Phase]]:
    """A function that begins a named phase of `planned` parts, and ends the phase before it.

    On a terminal every phase is a bar; elsewhere a line at most every `EVERY` seconds and one at its end.
    """
    if quiet:
        yield lambda name, planned: Phase(name, lambda phase: None, planned)
        return
    console = Console(file=stream)
    current: list[Phase] = []
    if console.is_terminal:
        with _bars(console) as bars:
            yield lambda name, planned: _begin(current, Phase(name, _Bar(bars, name, planned), planned))
            _end(current)
        return
    yield lambda name, planned: _begin(current, Phase(name, _Lines(stream), planned))
    _end(current)


def _begin(current: list[Phase], phase: Phase) -> Phase:
    _end(current)
    current.append(phase)
    phase.update(0)
    return phase


def _end(current: list[Phase]) -> None:
    for phase in current:
        phase.ended = True
        phase.update(phase.done)
    current.clear()


def _bars(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description:<11}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[eta]}"),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(*columns, console=console, refresh_per_second=5, expand=True)


class _Bar:
    def __init__(self, bars: Progress, name: str, planned: int) -> None:
        self.bars = bars
        self.task: TaskID = bars.add_task(name, total=planned or None, eta="", note="")

    def __call__(self, phase: Phase) -> None:
        eta = "" if phase.ended or phase.eta is None else f"{in_words(phase.eta)} left"
        total = phase.done if phase.ended and not phase.planned else phase.planned or None
        self.bars.update(self.task, completed=phase.done, total=total, eta=eta, note=phase.note)
        if phase.ended:
            self.bars.stop_task(self.task)


class _Lines:
    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.shown = time.monotonic()

    def __call__(self, phase: Phase) -> None:
        if phase.ended or time.monotonic() - self.shown >= EVERY:
            self.shown = time.monotonic()
            print(phase.line, file=self.stream, flush=True)
