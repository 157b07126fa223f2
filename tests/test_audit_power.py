"""Optimizers as others write them: an audit passes the right ones, and names what one wrong line does to each."""

from __future__ import annotations

import ast
import functools
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import wild
from verifier import record
from verifier.auditing import collect as audit_collect
from verifier.auditing.probe import Found, learn, with_class
from verifier.auditing.request import Request
from verifier.subjects.torch_signature import resolve

RIGHT = tuple(name for name, cls in vars(wild).items() if isinstance(cls, type) and cls.__module__ == wild.__name__)

FAST = hypothesis.settings(
    max_examples=4,
    database=None,
    deadline=None,
    derandomize=True,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    suppress_health_check=list(hypothesis.HealthCheck),
)


@dataclass(frozen=True)
class Wrong:
    """One line of `wild` written otherwise, the law that rejects it, and words its message has."""

    of: str
    line: str
    becomes: str
    law: str
    words: str
    rule: str = ""

    @property
    def id(self) -> str:
        """The law, and where the line is."""
        return f"{self.of}-{self.law}-{abs(hash_of(self.becomes)) % 1000}"


def hash_of(text: str) -> int:
    """A number that is the same in every process."""
    return sum(k * ord(c) for k, c in enumerate(text, 1))


DECAY = 'p.mul_(1 - group["lr"] * group["weight_decay"])'
MOVE = 'p.addcdiv_(exp_avg, denom, value=-group["lr"] / bias1)'
FIRST = "exp_avg.mul_(beta1).add_(p.grad, alpha=1 - beta1)"

WRONG = (
    # one path of several
    Wrong("AdamForeach", "torch._foreach_mul_(vs, beta2)", "torch._foreach_mul_(vs, beta1)", "implements", "foreach"),
    Wrong("AdamForeach", "denom = torch._foreach_sqrt(xs)", "denom = torch._foreach_sqrt(vs)", "implements", "amsgrad"),
    Wrong("AdamForeach", "grads = torch._foreach_neg(grads)", "pass", "implements", "maximize"),
    # options and groups
    Wrong("AdamWLoop", 'beta2 = group["betas"]', 'beta2 = self.defaults["betas"]', "groups", "alone"),
    Wrong("AdamWLoop", 'value=-group["lr"]', 'value=-self.param_groups[0]["lr"]', "groups", "alone"),
    # formats: each of these is right in the others
    Wrong("AdamWLoop", DECAY, DECAY[:-1] + " * (p.dtype != torch.bfloat16))", "as_read", "theta is not"),
    Wrong("AdamWLoop", FIRST, FIRST.replace("p.grad", "p.grad.bfloat16().to(p.dtype)"), "as_read", "is not"),
    # sizes, shapes and layouts
    Wrong("AdamWLoop", DECAY, DECAY[:-1] + " * (p.numel() <= 1024))", "sizes", "1031"),
    Wrong("AdamWLoop", DECAY, DECAY[:-1] + " * (p.numel() <= 65536))", "large_sizes", "65537"),
    Wrong("AdamWLoop", DECAY, DECAY + " if p.ndim else None", "all_parameters", "treated differently"),
    Wrong("AdamWLoop", "if p.grad is None:", "if p.grad is None or p.ndim == 0:", "shapes", "is not moved"),
    Wrong("AdamWLoop", DECAY, DECAY.replace("p.mul_", "p.contiguous().mul_"), "layouts", "memory layout"),
    # state
    Wrong("AdamForeach", "torch.tensor(0.0)", "torch.tensor(0.0, dtype=torch.bfloat16)", "long_run", "step 257"),
    Wrong("SGDPlain", "torch.clone(d_p).detach()", "d_p.detach()", "own_state", "a gradient"),
    Wrong("AdamWLoop", "continue", "break", "absent_gradients", "another parameter has no gradient"),
    # schedules, closures, gradients
    Wrong("AdamWLoop", 'beta2 = group["betas"]', 'beta2 = group.setdefault("b", group["betas"])', "as_read", "step 3"),
    Wrong("AdamWLoop", "return loss", "return None", "closure", "does not return the loss"),
    Wrong("AdamWLoop", FIRST, FIRST.replace("p.grad", "p.grad.mul_(2)"), "purity", ".grad was changed"),
    # formulas: known mistakes are named without a rule, others by a declared rule alone
    Wrong("AdamWLoop", 'bias2 = 1 - beta2 ** state["step"]', "bias2 = 1 - beta2", "implements", "constant_beta2"),
    Wrong("AdamForeach", "torch.maximum(xs[i], vs[i], out=xs[i])", "xs[i].copy_(vs[i])", "implements", "maximum_miss"),
    Wrong("AdamWLoop", DECAY, 'p.mul_(1 - group["weight_decay"])', "implements", "adamw", rule="adamw"),
    Wrong("AdamWLoop", MOVE, MOVE.replace(" / bias1", ""), "implements", "adamw", rule="adamw"),
)  # fmt: skip


def source(name: str) -> str:
    """The text of one class of `wild`, as a module of its own."""
    text = Path(wild.__file__).read_text(encoding="utf-8")
    parts = [n for n in ast.parse(text).body if isinstance(n, ast.Import | ast.ImportFrom | ast.ClassDef)]
    return "\n\n".join(
        ast.get_source_segment(text, n) or "" for n in parts if not isinstance(n, ast.ClassDef) or n.name == name
    )


def learnt(target: str, rule: str = "") -> Found:
    """What an audit knows of a target, learnt in this process."""
    return with_class(learn(Request(target, rule)), resolve(target)[1])


def said(found: Found, law: str = "") -> dict[str, str]:
    """What a smoke audit's laws, or one of them, find wrong: law and subject -> message."""
    modules = [audit_collect._contract_module(found, "smoke"), *audit_collect._rule_modules(found, "smoke")]
    messages = {}
    for module in modules:
        for name, test in [(n, t) for n, t in vars(module).items() if n.startswith(f"test_{law}")]:
            for subject in module.subjects:
                if subject.untestable or (law and messages):
                    continue
                record.start()
                try:
                    quick(test)(subject=subject)
                except record.Violation as violation:
                    messages[f"{name}@{subject.id}"] = violation.sentence
    return messages


@functools.cache
def quick(test: Any) -> Any:
    """The test with few cases and no shrinking; a proof as it is."""
    return FAST(test) if hypothesis.is_hypothesis_test(test) else test


def rule_file(folder: Path) -> str:
    """A rule file for Lion, as a person who holds the paper beside it would write it."""
    path = folder / "lion.py"
    path.write_text(
        "from sympy import Interval, Integer, Symbol, sign\n"
        "from verifier.rule import Rule\n"
        "theta, g, m, lr, beta1, beta2, weight_decay, u = (\n"
        "    Symbol(n, real=True) for n in 'theta g exp_avg lr beta1 beta2 weight_decay u'.split())\n"
        "rule = Rule(name='lion', cite='Chen et al. 2023, Algorithm 2, arXiv:2302.06675', theta=theta, grad=g,\n"
        "    hyper={lr: Interval(0, 1), beta1: Interval.Ropen(0, 1), beta2: Interval.Ropen(0, 1),\n"
        "           weight_decay: Interval(0, 1)},\n"
        "    state={m: Integer(0)},\n"
        "    step=((u, sign(beta1 * m + (1 - beta1) * g)),\n"
        "          (theta, theta * (1 - lr * weight_decay) - lr * u),\n"
        "          (m, beta2 * m + (1 - beta2) * g)))\n",
        encoding="utf-8",
    )
    return str(path)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: w.id)
def test_names_a_wrong_line(wrong: Wrong, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law meant for it rejects the wrong line, in words that say what is wrong, and not the right one."""
    text = source(wrong.of)
    assert wrong.line in text
    name = f"wild_{abs(hash_of(wrong.id + wrong.becomes))}"
    (tmp_path / f"{name}.py").write_text(text.replace(wrong.line, wrong.becomes, 1), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    rule = rule_file(tmp_path) if wrong.rule == "lion" else wrong.rule

    messages = said(learnt(f"{name}:{wrong.of}", rule), wrong.law)

    assert messages, f"{wrong.law} holds although {wrong.becomes!r} stands for {wrong.line!r}"
    assert wrong.words in next(iter(messages.values()))


KEEPS_THE_GRADIENT = """
import torch

class KeepsTheGradient(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1, momentum=0.0, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                d = p.grad if group["weight_decay"] == 0 else p.grad.add(p, alpha=group["weight_decay"])
                if group["momentum"] != 0:
                    state = self.state[p]
                    if "buf" in state:
                        d = state["buf"].mul_(group["momentum"]).add_(d)
                    state["buf"] = d
                p.add_(d, alpha=-group["lr"])
"""


def test_state_that_is_the_gradient_with_momentum_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A buffer that is `.grad` itself where no decay is added to it is seen; one that is cloned is right."""
    for name, text in (
        ("kept", KEEPS_THE_GRADIENT),
        ("cloned", KEEPS_THE_GRADIENT.replace("] = d\n", "] = d.clone()\n")),
    ):
        (tmp_path / f"wild_{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()

    messages = said(learnt("wild_kept:KeepsTheGradient"), "own_state")

    assert "buf of tensor 0 and a gradient" in next(iter(messages.values()))
    assert {} == said(learnt("wild_cloned:KeepsTheGradient"), "own_state")


@pytest.mark.parametrize("name", RIGHT)
def test_passes_the_right_ones_by_what_was_read(name: str) -> None:
    """No implementation of a right optimizer departs from the rule read out of it, soon or late."""
    found = learnt(f"{wild.__name__}:{name}")

    assert {} == said(found, "as_read") | said(found, "long_run") | said(found, "implements") | said(found, "step_")


@pytest.mark.nightly
@pytest.mark.parametrize("name", RIGHT)
def test_passes_the_right_ones(name: str) -> None:
    """A smoke audit finds nothing wrong with a right optimizer, in whatever style it is written."""
    assert {} == said(learnt(f"{wild.__name__}:{name}"))


@pytest.mark.parametrize(("name", "rule"), [("AdamWLoop", "adamw"), ("AdamForeach", "adamw"), ("LionLoop", "lion")])
def test_passes_the_right_ones_by_their_rule(name: str, rule: str, tmp_path: Path) -> None:
    """Held to the rule it claims, a right optimizer is proved to follow it, and its steps lie in its enclosure."""
    found = learnt(f"{wild.__name__}:{name}", rule_file(tmp_path) if rule == "lion" else rule)

    assert {} == said(found, "implements") | said(found, "step_")
    assert "proved" == found.proofs[0].status
