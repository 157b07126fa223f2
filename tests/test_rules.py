"""The rules: what they are called, what they say, and what happens to a file that is not one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sympy
import torch
from sympy import Rational

from verifier import rules
from verifier.equality.normal import Status
from verifier.errors import UsageError
from verifier.families import laws
from verifier.law import prove
from verifier.rule import Rule, shared, t, transition
from verifier.subjects.torch_options import optimizer_class, options, rules_of

every_rule = pytest.mark.parametrize("name", rules.names())


@pytest.mark.parametrize("name", (*rules.names(), *rules.published()))
def test_rule_is_named_after_its_module(name: str) -> None:
    """`get` returns the rule of that very name."""
    assert name == rules.get(name).name


@every_rule
def test_hyperparameters_are_options_of_the_class(name: str) -> None:
    """Every hyperparameter, under torch's name, is an argument of the class that claims the rule."""
    target, fixed = optimizer_class(name)
    optimizer = getattr(torch.optim, target.removeprefix("torch.optim:"))
    accepted = set(optimizer([torch.zeros(1)], **fixed, **_momentum(name)).defaults)
    wanted = options({symbol.name: 0.5 for symbol in rules.get(name).hyper})
    assert set() == set(wanted) - accepted


@every_rule
def test_state_has_torchs_keys(name: str) -> None:
    """After one step torch keeps exactly the rule's state for a parameter, besides its step count."""
    target, fixed = optimizer_class(name)
    p = torch.zeros(1)
    p.grad = torch.ones(1)
    optimizer = getattr(torch.optim, target.removeprefix("torch.optim:"))([p], **fixed, **_momentum(name))
    optimizer.step()
    kept = {key for key, value in optimizer.state[p].items() if key != "step" and value is not None}
    assert {symbol.name for symbol in rules.get(name).state} == kept


def _momentum(name: str) -> dict[str, float]:
    return {"momentum": 0.5} if "momentum" in {symbol.name for symbol in rules.get(name).hyper} else {}


def test_every_optimizer_is_covered_or_listed() -> None:
    """Each optimizer class of torch.optim has rules, or a reason why it has none; no reason is left over."""
    classes = {
        name
        for name, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and name != "Optimizer"
    }
    without = {name for name in classes if not rules_of(name)}
    assert {name.lower() for name in without} == set(rules.not_covered())


def test_published_rules_are_none_of_torchs() -> None:
    """No rule is both, and none of the published ones is a class of torch.optim under its own name."""
    classes = {name.lower() for name in vars(torch.optim)}

    assert set() == set(rules.published()) & (set(rules.names()) | classes)


@pytest.mark.parametrize("name", rules.published())
def test_laws_of_published_rules_are_proved(name: str) -> None:
    """Whatever an audit puts to code of such a rule follows from the rule."""
    found = [prove(law) for law in laws(rules.get(name))]

    assert len(found) >= 12
    assert {Status.PROVED} == {proof.status for proof in found}


def test_importing_the_catalogue_is_cheap() -> None:
    """The names of rules can be listed without importing sympy or torch."""
    code = "import sys, verifier.rules as r; r.names(); print({'sympy', 'torch'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "set()" == found.stdout.strip()


def test_unknown_name_offers_the_nearest() -> None:
    """A misspelt rule is a usage error that names the rule probably meant."""
    with pytest.raises(UsageError) as caught:
        rules.get("adamww")
    assert "adamw" == caught.value.nearest


def test_listed_optimizer_says_why() -> None:
    """Asking for an optimizer that is not covered gives the reason."""
    with pytest.raises(UsageError, match="Newton-Schulz"):
        rules.get("muon")


GOOD = """
from sympy import Interval
from verifier.rule import Rule
from verifier.rules.symbols import g, lr, theta
rule = Rule(name="mine", cite="a paper", theta=theta, grad=g, hyper={lr: Interval(0, 1)}, state={},
            step=((theta, theta - lr * g),))
"""


def test_load_reads_a_file(tmp_path: Path) -> None:
    """A rule file is loaded by path, and by path and name."""
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    assert ["mine", "mine"] == [rules.load(str(path)).name, rules.load(f"{path}:rule").name]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("lr * g", "lr * grad", ["line 6", "NameError", "'grad'"]),
        ("import g, lr", "import g, lrr", ["line 4", "ImportError", "lrr"]),
        ("hyper={lr", "hyper={lr, weight_decay", ["line 5", "SyntaxError"]),
        ("lr * g", "lr * momentum_of_light", ["line 6", "momentum_of_light"]),
        ("state={}", "state={Symbol('m'): lr}", ["line 5", "Symbol"]),
        ('cite="a paper"', 'cite=""', ["line 5", "cite", "mine"]),
        ("theta - lr * g", "theta - g", ["line 5", "lr", "never used"]),
        ("rule = Rule", "ruel = Rule", ["'rule'", "did you mean 'ruel'"]),
    ],
)
def test_load_says_what_is_wrong(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    """A broken rule file gives one line with the file, the line and the symbol."""
    path = tmp_path / "mine.py"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(UsageError) as caught:
        rules.load(str(path))
    message = str(caught.value)
    assert [] == [word for word in [str(path), *words] if word not in message]
    assert "\n" not in message


def test_load_says_a_file_is_missing(tmp_path: Path) -> None:
    """A rule file that is not there is said to be missing."""
    with pytest.raises(UsageError, match="no such rule file"):
        rules.load(str(tmp_path / "none.py"))


@pytest.mark.parametrize("name", ["nadam", "radam", "adam", "adam_amsgrad"])
def test_decoupled_variant_differs_in_its_decay_alone(name: str) -> None:
    """Coupled and decoupled variants are the same rule once nothing is decayed."""
    pair = {"adam": "adamw", "adam_amsgrad": "adamw_amsgrad"}.get(name, f"{name}_decoupled")
    coupled, decoupled = (_without_decay(rules.get(x)) for x in (name, pair))
    assert coupled == decoupled
    assert transition(rules.get(name)) != transition(rules.get(pair))


def _without_decay(rule: Rule) -> dict[sympy.Symbol, sympy.Expr]:
    zero = {rule.symbol("weight_decay"): sympy.Integer(0)}
    return {symbol: value.subs(zero) for symbol, value in transition(rule).items()}


@pytest.mark.parametrize(
    ("name", "scalars"),
    [
        ("nadam", {"mu", "mu_next", "mu_product"}),
        ("asgd", {"eta", "mu"}),
        ("radam", {"rho", "rho_inf", "rect"}),
        ("adagrad", {"clr"}),
        ("rprop", set()),
        ("adam", set()),
    ],
)
def test_shared_quantities(name: str, scalars: set[str]) -> None:
    """What all elements share is found from the lines: torch computes just these once a step."""
    rule = rules.get(name)
    assert scalars == {symbol.name for symbol in shared(rule) - set(rule.hyper) - {t}}


FIRST_STEPS = {  # theta = 2, g = 2, weight_decay = lr = 1/2, eps = 1; worked by hand from torch's documentation
    "sgd": (Rational(1, 2), {}),  # d = 3, 2 - 3/2
    "sgd_momentum": (Rational(1, 2), {"momentum": "1/2", "dampening": "1/4"}),  # not dampened
    "sgd_nesterov": (Rational(-1, 4), {"momentum": "1/2"}),  # 2 - (3 + 3/2)/2
    "adam": (Rational(13, 8), {"beta1": "1/2", "beta2": "3/4"}),  # 2 - 1/2 * 3/(3 + 1)
    "adam_amsgrad": (Rational(13, 8), {"beta1": "1/2", "beta2": "3/4"}),
    "adamw": (Rational(7, 6), {"beta1": "1/2", "beta2": "3/4"}),  # 2 * 3/4 - 1/2 * 2/(2 + 1)
    "adamw_amsgrad": (Rational(7, 6), {"beta1": "1/2", "beta2": "3/4"}),
    "adamax": (Rational(13, 8), {"beta1": "1/2", "beta2": "3/4"}),  # 2 - 1/2 * 3/(3 + 1)
    "radam": (Rational(1, 2), {"beta1": "1/2", "beta2": "3/4"}),  # not adapted: 2 - 1/2 * 3
    "radam_decoupled": (Rational(1, 2), {"beta1": "1/2", "beta2": "3/4"}),  # 3/2 - 1/2 * 2
    "adagrad": (Rational(7, 4), {"lr_decay": "1/2", "initial_accumulator_value": "16"}),  # 2 - 1/2 * 3/(5 + 1)
    "rmsprop": (Rational(7, 5), {"alpha": "3/4"}),  # 2 - 1/2 * 3/(3/2 + 1)
    "rmsprop_momentum": (Rational(7, 5), {"alpha": "3/4", "momentum": "1/2"}),
    "rmsprop_centered": (Rational(7, 5), {"alpha": "1/2"}),  # 9/2 - (3/2)**2 = (3/2)**2
    "rmsprop_centered_momentum": (Rational(7, 5), {"alpha": "1/2", "momentum": "1/2"}),
    "adadelta": (Rational(5, 4), {"rho": "2/3"}),  # 2 - 1/2 * 3 * 1/sqrt(3 + 1)
    "nadam": (Rational(63, 40), {"beta1": "1/2", "beta2": "3/4", "momentum_decay": "0"}),  # mu = 1/4 throughout
    "nadam_decoupled": (Rational(101, 90), {"beta1": "1/2", "beta2": "3/4", "momentum_decay": "0"}),
    "asgd": (Rational(1, 4), {"lambd": "1/4", "alpha": "1/2", "t0": "1"}),  # 2 * 7/8 - 1/2 * 3
    "rprop": (Rational(3, 2), {"etaminus": "1/2", "etaplus": "2", "step_size_min": "0", "step_size_max": "1"}),
}


@every_rule
def test_first_step_by_hand(name: str) -> None:
    """The first step of each rule at rational points is the number worked out by hand."""
    expected, given = FIRST_STEPS[name]
    rule = rules.get(name)
    common = {"lr": "1/2", "weight_decay": "1/2", "eps": "1"}
    hyper = {symbol: Rational({**common, **given}[symbol.name]) for symbol in rule.hyper}
    known = {**hyper, rule.theta: Rational(2), rule.grad: Rational(2), t: sympy.Integer(1)}
    known |= {symbol: sympy.sympify(value).subs(hyper) for symbol, value in rule.state.items()}
    for target, value in rule.step:
        known[target] = sympy.sympify(value).subs(known)
    assert expected == sympy.nsimplify(known[rule.theta])
