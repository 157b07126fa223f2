from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.optimizer import required

from verifier.lift.lifted import lift
from verifier.subjects.torch_probe import Untestable, examined
from verifier.subjects.torch_signature import resolve, signature


class Asking(torch.optim.Optimizer):
    """Options as people write their defaults."""

    def __init__(self, params: Any, lr: Any = required, every: Any = 1, warm: int = 0, share: float = 1) -> None:
        super().__init__(params, {"lr": lr, "every": every, "warm": warm, "share": share})


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [("every", "int", (1.0, 2.0, 3.0)), ("warm", "int", (0.0, 2.0, 3.0)), ("share", "float", (1.0, 0.5, 2.0))],
)
def test_a_default_that_counts_is_given_back_as_a_whole_number(name: str, kind: str, values: tuple[float, ...]) -> None:
    """A whole number from one up, or one that is annotated so, counts; an annotation says what is a share."""
    found = signature(f"{__name__}:Asking", {})
    option = found.option(name)

    assert (kind, values) == (option.kind, option.values)
    assert (int if kind == "int" else float) is type(found.arguments(found.defaults)[name])


def test_a_fraction_is_no_whole_number_whatever_the_default() -> None:
    """A rule that was read may be asked of a half where the default is written as 1: it is given as it is."""
    assert 0.5 == signature(f"{__name__}:Asking", {}).option("every").plain(0.5)


class Refusing(torch.optim.Optimizer):
    """Its own default of lr is refused by it; that of rate is not."""

    def __init__(self, params: Any, lr: Any = None, rate: Any = None) -> None:
        assert lr > 0
        super().__init__(params, {"lr": lr, "rate": rate})


class Deriving(torch.optim.Optimizer):
    """Without lr it makes its own."""

    def __init__(self, params: Any, lr: Any = None) -> None:
        super().__init__(params, {"lr": lr})


def test_learning_rate_that_is_none_and_refused_is_drawn() -> None:
    """An lr of None must be given where the constructor refuses it, and stays as it is where it does not."""
    refusing, deriving = (signature(f"{__name__}:{name}", {}) for name in ("Refusing", "Deriving"))

    assert isinstance(refusing.defaults["lr"], float)
    assert "rate" in refusing.unexamined
    assert "lr" in deriving.unexamined


def test_torchs_mark_of_a_required_option_is_no_default() -> None:
    """`lr=required` is an option that must be given, and is drawn."""
    found = signature(f"{__name__}:Asking", {})

    assert isinstance(found.defaults["lr"], float)
    assert 3 < len(found.option("lr").values)


class Seeded(torch.optim.Optimizer):
    """Its seed is a whole number, and so is the default of its decay."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: Any = 0, seed: Any = 0) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})


def test_seed_is_a_whole_number() -> None:
    """What counts by its name is drawn from whole numbers; a default of 0 is passed on as it is written."""
    found = signature(f"{__name__}:Seeded", {})

    assert ("int", (0.0, 2.0, 3.0)) == (found.option("seed").kind, found.option("seed").values)
    assert int is type(found.arguments(found.defaults)["weight_decay"])
    assert float is type(found.arguments({**found.defaults, "weight_decay": 0.5})["weight_decay"])


class Passing(torch.optim.AdamW):
    """Options that it does not name are those of its base; its betas are its own."""

    def __init__(self, params: Any, lr: float = 0.1, share: float = 1.0, **rest: Any) -> None:
        super().__init__(params, lr=lr, betas=(0.9, 0.95), **rest)
        self.share = share


class Swallowing(torch.optim.Optimizer):
    """Whatever else it is given is lost."""

    def __init__(self, params: Any, lr: float = 0.1, **rest: Any) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": 0.01})


def test_options_passed_on_by_keyword_are_options() -> None:
    """What **kwargs set in the groups is an option; what they do not, as it is given already or lost, is none."""
    passing, swallowing = (signature(f"{__name__}:{name}", {}) for name in ("Passing", "Swallowing"))

    assert {"lr", "share", "eps", "weight_decay", "amsgrad"} <= set(passing.defaults)
    assert "beta1" not in passing.defaults
    assert {"lr"} == set(swallowing.defaults)
    assert 0.25 == passing.arguments({**passing.defaults, "weight_decay": 0.25})["weight_decay"]


def test_decay_passed_on_by_keyword_is_read() -> None:
    """Such an option is symbolic where code is read, as one that is named."""
    assert "decoupled" == lift(Passing).weight_decay


class Forwarding(torch.optim.AdamW):
    """Everything is passed on."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)


def test_constructor_that_passes_everything_on_has_the_options_of_its_base() -> None:
    """A constructor of *args and **kwargs is documented by the one it calls."""
    assert signature("torch.optim:AdamW", {}).defaults == signature(f"{__name__}:Forwarding", {}).defaults


class Parted(torch.optim.Optimizer):
    """The two betas are options of groups apart; a rate of -1 stands for none; one option no group has."""

    def __init__(self, params: Any, lr: float = 0.1, betas: Any = (0.9, 0.99), shrink: float = -1.0, d: float = 0.5):
        self.d = d
        super().__init__(params, {"lr": lr, "beta1": betas[0], "beta2": betas[1], "shrink": shrink})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.add_(p.grad, alpha=-group["lr"] * self.d * group["beta1"] * max(group["shrink"], 0.5))


def test_option_that_is_in_groups_by_its_parts_is_there() -> None:
    """The note names those alone that no group has."""
    notes = [words for _, words in examined(signature(f"{__name__}:Parted", {})).notes]

    assert "options that are not in param_groups, so no group or schedule has them: d" in notes


class Renamed(Parted):
    """Its constructor calls lr `learning_rate`, and takes one value alone of another option."""

    def __init__(self, params: Any, learning_rate: float = 0.1, amsgrad: bool = False, d: float = 0.5):
        if amsgrad:
            raise NotImplementedError("amsgrad is not supported")
        super().__init__(params, lr=learning_rate, d=d)


def test_option_that_groups_hold_by_another_name_is_there() -> None:
    """Nor is one that can only be what it is an option anybody misses in a group."""
    notes = [words for _, words in examined(signature(f"{__name__}:Renamed", {})).notes]

    assert "options that are not in param_groups, so no group or schedule has them: d" in notes


class WantsMore(torch.optim.Optimizer):
    """Its step cannot do without a closure, and wants of the loss what no loss has."""

    def __init__(self, params: Any, lr: float = 0.1):
        super().__init__(params, {"lr": lr})

    def step(self, closure: Any) -> None:  # type: ignore[override]
        raise RuntimeError(f"{type(closure()).__name__} has no curvature")


def test_step_that_needs_a_closure_is_told_by_what_it_raises_with_one() -> None:
    """That an argument is missing where it was left out says nothing."""
    with pytest.raises(Untestable, match="its first step raises RuntimeError: Tensor has no curvature"):
        examined(signature(f"{__name__}:WantsMore", {}))


def test_minus_one_stands_for_no_rate() -> None:
    """What is drawn beside it are rates."""
    assert (-1.0, 0.5, 0.75, -0.5) == signature(f"{__name__}:Parted", {}).option("shrink").values


def test_classes_of_one_file_can_both_be_pickled(tmp_path: Path) -> None:
    """Each is of a module of its own, which is there as long as it is used."""
    path = tmp_path / "both.py"
    path.write_text("import torch\nclass One(torch.optim.SGD): pass\nclass Two(torch.optim.SGD): pass\n")
    made = [resolve(f"{path}:{name}")[1]([torch.nn.Parameter(torch.ones(2))]) for name in ("One", "Two")]

    assert ["One", "Two"] == [type(pickle.loads(pickle.dumps(one))).__name__ for one in made]


class Optional(torch.optim.Optimizer):
    """No weight decay is None, as Keras has it."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float | None = None) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if group["weight_decay"] is not None:
                    p.sub_(p * group["weight_decay"] * group["lr"])
                p.sub_(p.grad, alpha=group["lr"])


class Automatic(Optional):
    """A weight decay of None is a tenth."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: float | None = None) -> None:
        super().__init__(params, lr, 0.1 if weight_decay is None else weight_decay)


class Firm(Optional):
    """Its weight decay cannot be a number."""

    def __init__(self, params: Any, lr: float = 0.1, weight_decay: str | None = None) -> None:
        if weight_decay is not None and not isinstance(weight_decay, str):
            raise TypeError(weight_decay)
        super().__init__(params, lr)


def test_weight_decay_of_none_is_read_and_drawn_where_none_stands_for_nought() -> None:
    """A default of None that steps as 0 does is 0; one that stands for something else stays, and so do words."""
    drawn = {c.__name__: signature(f"{__name__}:{c.__name__}", {}).defaults for c in (Optional, Automatic, Firm)}

    assert 0.0 == drawn["Optional"]["weight_decay"]
    assert not {"weight_decay"} & (set(drawn["Automatic"]) | set(drawn["Firm"]))
    assert "coupled" == lift(Optional).weight_decay
    assert "none" == lift(Firm).weight_decay
