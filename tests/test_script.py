"""Scripts of violations: each shows its violation by itself, and shows nothing of the right optimizer."""

from __future__ import annotations

import ast
import functools
import importlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.broken import aimless, apart, idle, kept, lines, matrix, meant, more, rated, seldom, turns, vanishing
from tests.broken import optimizers as broken
from tests.test_audit_power import learnt, quick, source
from tests.test_contracts import FAST
from verifier import record
from verifier.auditing import collect, explain, running, script
from verifier.auditing.cases import plain
from verifier.auditing.laws import Laws
from verifier.auditing.scene import Scene, lines_of
from verifier.floats import FORMATS
from verifier.subjects.torch_conventions import case_of
from verifier.subjects.torch_foreign import Foreign, run

OTHERS = (more, lines, apart, seldom, aimless, vanishing, idle, kept, turns, rated, meant)

WRONG = dict.fromkeys(
    [
        (wrong.__module__, wrong.__name__, law)
        for wrong, law in (*broken.REJECTED.items(), *(pair for some in OTHERS for pair in some.REJECTED))
    ]
)
"""Each broken optimizer, and the contract that rejects it."""


class SumsDuplicates(broken.Right):
    """A sparse gradient is the dense one it stands for."""

    def gradient(self, p: Any, group: Any) -> Any:
        p.grad = p.grad.to_dense() if p.grad.is_sparse else p.grad
        return super().gradient(p, group)


class DividesByNorm(broken.Right):
    """Gradients are divided by their norm."""

    def gradient(self, p: Any, group: Any) -> Any:
        grad = super().gradient(p, group)
        return grad / (1 + grad.norm())


STANDS_IN: dict[str, type[Any]] = {
    "skipped_step": more.TakesFoundInf,
    "scaled_gradients": more.Unscales,
    "sparse_gradients": SumsDuplicates,
    "whole_tensors": DividesByNorm,
    "decay_switches": seldom.WithDecoupled,
    "acting_switches": seldom.KeepsMaximum,
    "whole_models": seldom.ClipsByAll,
    "single_numbers": DividesByNorm,
    "empty_parameters": seldom.Slows,
    "bounds": vanishing.Clips,
    "evaluation": vanishing.Evaluates,
    "BoundsTheSumOfLengths": vanishing.BoundsAllTogether,
    "DampensWithoutMomentum": idle.Dampens,
    "KeepsWhatItShouldDampen": idle.Dampens,
    "ForgetsSquares": idle.RemembersSquares,
    "ForeachAveragesBackwards": kept.KeepsItsAverage,
    "CountsParametersForSteps": turns.MovesInTurns,
    "LeavesTheSecond": turns.MovesAllAtOnce,
    "StepsVectorsAsMatrices": rated.HasARateForVectors,
    "StepsWithoutItsRate": rated.DecaysDecoupled,
    "RemembersItsRate": rated.DecaysDecoupled,
    "CorrectsBackwards": meant.Corrects,
    "AveragesBackwards": meant.Corrects,
    "TakesInWhatItKeeps": meant.Corrects,
    "DecaysNoBiases": meant.DecaysBiases,
    "EndsAtFrozenGroup": seldom.ClipsByAll,
    "ForgetsItsBound": seldom.KeepsBound,
    "ForgetsItsLargest": kept.KeepsItsLargest,
    "LeavesItsMaster": idle.KeepsItsMaster,
    "RoundsItsMaster": idle.KeepsItsMaster,
}
"""Contracts that few optimizers are asked to keep, or what breaks one, and a right one that keeps each."""


audited = functools.cache(matrix.audited.__wrapped__)  # of its own: a test takes settings once


@functools.cache
def fast(test: Any) -> Any:
    """The test with few cases and no shrinking."""
    return FAST(test)


NO_RIGHT_ONE = frozenset({"read_options", "starting_options", "switched_on", "skipped_first_step"})
"""Contracts about options, or a refusal, that the right one does not have."""


def violated(module: Any, law: str) -> record.Violation:
    """The first violation of a law, over the float32 subjects, or those of 16 bits."""
    wanted = "bfloat16" if law in matrix.NARROW else "float32"
    for subject in module.subjects:
        if subject.format.name == wanted and not subject.untestable:
            record.start()
            try:
                fast(getattr(module, f"test_{law}"))(subject=subject)
            except record.Violation as found:
                return found
    raise AssertionError(f"{law} holds")


def smallest(module: Any, law: str) -> record.Violation:
    """The violation on a case that is made as small as an audit makes it."""
    found = violated(module, law)
    laws = Laws.__new__(Laws)
    laws.modules = [module]
    assert found.case is not None
    case = laws.smaller(f"{module.rule.name}.{law}", found.subject.id, found.case, module.rule.defaults)
    return laws.violation(f"{module.rule.name}.{law}", found.subject.id, case) or found


@pytest.mark.parametrize(("module", "wrong", "law"), WRONG, ids=lambda text: text.rpartition(".")[2])
def test_script_shows_its_violation(module: str, wrong: str, law: str, tmp_path: Path) -> None:
    """A script of at most 25 lines, importing torch and the class, exits 1 with the wrong class, 0 with a right one."""
    found = smallest(audited(wrong, module.rpartition(".")[2]), law)
    scene = Scene(found.subject.rule, found.subject.implementation, found.subject.format.name, {})
    texts = script.scripts(scene, law, found)
    kind = STANDS_IN.get(wrong, STANDS_IN.get(law, broken.Right))
    right = f"from {kind.__module__} import {kind.__name__} as {wrong}"
    paths = []
    for k, text in enumerate(texts):
        for of, content in (("wrong", text), ("right", re.sub(r"(?m)^from tests\S+ import \w+$", right, text))):
            paths.append(tmp_path / f"{of}{k}.py")
            paths[-1].write_text(content)

    ran = {path.stem: one for path, one in zip(paths, running.run(paths, 60, fresh=law == "threads"), strict=True)}

    shows = [k for k in range(len(texts)) if ran[f"wrong{k}"].code == 1]
    assert shows, ran["wrong0"].printed
    if law not in NO_RIGHT_ONE:
        assert 0 == ran[f"right{shows[0]}"].code, ran[f"right{shows[0]}"].printed
    assert "Error" not in ran[f"wrong{shows[0]}"].printed or "raise" in found.what
    assert len(texts[shows[0]].splitlines()) <= script.LIMIT
    assert set(imported(texts[shows[0]])) <= {"torch", module, "copy", "io", "os", "pickle", "sys", "warnings"}


BY_THEIR_CODE = {
    "long_run": ("AdamForeach", "torch.tensor(0.0)", "torch.tensor(0.0, dtype=torch.bfloat16)", ""),
    "implements": ("AdamForeach", "denom = torch._foreach_sqrt(xs)", "denom = torch._foreach_sqrt(vs)", ""),
    "as_read": ("AdamWLoop", "mul_(beta1).add_(p.grad", "mul_(beta1).add_(p.grad.bfloat16().to(p.dtype)", ""),
    "step_follows": ("AdamWLoop", "p.mul_(1 - group", "p.mul_(1 - 2 * group", "adamw"),
    "long_follows": ("AdamWLoop", 'beta1 ** state["step"]', 'beta1 ** min(state["step"], 9)', "adamw"),
}
"""Laws about what was read out of the code: a line of `wild`, what stands for it, and the rule it is held to."""


@pytest.mark.parametrize("law", BY_THEIR_CODE)
def test_script_of_a_law_about_code(law: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What departs from the rule of its own code, or from a declared one, is explained with a script that shows it."""
    of, line, becomes, rule = BY_THEIR_CODE[law]
    right, name = source(of), f"wild_script_{law}"
    assert line in right
    (tmp_path / f"{name}.py").write_text(right.replace(line, becomes, 1), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    found = learnt(f"{name}:{of}", rule)
    laws = Laws.__new__(Laws)
    laws.found, laws.reason = found, ""
    laws.modules = [collect._contract_module(found, "smoke"), *collect._rule_modules(found, "smoke")]
    known = explain._explained(laws, first_of(laws.modules, law) | {"target": found.target, "rule": rule}, tmp_path)
    assert known.get("untried"), known

    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (ran_as,) = explain.shown([known["untried"]], tmp_path / "scripts", fresh=False)

    assert "repro" in ran_as, ran_as
    text = Path(ran_as["repro"]).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= script.LIMIT
    assert set(imported(text)) == {"torch", name}
    (tmp_path / "right.py").write_text(text.replace(f"from {name} import", "from tests.wild import"), encoding="utf-8")
    (ran,) = running.run([tmp_path / "right.py"], 60, fresh=False)
    assert 0 == ran.code, ran.printed


LEAKS = """
import torch

class LeaksMomentum(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1, momentum=0.0, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                buf = self.state[p].setdefault("buf", torch.zeros_like(p))
                buf.mul_(self.defaults["momentum"]).add_(p.grad).add_(p, alpha=group["weight_decay"])
                p.add_(buf, alpha=-group["lr"])
"""


def test_groups_that_a_law_makes_are_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of groups that the law makes of a case without any, the option that leaks is told, as of drawn ones."""
    (tmp_path / "wild_leaks.py").write_text(LEAKS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    found = learnt("wild_leaks:LeaksMomentum")
    laws = Laws.__new__(Laws)
    laws.found, laws.reason, laws.modules = found, "", [collect._contract_module(found, "smoke")]
    (case,) = plain(replace(found.signature, plain=(found.signature.defaults,)), steps=4)
    law, subject = "leaksmomentum.groups", "cpu-float32-forloop"

    known = explain._explained(
        laws,
        {"target": found.target, "law": law, "subject": subject, "case": case.to_json(), "rule": "", "args": ()},
        tmp_path,
    )

    assert ["given to a group, and not to the constructor: momentum"] == known["matters"]


def first_of(modules: Any, law: str) -> dict[str, Any]:
    """The first violation of a law, as `explain` is given it."""
    for module in modules:
        for subject in module.subjects if hasattr(module, f"test_{law}") else ():
            record.start()
            try:
                if not subject.untestable:
                    quick(getattr(module, f"test_{law}"))(subject=subject)
            except record.Violation as found:
                case = found.case.to_json() if found.case is not None else None
                return {"law": f"{module.rule.name}.{law}", "subject": subject.id, "case": case, "args": []}
    raise AssertionError(f"{law} holds")


def imported(text: str) -> list[str]:
    """The modules a script imports."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(str(node.module))
    return found


def test_every_law_of_an_audit_has_a_script() -> None:
    """No contract is left out above; laws about code are shown there, lives in `test_history`, errors here."""
    from verifier.contract_table import CONTRACTS

    assert {row.name for row in CONTRACTS} - {law for _, _, law in WRONG} == set()


def test_script_of_what_cannot_step(tmp_path: Path) -> None:
    """A target whose first step raises has a script that tries to take it, and exits 0 once it can be taken."""
    (text,) = script.first_step("torch.optim:SGD", "it raises RuntimeError", {"lr": 0.1})
    path, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    path.write_text(text)
    wrong.write_text(text.replace("opt.step()", "opt.stap()"))

    assert [0, 1] == [ran.code for ran in running.run([path, wrong], 60, fresh=False)]


def test_first_line_of_a_script_is_whole() -> None:
    """It names the class, ends with a word, and holds nothing that ends a string."""
    line = script.headline("/some/where/far/off/mine.py:Lamb", 'raises "x"' + " and goes on about it" * 9)

    assert line.startswith("Lamb: raises 'x' and goes on")
    assert line.endswith(("about it ...", "about ...", "on ...", "goes ...", "and ..."))
    assert script.LONGEST >= len(line)


class DoublesGradients(broken.Right):
    """Writes into its gradients after it has used them: whoever hands over the same tensor again hands over another."""

    def one(self, p: Any, group: Any) -> None:
        super().one(p, group)
        p.grad.mul_(2)


def test_gradients_that_repeat_are_fresh_in_every_step() -> None:
    """A script steps along what the law stepped along, though the steps write into their gradients."""
    known = learnt(f"{__name__}:DoublesGradients").signature
    assert known is not None
    case = case_of(known, [(2,)], known.defaults, 6)
    case = case.with_(grads=np.full_like(case.grads, 2.0))
    place: dict[str, Any] = {}

    text = "\n".join(f"    {x}" for x in lines_of(Scene(known, "forloop", "float64", {}), case))
    exec(f"import torch\nfrom {__name__} import DoublesGradients\ndef run():\n{text}", place)

    assert "] * 6" in text
    assert place["run"]().tolist() == run(Foreign(known, FORMATS["float64"]), case).theta[-1].tolist()
