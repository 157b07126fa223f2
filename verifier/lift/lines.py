"""From the expressions of one step to the lines of a rule: an order that reads right, shared parts named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sympy import Add, Eq, Expr, Piecewise, Rational, Symbol

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.symbolic import to_sympy
from verifier.rule import t

_READ = 400  # operations up to which an expression is looked at for what would be folded
_SHARED_SIZE = 3  # operations from which a scalar that is used twice gets a line of its own


@dataclass(frozen=True)
class Step:
    """One step for one element: the new value of theta and of each state variable, generic and at the first step."""

    new: Mapping[str, Node]
    first: Mapping[str, Node] | None  # where the first step is not the generic one from the initial state


def old(name: str) -> Node:
    """The symbol a lift gave to a variable's value before the step."""
    return expr.sym(name, (0, 0))


def _next(name: str) -> Node:
    return expr.sym(f"{name}'", None)


def lines(step: Step, olds: Mapping[str, Node]) -> tuple[tuple[Symbol, Expr], ...]:
    """The step as a straight-line program in the rule language. `olds`: variable -> its symbol before the step."""
    written = _with_new_values(step.new)
    order, early = _order(written, olds)
    first = _first(step.first, written, order) if step.first is not None else {}
    for name, node in first.items():  # what a first step reads must still be there as well
        early |= {n for n in order[: order.index(name)] if olds[n] in expr.symbols(node)}
    names: dict[Node, Symbol] = {}
    for name, node in olds.items():
        names[node] = Symbol(name, real=True)
    names[expr.sym("g", (0, 0))] = Symbol("g", real=True)
    for name in written:
        names[_next(name)] = Symbol(f"{name}_next" if name in early else name, real=True)
    taken = {s.name for s in names.values()} | {s.args[0] for n in written.values() for s in expr.symbols(n)}
    program: list[tuple[Symbol, Expr]] = []
    shared = _named([*written.values(), *first.values()], olds)
    pending = {node: Symbol(_name(node, taken, olds), real=True) for node in shared}
    assigned: set[str] = set()

    def emit_shared() -> None:
        """Names every shared part whose new values are there and whose old values still are."""
        for node, symbol in list(pending.items()):
            read = expr.symbols(node)
            if any(_next(n) in read and n not in assigned for n in written):
                continue
            if any(olds[n] in read and n in assigned and n not in early for n in written):
                del pending[node]
                continue
            program.append((symbol, to_sympy([node], names)[0]))
            names[node] = symbol
            del pending[node]

    emit_shared()
    for name in order:
        value = to_sympy([written[name]], names)[0]
        if name in first:
            value = Piecewise((to_sympy([first[name]], names)[0], Eq(t, 1)), (value, True))
        target = names[_next(name)]
        program.append((target, value))
        assigned.add(name)
        emit_shared()
    program += [(Symbol(name, real=True), Symbol(f"{name}_next", real=True)) for name in order if name in early]
    used = {s for _, value in program for s in value.free_symbols}
    keep = {Symbol(n, real=True) for n in written}
    program = [(s, v) for s, v in program if s in used or s in keep]
    return tuple((s, v) for s, v in program if s != v or s.name == "theta")


def _with_new_values(new: Mapping[str, Node]) -> dict[str, Node]:
    """Each new value in terms of the others' new values where it contains them."""
    written: dict[str, Node] = {}
    for name, node in new.items():
        others: dict[Node, Node] = {}
        for n, value in new.items():
            if n != name and expr.size(value) > 0 and value not in others and (value is not node or n in written):
                others[value] = _next(n)
        written[name] = expr.rebuild([node], others)[0] if others else node
    return written


def _first(first: Mapping[str, Node], written: Mapping[str, Node], order: list[str]) -> dict[str, Node]:
    """The first step's value of each variable whose line differs, in terms of first values that are there by then."""
    found = {}
    for place, name in enumerate(order):
        node = first[name]
        there = {first[n]: _next(n) for n in order[:place] if expr.size(first[n]) > 0}
        direct = expr.rebuild([node], there)[0]
        if direct is written[name]:
            continue
        through = expr.rebuild([written[name]], {_next(n): v for n, v in first.items()})[0]
        if through is not node:
            found[name] = direct
    return found


def _order(written: Mapping[str, Node], olds: Mapping[str, Node]) -> tuple[list[str], set[str]]:
    """An order of the assignments in which every value read is still, or already, there; names set aside for that."""
    early: set[str] = set()
    while True:
        before: dict[str, set[str]] = {n: set() for n in written}
        for name, node in written.items():
            read = expr.symbols(node)
            for other in written:
                if other == name:
                    continue
                if _next(other) in read:
                    before[name].add(other)
                if olds[other] in read and other not in early:
                    before[other].add(name)
        order: list[str] = []
        while len(order) < len(written):
            ready = [n for n in written if n not in order and before[n] <= set(order)]
            if not ready:
                break
            order.append(ready[0])
        if len(order) == len(written):
            return order, early
        stuck = [n for n in written if n not in order and n not in early]
        early.add(next((n for n in stuck if any(_next(n) in expr.symbols(w) for w in written.values())), stuck[0]))


def _named(roots: Iterable[Node], olds: Mapping[str, Node]) -> list[Node]:
    """Parts that get a line of their own, inner ones first: those used twice, and those that sympy would fold away.

    What is folded is equal, but was rounded: lr * (wd / lr), 1 - (1 - b), 3 * (a + b).
    """
    roots = list(roots)
    wanted = {*_shared(roots, olds), *_folded(roots)}
    return [node for node in expr.postorder(dict.fromkeys(roots)) if node in wanted and node not in roots]


def _folded(roots: Iterable[Node]) -> set[Node]:
    """The operands that sums, products and quotients would be folded with, were they written out."""
    found: set[Node] = set()
    for node in expr.postorder(dict.fromkeys(roots)):
        operands = [a for a in node.args if isinstance(a, Node) and a.op not in expr.LEAVES]
        if node.op not in ("add", "mul", "div") or not operands or expr.size(node) > _READ:
            continue
        names = {n: Symbol(f"part{n.serial}", real=True) for n in found}
        parts = to_sympy(node.args, names)
        if node.op == "add":
            terms = [len(Add.make_args(part)) for part in parts]
            kept = len(Add.make_args(Add(*parts))) == sum(terms)
        else:
            a, b = parts[0], parts[1] if node.op == "mul" else 1 / parts[1]
            spread = any(isinstance(x, Add) and y.is_Rational and not _exact(y)
                         for x, y in ((a, b), (b, a)))  # fmt: skip
            kept = not spread and _exponents(a) + _exponents(b) == _exponents(a * b)
        if not kept:
            found |= set(operands)
    return found


def _exact(number: Rational) -> bool:
    """Whether multiplying by it rounds nothing: a power of two, or its negative."""
    return bool(abs(number.p) & (abs(number.p) - 1) == 0 and number.q & (number.q - 1) == 0)


def _exponents(e: Expr) -> Rational:
    """How many factors that are no numbers a product has, divisors included."""
    return sum((abs(x) for base, x in e.as_powers_dict().items() if not base.is_number and x.is_Rational), Rational(0))


def _shared(roots: Iterable[Node], olds: Mapping[str, Node]) -> list[Node]:
    """Parts used more than once that are worth a name, inner ones first."""
    uses: Counter[Node] = Counter()
    roots = list(roots)
    order = expr.postorder(dict.fromkeys(roots))
    for node in order:
        if node.op not in expr.LEAVES:
            uses.update(node.args)
    varying = {*olds.values(), expr.sym("g", (0, 0))}
    found = []
    for node in order:
        if uses[node] < 2 or node.op in expr.LEAVES or node in roots or node.is_condition:
            continue
        if node.op == "mul" and node.args[0] is expr.MINUS_ONE:
            continue
        elementwise = any(s in varying or s.args[0].endswith("'") for s in expr.symbols(node))
        if expr.size(node) >= (2 if elementwise else _SHARED_SIZE):
            found.append(node)
    return found


def _name(node: Node, taken: set[str], olds: Mapping[str, Node]) -> str:
    read = expr.symbols(node)
    gradient, theta = expr.sym("g", (0, 0)), olds["theta"]
    others = {s for s in read if s.args[0].endswith("'") or s in olds.values()} - {theta}
    if gradient in read and theta in read and not others:
        wanted = "d"
    elif node.op == "add" and any(n.op == "sqrt" for n in expr.postorder([node])) and gradient not in read:
        wanted = "denom"
    elif not others and gradient not in read and theta not in read:
        wanted = "c"
    else:
        wanted = "u"
    name, count = wanted, 2
    while name in taken:
        name, count = f"{wanted}{count}", count + 1
    taken.add(name)
    return name
