"""Whether lifted code follows a rule for every number of steps: the initial states, the first step, the generic one."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy
from sympy import Expr, Symbol

from verifier.equality.normal import Decision, Status, equal
from verifier.lift import statemap
from verifier.lift.apart import of_nearest
from verifier.lift.lifted import Lift
from verifier.lift.trajectory import Parting, part
from verifier.printing import to_text
from verifier.rule import Rule, symbols, t, transition


@dataclass(frozen=True)
class LiftProof:
    """What is known of 'this code follows this rule'.

    `difference` is the term by which a variable's new value departs, `apart` what the code has in the place of what, in
    words, where that is short; `witness` the inputs of a run that shows it,
    `mutant` the known mistake the code equals, if it equals one; `states` maps the rule's state names to the code's.
    Where the code keeps its state in another form, `maps` gives the rule's state after step t in terms of the code's.
    """

    target: str
    rule: str
    status: Status
    method: str
    where: tuple[str, ...] = ()
    difference: str = ""
    apart: str = ""
    variable: str = ""
    witness: Mapping[str, str] | None = None
    mutant: str = ""
    states: Mapping[str, str] | None = None
    maps: Mapping[str, str] | None = None
    seconds: float = 0.0

    @property
    def proved(self) -> bool:
        return self.status is Status.PROVED

    def to_json(self) -> dict[str, Any]:
        """The `proof` entry of a target in the results file."""
        return {
            "status": self.status.value,
            "rule": self.rule,
            "method": self.method,
            "where": list(self.where),
            "difference": self.difference,
            "apart": self.apart,
            "variable": self.variable,
            "witness": dict(self.witness) if self.witness else None,
            "mutant": self.mutant,
        }


def prove(lifted: Lift, rule: Rule, *, mutants: Iterable[Rule] = (), tell: bool = True) -> LiftProof:
    """Whether the code `lifted` was read from follows `rule`, from every starting point, for every number of steps.

    Proved by induction: equal initial states, equal first steps, equal steps from any common state for t >= 2, all
    under the lift's path conditions. Refuted only by a run from the initial state on which the two certainly part.
    `mutants` are tried on a refutation; UNDECIDED says what could not be shown. A refutation comes with the shortest
    term by which the two differ, which takes most of the time, unless `tell` is off.
    """
    started = time.perf_counter()
    found = _prove(lifted, rule, tell)
    mutant = ""
    if found.status is Status.REFUTED:
        mutant = next((m.name for m in mutants if _prove(lifted, m, False).proved), "")
    return _with(found, mutant=mutant, seconds=time.perf_counter() - started)


def _with(proof: LiftProof, **changes: Any) -> LiftProof:
    return LiftProof(**{**{f: getattr(proof, f) for f in proof.__dataclass_fields__}, **changes})


def _prove(lifted: Lift, rule: Rule, tell: bool) -> LiftProof:
    where = (*(to_text(c) for c in lifted.path_conditions), *([lifted.scope] if lifted.scope else []))

    def proof(status: Status, method: str, **more: Any) -> LiftProof:
        return LiftProof(lifted.target, rule.name, status, method, where, **more)

    code = lifted.rule
    if code is None:
        return proof(Status.UNDECIDED, f"not lifted to a rule of one element: {lifted.stopped_by or lifted.coupled}")
    declared = _remembering(specialised(rule, lifted))
    reason = ""
    for states in _matchings(code, declared):
        failure = _induction(lifted, code, declared, states)
        if failure is None:
            return proof(Status.PROVED, "induction: initial state, first step, step from any state", states=states)
        reason = reason or failure.text
        if not failure.decision or failure.decision.status is not Status.REFUTED:
            continue
    parted = part(code, declared, {})
    if parted is None:
        return _mapped(lifted, code, declared, reason, proof)
    variable, term = difference(code, declared) if tell else ("", "")
    return proof(
        Status.REFUTED, "a run of both from the initial state", difference=term, variable=variable,
        witness=_witness(parted), apart=of_nearest(code, declared) if tell else "",
    )  # fmt: skip


def _mapped(lifted: Lift, code: Rule, declared: Rule, reason: str, proof: Callable[..., LiftProof]) -> LiftProof:
    """PROVED where a map of the code's state onto the rule's is proved to hold at every step; else UNDECIDED."""
    code, declared = statemap.solved(code), statemap.solved(declared)
    for chosen in statemap.maps(code, declared):
        failure = statemap.shown(code, declared, chosen, lifted.path_conditions)
        if not failure:
            method = "induction over mapped state: first step, step from any mapped state"
            found = proof(Status.PROVED, method, maps={m.rule.name: m.text for m in chosen})
            fixed = sorted({s.name for m in chosen for s in m.factor.free_symbols if s != t})
            kept = tuple(f"{name} the same at every step" for name in fixed)
            return _with(found, where=(*found.where, *kept), states={})
        reason = f"with {', '.join(f'{m.rule} = {m.text}' for m in chosen)}: {failure}"
    return proof(Status.UNDECIDED, reason or "the state variables do not correspond")


def _witness(parted: Parting) -> dict[str, str]:
    one, two = parted.values
    return {**parted.inputs, "step": str(parted.step), "theta of the code": repr(one), "theta of the rule": repr(two)}


def specialised(rule: Rule, lifted: Lift) -> Rule:
    """The rule with hyperparameters the code was lifted without set to the value the code had for them."""
    assert lifted.rule is not None
    known = {Symbol(n, real=True): sympy.Rational(v) for n, v in lifted.literal.items()}
    absent = {s: known[s] for s in rule.hyper if s in known and s not in lifted.rule.hyper}
    if not absent:
        return rule
    hyper = {s: d for s, d in rule.hyper.items() if s not in absent}
    step = tuple((s, sympy.sympify(e).subs(absent)) for s, e in rule.step)
    state = {s: sympy.sympify(e).subs(absent) for s, e in rule.state.items()}
    read = {s for _, e in step for s in e.free_symbols} | {s for e in state.values() for s in e.free_symbols}
    return Rule(
        rule.name, rule.cite, rule.theta, rule.grad, {s: d for s, d in hyper.items() if s in read}, state, step,
        rule.differs, maximize=rule.maximize,
    )  # fmt: skip


def _remembering(rule: Rule) -> Rule:
    """The rule without state that no line reads: a mistake that forgets leaves some, which code has no use for."""
    read = {s for e in transition(rule).values() for s in e.free_symbols}
    if not set(rule.state) - read:
        return rule
    state = {s: e for s, e in rule.state.items() if s in read}
    needed, step = {rule.theta, *state}, []
    for target, value in reversed(rule.step):  # a line may read that state too, whose value nothing has a use for
        if target in needed:
            needed = needed - {target} | symbols(value)
            step.append((target, value))
    if needed & set(rule.state) - set(state):
        return rule
    used = {s for e in (*(e for _, e in step), *state.values()) for s in symbols(e)}
    hyper = {s: values for s, values in rule.hyper.items() if s in used}
    return replace(rule, state=state, step=tuple(reversed(step)), hyper=hyper)


def _matchings(code: Rule, declared: Rule) -> Iterable[dict[str, str]]:
    """The rule's state names mapped to the code's: equal names first, the rest in every order of equal initials."""
    mine = {s.name: e for s, e in code.state.items()}
    theirs = {s.name: e for s, e in declared.state.items()}
    named = {n: n for n in theirs if n in mine}
    left = [n for n in theirs if n not in named]
    free = [n for n in mine if n not in named]
    if len(free) < len(left):
        return
    yielded = 0
    for chosen in itertools.permutations(free, len(left)):
        if all(sympy.sympify(theirs[n]) == sympy.sympify(mine[m]) for n, m in zip(left, chosen, strict=True)):
            yield {**named, **dict(zip(left, chosen, strict=True))}
            yielded += 1
            if yielded == 24:
                return


@dataclass(frozen=True)
class _Failure:
    text: str
    decision: Decision | None


def _induction(lifted: Lift, code: Rule, declared: Rule, states: Mapping[str, str]) -> _Failure | None:
    """None where all three parts are shown; else what could not be."""
    renamed = {Symbol(m, real=True): Symbol(n, real=True) for n, m in states.items()}
    renamed |= {code.theta: declared.theta, code.grad: declared.grad}
    domain = {**code.hyper, **declared.hyper}
    where = lifted.path_conditions
    mine = {s.name: sympy.sympify(e) for s, e in code.state.items()}
    for s, e in declared.state.items():
        if failure := _equal(sympy.sympify(e), mine[states[s.name]].xreplace(renamed), domain, where, f"initial {s}"):
            return failure
    after = {renamed.get(s, s).name: e.xreplace(renamed) for s, e in transition(code).items()}
    wanted = {s.name: e for s, e in transition(declared).items()}
    extra = {Symbol(m, real=True) for m in mine if m not in states.values()}
    if any(after[n].free_symbols & extra for n in wanted):
        names = ", ".join(sorted(s.name for s in extra))
        return _Failure(f"the code also remembers {names}, which the rule does not", None)
    initial = {s: sympy.sympify(e) for s, e in declared.state.items()}
    apart = any(e.has(sympy.Eq(t, 1)) for e in (*after.values(), *wanted.values()))
    if apart:
        for name in _last(wanted, declared):
            start = {**initial, sympy.Eq(t, 1): sympy.true}
            one, two = (e.xreplace(start).subs(t, 1) for e in (wanted[name], after[name]))
            if failure := _equal(one, two, domain, where, f"the first {name}"):
                return failure
        after = {n: e.xreplace({sympy.Eq(t, 1): sympy.false}) for n, e in after.items()}
        wanted = {n: e.xreplace({sympy.Eq(t, 1): sympy.false}) for n, e in wanted.items()}
    for name in _last(wanted, declared):
        if failure := _equal(wanted[name], after[name], domain, where, f"the new {name}"):
            return failure
    return None


def _last(wanted: Mapping[str, Expr], declared: Rule) -> list[str]:
    """State first: it is quick to compare, and theta is made of it."""
    return [n for n in wanted if n != declared.theta.name] + [declared.theta.name]


def _equal(
    one: Expr, two: Expr, domain: Mapping[Symbol, sympy.Set], where: tuple[sympy.Basic, ...], what: str
) -> _Failure | None:
    if one == two:
        return None
    try:
        decision = equal(one, two, domain, where)
    except TypeError as error:
        return _Failure(f"{what}: {error}", None)
    if decision.proved:
        return None
    return _Failure(f"{what}: {decision.method}", decision)


LONGER = 40
"""How many times longer than the shortest a term may be for another to be made shorter than it."""


def difference(code: Rule, declared: Rule) -> tuple[str, str]:
    """The variable whose new value departs by the shortest term, and the term: code minus rule, from a common state."""
    after = {s.name: e for s, e in transition(code).items()}
    both = [(n, (after[n], e)) for n, e in ((s.name, e) for s, e in transition(declared).items()) if n in after]
    apart = [(n, *(e.xreplace({sympy.Eq(t, 1): sympy.false}) for e in pair)) for n, pair in both]
    terms = [(one - two, name) for name, one, two in apart if one != two]
    found: list[tuple[int, str, str]] = []
    for long, name in sorted(terms, key=lambda one: one[0].count_ops()):
        if found and long.count_ops() > LONGER * max(1, min(found)[0]):
            break  # what is so much longer as it stands will not be the shortest
        if (term := _tidy(long)) != 0:
            found.append((term.count_ops(), name, to_text(term)))
    if not found:
        start = {s.name: e for s, e in declared.state.items()}
        for s, e in code.state.items():
            if sympy.sympify(e) != sympy.sympify(start.get(s.name, e)):
                return f"initial {s}", to_text(sympy.sympify(e) - sympy.sympify(start[s.name]))
        return declared.theta.name, "not expressible as one term over a common state"
    return min(found)[1:]


def _tidy(term: Expr) -> Expr:
    """A difference as short as cheap rewriting makes it."""
    if term.count_ops() > 400:
        return term
    expanded = sympy.expand(term)
    candidates = [term, expanded]
    if expanded.count_ops() <= 400:  # what makes a long sum shorter takes minutes
        candidates.append(sympy.factor_terms(expanded))
    if not term.has(sympy.Piecewise, sympy.Max, sympy.Min) and term.count_ops() < 120:
        candidates.append(sympy.factor(sympy.together(term)))
    return min(candidates, key=lambda e: e.count_ops())
