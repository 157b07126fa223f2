"""Other people's optimizers: state kept in another form is matched by proof; a survey survives what it reads."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from sympy import Symbol

from verifier import rules
from verifier.equality.normal import Status
from verifier.lift import lift, packages, prove, statemap
from verifier.lift.induction import LiftProof
from verifier.lift.survey import forked, rows
from verifier.lift.survey_table import table


class _Base(torch.optim.Optimizer):
    """What the small optimizers here share: one group, state made on first sight, an update a tensor."""

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    with torch.no_grad():
                        self.update(p, p.grad, self.state[p], group)

    def update(self, p, grad, state, group):
        raise NotImplementedError


class DebiasedAdam(_Base):
    """Adam whose averages are kept with the bias already taken out."""

    late = 0  # by how much its bias correction lags behind

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def update(self, p, grad, state, group):
        if not state:
            state.update(step=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        grad = grad + group["weight_decay"] * p
        for name, beta, new in (("m", beta1, grad), ("v", beta2, grad * grad)):
            share = (1 - beta) / (1 - beta ** (state["step"] + self.late))
            state[name].mul_(1 - share).add_(share * new)
        p.sub_(group["lr"] * state["m"] / (state["v"].sqrt() + group["eps"]))


class NearlyDebiasedAdam(DebiasedAdam):
    """The same with a bias correction one step late: close to Adam, and not Adam."""

    late = 1


class Sutskever(_Base):
    """Momentum whose velocity holds the learning rate and points downhill."""

    def __init__(self, params, lr=1e-2, momentum=0.9, dampening=0.0, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def update(self, p, grad, state, group):
        velocity = state.setdefault("velocity", torch.zeros_like(p))
        velocity.mul_(group["momentum"]).sub_(group["lr"] * (grad + group["weight_decay"] * p))
        p.add_(velocity)


class RootRMSprop(_Base):
    """RMSprop that remembers the root of the mean square, not the mean square."""

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay})

    def update(self, p, grad, state, group):
        rms = state.setdefault("rms", torch.zeros_like(p))
        grad = grad + group["weight_decay"] * p
        rms.copy_((group["alpha"] * rms * rms + (1 - group["alpha"]) * grad * grad).sqrt())
        p.sub_(group["lr"] * grad / (rms + group["eps"]))


class PowersAdam(_Base):
    """Adam that counts no steps: it multiplies up the powers of its betas."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def update(self, p, grad, state, group):
        if not state:
            one = torch.ones(())
            state.update(m=torch.zeros_like(p), v=torch.zeros_like(p), power1=one.clone(), power2=one.clone())
        beta1, beta2 = group["betas"]
        state["power1"].mul_(beta1)
        state["power2"].mul_(beta2)
        grad = grad + group["weight_decay"] * p
        state["m"].mul_(beta1).add_((1 - beta1) * grad)
        state["v"].mul_(beta2).add_((1 - beta2) * grad * grad)
        root = (state["v"] / (1 - state["power2"])).sqrt()
        p.sub_(group["lr"] * state["m"] / (1 - state["power1"]) / (root + group["eps"]))


class Homing(_Base):
    """SGD that is drawn back to where training began."""

    def __init__(self, params, lr=1e-2, pull=0.1):
        super().__init__(params, {"lr": lr, "pull": pull})

    def update(self, p, grad, state, group):
        home = state.setdefault("home", p.clone())
        p.sub_(group["lr"] * grad + group["pull"] * (p - home))


class OnlySingle(_Base):
    """SGD that knows float32 alone, and leaves everything else as it is, without a word."""

    def __init__(self, params, lr=1e-2):
        super().__init__(params, {"lr": lr})

    def update(self, p, grad, state, group):
        if p.dtype == torch.float32:
            p.sub_(group["lr"] * grad)


class OtherInSingle(OnlySingle):
    """SGD with twice the rate in float32."""

    def update(self, p, grad, state, group):
        p.sub_((2 if p.dtype == torch.float32 else 1) * group["lr"] * grad)


def proof_of(cls: type, rule: str) -> LiftProof:
    """The proof that a class follows a rule, its weight decay and dampening as the class has them."""
    return prove(lift(cls), rule)


@pytest.mark.parametrize(
    ("cls", "rule", "maps"),
    [
        (DebiasedAdam, "adam", {"exp_avg": "m * (1 - beta1^t)", "exp_avg_sq": "v * (1 - beta2^t)"}),
        (Sutskever, "sgd_momentum", {"momentum_buffer": "-velocity / lr"}),
        (RootRMSprop, "rmsprop", {"square_avg": "rms^2"}),
        (PowersAdam, "adam", {"exp_avg": "m", "exp_avg_sq": "v"}),
    ],
)
def test_state_in_another_form_is_matched(cls: type, rule: str, maps: dict[str, str]) -> None:
    """State kept debiased, scaled by -lr, as a root, or as running powers: the rule is proved through the map found."""
    proof = proof_of(cls, rule)

    assert Status.PROVED == proof.status, proof.method
    assert maps == proof.maps


def test_a_map_says_what_must_not_change() -> None:
    """A velocity that holds lr follows the rule only while lr is the same at every step, and the proof says so."""
    assert "lr the same at every step" in proof_of(Sutskever, "sgd_momentum").where


def test_nearly_is_refuted() -> None:
    """A bias correction one step late is refuted, by a run on which code and rule part."""
    proof = proof_of(NearlyDebiasedAdam, "adam")

    assert Status.REFUTED == proof.status
    assert proof.witness is not None
    assert proof.witness["theta of the code"] != proof.witness["theta of the rule"]


def test_a_wrong_map_is_not_shown() -> None:
    """The induction over mapped state fails for a map that is off by a factor."""
    code, adam = lift(DebiasedAdam).rule, rules.get("adam")
    assert code is not None
    (right,) = statemap.maps(code, adam)
    wrong = (statemap.Map(right[0].rule, right[0].code, 2 * right[0].factor, right[0].power), right[1])

    assert "" == statemap.shown(code, adam, right, ())
    assert "" != statemap.shown(code, adam, wrong, ())


def test_closed_forms_replace_running_powers() -> None:
    """State that is a function of t alone is solved for: what is left is the state that depends on gradients."""
    code = lift(PowersAdam).rule
    assert code is not None

    assert {"m", "v", "power1", "power2"} == {s.name for s in code.state}
    assert {"m", "v"} == {s.name for s in statemap.solved(code).state}


def test_where_training_began_is_state() -> None:
    """A copy of the first parameters is a state variable of its own, not theta as it is now."""
    found = lift(Homing)

    assert found.rule is not None, found.stopped_by
    home = Symbol("home", real=True)
    assert Symbol("theta", real=True) == found.rule.state[home]
    assert home in dict(found.rule.step)[Symbol("theta", real=True)].free_symbols


@pytest.mark.parametrize(("cls", "said"), [(OnlySingle, "leave the parameters"), (OtherInSingle, "in float32")])
def test_a_rule_that_float32_does_not_follow_is_withheld(cls: type, said: str) -> None:
    """Code that takes other lines in float32 than where it was read is not shown as lifted."""
    found = lift(cls)

    assert found.rule is None
    assert said in str(found.stopped_by)


class Decaying(_Base):
    """SGD whose decay acts in the way a subclass says."""

    def __init__(self, params, lr=1e-2, weight_decay=0.1):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def update(self, p, grad, state, group):
        p.copy_(self.decayed(p, grad, group["lr"], group["weight_decay"]))


class Before(Decaying):
    def decayed(self, p, g, lr, wd):
        return p * (1 - lr * wd) - lr * g / (1 + g.abs())  # with plain SGD it would be coupled as well


class After(Decaying):
    def decayed(self, p, g, lr, wd):
        return (p - lr * g) * (1 - lr * wd)


class Fully(Decaying):
    def decayed(self, p, g, lr, wd):
        return p * (1 - wd) - lr * g


class Proximal(Decaying):
    def decayed(self, p, g, lr, wd):
        return (p - lr * g) / (1 + lr * wd)


class Squared(Decaying):
    def decayed(self, p, g, lr, wd):
        return p * (1 - lr**2 * wd) - lr * g


class Bounded(Decaying):
    def decayed(self, p, g, lr, wd):
        rate = lr if lr < 0.5 else lr / 2
        return p * (1 - rate * wd) - rate * g / (1 + g.abs())


class Signed(Decaying):
    def decayed(self, p, g, lr, wd):
        return p - lr * (torch.sign(g) + wd * p) / (1 + g.abs())


class Trusting(Decaying):
    def decayed(self, p, g, lr, wd):
        update = g + wd * p
        return p - lr * p.norm() / update.norm() * update


class ClippedCoupled(Decaying):
    def decayed(self, p, g, lr, wd):
        g = g + wd * p
        return p - lr * g / (1 + g.norm())


class Rising(Decaying):
    """A decay that is scaled with the rate, and part of the gradient all the same."""

    def decayed(self, p, g, lr, wd):
        g = g + wd / (1 + lr) * p
        return p - lr * g / (1 + g.abs())


class Halved(Decaying):
    """Half of the decay is seen by one use of the gradient."""

    def decayed(self, p, g, lr, wd):
        return p - lr * (g + wd / 2 * p) / (1 + (g + wd * p).abs())


class Blind(Decaying):
    """One use of the gradient sees no decay."""

    def decayed(self, p, g, lr, wd):
        return p - lr * (g + wd / 2 * p) / (1 + g.abs())


@pytest.mark.parametrize(
    ("cls", "kind", "words"),
    [
        (Rising, "other", "coupled, at a rate of its own: weight_decay / (1 + lr) of the parameter is added"),
        (Halved, "other", "entangled"),
        (Blind, "other", "entangled"),
        (Before, "decoupled", "decoupled: the parameter shrinks by lr * weight_decay of itself"),
        (After, "decoupled", "after the update"),
        (Fully, "fully-decoupled", "whatever lr is"),
        (Proximal, "other", "proximal: the parameter after the update is divided by 1 + lr * weight_decay"),
        (Squared, "other", "decoupled, at a rate of its own: the parameter shrinks by lr^2 * weight_decay of itself"),
        (Bounded, "other", "decoupled, at a rate of its own: the parameter shrinks by {"),
        (Signed, "other", "entangled"),
        (Trusting, "coupled", "coupled"),
        (ClippedCoupled, "coupled", "coupled"),
    ],
)
def test_decay_in_words(cls: type, kind: str, words: str) -> None:
    """Each way of decay met in the wild is told from the others by the expression it leads to."""
    found = lift(cls)

    assert kind == found.weight_decay, found.decay_words
    assert words in found.decay_words


class Lamb(Decaying):
    """Decay beside a normalised gradient, both scaled by the parameters' norm over the step's."""

    def decayed(self, p, g, lr, wd):
        update = g / (1 + g.abs()) + wd * p
        return p - lr * p.norm() / update.norm() * update


def test_decay_inside_a_trust_ratio() -> None:
    """Decay that is scaled with the update by a norm of the parameters is no decay of one kind, and said to be."""
    found = lift(Lamb)

    assert "elements" == found.coupled
    assert "other" == found.weight_decay
    assert "inside a trust ratio" in found.decay_words


PLAIN = """
import torch

class Plain(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * (p.grad + group["weight_decay"] * p))
"""
HOSTILE = (
    PLAIN
    + """
import os

class Endless(Plain):
    def step(self):
        while True:
            pass

class Leaves(Plain):
    def __init__(self, params, lr=0.1):
        os._exit(3)
"""
)
LACKING = "import not_there_at_all\nfrom .optim.plain import Plain\n"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """A folder of distributions as the survey fetches them, so that nothing is fetched."""
    folder = tmp_path / "packages"
    sources = {
        "first": {"first/__init__.py": PLAIN.replace("Optimizer):", "Optimizer):\n    'An Optimizer.'", 1)},
        "hostile": {"hostile/__init__.py": HOSTILE},
        "lacking": {"lacking/__init__.py": LACKING, "lacking/optim/__init__.py": "", "lacking/optim/plain.py": PLAIN},
        "broken": {"broken/__init__.py": "raise RuntimeError('not today')\n"},
    }
    for name in packages.BESIDE:
        sources[f"beside/{name}"] = {}
    for name, files in sources.items():
        (folder / name).mkdir(parents=True)
        (folder / name / ".installed").touch()
        for path, text in files.items():
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / path).write_text(text)
    return folder


def command(file: Path, into: Path, *names: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", "verifier.lift.survey", str(file), "--into", str(into),
            "--seconds", "8", *names]  # fmt: skip


def test_a_survey_survives_what_it_reads(tmp_path: Path, into: Path) -> None:
    """A class that never ends or ends the process is a row like any other, and so is a package that cannot import."""
    file = tmp_path / "rows.jsonl"

    subprocess.run(command(file, into, "hostile", "lacking", "broken"), check=True)

    found = {row.get("target", row["package"]): row for row in rows(file)}
    assert "took more than 8 seconds" == found["hostile:Endless"]["stopped_by"]
    assert "its process ended without a word" == found["hostile:Leaves"]["stopped_by"]
    assert "sgd" == found["hostile:Plain"]["matches"]
    assert "sgd" == found["lacking.optim.plain:Plain"]["matches"]
    assert "does not import: RuntimeError: not today" == found["broken"]["stopped_by"]
    text = file.with_suffix(".md").read_text()
    assert "| hostile | 3 | 1 | 0 | 0 | 2 | 1 |" in text
    assert "4 classes: 2 lift whole" in text


def test_a_survey_goes_on_where_it_was_killed(tmp_path: Path, into: Path) -> None:
    """Killed after one package, with a line half written, it reads the others and nothing twice."""
    file = tmp_path / "rows.jsonl"
    running = subprocess.Popen(command(file, into, "first", "hostile"), start_new_session=True)
    until = time.monotonic() + 300
    while not any("target" not in row for row in rows(file)) and time.monotonic() < until:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    before = rows(file)
    with file.open("a") as out:
        out.write('{"package": "lacking", "targ\n')

    subprocess.run(command(file, into, "first", "lacking"), check=True)

    after = rows(file)
    assert before == after[: len(before)]
    assert 1 == sum(row.get("target") == "first:Plain" for row in after)
    assert ["first", "lacking"] == [row["package"] for row in after if "target" not in row]


def test_what_is_not_there_cannot_run() -> None:
    """A stand-in for a missing package imports and decorates, and raises as soon as a step would need it."""
    absent = packages.Absent()
    absent.names.add("never_heard_of")
    sys.meta_path.append(absent)
    try:
        from never_heard_of.deep import jit  # type: ignore[import-not-found]

        assert len is jit(len) or jit(test_nearly_is_refuted) is test_nearly_is_refuted
        absent.importing = False
        with pytest.raises(ImportError, match=r"never_heard_of\.deep\.jit is not there"):
            jit(test_nearly_is_refuted)
    finally:
        sys.meta_path.remove(absent)
        for name in ("never_heard_of", "never_heard_of.deep"):
            sys.modules.pop(name, None)


def test_a_fork_says_its_last_row() -> None:
    """Of several rows the last counts; a fork that raises says what it raised."""
    assert {"k": 2} == forked(lambda say: [say({"k": k}) for k in range(3)].clear(), 5)
    assert "ZeroDivisionError: division by zero" == forked(lambda say: 1 / 0, 5)["stopped_by"]


def test_the_committed_table_is_that_of_its_rows(root: Path) -> None:
    """reports/ecosystem.md is what its rows give, and shows more than 300 classes lifted whole."""
    file = root / "reports" / "ecosystem.jsonl"
    found = rows(file)

    assert table(found) == file.with_suffix(".md").read_text(encoding="utf-8")
    assert sum(row.get("status") == "lifted" for row in found) > 300


class Sharpness(torch.optim.Optimizer):
    """Takes its step along the gradient of a second call of the closure, with decay added to that one."""

    def __init__(self, params, lr=0.1, rho=0.05, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, rho=rho, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure):
        closure = torch.enable_grad()(closure)
        loss = closure()
        moved = [(p, p.clone(), group) for group in self.param_groups for p in group["params"]]
        for p, _, group in moved:
            p.add_(p.grad, alpha=group["rho"])
        closure()
        for p, old, group in moved:
            p.copy_(old - group["lr"] * self.decayed(p.grad, old, group))
        return loss

    def decayed(self, g, p, group):
        return g + group["weight_decay"] * p


class SharpnessSigned(Sharpness):
    """The same with a sign taken before the decay is added."""

    def decayed(self, g, p, group):
        return torch.sign(g) + group["weight_decay"] * p


@pytest.mark.parametrize(("cls", "kind"), [(Sharpness, "coupled"), (SharpnessSigned, "decoupled")])
def test_decay_of_a_gradient_taken_again(cls: type, kind: str) -> None:
    """Decay added to the gradient of the closure's second call is coupled, as it would be to that of its first."""
    assert kind == lift(cls).weight_decay
