"""Numbers of a step that torch's own code reads: what they were computed of is still known."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from verifier.lift import lift


@torch.jit.script
def scripted_step(p: torch.Tensor, g: torch.Tensor, m: torch.Tensor, lr: float, mu: float, correction: float) -> None:
    """One step of a corrected average."""
    m.mul_(mu).add_(g, alpha=1.0 - mu)
    p.add_(m, alpha=-lr / correction)


class Averaged(torch.optim.Optimizer):
    """Steps by a corrected average of gradients; `mu` may be given."""

    def __init__(self, params: Any, lr: float = 1e-2, mu: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "mu": mu})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state.update(step=0, m=torch.zeros_like(p))
                state["step"] += 1
                self.move(p, state["m"], -group["lr"], group["mu"], 1 - group["mu"] ** state["step"])

    def move(self, p: torch.Tensor, m: torch.Tensor, rate: float, mu: float, correction: float) -> None:
        m.mul_(mu).add_(p.grad, alpha=1 - mu)
        p.add_(m, alpha=rate).add_(m, alpha=rate / correction)  # two numbers that may look the same


def starting_from(decay: float) -> type[Averaged]:
    """The same with another default, by a name of its own."""

    class Slow(Averaged):
        def __init__(self, params: Any, lr: float = 1e-2, b: float = decay) -> None:
            super().__init__(params, lr, b)

    return Slow


class Scripted(Averaged):
    """The same average, by a scripted function."""

    def move(self, p: torch.Tensor, m: torch.Tensor, rate: float, mu: float, correction: float) -> None:
        scripted_step(p, p.grad, m, -rate, mu, correction)


@pytest.mark.parametrize("decay", [0.8, 0.85, 0.9, 0.95])
def test_bias_correction_late_in_a_run_is_told_from_none(decay: float) -> None:
    """A power of a rate of decay shows next to one where the step is read, whatever the rate's default and name."""
    found = lift(starting_from(decay))

    assert ("lifted", True) == (found.status, "1 - b^t" in found.formula)


def test_scripted_function_is_read_as_it_was_written() -> None:
    """What `torch.jit.script` compiled is followed in its Python, and put back."""
    before = scripted_step

    found = lift(Scripted)

    assert ("lifted", True) == (found.status, "1 - mu^t" in found.formula)
    assert before is scripted_step


class KeepsTen(Averaged):
    """Corrections are kept by the number of the step modulo ten, for the next parameter of the same step."""

    def __init__(self, params: Any, lr: float = 1e-2, mu: float = 0.9) -> None:
        super().__init__(params, lr, mu)
        self.kept: list[list[Any]] = [[None, None] for _ in range(10)]

    def move(self, p: torch.Tensor, m: torch.Tensor, rate: float, mu: float, correction: float) -> None:
        count = self.state[p]["step"]
        kept = self.kept[int(count % 10)]
        if not self.there(kept, count):
            kept[:] = [count, correction if count * mu >= 5 else 1.0]
        super().move(p, m, rate, mu, kept[1])

    def there(self, kept: list[Any], count: int) -> bool:
        return bool(kept[0] == count)


class KeepsTenForGood(KeepsTen):
    """What was kept ten steps ago is taken again."""

    def there(self, kept: list[Any], count: int) -> bool:
        return kept[0] is not None


def test_what_is_kept_by_the_number_of_its_step_is_read_as_it_is_computed() -> None:
    """A number that each step writes before it reads it is none the step begins with, on both sides of a branch."""
    found = lift(KeepsTen)

    assert ("lifted", ()) == (found.status, found.path_conditions)
    assert "1 - mu^t" in found.formula and "mu * t < 5" in found.formula
    assert found.rule is not None and ["m"] == [s.name for s in found.rule.state]


def test_what_is_kept_from_ten_steps_ago_is_not_read_as_this_steps() -> None:
    """No formula is shown where steps read a number that an earlier one, and not the first, has left."""
    found = lift(KeepsTenForGood)

    assert ("partial", None) == (found.status, found.rule)


class LooksAhead(Averaged):
    """The correction is that of the next step, of a number that `int` makes plain."""

    def move(self, p: torch.Tensor, m: torch.Tensor, rate: float, mu: float, correction: float) -> None:
        t = int(self.state[p]["step"])
        m.mul_(mu).add_(p.grad, alpha=1 - mu)
        p.add_(m, alpha=rate / (1 - mu ** (t + 1)))


def test_plain_number_of_the_next_step_is_read() -> None:
    """`int(step) + 1` in an exponent is one more than the number of the step, and no constant."""
    found = lift(LooksAhead)

    assert ("lifted", True) == (found.status, "1 - mu^(t + 1)" in found.formula)
