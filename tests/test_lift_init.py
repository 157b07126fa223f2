"""`verifier init` to `verifier write` to pytest: the rule file read out of a class is one that its class passes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from verifier import rules
from verifier.cli import program
from verifier.equality.normal import Status
from verifier.errors import UsageError
from verifier.lift import lift, prove

LION = '''"""Sign momentum, written for this test."""

import torch


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["exp_avg"] = torch.zeros_like(p)
                m = state["exp_avg"]
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_((m * beta1 + p.grad * (1 - beta1)).sign_(), alpha=-group["lr"])
                m.mul_(beta2).add_(p.grad, alpha=1 - beta2)
        return loss
'''


def ran(*arguments: str) -> str:
    """What the program prints, when it succeeds."""
    done = CliRunner().invoke(program, arguments)
    assert 0 == done.exit_code, done.output
    return done.stdout


def pytest_says(folder: Path) -> tuple[int, str]:
    """pytest's exit code over a folder of written properties in float32, and its last line."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
        "-k",
        "float32-forloop",
    ]
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False, cwd=folder)
    return done.returncode, done.stdout.strip().splitlines()[-1]


def initiated(tmp_path: Path, target: str) -> Path:
    """The rule file that `init` prints for a target, in a file."""
    file = tmp_path / "own_rule.py"
    file.write_text(ran("init", target), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "name", ["torch.optim:SGD", "lion", pytest.param("torch.optim:AdamW", marks=pytest.mark.nightly)]
)
def test_init_write_pytest(tmp_path: Path, name: str) -> None:
    """The class is proved to follow its own rule file, and passes every property written from it."""
    path = tmp_path / "lion.py"
    path.write_text(LION, encoding="utf-8")
    target = f"{path}:Lion" if name == "lion" else name
    file = initiated(tmp_path, target)

    written = ran("write", "--rule", str(file), "--target", target, str(tmp_path / "props")).splitlines()

    assert ["own_rule.py"] == [Path(p).name for p in written if not Path(p).name.startswith("test_")]
    assert Status.PROVED == prove(lift(target), str(file)).status
    assert (0, True) == (pytest_says(tmp_path / "props")[0], " passed" in pytest_says(tmp_path / "props")[1])
    assert "" == ran("write", "--rule", str(file), "--target", target, str(tmp_path / "props"))


def test_a_class_that_changed_fails_its_old_rule_file(tmp_path: Path) -> None:
    """With its two betas swapped the class is refuted against the file, and fails the properties written from it."""
    path = tmp_path / "lion.py"
    path.write_text(LION, encoding="utf-8")
    file = initiated(tmp_path, f"{path}:Lion")
    ran("write", "--rule", str(file), "--target", f"{path}:Lion", str(tmp_path / "props"))

    path.write_text(LION.replace("beta1, beta2 = group", "beta2, beta1 = group"), encoding="utf-8")

    assert Status.REFUTED == prove(lift(f"{path}:Lion"), rules.load(str(file))).status
    assert 1 == pytest_says(tmp_path / "props")[0]


def test_write_asks_for_the_rule_of_a_target() -> None:
    """--target without --rule is a usage error that says so."""
    done = CliRunner().invoke(program, ["write", "--target", "torch.optim:SGD"])

    assert isinstance(done.exception, UsageError)
    assert "--target needs --rule FILE" == str(done.exception)
