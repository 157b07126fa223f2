"""Findings explained: each made as small as it gets, with the settings that matter, a script that ran, a replay id.

`main` is run in a process of its own: it imports the targets. IN and OUT are JSON files.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SECONDS = 60
"""What one finding may take to explain, and what its script may take to run."""

SHOWN = 12
"""Findings of one target that get a script; the others are counted and have their first message."""


def explain(findings: Sequence[Mapping[str, Any]], out: Path) -> list[dict[str, Any]]:
    """What is known of each finding besides its row: matters, script, replay, message of the smallest case."""
    from verifier.auditing.collect import Request
    from verifier.auditing.laws import Laws
    from verifier.subjects.torch_sandbox import half_of_memory, in_child

    made: dict[Request, Laws] = {}
    explained = []
    for finding in findings:
        args = tuple((str(a), b) for a, b in finding["args"])
        request = Request(finding["target"], finding["rule"], args, finding.get("profile", "ci"))
        if request not in made:
            made[request] = Laws(request)
        laws = made[request]
        known: dict[str, Any] = {}
        if finding["case"] is not None and not laws.reason:
            answer = in_child(functools.partial(_explained, laws, finding, out), SECONDS, half_of_memory())
            known = answer if isinstance(answer, dict) else {}
        explained.append(known)
    _run_scripts([known for known in explained if known.get("repro")])
    return explained


def _explained(laws: Any, finding: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """One finding, in a child of its own."""
    from verifier.auditing import replay
    from verifier.case import Case

    signature = laws.found.signature
    law, subject = finding["law"], finding["subject"]
    case, matters = laws.smaller(law, subject, Case.from_json(finding["case"]), signature.defaults)
    violation = laws.violation(law, subject, case)
    if violation is None:
        return {"unsteady": True}
    args = tuple((str(a), b) for a, b in finding["args"])
    recorded = replay.Recorded(
        finding["target"], args, finding["rule"], law, subject, case.to_json(), violation.sentence
    )
    replay.save(recorded, out / "replays")
    known: dict[str, Any] = {"replay": recorded.id, "matters": matters, "message": violation.sentence}
    known |= {"case": case.to_json(), "observed": violation.observed, "expected": violation.expected}
    try:
        text = _script(signature, law, subject, violation)
    except ValueError as error:
        return known | {"no_script": f"a script would not show it in 25 lines: {error}"}
    path = out / "scripts" / f"{law.replace('.', '_')}_{recorded.id}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return known | {"repro": str(path)}


def _script(signature: Any, law: str, subject: str, violation: Any) -> str:
    """The script of a violation of one subject."""
    from verifier.auditing import script
    from verifier.subjects.torch_foreign import SWITCHED

    case = violation.follow_up
    if violation.step is not None and not case.events:
        case = case.with_(grads=case.grads[: max(1, violation.step)])
    implementation = violation.subject.implementation
    known = {"foreach", "fused", "differentiable"} & set(signature.switches)
    switches = {name: value for name, value in SWITCHED[implementation].items() if name in known}
    fixed: Mapping[str, float] = getattr(violation.subject.run, "args", ({}, {}))[1]
    hyper = {**signature.defaults, **case.hyper, **fixed}
    plain = signature.arguments(hyper)
    defaults = signature.arguments(signature.defaults)
    options = {n: v for n, v in plain.items() if v != defaults.get(n) or n in signature.fixed or n == "lr"}
    options |= switches | ({"maximize": True} if case.maximize else {})
    own = {}
    for k, group in enumerate(case.all_groups):
        theirs = signature.arguments({**hyper, **group.hyper})
        own[k] = {n: v for n, v in theirs.items() if v != plain[n]}
    changes = {}
    for step, table in case.schedule.items():
        after = signature.arguments({**hyper, **table})
        changes[step] = {n: v for n, v in after.items() if v != plain[n]}
    return script.script(
        script.Scene(
            target=signature.target,
            first=signature.first,
            options=options,
            dtype=violation.subject.format.name,
            case=case,
            law=law.partition(".")[2],
            message=violation.sentence,
            group_options=own,
            changes=changes,
            always_closure=signature.needs_closure,
            wants_train=callable(getattr(signature.build, "train", None)),
        )
    )


def _run_scripts(known: Sequence[dict[str, Any]]) -> None:
    """Runs every script; one that does not exit 1 is not shown."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    width = max(1, os.cpu_count() or 1)
    for start in range(0, len(known), width):
        batch = known[start : start + width]
        running = [
            subprocess.Popen(
                [sys.executable, one["repro"]],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
            for one in batch
        ]
        for one, child in zip(batch, running, strict=True):
            try:
                printed, _ = child.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                printed, _ = child.communicate()
            if child.returncode != 1 or not _shows(printed.decode(errors="replace"), one):
                one["no_script"] = f"a script of its own does not show it (it exits {child.returncode})"
                Path(one.pop("repro")).unlink(missing_ok=True)


def _shows(printed: str, known: Mapping[str, Any]) -> bool:
    """Whether a script that compares one number with a known one printed the number that was observed."""
    raised = re.search(r"raised instead of stepping: observed (\w+)", str(known["message"]))
    ended = printed.strip().splitlines()[-1:] or [""]
    if raised is not None or "Traceback" in printed:
        return raised is not None and re.match(rf"(\w+\.)*{raised[1]}\b", ended[0]) is not None
    found = re.search(r"^observed (\S+) expected", printed, re.MULTILINE)
    if found is None:
        return True  # it compares two runs of its own
    seen = str(known["observed"]).partition(" ")[0]
    return found[1] == seen or float(found[1]) == float(seen)


def main(*arguments: str) -> None:
    """IN OUT FOLDER: findings in, what is known of them out; scripts and replays go to FOLDER."""
    given, wanted, folder = map(Path, arguments)
    found = explain(json.loads(given.read_text(encoding="utf-8")), folder)
    wanted.write_text(json.dumps(found), encoding="utf-8")
