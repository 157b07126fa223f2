"""The rules a class's code performs, as it writes them: one for each setting of its switches, read when asked for.

A form is lifted from the very code whose steps it is to enclose, so it arranges its operations as that code does. The
form of another implementation than the for-loop, or one that is to stand for a declared rule, is taken only where
induction proves it to be that rule: a form that was read out of a mistake must not excuse it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sympy import Add, Basic, Expr, Mul, Ne, Rational, Symbol, sympify, true

from verifier.lift import induction, keywords, schedule
from verifier.lift import lifted as lifts
from verifier.rule import Rule, RuleError, shared
from verifier.subjects.torch_signature import Signature


@dataclass(frozen=True, eq=False)
class Form:
    """A rule, and the names of the state that means in the code what it means in the rule."""

    rule: Rule
    states: frozenset[str]
    captured: frozenset[str] = frozenset()  # rates kept from the construction: held while nothing changes them


class Forms:
    """The forms of one class. `args` are constructor arguments given by the person who asks.

    `known` are `readings` of the same class that another process read.
    """

    def __init__(
        self, signature: Signature, args: Mapping[str, Any] | None = None, known: Mapping[Any, Any] | None = None
    ) -> None:
        self._signature = signature
        self._args = {**signature.fixed, **(args or {})}  # what is required and never drawn is no symbol
        self._lifts: dict[Any, lifts.Lift | None] = dict(known or {})
        self._forms: dict[Any, Form | None] = {}

    @property
    def readings(self) -> dict[Any, lifts.Lift | None]:
        """What was read so far, without the expressions it was read from: plain data, which can be sent."""
        return {key: read and replace(read, nodes={}, steps=None) for key, read in self._lifts.items()}

    def know(self, readings: Mapping[Any, lifts.Lift | None]) -> None:
        """Takes over what another process read of the same class."""
        self._lifts = {**readings, **self._lifts}

    def of(
        self,
        implementation: str,
        hyper: Mapping[str, float],
        rule: Rule | None = None,
        later: Sequence[Mapping[str, float]] = (),
    ) -> Iterator[Form]:
        """The forms that stand for `implementation` under `hyper`: the for-loop's, then its own where proved equal.

        They also hold under the options of `later`, which a schedule brings. Each is read when it is asked for.

        With `rule`, those that are proved to be that rule. None where nothing could be read, or only under
        conditions on its inputs.
        """
        loop = self._form("forloop", hyper, rule, later)
        if loop is not None:
            yield loop
        against = rule if rule is not None else loop.rule if loop is not None else None
        if implementation != "forloop" and against is not None:
            own = self._form(implementation, hyper, against, later)
            if own is not None:
                yield own

    def lift(
        self, implementation: str, hyper: Mapping[str, float], extra: Mapping[str, Any] | None = None
    ) -> lifts.Lift | None:
        """What was read out of one implementation under the switches of `hyper`; None where nothing was.

        Numbers stay symbolic, apart from those that are 0, at which code branches.
        """
        options = {**self._switches(hyper), **(extra or {})}
        zeros = {
            o.argument for o in self._signature.options if o.kind == "float" and o.place is None and not hyper[o.name]
        }
        key = (implementation, tuple(sorted(options.items())), frozenset(zeros))
        if key not in self._lifts:
            self._lifts[key] = self._read(implementation, options, zeros)
        return self._lifts[key]

    def _switches(self, hyper: Mapping[str, float]) -> dict[str, Any]:
        """The constructor's arguments that are no numbers to be read symbolically, where they are not the default."""
        return {
            o.argument: o.plain(hyper[o.name])
            for o in self._signature.options
            if o.kind != "float" and o.place is None and hyper[o.name] != o.default
        }

    def _read(self, implementation: str, options: Mapping[str, Any], zeros: set[str]) -> lifts.Lift | None:
        known = self._signature
        off = {o.argument for o in known.options if o.kind == "float" and o.place is None and o.default == 0}
        shapes = None if known.least_dimensions < 2 else ((2, 2),)
        given: dict[str, Any] = {**dict.fromkeys(zeros, 0.0), **options}
        if implementation == "differentiable":
            given |= {"differentiable": True}
        try:
            read = lifts.lift(
                known.build,
                "foreach" if implementation == "foreach" else "forloop",
                symbolic=sorted(off - zeros - set(keywords.DECAY_NAMES)),
                shapes=shapes,
                args=self._args,
                name=known.name,
                told=False,
                **given,
            )
        except (Exception, SystemExit):  # foreign code under an interpreter: nothing is read, whatever it raises
            return None
        return read if read.status != "opaque" else None

    def _form(
        self, implementation: str, hyper: Mapping[str, float], rule: Rule | None, later: Sequence[Mapping[str, float]]
    ) -> Form | None:
        """The form read under the first of the options that holds under all of them; None where there is none."""
        every = (hyper, *later)
        return next(
            (form for one in every if (form := self._under(implementation, one, rule, every)) is not None), None
        )

    def _under(
        self, implementation: str, hyper: Mapping[str, float], rule: Rule | None, every: Sequence[Mapping[str, float]]
    ) -> Form | None:
        if implementation == "fused":
            return None  # one kernel, with nothing to be read in it
        read = self.lift(implementation, hyper)
        if (
            read is None
            or read.rule is None
            or read.coupled
            or read.scope
            or not all(self._holds(read, one) for one in every)
        ):
            return None
        key = (id(read), rule.name if rule is not None else "")
        if key not in self._forms:
            self._forms[key] = _form(read, rule)
        return self._forms[key]

    def _holds(self, read: lifts.Lift, hyper: Mapping[str, float]) -> bool:
        """Whether `hyper` meets every condition the form was read under, on symbols and on numbers that are none."""
        assert read.rule is not None
        symbols = {s.name for s in read.rule.hyper}
        values = {Symbol(name, real=True): Rational(value) for name, value in hyper.items() if math.isfinite(value)}
        as_read = {o.name: o.default for o in self._signature.options if o.whole and o.default}  # as -1, no symbol
        return all(
            value == hyper[name]
            for name, value in {**as_read, **read.literal}.items()
            if name in hyper and name not in symbols
        ) and all(
            condition.subs(values) == true or self._spares_one_step(condition, hyper)
            for condition in read.path_conditions
        )

    def _spares_one_step(self, condition: Basic, hyper: Mapping[str, float]) -> bool:
        """Whether a condition excepts one step, by a number in the code that no option has: then it is that step's.

        A first step that differs begins the state; what begins at a step of its own has an option that says when.
        """
        if not isinstance(condition, Ne) or {s.name for s in condition.free_symbols} != {"t"}:
            return False
        numbers = [side for side in condition.args if side.is_Integer]
        known = {*hyper.values(), *(v for o in self._signature.options for v in (o.default, *o.values))}
        return any(number > 1 and not {int(number) - 1, int(number), int(number) + 1} & known for number in numbers)


def _form(read: lifts.Lift, rule: Rule | None) -> Form | None:
    assert read.rule is not None
    if rule is not None:
        try:
            proved = induction.prove(read, rule).proved
        except (RuleError, ArithmeticError, ValueError, TypeError):  # not comparable, so not shown to be equal
            proved = False
        if not proved:
            return None
    at_rest = resting(read)
    states = frozenset(s.name for s in at_rest.state) - {s.name for s in shared(at_rest)}
    return Form(mixed(at_rest), states, frozenset(read.captured))


def resting(read: lifts.Lift) -> Rule:
    """The rule while no rate is changed: the first lines take those kept from the construction from the rates.

    Written so, lr * (wd / lr_initial) is not folded to wd, which the code does not compute.
    """
    assert read.rule is not None
    first = {Symbol(schedule.initial(n).args[0], real=True): Symbol(n, real=True) for n in read.captured}
    hyper = {first.get(s, s): d for s, d in read.rule.hyper.items()}
    return replace(read.rule, hyper=hyper, step=(*first.items(), *read.rule.step))


def mixed(rule: Rule) -> Rule:
    """The rule with (1 - b)*y written where it is used, so that b*x + (1 - b)*y is seen to be a mixture again.

    Code that computes a mixture may round it as a lerp does; a line of its own for one of the terms would hide that.
    """
    common = shared(rule)
    kept = {rule.theta, *rule.state}
    lines: list[tuple[Symbol, Expr]] = []
    inside: dict[Symbol, Expr] = {}
    for number, (target, value) in enumerate(rule.step):
        written = sympify(value).xreplace(inside)
        weights = [f for f in Mul.make_args(written) if isinstance(f, Add) and f.free_symbols <= common]
        uses = [k for k, (_, other) in enumerate(rule.step) if target in sympify(other).free_symbols]
        changed = {s for s, _ in rule.step[number : max(uses, default=number)]}  # before it is used for the last time
        if target not in kept and target not in common and weights and not written.free_symbols & changed:
            inside[target] = written
        else:
            lines.append((target, written))
    return replace(rule, step=tuple(lines)) if inside else rule
