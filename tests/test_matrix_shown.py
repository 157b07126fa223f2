"""Mistakes of steps over whole tensors as scripts: nearer to what the mistake gives than to what the rule does."""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.auditing import explain, running, script
from verifier.auditing.laws import Laws
from verifier.auditing.request import Request

LAMB = """
import torch

class Lamb(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                if not state:
                    state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
                state["step"] += 1
                m, v, t = state["exp_avg"], state["exp_avg_sq"], state["step"]
                m.mul_(beta1).add_(p.grad, alpha=1 - beta1)
                v.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                update = m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + group["eps"])
                update = update + group["weight_decay"] * p
                p.add_(update, alpha=-(group["lr"] * p.norm() / update.norm()).item())
        return None
"""

MISTAKES = {
    "trust": ("update.norm()).item()", "m.norm()).item()"),
    "square": ("addcmul_(p.grad, p.grad", "addcmul_(p.grad, m"),
    "correction": ("(v / (1 - beta2**t))", "(v / (1 - beta1**t))"),
}
"""Mistakes in LAMB: a part of a line, and what stands in its place."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_script_shows_a_mistake_and_nothing_of_the_rule(mistake: str, tmp_path: Path) -> None:
    """The script of a class with the mistake exits 1; with the line as it should be it exits 0."""
    right, wrong = MISTAKES[mistake]
    assert right in LAMB
    (tmp_path / "mine.py").write_text(LAMB.replace(right, wrong), encoding="utf-8")
    laws = Laws(Request(f"{tmp_path / 'mine.py'}:Lamb"))
    (read,) = (proof for proof in laws.found.proofs if proof.shows)

    known = script.of_numbers(laws.found.signature, read, "lamb.implements")["untried"]

    (shown,) = explain.shown([known], tmp_path, fresh=False)
    (text,) = known["texts"]
    (tmp_path / "mine.py").write_text(LAMB, encoding="utf-8")
    assert {"repro": str(tmp_path / "lamb_implements.py")} == shown
    assert [0] == [ran.code for ran in running.run([Path(shown["repro"])], 60, fresh=True)]
    assert len(text.splitlines()) <= script.LIMIT
    assert read.shows["mistaken"] not in read.shows["by_rule"]


def test_right_code_has_nothing_to_show(tmp_path: Path) -> None:
    """Where the step is the rule's there is no such proof."""
    (tmp_path / "mine.py").write_text(LAMB, encoding="utf-8")

    assert [] == [p for p in Laws(Request(f"{tmp_path / 'mine.py'}:Lamb")).found.proofs if p.shows]


def test_numbers_are_of_the_branches_that_were_read(tmp_path: Path) -> None:
    """Where the code bounds the ratio in a branch of its own, the script stays within the bound that was read."""
    bounded = LAMB.replace("weight_decay=0.0)", "weight_decay=0.01, most=10.0)")
    bounded = bounded.replace("decay))", "decay, most=most))")
    step = 'alpha=-(group["lr"] * p.norm() / update.norm()).item()'
    assert step in bounded
    bounded = bounded.replace(step, 'alpha=-group["lr"] * min((p.norm() / update.norm()).item(), group["most"])')
    right = 'update = update + group["weight_decay"] * p'
    added = bounded.replace(right, "pass")
    added = added.replace("update = m / (1 - beta1**t)", "update = (m / (1 - beta1**t) + DECAY)")
    (tmp_path / "mine.py").write_text(added.replace("DECAY", 'group["weight_decay"] * p'), encoding="utf-8")
    laws = Laws(Request(f"{tmp_path / 'mine.py'}:Lamb"))
    (read,) = (proof for proof in laws.found.proofs if proof.shows)

    known = script.of_numbers(laws.found.signature, read, "lamb.implements")["untried"]

    (shown,) = explain.shown([known], tmp_path, fresh=False)
    assert {"repro": str(tmp_path / "lamb_implements.py")} == shown
