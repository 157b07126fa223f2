"""Rules with a classic mistake in them: what a law must reject, and what an observed violation may turn out to be.

Nothing is keyed on a rule's name. What a transformation of `mistakes` yields is a mutant only if exact evaluation
tells its step, or its initial state, from the rule's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache

from verifier.edits import Edit
from verifier.equality.normal import Status, equal
from verifier.mistakes import MISTAKES
from verifier.rule import Rule, invariants, symbols, transition


@dataclass(frozen=True, eq=False)
class Mutant(Rule):
    """A rule with a known mistake in it; `says` names the mistake, and the name is rule__mistake."""

    says: str = ""


@cache
def mutants(rule: Rule) -> tuple[Mutant, ...]:
    """The known mistakes that `rule` can be written with, each another step, and different from the rule at a point."""
    found: dict[str, Mutant] = {}
    seen: set[tuple[object, ...]] = set()
    for mistake in MISTAKES:
        for edit in mistake(rule):
            wrong = made(rule, edit)
            does = (tuple(transition(wrong).items()), tuple(wrong.state.items()))
            if edit.name not in found and does not in seen and differs(rule, wrong):
                found[edit.name] = wrong
                seen.add(does)
    return tuple(found.values())


def differs(rule: Rule, wrong: Rule) -> bool:
    """Whether a step or the initial state of `wrong` is certainly not that of `rule`, with a witness."""
    domain = {**rule.hyper, **invariants(rule)}
    one, two = transition(rule), transition(wrong)
    pairs = [(one[s], two[s]) for s in one if s in two]
    pairs += [(rule.state[s], wrong.state[s]) for s in rule.state if s in wrong.state]
    return any(equal(a, b, domain).status is Status.REFUTED for a, b in pairs if a != b)


def made(rule: Rule, edit: Edit) -> Mutant:
    """The rule with one edit in it, whether it differs or not."""
    step = rule.step if edit.step is None else edit.step
    state = rule.state if edit.state is None else edit.state
    read = {s for e in (*(e for _, e in step), *state.values()) for s in symbols(e)}
    kept = {f.name: getattr(rule, f.name) for f in fields(Rule)}
    kept |= {
        "name": f"{rule.name}__{edit.name}",
        "step": step,
        "state": state,
        "hyper": {s: values for s, values in rule.hyper.items() if s in read},
    }
    return Mutant(**kept, says=edit.says)


def says(rule: Rule, mistake: str) -> str:
    """A mistake of a rule in words, such as 'adamw, but weight decay is applied twice'; '' where it has no such."""
    name, _, step = mistake.partition(FROM_STEP)
    found = (edit.says for transform in MISTAKES for edit in transform(rule) if edit.name == name)
    words = next(found, "")
    return f"{rule.name}, but {f'from step {step} on ' if step else ''}{words}" if words else ""


FROM_STEP = "_from_step_"
"""Stands in the name of a mistake before the number of the step that makes it first."""


def later(wrong: Mutant, step: int) -> Mutant:
    """A rule that is right until it makes the mistake, from step number `step` on; its lines are those of then."""
    return replace(wrong, name=f"{wrong.name}{FROM_STEP}{step}", says=f"from step {step} on {wrong.says}")
