"""What ends its process: on which case, as small as it gets, and as a script that does it in a child of its own."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier import draws

if TYPE_CHECKING:  # they import sympy, and who starts an audit asks this module for words alone
    from verifier.case import Case, Trajectory
    from verifier.record import Violation

ENDS = "ends its process"
"""What goes wrong, in words, whichever way the process ends."""

GOES_ON = "a process that goes on"
"""What should be seen instead."""

SECONDS = 20.0
"""What one law may take in a child, over all of its cases."""

SHRINKING = 20.0
"""Seconds in which a case is made smaller."""

CAME_TO_THE_END = 77
"""The exit code of a script's child that nothing ended before it had run all that was asked."""


def ending(code: int, lines: Sequence[str]) -> list[str]:
    """A script's lines that run `lines` in a child, and exit 1 unless it comes to their end, with exit code `code`."""
    return [
        "if os.fork() == 0:",
        *[f"    {line}" for line in lines[:-1]],
        f"    {lines[-1]}; os._exit({code})  # where nothing ended it before",
        "ended = os.waitstatus_to_exitcode(os.wait()[1])",
        f"print('the process should end with exit code {code}: observed', ended)",
        f"raise SystemExit(ended != {code})",
    ]


def is_end(reason: str) -> bool:
    """Whether a target that cannot be run ends its process, by itself or as Python does where nobody catches it."""
    return (
        re.match(r"it (ends the process (?!that)|raises (SystemExit|KeyboardInterrupt|GeneratorExit)\b)", reason)
        is not None
    )


def expected(reason: str) -> str:
    """What should be seen of a target that cannot be run, instead."""
    return GOES_ON if is_end(reason) else "a step"


def code_of(how: str) -> int:
    """An exit code that is not the one a process ended with."""
    return CAME_TO_THE_END + how.endswith(f" {CAME_TO_THE_END}")


def first_uses(name: str, options: str) -> Iterator[list[str]]:
    """Lines that use a target for the first time, in one way after the other."""
    built = ["p = [torch.nn.Parameter(torch.ones(3))]", f"opt = {name}(p{options})"]
    stepped = [*built, "p[0].grad = torch.ones(3)", "opt.step()"]
    yield stepped
    yield [*stepped, "state = opt.state_dict()"]
    yield [*stepped, "opt.load_state_dict(copy.deepcopy(opt.state_dict()))"]
    for more in ("", ".bfloat16()", ".double()", ".reshape(3, 1)"):
        for value in ("1.0", "float('nan')", "float('inf')", "0.0"):
            given = f"torch.full((3,), {value}){more}"
            yield [f"p = [torch.nn.Parameter(torch.ones(3){more})]", built[1], f"p[0].grad = {given}", "opt.step()"]
    yield [*stepped, "opt.zero_grad()", "opt.step()"]
    yield [*stepped, "p[0].grad = None", "opt.step()"]
    yield [*built, "opt.step(lambda: torch.zeros(()))"]
    yield [*stepped, "copy.deepcopy(opt)"]
    yield [*stepped, "pickle.dumps(opt)"]
    yield [*stepped, "repr(opt)"]


def last_case(laws: Any, law: str, subject: str, seed: int) -> Case | None:
    """The case on which a law's test ends its process when its cases are drawn again; None where it does not."""
    from verifier.case import Case
    from verifier.subjects.torch_sandbox import Died, half_of_memory, in_child

    test, one = laws.whole_test(law, subject)
    if not hasattr(test, "hypothesis"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "case.json"

        def drawn() -> None:
            from hypothesis import core

            inner = test.hypothesis.inner_test

            def noting(**given: Any) -> None:
                told.write_text(json.dumps(given["case"].to_json()), encoding="utf-8")
                inner(**given)

            test.hypothesis.inner_test = noting
            draws.number(test, laws.profile, shrink=False, seeded=True)
            draws.alike_anywhere()
            core.global_force_seed = seed  # type: ignore[assignment]  # what its pytest plugin does
            test(subject=one)

        if not isinstance(in_child(drawn, SECONDS, half_of_memory()), Died) or not told.exists():
            return None
        return Case.from_json(json.loads(told.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Ran:
    """One run of an optimizer: its case, in which implementation and format."""

    case: Case
    implementation: str
    dtype: str


def ends(laws: Any, law: str, subject: str, case: Case) -> tuple[str, Ran | None]:
    """How a law ends its process on a case, '' where it does not; and the last run that it had begun then."""
    from verifier.case import Case
    from verifier.subjects import torch_foreign
    from verifier.subjects.torch_sandbox import Died, half_of_memory, in_child

    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "case.json"

        def asked() -> None:
            inner = torch_foreign._run

            def noting(subject: torch_foreign.Foreign, case: Case) -> Trajectory:
                begun = [case.to_json(), subject.implementation, subject.format.name]
                told.write_text(json.dumps(begun), encoding="utf-8")
                return inner(subject, case)

            torch_foreign._run = noting  # in this child alone
            laws.violation(law, subject, case)

        answer = in_child(asked, SECONDS, half_of_memory())
        if not isinstance(answer, Died) or answer.late:
            return "", None
        ran = json.loads(told.read_text(encoding="utf-8")) if told.exists() else None
        return answer.how, Ran(Case.from_json(ran[0]), *ran[1:]) if ran is not None else None


def smaller(laws: Any, law: str, subject: str, case: Case, how: str, simpler: Iterator[Any]) -> Case:
    """The case with everything left out without which its process ends the same way."""
    until = time.monotonic() + SHRINKING
    for other in simpler:
        plainer = other(case)
        if plainer is not case and time.monotonic() < until and ends(laws, law, subject, plainer)[0] == how:
            case = plainer
    return case


def violation(how: str, one: Any, case: Case) -> Violation:
    """The violation that a process which ends is."""
    from verifier.record import Violation

    return Violation(ENDS, subject=one, case=case, observed=f"it {how}", expected=GOES_ON)


def told_of(case: Case, options: Sequence[Any]) -> list[str]:
    """The options of a case that are no defaults, in words: without any of them the process does not end so."""
    away = [o for o in options if case.hyper.get(o.name, o.default) != o.default]
    return [f"{o.name} = {o.plain(case.hyper[o.name])}" for o in away]


def shows(printed: str, observed: str) -> bool:
    """Whether a script's child ended as the process did: by that signal, or with that exit code."""
    import signal

    ended = re.search(r"observed (-?\d+)$", printed, re.MULTILINE)
    if ended is None:
        return False
    named = re.search(r" by (SIG\w+)$", observed)
    code = re.search(r" exit code (\d+)$", observed)
    if named is not None:
        return int(ended[1]) == -signal.Signals[named[1]]
    return code is None or int(ended[1]) == int(code[1])


def plain(case: Case) -> Case:
    """The case without what is done to memory before its steps, which changes no step."""
    calm = {k: tuple(n for n in names if not n.startswith(("dirty", "inspect"))) for k, names in case.events.items()}
    return replace(case, events=calm)
