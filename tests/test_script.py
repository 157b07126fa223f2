"""Scripts of violations: each shows its violation by itself, and shows nothing of the right optimizer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.test_contracts import audited, fast
from verifier import record
from verifier.auditing import running, script
from verifier.auditing.scene import Scene

WRONG = {
    "optimizers:WritesGradient": "purity",
    "optimizers:DecaysAbsent": "absent_gradients",
    "optimizers:CountsTogether": "late_parameters",
    "optimizers:StopsAtInfinity": "infinity_stays",
    "optimizers:LeaksOption": "groups",
    "optimizers:ForgetsAddedGroups": "added_group",
    "optimizers:MindsSize": "sizes",
    "optimizers:StumblesOverEmpty": "shapes",
    "optimizers:MindsLayout": "layouts",
    "optimizers:MindsCompany": "mixed_dtypes",
    "optimizers:KeepsRate": "schedule",
    "optimizers:DescendsAfterAll": "maximize",
    "optimizers:KeepsStateElsewhere": "resume",
    "optimizers:ResetsOnSave": "saving",
    "optimizers:ResetsOnLoad": "resume_over_others",
    "optimizers:SharesState": "state_apart",
    "optimizers:HoldsClosuresUnderNoGrad": "closure",
    "optimizers:DropsLoss": "closure",
    "optimizers:Hoards": "bounded_memory",
    "optimizers:KeepsGraph": "no_graph",
    "optimizers:ResetsOnZeroGrad": "zero_grad",
    "optimizers:CountsIdleSteps": "idle_step",
    "optimizers:ReadsUnwritten": "written_memory",
    "optimizers:ForeachDiffers": "implementations",
    "more:StillInFloat32": "all_parameters",
    "more:KeepsDouble": "state_dtypes",
    "more:KeepsById": "copying",
    "more:IgnoresFoundInf": "skipped_step",
    "more:HalvesImaginary": "complex_numbers",
    "more:AscendsSilently": "bad_options",
    "more:SwallowsOptions": "misspelt_option",
}


def violated(module: Any, law: str) -> record.Violation:
    """The first violation of a law, over the float32 subjects."""
    for subject in module.subjects:
        if subject.format.name == "float32" and not subject.untestable:
            record.start()
            try:
                fast(getattr(module, f"test_{law}"))(subject=subject)
            except record.Violation as found:
                return found
    raise AssertionError(f"{law} holds")


@pytest.mark.parametrize("name", WRONG, ids=lambda name: name.partition(":")[2])
def test_script_shows_its_violation(name: str, tmp_path: Path) -> None:
    """A script of at most 25 lines exits 1 with the wrong class, and 0 with the right one in its place."""
    place, _, wrong = name.partition(":")
    found = violated(audited(wrong, place), WRONG[name])
    scene = Scene(found.subject.rule, found.subject.implementation, found.subject.format.name, {})
    texts = script.scripts(scene, WRONG[name], found)
    kind = {"skipped_step": "TakesFoundInf"}.get(WRONG[name], "Right")
    right = f"from tests.broken.{'more' if kind != 'Right' else 'optimizers'} import {kind} as {wrong}"
    paths = []
    for k, text in enumerate(texts):
        assert len(text.splitlines()) <= script.LIMIT
        for of, content in (("wrong", text), ("right", re.sub(r"(?m)^from tests\S+ import \w+$", right, text))):
            paths.append(tmp_path / f"{of}{k}.py")
            paths[-1].write_text(content)

    ran = {path.stem: one for path, one in zip(paths, running.run(paths, 60, fresh=False), strict=True)}

    shows = [k for k in range(len(texts)) if ran[f"wrong{k}"].code == 1]
    assert shows, ran["wrong0"].printed
    if WRONG[name] not in ("misspelt_option", "bad_options"):  # the right one raises there, and says so
        assert 0 == ran[f"right{shows[0]}"].code, ran[f"right{shows[0]}"].printed
