"""Rows that do not end in time: said to be just that, and not taken for crashes, as a busy machine is slow too."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from pluggy import HookimplMarker

hookimpl = HookimplMarker("pytest")  # pytest.hookimpl, for those who have no pytest yet and only ask for marks


class Overdue:
    """The plugin of a worker that leaves a mark of the row whose time is over, before its process is ended."""

    def __init__(self, evidence: Path) -> None:
        self.marks = marks(evidence)

    @hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: Any, settings: Any) -> bool | None:
        """A timer as pytest-timeout's own, which it stands for."""
        if settings.method != "thread":
            return None
        import pytest_timeout  # type: ignore[import-untyped]

        def over() -> None:
            with self.marks.open("a", encoding="utf-8") as file:
                file.write(f"{settings.timeout:g} {item.nodeid}\n")
            pytest_timeout.timeout_timer(item, settings)

        timer = threading.Timer(settings.timeout, over)

        def cancel() -> None:
            timer.cancel()
            timer.join()

        item.cancel_timeout = cancel
        timer.start()
        return True


def marks(evidence: Path) -> Path:
    """The file beside the evidence that marks are left in."""
    return evidence.with_suffix(".overdue")


def of(evidence: Path | None, nodeid: str) -> dict[str, Any]:
    """What a row says that was ended since its time was over; nothing of any other."""
    path = marks(evidence) if evidence is not None else None
    lines = path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else []
    for line in lines:
        seconds, _, name = line.partition(" ")
        if name == nodeid:
            reason = f"did not end within {seconds} s"
            return {"verdict": "untestable", "reason": reason, "message": "", "expected_failure": None}
    return {}
