"""What an audit makes of code that follows no rule of the catalogue, but nearly: which rule it means to be, and why.

Code that equals a rule with one known mistake in it is held to that rule, as if it had been declared. Code that equals
a rule written by other conventions is said to be that, and nothing is wrong with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import sympy
from sympy import Eq, Ne
from sympy.core.relational import Relational

from verifier import rules
from verifier.auditing.constant import constant
from verifier.auditing.read import Read
from verifier.conventions import shipped
from verifier.enclosure.program import program
from verifier.lift import apart, induction, matching
from verifier.lift.lifted import Lift
from verifier.lift.relatives import Relative, relative
from verifier.lift.slipped import slipped
from verifier.mutants import FROM_STEP, later, mutants
from verifier.rule import Rule, RuleError, shared, symbols, t

RARELY: Mapping[str, Mapping[str, str]] = {"amsgrad": {"adam": "adam_amsgrad", "adamw": "adamw_amsgrad"}}
"""Switches whose effect few runs show, and what each rule becomes with them: off, on."""

MEANT = ("amsgrad", "ams_bound", "nesterov", "centered", "decoupled_weight_decay", "decouple_weight_decay",
         "weight_decouple", "decoupled_decay")  # fmt: skip
"""Switches that rules of the catalogue have, under the names in use: these are read before any other."""


def relation(
    read: Lift,
    proof: induction.LiftProof | None,
    fixed: Mapping[str, float],
    turns: Collection[int] = (),
    options: Mapping[str, float] = MappingProxyType({}),
) -> Relative | None:
    """The rule that code nearly follows, given the proof of the nearest; None where it follows one, or is far from all.

    Code that follows with a switch on what it should follow with the switch off has a mistake, whatever it equals.
    So has code that follows a rule until one of `turns`, the numbers of steps at which it becomes another, and code
    that has the default of one of `options` in the place of the option.
    """
    if read.rule is None or proof is None:
        return None
    if not proof.proved:
        found = _turning(read, *turns) if len(turns) == 1 else None
        candidates = matching.candidates(read)
        return found or constant(read, options) or relative(read, candidates) or slipped(read, candidates)
    switched = [table for name, table in RARELY.items() if fixed.get(name)]
    meant = next((table[proof.rule] for table in switched if proof.rule in table), "")
    if not meant:
        return None
    rule = rules.get(meant)
    told = induction.prove(read, rule, mutants=mutants(rule))
    wrong = next((m for m in mutants(rule) if m.name == told.mutant), None)
    return Relative(meant, rule, (), wrong, proof) if wrong is not None else None


def _turning(read: Lift, turn: int) -> Relative | None:
    """The rule that code follows until a step, if what it follows from then on is that rule with a known mistake."""
    before, after = (replace(read, rule=_at(read.rule, step)) for step in (turn - 2, turn + 2))
    proof = matching.match(before)
    if proof is not None:
        known = Relative(proof.rule, rules.get(proof.rule), (), None, proof)
    else:
        found = relative(before, matching.candidates(before))
        if found is None or found.wrong is not None or not found.proof.proved:
            return None
        known = found
    told = induction.prove(after, known.rule, mutants=mutants(known.rule))
    wrong = next((m for m in mutants(known.rule) if m.name == told.mutant), None)
    return replace(known, wrong=later(wrong, turn)) if wrong is not None else None


def _at(rule: Rule | None, step: int) -> Rule:
    """The rule as it is around a step, that is not the first: numbers of steps are compared with that one."""
    assert rule is not None

    def chosen(e: sympy.Basic) -> sympy.Basic:
        asked = (r for r in e.atoms(Relational) if r.free_symbols == {t} and r not in (Eq(t, 1), Ne(t, 1)))
        return e.xreplace({r: r.subs(t, step) for r in asked})

    lines = tuple((x, chosen(sympy.sympify(e))) for x, e in rule.step)
    read = {s for e in (*(e for _, e in lines), *rule.state.values()) for s in symbols(e)}
    return replace(rule, step=lines, hyper={s: values for s, values in rule.hyper.items() if s in read})


def states(found: Relative) -> frozenset[str]:
    """State variables that the code calls by the rule's names, where what they hold is the rule's as well."""
    if found.proof.maps or not found.proof.proved:
        return frozenset()
    scalars = {s.name for s in shared(found.rule)}  # they live elsewhere, if anywhere
    return frozenset(n for n, mine in (found.proof.states or {}).items() if n == mine) - scalars


def over_tensors(reads: Collection[Lift], options: Mapping[str, Any], said: str) -> tuple[str, list[Read]]:
    """What a step that reads whole tensors is in words, '' if nothing; and that it is a rule with a mistake, if so.

    `reads` are of tensors of several shapes, the usual one first, and `options` those of the constructor meanwhile.
    `said` is what the class says of itself.
    """
    from verifier.lift.identity import match
    from verifier.lift.matrix_families import recognised
    from verifier.lift.matrix_shown import shown

    matrices = [read for read in reads if read.steps is not None and len(read.steps.main.shapes[0]) > 1]
    vectors = [read for read in reads if read.steps is not None and len(read.steps.main.shapes[0]) == 1]
    sentence = ""
    for some in (matrices, vectors):
        found = recognised(some, options, said)
        if found is None:
            continue
        sentence = sentence or found.sentence
        if found.wrong is not None:
            mutant = f"{found.rule}__{found.wrong.name}"
            return found.sentence, [
                Read(
                    "forloop",
                    found.rule,
                    "refuted",
                    f"the code is {found.rule}, but {found.mistake}",
                    mutant,
                    shown(found, some[0], options),
                )
            ]
    same = match(usual) if not sentence and (usual := next(iter(reads), None)) is not None else None
    return sentence or (same.sentence if same is not None and same.agrees else ""), []


def holds(found: Relative) -> bool:
    """Whether steps can be held to the rule: enclosures cover it, and the class has options of its names."""
    return not found.renamed and covered(found.rule)


def covered(rule: Rule) -> bool:
    """Whether enclosures cover every line of a rule: roots of the third degree and exponentials they do not."""
    try:
        program(rule)
    except RuleError:
        return False
    return True


def difference(found: Relative) -> str:
    """What the code has in the place of what; of a convention nothing."""
    if found.wrong is None:
        return ""
    said, step = apart.difference(found.wrong, found.rule), found.wrong.name.partition(FROM_STEP)[2]
    return f"from step {step} on {said}" if said and step else said


def sentence(found: Relative) -> str:
    """What the code is, in the words of the first lines of a report."""
    written = []
    for edit in found.conventions:
        by = shipped(edit.name)
        written.append(f"{edit.says} ({by})" if by else edit.says)
    said = f"{found.of} without {' and '.join(found.absent)}" if found.absent else found.of
    if written:
        said += f", by {'another convention' if len(written) == 1 else 'other conventions'}: {'; '.join(written)}"
    if found.wrong is not None:
        more = difference(found)
        return f"{said}, but {found.wrong.says}" + (f": {more}" if more else "")
    return f"{said}; {PROVED if found.proof.proved else TRIED}"


PROVED = "proved, for every number of steps"
TRIED = "the same in every run that was tried, but not proved"


def told(proof: Mapping[str, Any], found: Relative) -> dict[str, Any]:
    """The `proof` of a target in the results, with what it is related to."""
    if found.wrong is None:
        own = found.proof.to_json()
        return {**own, "rule": found.of, "conventions": names(found), "relation": sentence(found)}
    wrong = {"status": "refuted", "rule": found.rule.name, "mutant": found.wrong.name, "conventions": names(found)}
    return {**proof, **wrong, "difference": difference(found) or found.wrong.says, "relation": sentence(found)}


def names(found: Relative) -> list[str]:
    """The conventions, by name."""
    return [edit.name for edit in found.conventions]


NEUTRAL = ("my", "custom", "old", "new", "simple", "naive", "plain", "manual", "pure", "torch", "ref", "reference",
           "fused", "foreach", "legacy", "basic", "optimizer", "v2")  # fmt: skip
"""Words in the name of a class that say nothing of its rule."""


def named(name: str, described: Mapping[str, Any]) -> str:
    """A note on a class that is named after a rule and is another, or none that is known; '' on any other class.

    It is no more than a note: of the published classes named so, all that are none of the forms known here are on
    purpose what they are (heavyball.AdamW, optimi.RAdam and ten more of the packages surveyed).
    """
    own, before = name.rpartition(":")[2].lower(), ""
    while own != before:
        before = own
        for word in NEUTRAL:
            own = own.removeprefix(word).removesuffix(word).strip("_")
    own = {"nag": "sgd_nesterov", "sgdm": "sgd_momentum"}.get(own, own)
    if own not in rules.names() or described.get("rule_source") not in ("matched", "lifted"):
        return ""
    proof = described.get("proof") or {}
    known = described["rule"] if described["rule_source"] == "matched" else proof.get("relation", "")
    if not known:
        return f"is named {own}, and its formula is no form of {own} that is known here"
    family = {own.removesuffix("_decoupled"), "adam" if own == "adamw" else own}
    if own == "adamw" and described.get("weight_decay") == "coupled":
        return f"is named {own}, and is {known}"
    return "" if any(known.startswith(word) for word in family) else f"is named {own}, and is {known}"
