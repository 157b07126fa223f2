"""No legitimate implementation leaves the enclosure: random authors, every rule, every format, every profile."""

from __future__ import annotations

import numpy as np
import pytest

from tests.legitimate import Implementation, draw_case
from verifier import enclosure, rules
from verifier.case import Case
from verifier.floats import FORMATS, FP64, Format
from verifier.rule import Rule

PROFILES = {name: [p for p in enclosure.profiles(fmt, lerps=True) if p != "single"] for name, fmt in FORMATS.items()}
CASES = [
    pytest.param(rule, fmt, profile, id=f"{rule}-{fmt}-{profile}")
    for rule in rules.names()
    for fmt in FORMATS
    for profile in PROFILES[fmt]
]


def outside(rule: Rule, fmt: Format, profile: str, seed: int, count: int = 48, steps: int = 4) -> tuple[int, list[str]]:
    """How many element-checks one random author's run makes, and those that fall outside."""
    rng = np.random.default_rng([seed, sum(map(ord, rule.name + fmt.name + profile))])
    hyper, theta, grads = draw_case(rule, fmt, rng, count, steps, wild=bool(rng.random() < 0.3))
    author = Implementation(rule, fmt, rng, profile)
    state = author.initial(theta, hyper)
    carried = enclosure.initial(rule, fmt, theta=theta, hyper=hyper, profile=profile)
    checks, failures = 0, []
    for number, grad in enumerate(grads, 1):
        after = author.step(theta, grad, state, hyper, number)
        for kind, before in (("observed", state), ("unread", carried)):
            found = enclosure.step(
                rule, fmt, theta=theta, grad=grad, state=before, hyper=hyper, t=number, profile=profile
            )
            for name, allowed in found.items():
                if kind == "unread" and name != rule.theta.name:
                    continue
                seen = np.broadcast_to(after[name], theta.shape)
                inside = allowed.contains(seen)
                checks += inside.size
                for k in np.flatnonzero(~inside)[:3]:
                    low, high = (float(x[k]) for x in allowed.allowed())
                    failures.append(
                        f"seed {seed}, step {number}, {kind} state, {name}[{k}]: {float(seen[k])!r}, but should be "
                        f"in [{low!r}, {high!r}]; {hyper}"
                    )
            if kind == "unread":
                carried = {n: e for n, e in found.items() if n != rule.theta.name}
        theta = after.pop(rule.theta.name)
        state = after
    return checks, failures


@pytest.mark.parametrize(("name", "fmt", "profile"), CASES)
def test_legitimate_implementations_stay_inside(name: str, fmt: str, profile: str) -> None:
    """A random author's every step lies in the enclosure, with the state observed and with the state unread."""
    checks, failures = outside(rules.get(name), FORMATS[fmt], profile, seed=0)
    assert ([], True) == (failures, checks > 0)


def outside_unread(rule: Rule, fmt: Format, profile: str, seed: int, count: int = 24, steps: int = 21) -> list[str]:
    """The element-checks of one random author's run that fall outside, all steps enclosed in one call, state unread."""
    rng = np.random.default_rng([seed, sum(map(ord, rule.name + fmt.name + profile))])
    hyper, theta, grads = draw_case(rule, fmt, rng, count, steps, wild=bool(rng.random() < 0.3))
    author = Implementation(rule, fmt, rng, profile)
    rows, state = [theta], author.initial(theta, hyper)
    for number, grad in enumerate(grads, 1):
        state = author.step(rows[-1], grad, state, hyper, number)
        rows.append(state.pop(rule.theta.name))
    case = Case(shapes=((count,),), theta=theta, grads=np.stack(grads), hyper=hyper)
    seen = np.stack(rows)
    found = enclosure.carried(rule, fmt, case, seen, profile)
    low, high = found.allowed()
    return [
        f"seed {seed}, step {k // count + 1}, theta[{k % count}]: {seen[1:].flat[k]!r}, but should be "
        f"in [{low[k]!r}, {high[k]!r}]; {hyper}"
        for k in np.flatnonzero(~found.contains(seen[1:].reshape(-1)))[:3]
    ]


STATEFUL = [p for p in CASES if rules.get(str(p.values[0])).state]


@pytest.mark.parametrize(("name", "fmt", "profile"), [p for p in STATEFUL if p.values[2] == "each"])
def test_legitimate_implementations_stay_inside_with_their_state_unread(name: str, fmt: str, profile: str) -> None:
    """Over 21 steps, of which only theta is looked at, a random author's every step lies in the enclosure."""
    assert [] == outside_unread(rules.get(name), FORMATS[fmt], profile, seed=0)


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "fmt", "profile"), STATEFUL)
def test_many_legitimate_implementations_stay_inside_with_their_state_unread(name: str, fmt: str, profile: str) -> None:
    """The same for forty authors of each rule, format and profile."""
    assert [] == [x for seed in range(1, 41) for x in outside_unread(rules.get(name), FORMATS[fmt], profile, seed)]


@pytest.mark.nightly
def test_a_million_legitimate_element_checks() -> None:
    """At least a million element-checks over all rules, formats and profiles, none outside."""
    checks, failures, seed = 0, [], 1
    while checks < 1_000_000:
        for name in rules.names():
            for fmt, profiles in PROFILES.items():
                for profile in profiles:
                    made, found = outside(rules.get(name), FORMATS[fmt], profile, seed)
                    checks += made
                    failures += found
        seed += 1
    assert [] == failures


def test_the_fuzzer_can_fail() -> None:
    """The same authors leave the enclosure of the rule with another decay: the fuzzer is not blind."""
    rng = np.random.default_rng(0)
    rule, wrong = rules.get("adam"), rules.get("adamw")
    hyper, theta, grads = draw_case(rule, FP64, rng, 48, 1, wild=False)
    hyper["weight_decay"] = 0.1
    author = Implementation(wrong, FP64, rng)
    after = author.step(theta, grads[0], author.initial(theta, hyper), hyper, 1)
    start = enclosure.initial(rule, FP64, theta=theta, hyper=hyper)
    found = enclosure.step(rule, FP64, theta=theta, grad=grads[0], state=start, hyper=hyper, t=1)
    assert 40 < int((~found["theta"].contains(after["theta"])).sum())
