"""Implementations of one class, compared with each other in two processes at once."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import pytest

from verifier.auditing import implementations
from verifier.auditing.read import Read
from verifier.auditing.reading_time import TooLong, limited
from verifier.lift.lifted import Lift
from verifier.subjects.torch_forms import Forms
from verifier.subjects.torch_probe import examined
from verifier.subjects.torch_sandbox import Child, Died
from verifier.subjects.torch_signature import Signature, signature


@pytest.fixture(scope="module")
def known() -> Signature:
    """AdamW's, as it is examined."""
    return examined(signature("torch.optim:AdamW", {}))


def test_two_processes_say_what_one_says(known: Signature) -> None:
    """The answers do not depend on which process read which setting, and what the child read is kept."""
    alone, both = Forms(known), Forms(known)
    settings = list(implementations._settings(known, implementations.SETTINGS["smoke"]))
    with implementations.apart(known, both, "smoke") as compared:
        found = compared()
    assert found == implementations.proofs(known, alone, settings)
    assert both.readings.keys() == alone.readings.keys()


def test_child_that_ends_is_done_without(known: Signature, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that ends the process that reads it does so where it did without a child; here it ends the child alone."""
    mine, plain = os.getpid(), implementations._compared

    def ending(*given: object) -> object:
        if os.getpid() != mine:
            os._exit(7)
        return plain(*given)  # type: ignore[arg-type]

    expected = implementations.proofs(known, Forms(known), implementations._settings(known, 4))
    monkeypatch.setattr(implementations, "_compared", ending)
    with implementations.apart(known, Forms(known), "smoke") as compared:
        assert compared() == expected


def test_child_that_reads_too_long_is_heard_of(known: Signature, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes too long in the child takes too long altogether."""
    mine = os.getpid()

    def late(*given: object) -> None:
        if os.getpid() != mine:
            raise TooLong

    monkeypatch.setattr(implementations, "_soon", late)
    with implementations.apart(known, Forms(known), "smoke") as compared, pytest.raises(TooLong):
        compared()


def test_child_does_not_outlive_its_block() -> None:
    """A child that nobody asks is ended, and one that ends without an answer says how."""
    with Child(lambda: os._exit(7)) as ended:
        assert ended.answer() == Died("ends the process with exit code 7")
    with Child(lambda: time.sleep(600)) as asleep:
        pass
    with pytest.raises(ProcessLookupError):
        os.kill(asleep._child, 0)


class Lame(Forms):
    """The forms of a class of which no for-loop can be read."""

    def lift(
        self, implementation: str, hyper: Mapping[str, float], extra: Mapping[str, Any] | None = None
    ) -> Lift | None:
        return None if implementation == "forloop" else super().lift(implementation, hyper, extra)


def test_known_rule_of_another_implementation_is_told_where_the_for_loop_has_none(known: Signature) -> None:
    """AdamW's foreach is adamw, by proof: told where the for-loop departs from it and is nothing known itself."""
    forms = Lame(known)
    apart = [Read("foreach", "of the for-loop", "refuted", "some difference")]
    alike = [Read("foreach", "of the for-loop", "proved", "")]

    assert {"foreach": "adamw"} == implementations.performs(known, forms, apart, {"rule_source": "lifted"})
    assert {} == implementations.performs(known, forms, apart, {"rule_source": "matched"})
    assert {} == implementations.performs(known, forms, alike, {"rule_source": "lifted"})
    assert {} == implementations.performs(known, Forms(known), apart, {"rule_source": "lifted"})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_limit_holds_though_python_drops_what_is_raised_once() -> None:
    """What is raised while an object is finalised is lost, and raised again."""

    class Slow:
        def __del__(self) -> None:
            spin(0.2)

    def spin(seconds: float) -> None:
        started = time.process_time()
        while time.process_time() - started < seconds:
            pass

    with pytest.raises(TooLong), limited(0.05):
        Slow()
        spin(20)
