"""Laws of a rule, and their proofs: proved for all real values, refuted with a witness, or undecided."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy import Expr, Integer, Symbol

from verifier.equality import normal
from verifier.equality.normal import Decision, Domain, Status, equal
from verifier.evidence import Strength
from verifier.printing import to_latex, to_text
from verifier.rule import Rule, defined_from, invariants, t, transition
from verifier.tidy import tidy


@dataclass(frozen=True)
class FollowUp:
    """The law as test source: the arguments of `cases` after the rule, and the lines of the test's body."""

    cases: str
    body: tuple[str, ...]


@dataclass(frozen=True)
class Goal:
    """One thing to be shown: `left` `relation` `right` over `domain`, where the conditions of `where` hold.

    The relation is "==", ">=" or, for a claim that two things differ somewhere, "!=".
    """

    says: str
    left: Expr
    right: Expr
    relation: str = "=="
    domain: Domain = field(default_factory=dict)
    where: tuple[sympy.Basic, ...] = ()


@dataclass(frozen=True)
class Decided:
    """A goal that was settled by other means than comparing two expressions, such as solving an equation."""

    says: str
    decision: Decision


@dataclass(frozen=True, eq=False)
class Law:
    """What follows from a rule, said in words, as a formula, and as a test.

    `goals` gives what must be shown of a rule for the law to hold of it: of `of`, to prove the law, or of a mistaken
    rule, which the law should reject. A law without goals is a contract: documentation states it, no formula does.
    `where` says under which conditions the law holds. A law without `follow_up` is algebra alone and has no test.
    """

    name: str
    rule: str
    says: str
    claim: str
    follow_up: FollowUp | None
    where: tuple[str, ...] = ()
    because: str = ""
    strength: Strength = Strength.HELD
    formula: sympy.Basic | None = None
    of: Rule | None = None
    goals: Callable[[Rule], Iterable[Goal | Decided]] | None = None

    @property
    def id(self) -> str:
        return f"{self.rule}.{self.name}"

    @property
    def latex(self) -> str:
        """The formula as LaTeX, or the claim as LaTeX text."""
        return to_latex(self.formula) if self.formula is not None else rf"\text{{{self.claim}}}"


@dataclass(frozen=True)
class Inapplicable:
    """A family that says nothing of a rule, and why."""

    reason: str


@dataclass(frozen=True)
class Proof:
    """What is known of a law: the status, how it was found, and for a refutation the point and both values there."""

    law: str
    status: Status
    method: str
    witness: Mapping[str, str] | None = None
    where: tuple[str, ...] = ()
    difference: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The `proof` record of an evidence file."""
        return {
            "kind": "proof",
            "law": self.law,
            "status": self.status.value,
            "method": self.method,
            "witness": dict(self.witness) if self.witness else None,
            "where": list(self.where),
            "difference": self.difference,
            "seconds": self.seconds,
        }


def decide(goal: Goal | Decided) -> Decision:
    """Whether one goal holds; for "!=" the witness is the proof."""
    if isinstance(goal, Decided):
        return goal.decision
    if goal.relation == ">=":
        return normal.nonnegative(goal.left - goal.right, goal.domain, goal.where)
    found = equal(goal.left, goal.right, goal.domain, goal.where)
    if goal.relation == "==":
        return found
    turned = {Status.PROVED: Status.REFUTED, Status.REFUTED: Status.PROVED}
    return Decision(turned.get(found.status, found.status), found.method, found.witness, found.difference)


def prove(law: Law, rule: Rule | None = None) -> Proof:
    """The proof of `law` for the rule it was derived from, or for another rule that claims to be that one.

    No goals: STATED. All goals proved: PROVED. One refuted: REFUTED, with its witness. Otherwise UNDECIDED, naming
    the goals left.
    """
    started = time.perf_counter()

    def proof(status: Status, method: str, **found: Any) -> Proof:
        return Proof(law.id, status, method, where=law.where, seconds=time.perf_counter() - started, **found)

    subject = rule or law.of
    if law.goals is None or subject is None:
        return proof(Status.STATED, "stated")
    methods: dict[str, None] = {}
    left: list[str] = []
    witness: Mapping[str, str] | None = None
    difference = ""
    count = 0
    for goal in law.goals(subject):
        count += 1
        found = decide(goal)
        if found.status is Status.REFUTED:
            text = f"{goal.says}: {found.difference or 'the two sides are equal'}"
            return proof(Status.REFUTED, found.method, witness=found.witness, difference=text)
        if found.status is Status.UNDECIDED:
            left.append(f"{goal.says} ({found.method})")
        elif found.witness:
            witness, difference = found.witness, f"{goal.says}: {found.difference}"
        methods[found.method] = None
    if left or not count:
        return proof(Status.UNDECIDED, "undecided", difference="; ".join(left) or "the law has no goal")
    return proof(Status.PROVED, ", ".join(methods), witness=witness, difference=difference)


def refuted(law: Law, rule: Rule) -> bool:
    """Whether exact evaluation at a few points refutes `law` of a rule that is claimed to be the one it follows from.

    Says what `prove` says of a refuted law, without trying to prove one that is not.
    """
    for goal in law.goals(rule) if law.goals is not None else ():
        if isinstance(goal, Decided):
            if goal.decision.status is Status.REFUTED:
                return True
        elif goal.relation == "!=":
            if decide(goal).status is Status.REFUTED:
                return True
        elif normal.counterexample(goal.left, goal.right, goal.domain, goal.where, goal.relation) is not None:
            return True
    return False


# -- what laws are built from

N = Symbol("n", integer=True, nonnegative=True)
"""The number of steps taken, in closed forms and inductions."""


def domain_of(rule: Rule, **more: sympy.Set) -> dict[Symbol, sympy.Set]:
    """The sets the hyperparameters and, by induction, the state variables range over."""
    named = {rule.symbol(name): values for name, values in more.items()}
    return {**rule.hyper, **invariants(rule), **named}


def first_gradient(rule: Rule) -> Symbol:
    """The symbol of the first step's gradient, as `unroll` names it."""
    return Symbol(f"{rule.grad.name}_1", real=True)


def after(rule: Rule, values: Mapping[Symbol, Expr], step: Expr | int | None = None) -> dict[Symbol, Expr]:
    """theta and state after one step from `values` (grad, state, theta, hyperparameters), `step` being its number."""
    number = t if step is None else sympy.sympify(step)
    known = {s: sympy.sympify(e) for s, e in values.items()}
    return {s: e.xreplace({**known, t: number}) for s, e in transition(rule).items()}


def start(rule: Rule, values: Mapping[Symbol, Expr] | None = None) -> dict[Symbol, Expr]:
    """The state before the first step, with `values` put in for symbols."""
    known = {s: sympy.sympify(e) for s, e in (values or {}).items()}
    return {s: sympy.sympify(e).xreplace(known) for s, e in rule.state.items()}


def first_step(rule: Rule, values: Mapping[Symbol, Expr]) -> dict[Symbol, Expr]:
    """theta and state after the first step, from the initial state, with `values` put in for symbols."""
    return after(rule, {**start(rule, values), **values}, 1)


def needs(rule: Rule, values: Mapping[Symbol, Expr], step: Expr | int | None = None) -> tuple[sympy.Basic, ...]:
    """The conditions under which a step from `values` is defined, less what the domain implies."""
    number = t if step is None else sympy.sympify(step)
    known = {s: sympy.sympify(e) for s, e in values.items()}
    found = [condition.subs(t, number).xreplace(known) for condition in defined_from(rule)]
    return normal.unmet(found, domain_of(rule))


def same_named(rule: Rule, other: Rule, symbols: Iterable[Symbol]) -> list[Symbol]:
    """Those of `symbols` that are state variables of `other` too: a mistaken rule may lack one."""
    return [s for s in symbols if s in other.state and s in rule.state]


def shown(conditions: Iterable[sympy.Basic], domain: Domain) -> tuple[str, ...]:
    """Conditions as text, each once, in the shortest form."""
    found: dict[str, None] = {}
    for condition in conditions:
        if isinstance(condition, sympy.core.relational.Relational) and condition.rhs == 0:
            left = tidy(condition.lhs, domain)
            found[to_text(condition.func(left, 0) if left.free_symbols else condition)] = None
        else:
            found[to_text(condition)] = None
    return tuple(found)


def applied(name: str, *args: Expr | int) -> Expr:
    """name(args) as an unevaluated function, for formulas about whole runs."""
    return sympy.Function(name)(*(Integer(a) if isinstance(a, int) else a for a in args))
