"""Scripts of violations: each shows its violation by itself, and shows nothing of the right optimizer."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from tests.broken import more
from tests.broken import optimizers as broken
from tests.test_contracts import audited, fast
from verifier import record
from verifier.auditing import running, script
from verifier.auditing.laws import Laws
from verifier.auditing.scene import Scene

WRONG = dict.fromkeys(
    [(wrong.__module__, wrong.__name__, law) for wrong, law in (*broken.REJECTED.items(), *more.REJECTED)]
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
    "sparse_gradients": SumsDuplicates,
    "whole_tensors": DividesByNorm,
}
"""Contracts that few optimizers are asked to keep, and a right one that keeps each."""


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


def smallest(module: Any, law: str) -> record.Violation:
    """The violation on a case that is made as small as an audit makes it."""
    found = violated(module, law)
    laws = Laws.__new__(Laws)
    laws.modules = [module]
    assert found.case is not None
    case, _ = laws.smaller(f"{module.rule.name}.{law}", found.subject.id, found.case, module.rule.defaults)
    return laws.violation(f"{module.rule.name}.{law}", found.subject.id, case) or found


@pytest.mark.parametrize(("module", "wrong", "law"), WRONG, ids=lambda text: text.rpartition(".")[2])
def test_script_shows_its_violation(module: str, wrong: str, law: str, tmp_path: Path) -> None:
    """A script of at most 25 lines, importing torch and the class, exits 1 with the wrong class and 0 with a right one."""
    found = smallest(audited(wrong, module.rpartition(".")[2]), law)
    scene = Scene(found.subject.rule, found.subject.implementation, found.subject.format.name, {})
    texts = script.scripts(scene, law, found)
    kind = STANDS_IN.get(law, broken.Right)
    right = f"from {kind.__module__} import {kind.__name__} as {wrong}"
    paths = []
    for k, text in enumerate(texts):
        for of, content in (("wrong", text), ("right", re.sub(r"(?m)^from tests\S+ import \w+$", right, text))):
            paths.append(tmp_path / f"{of}{k}.py")
            paths[-1].write_text(content)

    ran = {path.stem: one for path, one in zip(paths, running.run(paths, 60, fresh=law == "threads"), strict=True)}

    shows = [k for k in range(len(texts)) if ran[f"wrong{k}"].code == 1]
    assert shows, ran["wrong0"].printed
    assert 0 == ran[f"right{shows[0]}"].code, ran[f"right{shows[0]}"].printed
    assert "Error" not in ran[f"wrong{shows[0]}"].printed or "raise" in found.what
    assert len(texts[shows[0]].splitlines()) <= script.LIMIT
    assert set(imported(texts[shows[0]])) <= {"torch", module, "copy", "io", "pickle"}


def imported(text: str) -> list[str]:
    """The modules a script imports."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(str(node.module))
    return found
