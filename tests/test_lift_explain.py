"""`explain` and `init`: what is printed for every optimizer of torch.optim, kept as golden files and executed."""

from __future__ import annotations

import inspect
import json
import re
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sympy
import torch

from verifier import rules
from verifier.equality.normal import Status
from verifier.errors import UsageError
from verifier.lift import construct, expr, lift, lifted, prove
from verifier.lift.evaluate import Bounded, values
from verifier.lift.explain import explain
from verifier.lift.expr import Node
from verifier.lift.rule_file import rule_source, write_rule
from verifier.lift.scalars import Trace
from verifier.lift.shadow import prepared
from verifier.lift.trajectory import from_sympy

GOLDEN = Path(__file__).parent / "golden" / "lift"
CLASSES = sorted(n for n, c in vars(torch.optim).items() if inspect.isclass(c) and c is not torch.optim.Optimizer)
WHOLE = [n for n in CLASSES if n not in ("Adafactor", "Muon", "SparseAdam", "LBFGS", "AdafactorW")]
RELEASE = torch.__version__.startswith("2.13.")


@pytest.mark.skipif(not RELEASE, reason="golden text names the lines of torch 2.13")
@pytest.mark.parametrize("name", CLASSES)
def test_explanation_is_as_it_was(name: str, golden: Callable[[str, str], None]) -> None:
    """The explanation of every class of torch.optim equals its golden file."""
    text = explain(f"torch.optim:{name}").text

    assert text.startswith(f"torch.optim:{name}, forloop, ")
    golden(f"lift/{name}.txt", text)


@pytest.mark.skipif(not RELEASE, reason="golden text is of torch 2.13")
@pytest.mark.parametrize("name", WHOLE)
def test_rule_file_is_as_it_was(name: str, golden: Callable[[str, str], None]) -> None:
    """The rule file of every elementwise class equals its golden file."""
    source = rule_source(lift(f"torch.optim:{name}"))

    assert f'cite="read out of torch.optim:{name}"' in source
    golden(f"lift/{name.lower()}_rule.py", source)


@pytest.mark.parametrize("name", WHOLE)
def test_rule_file_lifts_back_to_itself(name: str) -> None:
    """The golden rule file, executed, is the rule the code is proved to follow."""
    file = GOLDEN / f"{name.lower()}_rule.py"
    rule = rules.load(str(file))

    found = lift(f"torch.optim:{name}")

    assert runpy.run_path(str(file))["rule"].step == rule.step
    assert Status.PROVED == prove(found, rule).status


def read_back(text: str) -> tuple[dict[str, sympy.Expr], list[tuple[str, sympy.Expr]]]:
    """The rule that an explanation prints, from its text alone: initial state, and the lines of a step."""
    head, _, body = text.partition("    for t = 1, 2, ...:\n")
    lines = [line.partition(" <- ") for line in body.partition("\n\n")[0].splitlines()]
    if not body:  # no state: the lines stand alone
        lines = [line.partition(" <- ") for line in text.splitlines() if " <- " in line]
    starts = [line.partition(" <- ") for line in head.splitlines() if " <- " in line] if body else []
    return {n.strip(): formula(e) for n, _, e in starts}, [(n.strip(), formula(e)) for n, _, e in lines]


def formula(text: str) -> sympy.Expr:
    """A printed formula as sympy: ^, |x| and {a if c; b otherwise} as a person reads them."""
    while (cases := re.search(r"\{([^{}]*)\}", text)) is not None:
        pieces = [case.rpartition(" if ") for case in cases[1].removesuffix(" otherwise").split("; ")]
        guards = [re.sub(r"^(.*) = (.*)$", r"Eq(\1, \2)", c) for _, _, c in pieces]
        shown = [f"({a}, {c})" if a else f"({c}, True)" for (a, _, _), c in zip(pieces, guards, strict=True)]
        text = f"{text[: cases.start()]}Piecewise({', '.join(shown)}){text[cases.end() :]}"
    text = re.sub(r"\|([^|]+)\|", r"Abs(\1)", text).replace("^", "**").replace("max(", "Max(").replace("min(", "Min(")
    names = set(re.findall(r"[A-Za-z_]\w*", text)) - {"Abs", "Max", "Min", "Piecewise", "Eq", "sqrt", "sign", "True"}
    return sympy.sympify(text, locals={n: sympy.Symbol(n, real=True) for n in names})


@pytest.mark.skipif(not RELEASE, reason="golden text is of torch 2.13")
@pytest.mark.parametrize("name", WHOLE)
def test_printed_rule_is_executed(name: str) -> None:
    """The golden text, read back and run, gives what torch's class computes, step by step; a changed text does not."""
    text = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    grads = [0.3, -1.1, 0.4, 0.25, -0.6, 0.9]

    observed, chosen = stepped(name, grads)

    assert all(abs(v - seen) <= e for (v, e), seen in zip(run_text(text, chosen, grads), observed, strict=True))
    wrong = text.replace("theta <- ", "theta <- 0.001 + ")
    assert not all(abs(v - seen) <= e for (v, e), seen in zip(run_text(wrong, chosen, grads), observed, strict=True))


def stepped(name: str, grads: list[float]) -> tuple[list[float], dict[str, float]]:
    """theta after each step of torch's class with its defaults and some weight decay, and its hyperparameters."""
    cls = getattr(torch.optim, name)
    decay = {"weight_decay": 0.1} if "weight_decay" in inspect.signature(cls).parameters else {}
    observed = []
    with prepared(Trace()):  # step counts and their products in double
        p = torch.nn.Parameter(torch.tensor([0.7], dtype=torch.float64))
        optimizer = cls([p], foreach=False, **decay)
        for grad in grads:
            p.grad = torch.tensor([grad], dtype=torch.float64)
            optimizer.step()
            observed.append(p.item())
    group = optimizer.param_groups[0]
    chosen = {k: float(v) for k, v in group.items() if isinstance(v, float)}
    for option, parts in {"betas": ("beta1", "beta2"), **construct.PAIRS}.items():
        chosen.update(zip(parts, map(float, group.get(option, ())), strict=False))
    return observed, chosen


def run_text(text: str, chosen: dict[str, float], grads: list[float]) -> list[Bounded]:
    """theta after each step by the rule printed in `text`, from theta = 0.7, with error bounds."""
    starts, lines = read_back(text)
    here: dict[Node, float | Bounded] = {expr.sym(n): v for n, v in chosen.items()} | {expr.sym("theta"): 0.7}
    here |= {expr.sym(n): v for n, v in zip(starts, values(from_sympy(starts.values()), here), strict=True)}
    found = []
    for k, grad in enumerate(grads, 1):
        here |= {expr.sym("g"): grad, expr.sym("t"): float(k)}
        for name, e in lines:
            (here[expr.sym(name)],) = values(from_sympy([e]), here)
        found.append(here[expr.sym("theta")])
    return found  # type: ignore[return-value]


@pytest.mark.skipif(not RELEASE, reason="golden text is of torch 2.13")
def test_every_class_of_torch_has_an_explanation() -> None:
    """No class of torch.optim is left out of the golden files."""
    assert {f"{n}.txt" for n in CLASSES} == {p.name for p in GOLDEN.glob("*.txt")}


def test_explanation_names_the_mistake() -> None:
    """Adam with decoupled decay, held to the rule adam, is called by the mistake's name."""
    proof = prove(lift("torch.optim:AdamW"), "adam")

    assert "adam__decoupled_decay" == proof.mutant


def test_json_is_plain_data() -> None:
    """The JSON form survives a round trip and names the matched rule."""
    entry = json.loads(json.dumps(explain("torch.optim:RMSprop").to_json()))

    assert ("rmsprop", "matched", "coupled") == (entry["rule"], entry["rule_source"], entry["weight_decay"])
    assert "proved" == entry["proof"]["status"]


def test_latex_is_one_environment() -> None:
    """The LaTeX form is an align* environment."""
    text = explain("torch.optim:AdamW").latex

    assert text.startswith("\\begin{align*}")
    assert text.rstrip().endswith("\\end{align*}")


class Lion(torch.optim.Optimizer):
    """An optimizer with a list of named parameters, a required argument and state in an attribute."""

    def __init__(self, named_params, clip_at: float, lr: float = 1e-3, betas=(0.9, 0.98), wd: float = 0.0) -> None:
        self.moments: dict[str, torch.Tensor] = {}
        self.clip_at, self.names = clip_at, [n for n, _ in named_params]
        super().__init__([p for _, p in named_params], {"lr": lr, "betas": betas, "wd": wd})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for name, p in zip(self.names, group["params"], strict=True):
                m = self.moments.setdefault(name, torch.zeros_like(p))
                update = (beta1 * m + (1 - beta1) * p.grad).sign()
                p.mul_(1 - group["lr"] * group["wd"]).add_(update, alpha=-group["lr"])
                m.mul_(beta2).add_(p.grad, alpha=1 - beta2)


def test_a_question_is_asked() -> None:
    """A required argument nothing is known of is asked for, by name and by the option that answers."""
    with pytest.raises(construct.Question) as raised:
        lift(Lion)

    assert "clip_at" == raised.value.argument
    assert "--arg clip_at=VALUE" in str(raised.value)
    assert isinstance(raised.value, UsageError)


def test_state_in_attributes_is_found() -> None:
    """State in an attribute's dictionary, named parameters and `wd` lift like torch's own habits."""
    found = lift(Lion, args={"clip_at": 1.0})

    assert ("lifted", "decoupled", "wd") == (found.status, found.weight_decay, found.decay_symbol)
    assert found.rule is not None
    assert 1 == len(found.rule.state)
    assert Status.PROVED == prove(found, write_rule(found)).status


def test_unknown_option_gets_the_nearest() -> None:
    """A misspelt option is answered with the nearest one."""
    with pytest.raises(UsageError, match="did you mean 'momentum'"):
        lift("torch.optim:SGD", momentun=0.9)


class Delayed(torch.optim.SGD):
    """A step that changes after as many steps as a list nobody can tag grows long."""

    def __init__(self, params, lr: float = 0.1) -> None:
        super().__init__(params, lr=lr)
        self.seen: list[str] = []

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        self.seen.append("step")
        for p in self.param_groups[0]["params"]:
            p.sub_(p.grad * self.param_groups[0]["lr"] * (1 if len(self.seen) < 9 else 2))


def test_a_wrong_lift_is_not_shown() -> None:
    """Where the code does something no tag can follow, the check against the real code withholds the rule."""
    found = lift(Delayed)

    assert ("partial", None) == (found.status, found.rule)
    assert "the code" in str(found.stopped_by)


class Shadowed(torch.optim.Optimizer):
    """State under the names of a hyperparameter and of the parameter itself, and a number kept from the first step."""

    def __init__(self, params, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["theta"], state["first"] = torch.zeros_like(p), p.grad.clone()
                state["theta"].mul_(0.5).add_(p.grad)
                p.add_(state["theta"] + state["first"], alpha=-group["lr"])
            group["lr"] = group["lr"] * 0.99


def test_names_that_are_taken_and_gradients_of_long_ago() -> None:
    """State called theta or lr gets a name of its own; the first step's gradient is state, not this step's."""
    found = lift(Shadowed)

    assert "lifted" == found.status, found.stopped_by
    assert found.rule is not None
    assert {"theta_state", "first", "lr_state"} == {s.name for s in found.rule.state}


def test_a_rule_written_down_wrong_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that lost a term between the expressions and its lines is withheld: replayed, it leaves the code."""
    kept = lifted._rule

    def careless(*arguments: Any) -> Any:
        rule, nodes = kept(*arguments)
        lines = [(s, e.subs(rule.symbol("eps"), 0)) for s, e in rule.step]
        used = {s for _, e in lines for s in e.free_symbols}
        return replace(rule, step=tuple(lines), hyper={s: d for s, d in rule.hyper.items() if s in used}), nodes

    monkeypatch.setattr(lifted, "_rule", careless)

    found = lift("torch.optim:Adam")

    assert ("partial", None) == (found.status, found.rule)
    assert "from the start" in str(found.stopped_by)


@pytest.mark.parametrize("shapes", [[[2, 3], [3]], [[3], [2, 3], [1]]])
def test_parameters_of_several_shapes_are_one_rule(shapes: list[list[int]]) -> None:
    """State has the shape of its own parameter: several shapes at once are no reading of other elements."""
    found = lift("torch.optim:SGD", "forloop", shapes=shapes, momentum=0.9)

    assert ("", Status.PROVED) == (found.coupled, prove(found, "sgd_momentum").status)
