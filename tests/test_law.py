"""Laws and proofs: the three outcomes, what a refutation shows, and what a proof needs."""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Abs, Eq, Integer, Piecewise, Symbol

from verifier import rules
from verifier.equality.normal import Decision, Status
from verifier.law import Decided, FollowUp, Goal, Law, domain_of, first_step, needs, prove, shown, start
from verifier.rule import Rule, defined_where, invariants
from verifier.rules.symbols import eps, g, lr, theta, weight_decay

x = Symbol("x", real=True)


def law_of(*goals: Goal | Decided) -> Law:
    """A law of SGD with the given goals, whatever rule is asked about."""

    def made(rule: Rule) -> Iterator[Goal | Decided]:
        yield from goals

    return Law("example", "sgd", "says", "claim", None, of=rules.get("sgd"), goals=made)


def test_a_law_is_proved_when_every_goal_is() -> None:
    """All goals equal by normal form: PROVED, naming the method."""
    proof = prove(law_of(Goal("a", (x + 1) ** 2, x**2 + 2 * x + 1), Goal("b", Abs(x), Integer(0), ">=")))

    assert Status.PROVED == proof.status
    assert "sgd.example" == proof.law
    assert "normal form, signs of the parts" == proof.method


def test_one_false_goal_refutes_a_law_with_its_witness() -> None:
    """The point and both values are part of the proof."""
    proof = prove(law_of(Goal("fine", x, x), Goal("the wrong one", x + 1, x)))

    assert Status.REFUTED == proof.status
    assert proof.witness is not None
    assert proof.difference.startswith("the wrong one: ")


def test_an_undecided_goal_leaves_a_law_undecided() -> None:
    """Undecided is a status of its own, never a pass; the goal that is left is named."""
    almost = Piecewise((x + 1, Eq(x, 5)), (x, True))

    proof = prove(law_of(Goal("fine", x, x), Goal("nearly", almost, x)))

    assert Status.UNDECIDED == proof.status
    assert "nearly" in proof.difference


def test_a_law_without_goals_is_stated_or_undecided() -> None:
    """A contract is STATED; a law whose goals turn out to be none is not proved by that."""
    contract = Law("groups", "sgd", "says", "", FollowUp("", ("check.groups_as_alone(subject, case)",)))

    assert Status.STATED == prove(contract).status
    assert Status.UNDECIDED == prove(law_of()).status


def test_inequality_is_proved_by_its_witness() -> None:
    """That two things differ somewhere is proved by a point, and refuted by a proof that they are equal."""
    proved = prove(law_of(Goal("differ", x, x**2, "!=")))
    refuted = prove(law_of(Goal("differ", (x + 1) ** 2, x**2 + 2 * x + 1, "!=")))

    assert (Status.PROVED, Status.REFUTED) == (proved.status, refuted.status)
    assert proved.witness is not None


def test_a_goal_settled_elsewhere_counts_as_decided_there() -> None:
    """A decision by other means is taken as it is."""
    decision = Decision(Status.REFUTED, "solved", {"weight_decay": "2 * lam"}, "weight_decay = 2 * lam does")

    assert Status.REFUTED == prove(law_of(Decided("no value", decision))).status


def test_zero_over_zero_plus_eps_keeps_its_condition() -> None:
    """With g = 0 AdamW divides 0 by eps: sympy forgets it, the law's condition does not."""
    rule = rules.get("adamw")
    zero = {g: Integer(0)}
    first = first_step(rule, zero)[theta]

    assert eps not in first.free_symbols  # what sympy did
    assert (sympy.Ne(eps, 0),) == needs(rule, {**start(rule), **zero}, 1)
    assert ("eps != 0",) == shown(needs(rule, {**start(rule), **zero}, 1), domain_of(rule))


def test_conditions_name_the_lines_of_the_rule() -> None:
    """A rule's conditions are written with the names its lines assign, and leave out what always holds."""
    assert (sympy.Ne(Symbol("denom", real=True), 0),) == defined_where(rules.get("adamw"))
    assert () == defined_where(rules.get("sgd"))


def test_invariants_are_found_by_induction() -> None:
    """Second moments are never negative, products of factors below one stay in [0, 1]; nothing is said of the rest."""
    nadam = rules.get("nadam")
    found = {s.name: values for s, values in invariants(nadam).items()}

    assert {"exp_avg_sq": sympy.Interval(0, sympy.oo), "mu_product": sympy.Interval(0, 1)} == found


def test_an_invariant_that_one_step_breaks_is_not_claimed() -> None:
    """A state that starts in a set and leaves it has no invariant there."""
    s = Symbol("s", real=True)
    rule = Rule(
        name="leaves",
        cite="made up",
        theta=theta,
        grad=g,
        hyper={lr: sympy.Interval(0, 1), weight_decay: sympy.Interval(0, 1)},
        state={s: Integer(0)},
        step=((s, s + weight_decay - g), (theta, theta - lr * s)),
    )

    assert {} == invariants(rule)
