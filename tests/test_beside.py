"""A second defect behind a first, in one law of one implementation."""

from __future__ import annotations

from pathlib import Path

from verifier.auditing import beside
from verifier.auditing.laws import Laws
from verifier.auditing.request import Request
from verifier.case import Case

TWO = """
import torch

class Two(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1, momentum=0.0, weight_decay=0.0, nesterov=False, foreach=False):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov,
                                      foreach=foreach))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                many = group["foreach"]
                g = p.grad.add(p, alpha=DECAY)
                if group["momentum"]:
                    buf = self.state[p].setdefault("buf", torch.zeros_like(p))
                    buf.mul_(group["momentum"]).add_(g)
                    g = g.add(buf, alpha=LOOK) if group["nesterov"] else buf
                p.add_(g, alpha=-group["lr"])
"""

LAW, SUBJECT = "two.implementations", "cpu-float32-foreach"


def needed(tmp_path: Path, decay: str, look: str) -> tuple[set[str], set[str]]:
    """What the smallest violation of foreach needs to be seen, and what a second one does."""
    path = tmp_path / "two.py"
    path.write_text(TWO.replace("DECAY", decay).replace("LOOK", look), encoding="utf-8")
    laws = Laws(Request(f"{path}:Two"))
    signature = laws.found.signature
    assert signature is not None

    def needs(case: Case) -> tuple[str, ...]:
        found = laws.violation(LAW, SUBJECT, case)
        assert found is not None
        return laws.needs(LAW, case, found, laws.matters(LAW, SUBJECT, case, signature)[0], {}) or ()

    cases = (case for case in beside.ordinary(signature) if laws.violation(LAW, SUBJECT, case) is not None)
    first = laws.smaller(LAW, SUBJECT, laws.of_any_case(LAW, SUBJECT, next(cases))[1], signature.defaults)
    other = beside.second(laws, LAW, SUBJECT, needs(first), {})
    return set(needs(first)), set(needs(other)) if other is not None else set()


def test_second_defect_is_found_without_what_the_first_needs(tmp_path: Path) -> None:
    """A decay that is wrong with foreach does not hide a look-ahead that is wrong there as well."""
    wrong = needed(tmp_path, 'group["weight_decay"] * (2 if many else 1)', '(0.5 if many else 1) * group["momentum"]')

    assert {frozenset({"weight_decay"}), frozenset({"momentum", "nesterov = True"})} == set(map(frozenset, wrong))


def test_one_defect_has_no_second(tmp_path: Path) -> None:
    """Where one of the two is right, nothing is wrong without what the other needs."""
    right = 'group["momentum"]'

    assert ({"weight_decay"}, set()) == needed(tmp_path, 'group["weight_decay"] * (2 if many else 1)', right)
