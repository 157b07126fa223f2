"""Which rule lifted code nearly follows: one written by other conventions, or one with a single known mistake in it.

Code that follows no rule of the catalogue is compared, in numbers, with what a few of them become by the edits of
`conventions` and `mistakes`. Where weight_decay and eps are zero only some edits show, so the others are looked for
only around those that agree there. What is left is then compared at more points, and proved where it can be.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import sympy

from verifier.conventions import ABSENT, ASPECTS, REVERSED, SUMMED, Aspect, thresholds
from verifier.edits import Edit
from verifier.equality.normal import Status
from verifier.lift import expr, induction
from verifier.lift.evaluate import Bounded, holds
from verifier.lift.lifted import Lift
from verifier.lift.names import renamed
from verifier.lift.trajectory import Lines, Untranslatable, from_sympy, inputs_of, part, stepped
from verifier.mutants import Mutant, made
from verifier.rule import Rule, RuleError, t

RULES = 4
"""Rules of the catalogue that are tried, those most like the code first."""

WIDELY = 2
"""Rules that are tried with two edits of one aspect."""

MOST = 2
"""Edits of a candidate that gets another one where aspects cannot be told apart."""

DRAWS, STEPS = 2, 4
"""Points, and steps from the initial state, at which candidates are told apart; more follow for what is left."""

AGAIN = 4
"""How often as many points are tried where the code says nothing at some, as with the root of what is negative."""

TRIED = 24
"""Candidates that agree at the points and are compared further."""

BRANCHED = (2, 9)
"""Points and steps where a branch begins some steps after the first, as RAdam's does."""

SIGNED = (8, 12)
"""Points and steps where the code takes signs, which say little of what they are taken of."""

OPTIONAL: Mapping[str, int] = {
    "weight_decay": 0, "dampening": 0, "lr_decay": 0, "initial_accumulator_value": 0, "initial_accumulator": 0,
    "eps": 0, "lr": 1,
}  # fmt: skip
"""Hyperparameters that code may do without, and what it then has in their place."""


@dataclass(frozen=True)
class Relative:
    """What lifted code is: `rule`, written by `conventions`, or `wrong`, which is that rule with one mistake in it.

    `of` names the rule of the catalogue; `proof` is that the code follows `wrong`, or `rule` where nothing is wrong.
    `absent` are hyperparameters of the rule that the code does without. Where the code has names of its own for some
    (`renamed`), it cannot be held to the rule.
    """

    of: str
    rule: Rule
    conventions: tuple[Edit, ...]
    wrong: Mutant | None
    proof: induction.LiftProof
    absent: tuple[str, ...] = ()
    renamed: bool = False

    @property
    def known(self) -> Rule:
        """The rule that the code performs."""
        return self.wrong or self.rule


@dataclass(frozen=True)
class Candidate:
    """A rule that code may be: by conventions, and with one slip, which makes it `wrong`."""

    rule: Rule
    conventions: tuple[Edit, ...] = ()
    slip: Edit | None = None
    wrong: Mutant | None = None

    @property
    def lines(self) -> Rule:
        return self.wrong or self.rule

    @property
    def edits(self) -> tuple[bool, int]:
        return self.slip is not None, len(self.conventions)


@dataclass(frozen=True)
class _Point:
    """Numbers for theta and all hyperparameters, a gradient for each step, and what the code makes of them."""

    inputs: Mapping[str, sympy.Rational]
    grads: Sequence[sympy.Rational]
    code: Sequence[Bounded]


def relative(lifted: Lift, rules: Iterable[Rule]) -> Relative | None:
    """The first of `rules` that the code is, by other conventions or with one mistake; None where it is none of them.

    The rules are those of the catalogue that are most like the code; that it follows none of them itself is known.
    """
    if lifted.rule is None:
        return None
    own = lifted.target.rpartition(":")[2].lower().replace("_", "")
    ordered = sorted(rules, key=lambda rule: rule.name.replace("_", "") not in own)  # what it is named after first
    some = list(itertools.islice((fits for rule in ordered if (fits := fits_of(lifted, rule))), RULES))
    fitting, few = ([one for fits in chosen for one in fits] for chosen in (some, some[:WIDELY]))
    for found in (lambda: _found(fitting, False), lambda: _found(few, True), lambda: _outright(few[:1])):
        shown = (
            (*one, proof) for one in itertools.islice(found(), TRIED) if (proof := checked(one[2], one[1])) is not None
        )
        mapped = unproved = None
        for name, candidate, given, proof in shown:
            remembers = candidate.rule.state and not lifted.rule.state
            if candidate.slip is not None and remembers and name.replace("_", "") not in own:
                continue  # code that keeps no state has not forgotten to use it: it is another rule
            absent = tuple(n for n in given.literal if n not in lifted.literal and OPTIONAL.get(n) == given.literal[n])
            near = Relative(
                name,
                candidate.rule,
                candidate.conventions,
                candidate.wrong,
                proof,
                absent,
                given.hyper.keys() != lifted.hyper.keys(),
            )
            if not proof.proved and candidate.slip is None and _turns(candidate.rule):  # bounds of branches may differ
                unproved = unproved or near
                continue
            if not (proof.maps and candidate.slip):
                return near
            if candidate.slip.name not in SUMMED:
                mapped = mapped or near  # one that keeps the code's own state explains it better, if there is one
        if mapped is not None or unproved is not None:
            return mapped or unproved
    return None


def _outright(fitting: Iterable[tuple[Rule, Lift]]) -> Iterator[tuple[str, Candidate, Lift]]:
    """The candidates with one mistake and at most one convention that agree with every hyperparameter at work.

    A mistake with eps or weight decay may show where they are zero too, so that no aspect finds it by itself.
    """
    for rule, given in fitting:
        known: Lines = Lines()
        points = list(points_of(given, rule, ()))[:1]  # what agrees at one point is compared at more
        plain = [Candidate(rule)]
        written = [c for aspect in ASPECTS for c in edited(given, plain, aspect, slips=False)]
        slipped = (c for aspect in ASPECTS for c in edited(given, [*plain, *written], aspect) if c.slip is not None)
        agreeing = (c for c in slipped if points and agrees(c.lines, points, known))
        yield from ((rule.name, c, given) for c in agreeing)


def _found(fitting: Iterable[tuple[Rule, Lift]], widely: bool) -> list[tuple[str, Candidate, Lift]]:
    """The candidates that agree with the code, those with the fewest edits first."""
    found: list[tuple[tuple[bool, int, int], str, Candidate, Lift]] = []
    for number, (rule, given) in enumerate(fitting):
        try:
            for candidate in _search(given, induction.specialised(rule, given), widely=widely):
                found.append(((*candidate.edits, number), rule.name, candidate, given))
        except (Untranslatable, RuleError):
            continue
        if any(key[:2] == (False, 0) for key, *_ in found):
            break
    return [(name, candidate, given) for _, name, candidate, given in sorted(found, key=lambda one: one[0])]


def checked(lifted: Lift, candidate: Candidate) -> induction.LiftProof | None:
    """The proof that code follows a candidate, which may be undecided; None where a run refutes it."""
    assert lifted.rule is not None
    if part(lifted.rule, candidate.lines, lifted.literal) is not None:
        return None
    proof = induction.prove(lifted, candidate.lines)
    if not proof.proved and (usual := _usual(lifted.rule)) != lifted.rule:
        proof = induction.prove(replace(lifted, rule=usual), candidate.lines)
    if not proof.proved and candidate.slip is not None:  # a branch that begins at its bound is no other mistake
        bounded = (made(candidate.lines, edit) for edit in thresholds(candidate.lines))
        proof = next((p for p in (induction.prove(lifted, r) for r in bounded) if p.proved and not p.maps), proof)
    unsure = candidate.slip is not None or _signs(candidate.lines)  # few runs show what a sign is taken of
    if unsure and not proof.proved:  # nobody is told of a mistake without a proof
        return None
    return None if proof.status is Status.REFUTED else proof


def _usual(rule: Rule) -> Rule:
    """The rule where no hyperparameter has the one value for which its code has a branch of its own."""

    def unbranched(e: sympy.Basic) -> sympy.Basic:
        compared = (r for r in sympy.sympify(e).atoms(sympy.Ne, sympy.Eq) if r.free_symbols <= set(rule.hyper))
        special = {r: sympy.true if isinstance(r, sympy.Ne) else sympy.false for r in compared}
        return sympy.sympify(e).xreplace(special) if special else e

    return replace(rule, step=tuple((x, unbranched(e)) for x, e in rule.step))


def fits_of(lifted: Lift, rule: Rule) -> list[tuple[Rule, Lift]]:
    """The rule, and the lift with its names and numbers, where the code has all hyperparameters, or numbers for them.

    More than once, where several numbers of the code may be several hyperparameters.
    """
    lifted, _ = renamed(lifted, rule)
    assert lifted.rule is not None
    mine = {s.name for s in lifted.rule.hyper}
    has = mine | set(lifted.literal)
    unread = set(lifted.hyper) - OPTIONAL.keys()
    absent = [s.name for s in rule.hyper if s.name not in has | unread]
    required = [name for name in absent if name not in OPTIONAL]
    theirs = {s.name for s in rule.hyper}
    if len(mine - theirs) > 1 or len(required) > 2:
        return []
    numbers = _numbers(lifted.rule) if absent else []
    rates = [n for n in numbers if 0.3 < n < 1]
    small = [n for n in numbers if 0 < n < 1e-3]
    chosen = {name: float(OPTIONAL[name]) for name in absent if name in OPTIONAL}
    if "eps" in absent and small:
        chosen["eps"] = small[0]
    fits = []
    for values_ in itertools.permutations(rates, len(required)) if required else ((),):
        literal = {**lifted.literal, **chosen, **dict(zip(required, values_, strict=True))}
        fits.append((rule, replace(lifted, literal=literal)))
    return fits


def _numbers(rule: Rule) -> list[float]:
    """The numbers written in a rule's lines that are no fractions of small whole numbers, and decimals that decay."""
    written = {n for _, e in rule.step for n in sympy.sympify(e).atoms(sympy.Rational)}
    return sorted(float(n) for n in written if n.q > 64 or (0.8 <= n < 1 and 100 % n.q == 0))


def _search(lifted: Lift, rule: Rule, *, widely: bool) -> list[Candidate]:
    """The candidates that agree with the code at every point, with two edits of an aspect where asked for."""
    survivors = [Candidate(rule)]
    pending: list[Aspect] = []
    for aspect in ASPECTS:
        pending.append(aspect)
        points = list(points_of(lifted, rule, aspect.silent))
        if not points:
            continue
        known: Lines = Lines()
        agreeing = [c for c in _wider(lifted, survivors, pending, slips=False) if agrees(c.lines, points, known)]
        if not agreeing and survivors[0].slip is None:  # no mistake is looked for where a convention explains the code
            survivors = _wider(lifted, survivors, pending, slips=True)
            agreeing = [c for c in survivors if c.slip is not None and agrees(c.lines, points, known)]
        if not agreeing and widely and len(pending) == 1:
            more = [c for one in pending for c in edited(lifted, [c for c in survivors if c.slip is None][1:], one)]
            agreeing = [c for c in more if agrees(c.lines, points, known)]
        if not agreeing:
            return []
        survivors, pending = _fewest(agreeing), []
    return [] if pending else survivors


def _wider(lifted: Lift, survivors: list[Candidate], pending: Sequence[Aspect], *, slips: bool) -> list[Candidate]:
    """The candidates, and what they become by an edit of each of the aspects; by their mistakes too if `slips`."""
    for one in pending:
        chosen = [c for c in survivors if len(pending) == 1 or sum(c.edits) < MOST]
        survivors = [*survivors, *edited(lifted, chosen, one, slips=slips)]
    return survivors


def _fewest(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The first few, those with fewer edits before others; none with a mistake beside one without."""
    ordered = sorted(candidates, key=lambda c: c.edits)
    return [c for c in ordered if c.edits[0] == ordered[0].edits[0]][:8]


def edited(lifted: Lift, candidates: Iterable[Candidate], aspect: Aspect, *, slips: bool = True) -> Iterator[Candidate]:
    """Every candidate with one more convention, or with a mistake where it has none, if `slips`."""
    for c in list(candidates):
        beside = {e.name: again for e, _, again in _conventions(aspect, c.wrong)} if c.wrong is not None else {}
        for edit, rule, plain in _conventions(aspect, c.rule):
            if slips and edit.name == "decay_missing" and c.slip is None and not _possible(lifted, edit):
                yield Candidate(c.rule, c.conventions, edit, plain)
            if edit.name in (done.name for done in c.conventions) or not _possible(lifted, edit):
                continue
            if c.wrong is None:
                yield Candidate(rule, (*c.conventions, edit))
            elif edit.name in beside and c.slip is not None:
                wrong = replace(beside[edit.name], name=f"{rule.name}__{c.slip.name}", says=c.wrong.says)
                yield Candidate(rule, (*c.conventions, edit), c.slip, wrong)
        if c.slip is None:
            for slip, wrong in _slips(aspect, c.rule):
                if _backwards(lifted, slip):
                    edit = replace(slip, name="reversed")
                    yield Candidate(_named(c.rule, wrong), (*c.conventions, edit))
                elif slips:
                    yield Candidate(c.rule, c.conventions, slip, wrong)


@cache
def _conventions(aspect: Aspect, rule: Rule) -> tuple[tuple[Edit, Rule, Mutant], ...]:
    """The conventions of an aspect, with the rule that is written so and the same as an edit of it.

    Kept, as code is compared with the same few rules again and again.
    """
    written = ((edit, made(rule, edit)) for edit in aspect.conventions(rule))
    return tuple((edit, _named(rule, again), again) for edit, again in written)


@cache
def _slips(aspect: Aspect, rule: Rule) -> tuple[tuple[Edit, Mutant], ...]:
    """The mistakes of an aspect, with the rule that has them."""
    return tuple((slip, made(rule, slip)) for slip in aspect.slips(rule))


def _named(rule: Rule, written: Mutant) -> Rule:
    """The rule as a convention has it, under a name that says that there is one."""
    kept = {name: getattr(written, name) for name in Rule.__dataclass_fields__}
    return Rule(**kept | {"name": f"{rule.name.removesuffix('_variant')}_variant"})


def _possible(lifted: Lift, edit: Edit) -> bool:
    """Whether an option that a convention does without is none of the class."""
    return ABSENT.get(edit.name, "") not in lifted.hyper


def _backwards(lifted: Lift, slip: Edit) -> bool:
    """Whether an average is only named otherwise: by how much it takes in of what is new."""
    if not slip.name.startswith("reversed_"):
        return False
    rate = slip.says.partition(" and ")[0]
    return lifted.hyper.get(rate, 1.0) < REVERSED


def _signs(rule: Rule) -> bool:
    """Whether a step takes signs."""
    return any(sympy.sympify(e).has(sympy.sign) for _, e in rule.step)


def _turns(rule: Rule) -> bool:
    """Whether a branch of the rule is taken by the number of the step, and not by its being the first."""
    counted = {t}  # what is computed of the step's number
    for x, e in rule.step:
        if counted & sympy.sympify(e).free_symbols and x not in rule.state and x != rule.theta:
            counted.add(x)
    guards = {r for _, e in rule.step for r in sympy.sympify(e).atoms(sympy.core.relational.Relational)}
    return any(counted & r.free_symbols for r in guards - {sympy.Eq(t, 1), sympy.Ne(t, 1)})


def points_of(lifted: Lift, rule: Rule, silent: Sequence[str]) -> Iterator[_Point]:
    """Points at which the code takes steps, with the hyperparameters `silent` at zero."""
    code = lifted.rule
    assert code is not None
    signs, turns = _signs(code), any(map(_turns, (code, rule)))
    draws, steps = SIGNED if signs else BRANCHED if turns else (DRAWS, STEPS)
    told = 0
    for seed in range(AGAIN * draws):
        inputs = inputs_of(code, rule, lifted.literal, seed)
        if turns and "beta2" in inputs:  # RAdam's other branch is taken within the steps
            inputs["beta2"] = sympy.Rational(30 + seed, 32)
        inputs |= {name: sympy.Integer(0) for name in silent if name in inputs}
        draw = random.Random(f"relative {seed}")
        grads = [sympy.Rational(draw.choice((-1, 1)) * draw.randint(5, 90), 64) for _ in range(steps)]
        if signs:  # which outweighs which is seen where sizes differ
            grads = [grad * sympy.Integer(2) ** draw.randint(-5, 5) for grad in grads]
        point = {expr.sym(name): float(value) for name, value in inputs.items()}
        asked = () if silent else lifted.path_conditions  # formulas may be compared where no code performs them
        if any(holds(n, point) is False for n in from_sympy(c for c in asked if t not in c.free_symbols)):
            continue
        trace = list(stepped(code, inputs, grads, Lines()))
        places = [float(inputs["theta"]), *(value for value, _ in trace)]
        moves = [abs(after - before) for before, after in itertools.pairwise(places)]
        clear = all(error < move or move == 0 for (_, error), move in zip(trace, moves, strict=True))  # no NaN either
        if clear and all(math.isfinite(error) for _, error in trace) and sum(move > 0 for move in moves) > steps / 2:
            yield _Point(inputs, grads, trace)
            told += 1
            if told == draws:
                return


def agrees(rule: Rule, points: Sequence[_Point], known: Lines) -> bool:
    """Whether nothing tells the rule's theta from the code's at any of the points; what is not real never agrees."""
    try:
        return all(_agrees_at(rule, point, known) for point in points)
    except Untranslatable:  # a mistake may leave the root of what is negative
        return False


def _agrees_at(rule: Rule, point: _Point, known: Lines) -> bool:
    steps = stepped(rule, point.inputs, point.grads, known)
    for (mine, slack), (value, error) in zip(point.code, steps, strict=True):
        if not abs(mine - value) <= slack + error or not math.isfinite(error):
            return False
    return True
