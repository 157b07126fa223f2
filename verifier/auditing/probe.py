"""What an audit learns of a target before it tests it: its options, its conventions, the rule its code performs."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from verifier import rules
from verifier.auditing import known
from verifier.auditing.read import Read, computes_with_t
from verifier.auditing.reading_time import READING, TooLong, limited
from verifier.auditing.request import Request, argument
from verifier.errors import UsageError
from verifier.rule import Rule, shared

if TYPE_CHECKING:
    from verifier.subjects.torch_forms import Forms
    from verifier.subjects.torch_signature import Signature


@dataclass(frozen=True, eq=False)
class Held:
    """A rule the target is held to, in the configuration `fixed` of its switches."""

    rule: Rule
    source: str  # declared, matched, claimed or lifted
    fixed: Mapping[str, float]
    states: frozenset[str]  # state that the code calls by the rule's name, and that means the same
    at_rest: bool = False  # whether it holds while no schedule or group changes a rate: the code keeps the first one


_Rules = tuple[list[Held], list[Read], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Found:
    """What is known of one target. `reason`: why nothing can be run: `wrong`, by its fault; `usage`, by who asked;
    `broken`, by ours."""

    target: str
    signature: Signature | None = None
    reason: str = ""
    wrong: bool = False
    usage: bool = False
    broken: bool = False
    held: tuple[Held, ...] = ()
    proofs: tuple[Read, ...] = ()
    described: Mapping[str, Any] = field(default_factory=dict)  # the target's entry in the results
    lifts: Mapping[Any, Any] = field(default_factory=dict, repr=False)  # what was read: see `Forms.readings`

    @property
    def readable(self) -> bool:
        """Whether a rule of one element was read out of the code, under its default options at least."""
        return bool(self.described.get("one_element"))

    @property
    def of_vectors(self) -> bool:
        """Whether what was read of vectors says nothing of matrices, which the step treats otherwise."""
        assert self.signature is not None
        return self.signature.of_vectors

    @property
    def counts_each(self) -> bool:
        """Whether steps are counted for each parameter, so that missing gradients are no steps."""
        assert self.signature is not None
        return "late_parameters" not in self.signature.exempt


@functools.cache
def probe(request: Request) -> Found:
    """What is known of the target, learnt in a forked child: whatever the target does there, this process goes on."""
    import verifier.lift.lifted
    import verifier.lift.matching
    import verifier.subjects.torch_probe  # noqa: F401  # imported before the fork, once for every target
    from verifier.subjects.torch_sandbox import Died, half_of_memory, in_child

    memory = request.memory or half_of_memory()
    answer = known.recall(request) or in_child(lambda: learn(request), memory=memory)
    target = request.target
    if isinstance(answer, Died):
        return Found(target, reason=f"it {answer.how}", wrong=not answer.late)
    if isinstance(answer, tuple):
        return Found(target, **known.blame(answer))
    found: Found = answer
    return found if found.signature is None else with_class(found, _class_of(request), dict(request.args))


UNIMPORTABLE: dict[str, str] = {}
"""Targets that this process cannot import, though another could: target -> why. None of their tests may be run."""


def _class_of(request: Request) -> Any:
    """The class, imported here; what does nothing where that cannot be done, but has been done in an earlier fork."""
    from verifier.subjects.torch_signature import resolve

    target = request.target
    if target not in UNIMPORTABLE:
        try:
            return resolve(target)[1]
        except BaseException as error:  # foreign code, which raised nothing when it was imported before
            if known.place(request) is None:
                raise
            UNIMPORTABLE[target] = f"importing it once more raises {type(error).__name__}"
    return _nothing


def with_class(found: Found, build: Any, args: Mapping[str, Any] | None = None) -> Found:
    """What was learnt, with the class it was learnt of, so that it can be run and read."""
    from verifier.subjects.torch_forms import Forms

    assert found.signature is not None
    signature = replace(found.signature, build=build)
    return replace(found, signature=replace(signature, forms=Forms(signature, args, found.lifts)))


def learn(request: Request) -> Found:
    """What `probe` returns, learnt in this very process; without the class itself, so that it can be sent."""
    import torch

    torch.set_num_threads(1)
    from verifier.auditing import claimed, implementations
    from verifier.mutants import FROM_STEP
    from verifier.subjects.torch_conventions import of_whole_tensors
    from verifier.subjects.torch_counting import counter_formats
    from verifier.subjects.torch_forms import Forms
    from verifier.subjects.torch_lerps import lerps
    from verifier.subjects.torch_signature import signature
    from verifier.subjects.torch_widest import examined

    known = examined(signature(request.target, dict(request.args)))
    known = replace(known, lerps=lerps(known, (4, 3) if known.least_dimensions > 1 else (5,)))
    forms = Forms(known, dict(request.args))
    with implementations.apart(known, forms, request.profile) as compared:
        held, proofs, described = _in_time(lambda: _rules(request, known, forms, compared))
    performs = implementations.performs(known, forms, proofs, described)
    described = {"target": request.target, **described, **({"performs": performs} if performs else {})}
    if any(one.at_rest for one in held):
        words = "keeps the rates it was built with as references: a scheduler changes its step relative to them"
        known = replace(known, notes=(*known.notes, ("convention", words)))
    if described.pop("reads_others", False):
        known = of_whole_tensors(known)
    turns = described.pop("turns", [])
    if turns and FROM_STEP not in described["proof"].get("mutant", ""):
        words = f"takes other steps from about step {', '.join(map(str, turns))} on, a number that is no option"
        known = replace(known, notes=(*known.notes, ("convention", words)))
    if words := claimed.named(request.target, described):
        known = replace(known, notes=(*known.notes, ("note", words)))
    for words in described.pop("switched", []):
        known = replace(known, notes=(*known.notes, ("convention", words)))
    counters = counter_formats(known)
    if torch.float32 in counters and any(computes_with_t(one.rule) for one in held):
        words = "counts steps in a float32 tensor: what is computed of their number has float32's digits in float64 too"
        known = replace(known, notes=(*known.notes, ("note", words)))
    sent = replace(known, build=_nothing)
    read: dict[str, Any] = {"held": tuple(held), "proofs": tuple(proofs), "lifts": forms.readings}
    found = Found(request.target, sent, described=described, **read)
    described["of_vectors"] = found.of_vectors
    described["coarse_counter"] = bool(counters & {torch.float16, torch.bfloat16})
    return found


def _in_time(rules: Callable[[], _Rules]) -> _Rules:
    """What `rules` returns; where it takes too long, which is our doing, what is said of one that cannot be read."""
    try:
        with limited():
            return rules()
    except TooLong:
        lift = {"status": "opaque", "formula": "", "stopped_by": f"reading it takes more than {READING:g} seconds"}
        return [], [], {"rule": None, "rule_source": None, "weight_decay": "unknown", "lift": lift, "proof": {}}


def learn_and_keep(target: str, rule: str, args: str, profile: str, memory: str) -> None:
    """Learns of one target in a child, and writes what the child answered where `known.recall` finds it."""
    from verifier.subjects.torch_sandbox import in_child

    request = Request(target, rule, tuple(argument(text) for text in json.loads(args)), profile)
    known.keep(request, in_child(functools.partial(learn, request), memory=int(memory)))


def _nothing() -> None:
    """Stands for the class where it is not needed."""


def _rules(request: Request, known: Signature, forms: Forms, compared: Callable[[], list[Read]]) -> _Rules:
    """The rules the target is held to, the proofs that it follows them, and what it is in words.

    `compared` says how its implementations compare with each other.
    """
    from verifier.auditing import claimed, decay, reading, variants
    from verifier.subjects.torch_forms import mixed

    declared = None
    if request.rule:
        declared = rules.load(request.rule) if ".py" in request.rule else rules.get(request.rule)
        _check_options(declared, known)
    described: dict[str, Any] = {"rule": None, "rule_source": None, "weight_decay": "unknown", "lift": {}, "proof": {}}
    held: list[Held] = []
    proofs: list[Read] = []
    mistaken: list[Read] = []
    reader = variants.Reader(known, dict(request.args), declared)
    for fixed, one in reader.all(thorough=request.profile != "smoke"):
        read, proof, near = one.read, one.proof, one.near
        if not fixed:
            described["lift"] = reading.words(read)
            described["one_element"] = read is not None and read.rule is not None and not read.scope
            described["reads_others"] = read is not None and read.coupled == "elements"
            square = functools.partial(reading.lift, known, "forloop", [], {}, dict(request.args), ((2, 2),))
            described["weight_decay"], words = decay.said(read, known, square)
            described["lift"] |= {"decay": words} if words else {}
        held += _at_zero(one, fixed, reader.literal)
        if one.said and not mistaken and (one.over or not fixed):
            described["lift"] |= {"whole_tensors": one.said}
        mistaken = mistaken or (one.over if declared is None else [])
        if one.unbounded and not one.over:
            described.setdefault("switched", []).append(one.unbounded)
        if read is None or read.rule is None or not one.finished:
            continue
        if not fixed:
            described["turns"] = sorted(variants.turns(read.rule, known))
            if proof is not None:
                described["proof"] = proof.to_json() | ({"rule": proof.rule})
        if near is not None and near.wrong is not None and read.weight_decay == "none" != described["weight_decay"]:
            near = None  # what is read of vectors lacks a decay that acts on matrices alone
        if near is not None and not fixed:
            described["proof"] = claimed.told(described["proof"], near)
        if near is not None and near.wrong is not None and not _claims(held):
            proofs = [Read("forloop", near.rule.name, "refuted", claimed.difference(near), near.wrong.name)]
        if near is not None and near.wrong is not None and claimed.holds(near) and not _claims(held):
            held.append(_claimed(read, near, fixed))
            source = "claimed"
        elif (
            proof is not None
            and proof.proved
            and declared is None
            and not proof.maps
            and claimed.covered(rules.get(proof.rule))
        ):  # state in another form: by itself
            held.append(_matched(read, proof, fixed))
            source = "matched"
        elif declared is None and variants.enclosable(read):
            named = known.name + "".join(f"_{name}" for name in fixed)
            rule = mixed(replace(read.at_rest, name=named))
            states = frozenset(s.name for s in rule.state) - {s.name for s in shared(rule)}
            held.append(Held(rule, "lifted", fixed, states, bool(read.captured)))
            source = "lifted"
        else:
            continue
        if not fixed:
            described |= {"rule": held[-1].rule.name, "rule_source": source}
            if source == "matched":
                proofs.insert(0, Read("forloop", held[-1].rule.name, "proved", ""))
        elif near is not None and near.wrong is None:
            described.setdefault("switched", []).append(f"with {', '.join(fixed)} turned, {claimed.sentence(near)}")
    if declared is not None:
        held = [Held(declared, "declared", {}, frozenset())] if claimed.covered(declared) else []  # else by proof
        described |= {"rule": declared.name, "rule_source": "declared"}
        read = reading.lift(known, "forloop", reader.literal, {}, dict(request.args))
        if read is not None:
            proofs.append(reading.told(reading.prove(read, declared), "forloop", declared))
    proofs = [*mistaken, *(p for p in proofs if not mistaken or p.subject != "forloop"), *compared()]
    distinct: dict[tuple[str, str], Held] = {(h.rule.name, str(sorted(h.fixed.items()))): h for h in held}
    first: dict[str, Held] = {}
    for rule_held in distinct.values():
        first.setdefault(rule_held.rule.name, rule_held)
    return list(first.values()), proofs, described


def _at_zero(one: Any, switched: Mapping[str, float], options: list[str]) -> list[Held]:
    """What code is held to while options that are zero by default stay zero: a rule of the catalogue, if any."""
    from verifier.auditing import claimed

    read, proof, near = one.off, one.off_proof, one.off_near
    if read is None:
        return []
    off = {name: 0.0 for name in options}
    if near is not None and near.wrong is not None and claimed.holds(near):
        return [_claimed(read, near, {**switched, **off})]
    if proof is None or not proof.proved or proof.maps or not claimed.covered(rules.get(proof.rule)):
        return []
    return [_matched(read, proof, {**switched, **off})]


def _matched(read: Any, proof: Any, fixed: Mapping[str, float]) -> Held:
    """The rule of the catalogue that code was proved to perform."""
    rule = rules.get(proof.rule)
    scalars = {s.name for s in shared(rule)}  # they live elsewhere, if anywhere
    states = frozenset(n for n, m in (proof.states or {}).items() if n == m) - scalars
    return Held(rule, "matched", fixed, states, bool(read.captured))


def _claimed(read: Any, near: Any, fixed: Mapping[str, float]) -> Held:
    """The rule of which code was proved to perform a known mistake."""
    from verifier.auditing import claimed

    return Held(near.rule, "claimed", fixed, claimed.states(near), bool(read.captured))


def _claims(held: list[Held]) -> bool:
    return any(one.source == "claimed" for one in held)


def _check_options(rule: Rule, known: Signature) -> None:
    """UsageError where the rule has a hyperparameter the class has no option for."""
    names = [o.name for o in known.options]
    for symbol in rule.hyper:
        if symbol.name not in names:
            what = f"rule {rule.name} has a hyperparameter {symbol.name!r}, and the class no such option"
            raise UsageError(what, where=known.target, given=symbol.name, accepted=names)
