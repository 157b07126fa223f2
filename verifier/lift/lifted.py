"""`lift`: an optimizer class in, the rule its code performs out, with what it assumes and what stopped it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sympy
from sympy import Interval, S, Symbol

from verifier.lift import checks, construct, expr, schedule
from verifier.lift.attempts import attempts
from verifier.lift.beyond import FAR, released
from verifier.lift.checks import coupled_by, renaming
from verifier.lift.construct import Recipe
from verifier.lift.explore import Explored, explore
from verifier.lift.expr import Node
from verifier.lift.generic_state import T
from verifier.lift.lines import Step, lines
from verifier.lift.observe import Stuck, Variable
from verifier.lift.ranges import ranges
from verifier.lift.replay import first_step, replayed
from verifier.lift.same import same, same_but_for_constants
from verifier.lift.semantics import weight_decay_semantics
from verifier.lift.symbolic import to_sympy
from verifier.printing import to_text
from verifier.rule import Rule, RuleError

_READABLE = 60  # operations up to which an expression is written out for a person


@dataclass(frozen=True, eq=False)
class Lift:
    """What was read out of an optimizer's code.

    `status` is 'lifted' (the whole step), 'partial' (some of it, `stopped_by` names the first op that was not
    followed) or 'opaque' (nothing usable). `rule` is None unless the step is the same for every element.
    """

    target: str
    implementation: str
    status: str
    rule: Rule | None
    path_conditions: tuple[sympy.Basic, ...] = ()
    path_sites: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()
    weight_decay: str = "unknown"
    decay_symbol: str = ""
    decay_words: str = ""  # what the decay does, in a sentence
    ops: int = 0
    stopped_by: str | None = None
    hyper: Mapping[str, float] = field(default_factory=dict)  # symbolic hyperparameters and their defaults
    literal: Mapping[str, float] = field(default_factory=dict)  # numeric ones left at a value
    fixed: Mapping[str, Any] = field(default_factory=dict)  # constructor options as given
    formula: str = ""
    checked: int = 0  # values of the real code the lift was compared with
    scope: str = ""  # parameters the rule holds for, where it does not hold for all
    coupled: str = ""  # '', 'elements' or 'tensors': what else an element's step reads; 'places': see `coupled_by`
    seconds: float = 0.0
    domain: Mapping[Symbol, sympy.Set] = field(default_factory=dict)
    captured: tuple[str, ...] = ()  # rates of which the step reads the value from construction, as <name>_initial
    nodes: Mapping[str, Node] = field(default_factory=dict, repr=False)  # variable -> its value after a step
    steps: Explored | None = field(default=None, repr=False)

    @property
    def at_rest(self) -> Rule | None:
        """The rule while no scheduler changes a rate: what was captured at construction is the rate itself."""
        if self.rule is None or not self.captured:
            return self.rule
        now = {Symbol(schedule.initial(n).args[0], real=True): Symbol(n, real=True) for n in self.captured}
        step = tuple((s, sympy.sympify(e).xreplace(now)) for s, e in self.rule.step)
        hyper = {now.get(s, s): d for s, d in self.rule.hyper.items()}
        return replace(self.rule, hyper=hyper, step=step)

    def to_json(self) -> dict[str, Any]:
        """The `lift` entry of a target in the results file, and the decay semantics beside it."""
        return {
            "target": self.target,
            "weight_decay": self.weight_decay,
            "lift": {
                "status": self.status,
                "formula": self.formula,
                "stopped_by": self.stopped_by,
                "implementation": self.implementation,
                "ops": self.ops,
                "path_conditions": [str(c) for c in self.path_conditions],
                "checked_values": self.checked,
            },
        }


def lift(
    target: str | Callable[..., Any],
    implementation: str = "forloop",
    *,
    symbolic: Iterable[str] = (),
    shapes: Sequence[Sequence[int]] | None = None,
    tensor: Iterable[str] = (),
    args: Mapping[str, Any] | None = None,
    name: str = "",
    beyond: str = "",
    told: bool = True,
    **options: Any,
) -> Lift:
    """The rule that the code of `target` performs, checked numerically against that code before it is returned.

    `target` is a class, 'pkg.mod:Class' or 'path/file.py:Class'. Options go to the constructor: a number other than
    0 makes that hyperparameter symbolic, 0, a bool or None is passed on. `symbolic` names further hyperparameters,
    `tensor` those to pass as 0-dim tensors, `args` what to pass on literally; `beyond` is one that is larger than all
    that the step compares it with. Where it is not to be `told` to anybody, its decay is left unknown and its formula
    unwritten. UsageError for a target that is not there or an option it does not have; construct.Question for a
    required argument nothing is known of.
    """
    started = time.perf_counter()
    recipe = construct.recipe(
        target, implementation, symbolic=symbolic, shapes=shapes, tensor=tensor, args=args, **options
    )
    if beyond:
        far = (replace(h, default=FAR) if h.name == beyond else h for h in recipe.hypers)
        recipe = replace(recipe, hypers=tuple(far), beyond=beyond)
    return replace(lift_recipe(recipe, implementation, name, told=told), seconds=time.perf_counter() - started)


def lift_recipe(recipe: Recipe, implementation: str = "forloop", name: str = "", *, told: bool = True) -> Lift:
    """The lift of an optimizer built by `recipe`."""
    started = time.perf_counter()
    ranges.clear()
    try:
        made = _lift(recipe, implementation, name, told=told)
    finally:
        ranges.clear()
    return replace(made, seconds=time.perf_counter() - started)


def _explored(recipe: Recipe) -> tuple[Recipe, Explored, Any]:
    """Explores; where the optimizer refuses what it is given, with other parameters or nearly default numbers."""
    refused: list[Stuck] = []
    for changed, generic in attempts(recipe, lambda: str(refused[0])):
        try:
            return changed, explore(changed, same, generic), generic
        except Stuck as error:
            refused.append(error)
            if str(error).startswith("unchangeable"):
                break
    raise next((e for e in refused if not str(e).startswith("constructor")), refused[0])  # the one that came furthest


def _lift(recipe: Recipe, implementation: str, name: str, *, told: bool) -> Lift:
    base: dict[str, Any] = {
        "target": recipe.target,
        "implementation": implementation,
        **construct.given(recipe),
    }
    try:
        recipe, explored, generic = _explored(recipe)
    except Stuck as error:
        return Lift(**base, status="opaque", rule=None, stopped_by=str(error))
    main = explored.main
    base.update(construct.given(recipe))
    kept = schedule.kept([*explored.results.values(), *(c.node for c in explored.assumed)])
    base.update(
        ops=main.ops,
        path_conditions=tuple(_condition(c.assumed) for c in explored.assumed),
        path_sites=tuple(str(c.site) for c in explored.assumed),
        covered=tuple(str(_condition(c.node)) for c in explored.covered),
        domain=domain(recipe, kept),
        captured=kept,
        steps=explored,
    )
    late = sorted({"_".join(path[1:]) for run in explored.runs for path in run.late})
    if late:
        wrong = f"state that does not begin with the first step: {', '.join(late)}"
        return Lift(**base, status="partial", rule=None, stopped_by=wrong)
    unknown = expr.opaque_leaves(*explored.results.values())
    if unknown:
        op, site = main.opaque[0] if main.opaque else (unknown[0].args[0], "")
        theta = [n for k, n in explored.results.items() if k.startswith("theta ")]
        whole = all(n.op == "opaque" for n in theta)
        return Lift(**base, status="opaque" if whole else "partial", rule=None, stopped_by=f"{op} at {site}")
    start = expr.opaque_leaves(*(n for nodes in main.theta_first for n in nodes))
    if start:
        return Lift(**base, status="partial", rule=None, stopped_by=f"{main.opaque[0][0]} at {main.opaque[0][1]}")
    wrong, checked = checks.check(explored)
    if wrong:
        return Lift(**base, status="partial", rule=None, stopped_by=wrong, checked=checked)
    if recipe.beyond:
        far = released(explored, recipe.beyond)
        if far is None:
            wrong = f"a step reads {recipe.beyond} however large it is"
            return Lift(**base, status="partial", rule=None, stopped_by=wrong, checked=checked)
        explored, main = far, far.main
        base.update(path_conditions=tuple(_condition(c.assumed) for c in explored.assumed), steps=explored)
        base.update(path_sites=tuple(str(c.site) for c in explored.assumed))
    if checks.idle(explored):
        wrong = "read in double precision, its steps leave the parameters as they were"
        return Lift(**base, status="partial", rule=None, stopped_by=wrong, checked=checked)
    coupled = coupled_by(main, explored, apart=recipe.path in ("groups", "options"))
    if coupled:
        wrong, more = first_step(recipe, main)
        if wrong:
            return Lift(**base, status="partial", rule=None, stopped_by=wrong, checked=checked + more)
        checked += more
        found = Lift(**base, status="lifted", rule=None, coupled=coupled, checked=checked)
        if not told:
            return found
        return replace(found, formula=_matrix_formula(explored), **_decay(explored.results, base["hyper"]))
    try:
        rule, nodes = _rule(recipe, explored, name or _rule_name(recipe))
    except RuleError as error:
        wrong = f"what a step does to an element depends on more than its options and its state: {error}"
        return Lift(**base, status="partial", rule=None, stopped_by=wrong, checked=checked)
    except _NoInitial as error:
        return Lift(**base, status="partial", rule=None, stopped_by=str(error), checked=checked)
    wrong, more = checks.check_other_shapes(recipe, explored, generic)
    if wrong:
        return Lift(**base, status="partial", rule=None, stopped_by=wrong, checked=checked + more)
    wrong, again = replayed(recipe, rule, base["path_conditions"], generic)
    if wrong:
        return Lift(**base, status="partial", rule=None, stopped_by=wrong, checked=checked + more + again)
    more += again
    kept = schedule.kept([*nodes.values(), *(c.node for c in explored.assumed)])
    base.update(captured=kept, domain=domain(recipe, kept))
    scope = checks.scope(recipe, explored, generic)
    found = Lift(**base, status="lifted", rule=rule, checked=checked + more, nodes=nodes, scope=scope)
    if not told:
        return found
    formula = "; ".join(f"{s} = {to_text(e)}" for s, e in rule.step)
    return replace(found, formula=formula, **_decay(nodes, base["hyper"]))


def _decay(nodes: Mapping[str, Node], hyper: Iterable[str]) -> dict[str, Any]:
    """What a lift says of its decay, while no scheduler changes a rate."""
    at_rest = dict(zip(nodes, expr.rebuild(nodes.values(), schedule.merged()), strict=True))
    decay = weight_decay_semantics(at_rest, hyper)
    return {"weight_decay": decay.kind, "decay_symbol": decay.symbol, "decay_words": decay.words}


def _condition(node: Node) -> sympy.Basic:
    """A branch as a sympy condition; a symbol that says how long it is, where nobody would read it."""
    count = expr.size(node)
    return to_sympy([node])[0] if count <= _READABLE else Symbol(f"a condition of {count} operations")


class _NoInitial(Exception):
    """A state variable whose value before the first step could not be seen."""


def _rule_name(recipe: Recipe) -> str:
    name = recipe.target.rpartition(":")[2].rpartition(".")[2].lower()
    return name if name.isidentifier() else "lifted"


def domain(recipe: Recipe, kept: Iterable[str] = ()) -> dict[Symbol, sympy.Set]:
    """What each hyperparameter ranges over: the constructor's own checks; non-negative where there is none.

    `kept` names those whose initial values are hyperparameters as well.
    """
    found: dict[Symbol, sympy.Set] = {}
    for h in recipe.hypers:
        r = ranges.get(expr.sym(h.name))
        low = S.Zero if r is None or r.low is None else sympy.Rational(r.low.numerator, r.low.denominator)
        high = S.Infinity if r is None or r.high is None else sympy.Rational(r.high.numerator, r.high.denominator)
        if r is not None and r.low is None and r.high is not None and r.high <= 0:
            low = S.NegativeInfinity
        found[Symbol(h.name, real=True)] = Interval(low, high, bool(r and r.low_open), bool(r and r.high_open))
    initial = {Symbol(schedule.initial(n).args[0], real=True): Symbol(n, real=True) for n in kept}
    return found | {s: found[now] for s, now in initial.items() if now in found}


def _matrix_formula(explored: Explored) -> str:
    node = explored.results["theta 0 0"]
    if expr.size(node) > _READABLE:
        return f"theta[0] after a step is an expression of {expr.size(node)} operations over all elements"
    return f"theta[0] = {to_text(to_sympy([node])[0])}"


def _rule(recipe: Recipe, explored: Explored, name: str) -> tuple[Rule, dict[str, Node]]:
    """The step of element 0 as a rule (initial state, lines, the first step apart where it differs), and as nodes."""
    main = explored.main
    tensor = recipe.tensor_read
    shape = main.shapes[tensor]
    kept = {n.split(" ")[0] for n in checks.remembered(explored)}
    variables = [v for v in main.variables if v.owner in (tensor, None) and not v.counter and v.name in kept]
    table = renaming(variables, shape, tensor, 0)
    names = [v.name for v in variables]
    keys = [f"{v.name} {-1 if v.owner is None else v.owner} 0" for v in variables]
    new = dict(zip(["theta", *names],
                   expr.rebuild([explored.results[f"theta {tensor} 0"], *(explored.results[k] for k in keys)], table),
                   strict=True))  # fmt: skip
    first = dict(zip(["theta", *names],
                     expr.rebuild([main.theta_first[tensor][0], *(v.first[0] for v in variables)], table),
                     strict=True))  # fmt: skip
    used = _needed(new)
    variables = [v for v in variables if v.name in used]
    new = {n: e for n, e in new.items() if n in used}
    first = {n: e for n, e in first.items() if n in used}
    initial = _initial(variables, new, first, table)
    constants = {n for n in initial if new[n] is expr.sym(n, (0, 0)) and first[n] is initial[n]}
    moving = expr.sym("theta", (0, 0))
    constants -= {n for n in constants if moving in expr.symbols(initial[n])}  # theta moves on, what it was does not
    if constants:
        before = schedule.names(main.changed)
        fold = {expr.sym(n, (0, 0)): expr.rebuild([initial[n]], before)[0] for n in constants}
        new = {n: expr.rebuild([e], fold)[0] for n, e in new.items() if n not in constants}
        first = {n: e for n, e in first.items() if n not in constants}
        initial = {n: e for n, e in initial.items() if n not in constants}
    decided = {c.node: expr.TRUE if c.holds else expr.FALSE for c in main.first_conditions}
    start = {expr.sym(n, (0, 0)): e for n, e in initial.items()} | {T: expr.ONE} | decided
    start |= schedule.merged(main.changed)
    uniform = True
    for n, e in zip(new, expr.rebuild(list(new.values()), start), strict=True):
        e = expr.rebuild([e], decided)[0]
        uniform = uniform and (e is first[n] or same(e, first[n]) or same_but_for_constants(e, first[n]))
    olds = {n: expr.sym(n, (0, 0)) for n in new}
    ordered = {n: new[n] for n in (*[m for m in new if m != "theta"], "theta")}
    program = lines(Step(ordered, None if uniform else {n: first[n] for n in ordered}), olds)
    plain = {expr.sym(n, (0, 0)): Symbol(n, real=True) for n in ("theta", "g", *new)}
    everything = {s for _, e in program for s in e.free_symbols}
    everything |= {s for e in to_sympy(initial.values(), plain) for s in e.free_symbols}
    space = domain(recipe, schedule.kept(new.values()))
    rule = Rule(
        name=name,
        cite=f"read out of {recipe.target}",
        theta=Symbol("theta", real=True),
        grad=Symbol("g", real=True),
        hyper={s: space[s] for s in space if s in everything},
        state=dict(zip((Symbol(n, real=True) for n in initial), to_sympy(initial.values(), plain), strict=True)),
        step=program,
    )
    return rule, new


def _needed(new: Mapping[str, Node]) -> set[str]:
    """theta, and every variable with a value of its own: all but those that only repeat a constant."""
    used = {"theta"}
    while True:
        read = {s.args[0] for n in used for s in expr.symbols(new[n])}
        more = (read & set(new)) - used
        if not more:
            break
        used |= more
    return used | {n for n in new if expr.symbols(new[n]) - {expr.sym(n, (0, 0))}}


def _initial(
    variables: Sequence[Variable], new: Mapping[str, Node], first: Mapping[str, Node], table: Mapping[Node, Node]
) -> dict[str, Node]:
    """The value of each state variable before the first step: as it was seen, or 1 where that explains it, or 0."""
    found: dict[str, Node] = {}
    for v in variables:
        seen = expr.rebuild([v.initial[0]], table)[0] if v.initial is not None else None
        allowed = (
            seen is not None
            and seen is not expr.NAN
            and not any(
                s.args[0] == "g" or (s.args[1] is not None and s.args[0] != "theta") for s in expr.symbols(seen)
            )
        )
        found[v.name] = seen if allowed and seen is not None else expr.ZERO
        if seen is None and _begins(v.name, expr.ONE, new, first) and not _begins(v.name, expr.ZERO, new, first):
            found[v.name] = expr.ONE  # as products begin, which are numbers in Python
    return found


def _begins(name: str, value: Node, new: Mapping[str, Node], first: Mapping[str, Node]) -> bool:
    """Whether a state variable that reads no other one and begins with this value is what it is after one step."""
    (after,) = expr.rebuild([new[name]], {expr.sym(name, (0, 0)): value, T: expr.ONE})
    return after is first[name] or same(after, first[name])
