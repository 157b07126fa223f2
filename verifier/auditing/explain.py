"""Findings explained: each made as small as it gets, with the settings that matter, a replay id, a script that ran.

`main` and `scripts` are run in processes of their own: they import the targets. IN and OUT are JSON files.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier import machine
from verifier.auditing import beside, dying, leaks, running
from verifier.auditing.causes import FORMULA
from verifier.auditing.findings import SEEN
from verifier.lift.nested import CURE

if TYPE_CHECKING:
    from verifier.auditing.scene import Scene

SECONDS = 60
"""What one finding may take to explain, and what its script may take to run."""

STEADY = 2
"""How often a violation is looked at again: one that changes is of a result that differs from run to run."""


def explain(findings: Sequence[Mapping[str, Any]], out: Path) -> list[dict[str, Any]]:
    """What is known of each finding besides its row: matters, needs, replay, message of the smallest case.

    `untried` are scripts that may show it: see `shown`.
    """
    from verifier.auditing.laws import Laws
    from verifier.auditing.request import Request

    made: dict[Request, Laws] = {}
    works: list[functools.partial[dict[str, Any]]] = []
    for finding in findings:
        args = tuple((str(a), b) for a, b in finding["args"])
        request = Request(finding["target"], finding["rule"], args, finding.get("profile", "ci"))
        if request not in made:
            made[request] = Laws(request)
        laws = made[request]
        known = functools.partial(_stopped, finding, laws.reason) if laws.reason else None
        works.append(known or functools.partial(_explained, laws, finding, out))
    answers = _in_children(works)
    return [a if isinstance(a, dict) else {"no_script": f"run again, {_words(a)}"} for a in answers]


def _in_children(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each returns in a child of its own, or how that ended; as many at once as there are cores."""
    from verifier.subjects.torch_sandbox import Child, half_of_memory

    begun: deque[Child] = deque()
    found: list[Any] = []
    with contextlib.ExitStack() as stack:
        for work in works:
            if len(begun) == machine.cores():
                found.append(begun.popleft().answer())
            begun.append(stack.enter_context(Child(work, SECONDS, half_of_memory())))
        found += [child.answer() for child in begun]
    return found


def _words(answer: Any) -> str:
    """How a child ended that was to explain something."""
    how = getattr(answer, "how", None)
    return f"it {how}" if how else ": ".join(str(part) for part in answer)


def _stopped(finding: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Of a target that cannot be run at all: the script that tries to."""
    from verifier.auditing import script

    name = f"{finding['law'].replace('.', '_')}"
    texts = script.first_step(finding["target"], reason, dict(finding["args"]))
    ended = reason if dying.is_end(reason) else ""
    return {"untried": {"texts": texts, "name": name, "message": "", "ended": ended}, "message": ""}


def _ended(laws: Any, finding: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """One finding of a process that ended, which it does in children of this one."""
    from verifier.auditing import replay, script
    from verifier.auditing.laws import simpler

    law, subject = finding["law"], finding["subject"]
    defaults = laws.found.signature.defaults
    case = dying.last_case(laws, law, subject, finding["seed"])
    how, ran = dying.ends(laws, law, subject, case) if case is not None else ("", None)
    if case is None or not how:
        return {"no_script": NO_CASE}
    case = dying.smaller(laws, law, subject, case, how, simpler(case, defaults))
    ran = dying.ends(laws, law, subject, case)[1] or ran
    violation = dying.violation(how, laws.whole_test(law, subject)[1], case)
    args = tuple((str(a), b) for a, b in finding["args"])
    told = violation.sentence
    recorded = replay.Recorded(finding["target"], args, finding["rule"], law, subject, case.to_json(), told)
    replay.save(recorded, out / "replays")
    known: dict[str, Any] = {"replay": recorded.id, "message": told}
    known["matters"] = dying.told_of(case, laws.found.signature.options)
    known["seen"] = {name: getattr(violation, name) for name in SEEN} | {"on": subject}
    shows = {"name": f"{law.replace('.', '_')}_{recorded.id}", "message": told, "ended": violation.observed}
    try:
        if ran is None:
            raise ValueError("it has no case")
        scene = replace(_scene(laws.found.signature, violation), implementation=ran.implementation, dtype=ran.dtype)
        known["untried"] = {"texts": script.of_an_end(scene, violation, ran.case), **shows}
    except ValueError as error:
        known["no_script"] = f"a script would not show it in {script.LIMIT} lines: {error}"
    return known


def _explained(laws: Any, finding: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """One finding, in a child of its own."""
    from verifier.auditing import replay, script
    from verifier.auditing.laws import built_with
    from verifier.case import Case

    signature = laws.found.signature
    law, subject, case = finding["law"], finding["subject"], finding["case"]
    if finding.get("ended"):
        return _ended(laws, finding, out)
    if case is None:
        shown = laws.witness(subject) if law.endswith(".implements") else None
        whole = next((p for p in laws.found.proofs if p.shows and law.endswith(".implements")), None)
        if shown is None and whole is not None:
            return script.of_numbers(signature, whole, law)
        if shown is None:
            return {"no_script": NO_RUN if law.endswith(".implements") else NO_CASE}
        law, subject, case = shown
    else:
        law, case = laws.of_any_case(law, subject, Case.from_json(case))
    case = laws.smaller(law, subject, case, signature.defaults)
    if law.endswith(".groups"):
        case = leaks.all_of_them(laws, law, subject, case)
    violation = laws.violation(law, subject, case)
    if violation is None:
        return {"unsteady": True}
    args = tuple((str(a), b) for a, b in finding["args"])
    recorded = replay.Recorded(
        finding["target"], args, finding["rule"], law, subject, case.to_json(), violation.sentence
    )
    replay.save(recorded, out / "replays")
    matters, idle = laws.matters(law, subject, case, signature)
    fixed: Mapping[str, float] = getattr(violation.subject.run, "args", ({}, {}))[1]
    told = list(dict.fromkeys([*built_with(signature.options, fixed), *matters]))
    known: dict[str, Any] = {"replay": recorded.id, "matters": told, "settings": idle}
    known |= {"message": violation.sentence, "needs": laws.needs(law, case, violation, matters, fixed)}
    known["seen"] = {name: getattr(violation, name) for name in SEEN} | {"on": subject}
    known["equals"] = _mistake(laws, law, finding.get("equals", ""))
    if known["equals"] and _read_otherwise(laws, law, subject, case, fixed, finding.get("equals", "")):
        known["equals"] = ""
    if any(_sentence(laws, law, subject, case) != violation.sentence for _ in range(STEADY)):
        known["unsteady"] = True
    shows = {"name": f"{law.replace('.', '_')}_{recorded.id}", "message": violation.sentence}
    shows |= {"observed": violation.observed}
    if not finding.get("beside"):
        other = beside.second(laws, law, subject, known["needs"], fixed)
        if other is not None:
            more = {**finding, "law": law, "subject": subject, "case": other.to_json(), "equals": "", "beside": True}
            known["beside"] = [_explained(laws, more, out) | {"law": law}]
    try:
        known["untried"] = {"texts": _texts(laws.found, law, violation), **shows}
    except ValueError as error:
        known["no_script"] = f"a script would not show it in {script.LIMIT} lines: {error}"
    return known


def _read_otherwise(laws: Any, law: str, subject: str, case: Any, fixed: Mapping[str, float], mistake: str) -> bool:
    """Whether the code was read, and certainly is not its rule with this mistake, though one case may look like it."""
    from verifier.lift import induction
    from verifier.mutants import mutants
    from verifier.rule import Rule, RuleError

    rule = next((made.rule for made in laws.modules if made.rule.name == law.partition(".")[0]), None)
    if not isinstance(rule, Rule):
        return False
    wrong = next((m for m in mutants(rule) if m.name == f"{rule.name}__{mistake}"), None)
    signature = laws.found.signature
    hyper = {**signature.defaults, **case.hyper, **fixed}
    read = signature.forms.lift(subject.rpartition("-")[2], hyper, {})
    if wrong is None or read is None or read.rule is None:
        return False
    try:
        return bool(induction.prove(read, wrong).status.value == "refuted")
    except (RuleError, ArithmeticError, ValueError, TypeError):  # not comparable
        return False


def _mistake(laws: Any, law: str, equals: str) -> str:
    """The known mistake that a violation equals, in words: of a formula that was read, the one it was read as."""
    from verifier.mutants import says
    from verifier.rule import Rule

    owner, _, asked = law.partition(".")
    rule = next((made.rule for made in laws.modules if made.rule.name == owner), None)
    read = next((p.mutant for p in laws.found.proofs if p.mutant.startswith(f"{owner}__")), "")
    mistake = read.partition("__")[2] if asked in FORMULA else equals
    return says(rule, mistake or equals) if isinstance(rule, Rule) else ""


NO_RUN = "no run was found that shows it: the rules differ as formulas, and by how much stands above"
NO_CASE = "it was not seen on one case that could be run again, but in the process that ran it"
NOT_SHOWN = "a script of its own does not show it"
"""Why some findings have no script."""


def _texts(found: Any, law: str, violation: Any) -> list[str]:
    """The scripts that may show a violation."""
    from verifier.auditing import history, script

    scene = _scene(found.signature, violation)
    if not law.endswith(".life"):
        return script.scripts(scene, law.partition(".")[2], violation)
    assert violation.case is not None and violation.__cause__ is not None
    return history.scripts(scene, history.History.from_case(violation.case), violation.__cause__)


def _sentence(laws: Any, law: str, subject: str, case: Any) -> str:
    found = laws.violation(law, subject, case)
    return found.sentence if found is not None else ""


def _scene(signature: Any, violation: Any) -> Scene:
    """The class on trial, as the violated law ran it."""
    from verifier.auditing.scene import Scene

    one = violation.subject
    fixed: Mapping[str, float] = getattr(one.run, "args", ({}, {}))[1]
    return Scene(signature, one.implementation, one.format.name, fixed)


def shown(untried: Sequence[Mapping[str, Any]], folder: Path, *, fresh: bool) -> list[dict[str, str]]:
    """Runs the scripts that may show each finding, until one exits 1 and shows it; the others are thrown away.

    Of each, `repro`, the path of the script that showed it, or `no_script`, why there is none. `fresh`: see
    `running.run`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, str]] = [{} for _ in untried]
    waiting = [(number, list(one["texts"])) for number, one in enumerate(untried) if one["texts"]]
    while waiting:
        paths = [folder / f"{untried[number]['name']}.py" for number, _ in waiting]
        for path, (_, texts) in zip(paths, waiting, strict=True):
            path.write_text(texts.pop(0), encoding="utf-8", errors="backslashreplace")
        ended = running.run(paths, SECONDS, fresh=fresh)
        for path, ran, (number, texts) in zip(paths, ended, waiting, strict=True):
            if ran.code == 1 and _shows(ran.printed, untried[number]):
                found[number] = {"repro": str(path)}
                texts.clear()
            else:
                why = CURE if ran.code == running.AUDITS else f"{NOT_SHOWN} (it exits {ran.code})"
                found[number] = {"no_script": why}
                path.unlink(missing_ok=True)
        waiting = [(number, texts) for number, texts in waiting if texts]
    return found


def _shows(printed: str, known: Mapping[str, Any]) -> bool:
    """Whether a script that compares one number with a known one printed the number that was observed."""
    if known.get("ended"):
        return dying.shows(printed, str(known["ended"]))
    if not known["message"]:  # it cannot be run at all
        return "Traceback" in printed
    raised = re.search(r"raised instead of stepping: observed (?:Escaped: )?(\w+)", str(known["message"]))
    if raised is not None or "Traceback" in printed:  # a message may have several lines
        return raised is not None and re.search(rf"^(\w+\.)*{raised[1]}\b", printed, re.MULTILINE) is not None
    found = re.search(r"^observed (\S+) expected", printed, re.MULTILINE)
    if found is None:  # it compares two runs of its own, or says what is wrong in words
        return re.search(r"^\w*Error\b", printed, re.MULTILINE) is None
    seen = str(known["observed"]).partition(" ")[0]
    return found[1] == seen or float(found[1]) == float(seen)


def main(*arguments: str) -> None:
    """IN OUT FOLDER: findings in, what is known of them out; replays go to FOLDER."""
    given, wanted, folder = map(Path, arguments)
    found = explain(json.loads(given.read_text(encoding="utf-8")), folder)
    wanted.write_text(json.dumps(found), encoding="utf-8")


def scripts(*arguments: str) -> None:
    """IN OUT FOLDER PROFILE: scripts not tried yet in, which of them show their finding out; they go to FOLDER."""
    given, wanted, folder = map(Path, arguments[:3])
    untried = json.loads(given.read_text(encoding="utf-8"))
    found = shown(untried, folder / "scripts", fresh=arguments[3] != "smoke")
    wanted.write_text(json.dumps(found), encoding="utf-8")
