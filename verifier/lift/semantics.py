"""What weight decay does in a lifted step, computed from its expressions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import sympy

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.keywords import DECAY_NAMES
from verifier.lift.same import comparable, differ, same
from verifier.lift.symbolic import to_sympy
from verifier.lift.trajectory import Untranslatable, from_sympy
from verifier.printing import to_text

WORDS = {
    "coupled": "coupled: the decay is added to the gradient, and everything computed from the gradient sees it",
    "decoupled": "decoupled: the parameter shrinks by lr * weight_decay of itself, apart from the gradient",
    "fully-decoupled": "fully decoupled: the parameter shrinks by weight_decay of itself, whatever lr is",
    "none": "none: no weight decay acts in this form",
    "other": "other: the decay acts in a way that is none of coupled, decoupled or fully decoupled",
    "unknown": "unknown: the step could not be read as one formula an element",
}
_RATES = ("lr", "learning_rate", "eta", "alpha")
_PROVABLE = 300  # operations, shared ones as often as written, up to which several elements are compared by algebra
_SHORT = 40  # operations up to which a rate is written out
_STAGED = 4 * _SHORT  # of one that steps in stages have, once as they are and once without decay
_STAGES = 4  # questions of the step's number or of options, as where a schedule ends, up to which each answer is tried
_AT_POINTS = "; as far as random points show"


class Semantics(NamedTuple):
    """The hyperparameter that decays, the kind of decay (a key of WORDS), and what it does in a sentence."""

    symbol: str
    kind: str
    words: str


def weight_decay_semantics(new: Mapping[str, Node], hyper: Iterable[str]) -> Semantics:
    """What the decay among the hyperparameters `hyper` does in a step.

    `new` gives the parameter and every state variable after one step: of one element, over the symbols of element
    (0, 0), as 'theta', 'exp_avg'; or of all elements of all tensors, as 'theta 0 1', 'exp_avg 0 1'.
    """
    hyper = list(hyper)
    decay = next((n for n in hyper if n in DECAY_NAMES), None)
    if decay is None:
        return Semantics("", "none", WORDS["none"])
    symbol = expr.sym(decay)
    if symbol not in expr.symbols(*new.values()):
        return Semantics(decay, "none", WORDS["none"])
    step = _Step(new, symbol)
    if _coupled(step):
        return Semantics(decay, "coupled", WORDS["coupled"] + step.doubt)
    kind, words = _shrinks(step, hyper) or ("", "")
    if not kind:
        kind, words = "other", _otherwise(step)
    return Semantics(decay, kind, words + step.doubt)


class _Step:
    """A step with decay and the same without, and whether two expressions are taken as equal."""

    def __init__(self, new: Mapping[str, Node], decay: Node) -> None:
        acts = {expr.compare("ne", decay, expr.ZERO): expr.TRUE, expr.compare("eq", decay, expr.ZERO): expr.FALSE}
        self.new = dict(zip(new, expr.rebuild(new.values(), acts), strict=True))  # where there is decay
        self.decay = decay
        self.without = dict(zip(new, expr.rebuild(self.new.values(), {decay: expr.ZERO}), strict=True))  # same branches
        self.thetas = [n for n in new if n.partition(" ")[0] == "theta"]
        self.states = [n for n in new if n not in self.thetas]
        self.symbols = expr.symbols(*new.values())
        self.doubt = ""

    def theta(self, name: str) -> Node:
        """The symbol of a parameter before the step."""
        parts = name.split(" ")
        return expr.sym("theta", (int(parts[1]), int(parts[2])) if len(parts) > 1 else (0, 0))

    def equal(self, a: Node, b: Node) -> bool:
        """Equality for all values; over several elements, where algebra fails, at random points, which is noted."""
        if a is b:
            return True
        if len(self.thetas) == 1:
            return same(a, b)
        if expr.opaque_leaves(a, b) or differ(a, b) is not None:
            return False
        if _unfolded(a, b) > _PROVABLE or not same(a, b):
            self.doubt = _AT_POINTS
            return comparable(a, b)
        return True

    def moved(self, replace: Mapping[Node, Node]) -> dict[str, Node]:
        """The step without decay, from other gradients or parameters."""
        return dict(zip(self.new, expr.rebuild(self.without.values(), replace), strict=True))

    def agrees(self, other: Mapping[str, Node], names: Iterable[str]) -> bool:
        """Whether the step gives `names` the values they have in `other`."""
        return all(self.equal(self.new[n], other[n]) for n in names)


def _unfolded(*roots: Node) -> int:
    """How many operations expressions take as algebra has them, shared ones as often as they are written."""
    counts: dict[Node, int] = {}
    for node in expr.postorder(roots):
        counts[node] = 0 if node.op in expr.LEAVES else 1 + sum(counts[one] for one in node.args)
    return sum(counts[root] for root in roots)


def _coupled(step: _Step) -> bool:
    """Whether every result is what it would be with weight_decay 0 and weight_decay * theta in the gradient."""
    calls = {s.args[0] for s in step.symbols if re.fullmatch(r"g\d*", str(s.args[0]))}  # of a closure called again: g2
    last = {max(calls, key=lambda name: (len(name), name))} if calls else set()
    for names in ({"g"}, last, calls) if calls - {"g"} else ({"g"},):
        for sign in (expr.ONE, expr.MINUS_ONE):  # maximize negates the gradient before the decay is added
            penalised = {
                g: expr.add(g, expr.mul(sign, expr.mul(step.decay, expr.sym("theta", g.args[1]))))
                for g in step.symbols if g.args[0] in names
            }  # fmt: skip
            if step.agrees(step.moved(penalised), step.new):
                return True
    return False


def _rates(step: _Step, hyper: Iterable[str]) -> Iterator[tuple[Node, str, str]]:
    """The shares by which decay is known to shrink a parameter, with their kind and text."""
    for n in hyper:
        if n in _RATES:
            yield expr.mul(expr.sym(n), step.decay), "decoupled", f"{n} * {step.decay.args[0]}"
    yield step.decay, "fully-decoupled", str(step.decay.args[0])


def _shrinks(step: _Step, hyper: Iterable[str]) -> tuple[str, str] | None:
    """Whether theta shrinks by lr*weight_decay or weight_decay of itself, before the update, beside it or after it."""
    for rate, kind, text in _rates(step, list(hyper)):
        factor = expr.sub(expr.ONE, rate)
        shrunk = {s: expr.mul(factor, s) for s in map(step.theta, step.thetas)}
        before = step.moved(shrunk)
        beside = {n: expr.sub(step.without[n], expr.mul(rate, step.theta(n))) for n in step.thetas}
        after = {n: expr.mul(factor, step.without[n]) for n in step.thetas}
        unmoved = step.agrees(step.without, step.states)
        if step.agrees(before, step.thetas) and (unmoved or step.agrees(before, step.states)):
            return kind, WORDS[kind]  # asked first: torch's own code gives the very same node
        if unmoved and step.agrees(beside, step.thetas):
            return kind, WORDS[kind]
        if step.agrees(after, step.thetas):
            return kind, f"{WORDS[kind]}; after the update, so that the update shrinks too"
        divided = {n: expr.div(step.without[n], expr.add(expr.ONE, rate)) for n in step.thetas}
        if step.agrees(divided, step.thetas):
            return "other", f"proximal: the parameter after the update is divided by 1 + {text}"
    return None


def _otherwise(step: _Step) -> str:
    """What decay of no known kind does, as far as it can be said."""
    share = _share(step)
    if share:
        return f"decoupled, at a rate of its own: the parameter shrinks by {share} of itself"
    added = _added(step)
    if added:
        return f"coupled, at a rate of its own: {added} of the parameter is added to the gradient"
    if not step.agrees(step.without, step.states):
        moved = [n.partition(" ")[0] for n in step.states if not step.equal(step.new[n], step.without[n])]
        seen = ", ".join(dict.fromkeys(moved))
        return f"entangled: the decay enters the state ({seen}), and not as a part of the gradient"
    for node in expr.postorder([step.new[n] for n in step.thetas]):
        if node.op == "sqrt" and len({s.args[1] for s in expr.symbols(node) if s.args[0] == "theta"}) > 1:
            return "inside a trust ratio: decay and update are scaled together, by the parameters' norm among others"
    return "entangled: the decay acts on the parameter together with the update, not on it alone nor on the gradient"


def _added(step: _Step) -> str:
    """The share of every parameter that is added to its gradient, where nothing else is computed from that gradient."""
    roots = list(step.new.values())
    tested = [c for node in expr.postorder(roots) if node.op == "where" for c in node.args[:1]]
    stages = [c for c in dict.fromkeys(tested) if all(map(_of_all, expr.symbols(c)))]
    if len(stages) > _STAGES:
        return ""
    shares: dict[Node, None] = {}
    for truths in itertools.product((expr.TRUE, expr.FALSE), repeat=len(stages)):
        found = _one_added(expr.rebuild(roots, dict(zip(stages, truths, strict=True))), step.decay)
        if found is None:
            return ""
        shares[found] = None
    texts = [to_text(_cancelled(to_sympy([share])[0])) for share in shares if expr.size(share) <= _SHORT]
    return " or ".join(texts) if len(texts) == len(shares) else ""


def _one_added(roots: list[Node], decay: Node) -> Node | None:
    """The only share of parameters that joins gradients, if gradients and `decay` are nowhere else in the results."""
    joined: dict[Node, Node] = {}
    shares = set()
    for node in expr.postorder(roots):
        for g, other in (node.args, node.args[::-1]) if node.op == "add" else ():
            index = _gradient(g)
            factors = other.args if other.op == "mul" else ()
            theta = expr.sym("theta", index) if index is not None else None
            if theta in factors:
                share = factors[1 - factors.index(theta)]
                joined[node] = expr.sym("joined", index)
                shares.add(share)
    rest = expr.symbols(*expr.rebuild(roots, joined))
    alone = len(shares) == 1 and decay not in rest and not any(s.args[0] == "g" for s in rest)
    return shares.pop() if alone and all(map(_of_all, expr.symbols(*shares))) else None


def _gradient(node: Node) -> tuple[int, int] | None:
    """The place of the element whose gradient, or the negated one, the node is."""
    node = node.args[1] if node.op == "mul" and node.args[0] is expr.MINUS_ONE else node
    return node.args[1] if node.op == "sym" and node.args[0] == "g" else None


def _of_all(symbol: Node) -> bool:
    """Whether a symbol is no element's: a hyperparameter, or the number of the step."""
    return symbol.args[1] is None or symbol.args[1][0] == -1


def _share(step: _Step) -> str:
    """The share of itself by which every parameter shrinks, where it is one number for all elements."""
    if not step.agrees(step.without, step.states):
        return ""
    name = step.thetas[0]
    theta = step.theta(name)
    still = {s: expr.ZERO for s in step.symbols if s.args[0] == "g"}
    shrunk = expr.sub(step.without[name], step.new[name])
    (node,) = expr.rebuild([shrunk], {**still, theta: expr.ONE})
    if expr.size(node) > _SHORT:  # the update is in the difference twice; where averages are zero there is none
        if len({s.args[1] for s in expr.symbols(shrunk) if s.args[0] == "theta"}) > 1:
            return ""  # norms of whole tensors take minutes to compare, and more
        zeros = {s: expr.ZERO for s in step.symbols if s.args[1] is not None and s.args[1][0] != -1 and s is not theta}
        (node,) = expr.rebuild([shrunk], {**zeros, theta: expr.ONE})
        if expr.size(node) > _STAGED:
            return ""
    try:
        share = _cancelled(to_sympy([node])[0])
    except ValueError:  # sympy compares nothing with a quotient by zero, which averages of zero may leave
        return ""
    known = {to_sympy([s])[0].name: s for s in expr.symbols(node) if s.args[1] is None or s.args[1][0] == -1}
    if share == 0 or any(s.name not in known for s in share.free_symbols):
        return ""
    try:
        (rate,) = from_sympy([share])
    except Untranslatable:
        return ""
    (rate,) = expr.rebuild([rate], {s: known[s.args[0]] for s in expr.symbols(rate)})
    for share_of in (rate, node):  # as it is printed, and as the code has it
        beside = {n: expr.sub(step.without[n], expr.mul(share_of, step.theta(n))) for n in step.thetas}
        if step.agrees(beside, step.thetas):
            return to_text(share)
    return ""


def _cancelled(share: sympy.Expr) -> sympy.Expr:
    """What is left of a difference; of one between steps that branch, in each of their branches."""
    folded = sympy.piecewise_fold(share) if share.has(sympy.Piecewise) else share
    if not isinstance(folded, sympy.Piecewise):
        return sympy.cancel(folded)
    return sympy.Piecewise(*((sympy.cancel(value), condition) for value, condition in folded.args))
