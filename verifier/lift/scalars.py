"""Python numbers that carry an expression: hyperparameters and step counters, followed through ordinary arithmetic.

A tagged number is a `float` (or `int`) with a node. torch's argument parser drops the subclass, so every tagged value
is also entered in the trace's table from double to node, and a number that reaches an op is looked up there. That is
why hyperparameters are given generic values: a round one could be met by accident.

Where a tag is lost: C code that reads the double (numpy functions). `math`'s functions are replaced while a trace
runs and given back after it; what still escapes is caught when a lift is checked against the code it was read from.
"""

from __future__ import annotations

import contextlib
import math
import operator
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, SupportsFloat

import numpy as np

from verifier.lift import expr
from verifier.lift.expr import Node
from verifier.lift.ranges import narrow

STEP = expr.sym("t")
_SKIP = ("/torch/", "/verifier/lift/", "contextlib.py", "functools.py")


@dataclass(frozen=True)
class Site:
    """Where in Python something happened: the innermost line outside torch and this package."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


def call_site() -> Site:
    """The innermost caller that is the optimizer's own code; torch.optim counts as an optimizer."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if (site := own_site(frame)) is not None:
            return site
        frame = frame.f_back
    return Site("?", 0, "?")


def own_site(frame: Any) -> Site | None:
    """Where a frame stands, if it runs an optimizer's own code."""
    file = frame.f_code.co_filename.replace("\\", "/")
    in_torch = "/torch/optim/" in file and not file.endswith("/optimizer.py")
    if not in_torch and any(part in file for part in _SKIP):
        return None
    for root in ("/site-packages/", "/dist-packages/"):
        file = file.rpartition(root)[2]
    return Site(file.rpartition("/")[2] if file.startswith("/") else file, frame.f_lineno, frame.f_code.co_name)


@dataclass(frozen=True)
class Condition:
    """A comparison that steered Python: it was `holds` on the run that was lifted."""

    node: Node
    holds: bool
    site: Site

    @property
    def assumed(self) -> Node:
        """The condition under which the lifted path is the one taken."""
        return self.node if self.holds else expr.negate(self.node)


@dataclass
class Trace:
    """What one run of an optimizer leaves behind besides its memory: the table of values, the branches it took."""

    values: dict[float, Node] = field(default_factory=dict)
    conditions: dict[tuple[Node, bool], Condition] = field(default_factory=dict)
    ops: int = 0
    opaque: list[tuple[str, Site]] = field(default_factory=list)
    recording: bool = True

    def tag(self, value: Any, node: Node) -> Any:
        """`value` carrying `node`; a plain number where the node is a constant."""
        if node.op == "const":
            return value
        if node.is_condition:
            return bool(value)
        whole = isinstance(value, int) and not isinstance(value, bool)
        result: Any = TaggedInt(value) if whole else TaggedFloat(value)
        generic = not float(value).is_integer() or abs(value) >= 50
        result.node, result.trace = node, self
        if generic:
            self.values.setdefault(float(value), node)
        for more in (1, -1) if generic and node == STEP else ():  # int() drops the tag before one is added
            self.values.setdefault(float(value + more), expr.add(node, expr.const(more)))
        return result

    def node(self, value: Any) -> Node | None:
        """The expression a Python number stands for, or None for what is not a real number."""
        if isinstance(value, TaggedFloat):
            return value.node
        if isinstance(value, bool | np.bool_):
            return expr.TRUE if value else expr.FALSE
        if isinstance(value, int | float | np.integer | np.floating):
            return self.lookup(float(value) if not isinstance(value, int) or abs(value) < 2**53 else value)
        return None

    def lookup(self, value: float, single: bool = False) -> Node:
        """The node entered for this double (or for its rounding to float32), else the constant."""
        found = self.values.get(value)
        if found is not None:
            return found
        if isinstance(value, int) or not math.isfinite(value):
            return expr.const(value)
        opposite = self.values.get(-value)
        if opposite is not None:
            return expr.neg(opposite)
        if value.is_integer() or self._is_round(value):
            return expr.const(value)
        if single:
            for known, node in self.values.items():
                if abs(known) < 3e38 and float(np.float32(known)) == abs(value):
                    return node if value == float(np.float32(known)) else expr.neg(node)
                if abs(known) < 3e38 and float(np.float32(-known)) == abs(value):
                    return node if value == float(np.float32(known)) else expr.neg(node)
        square = value * value
        for known, node in list(self.values.items()):
            if known > 0 and abs(known - square) <= 4 * math.ulp(square):
                root = expr.sqrt(node)
                root = root if value > 0 else expr.neg(root)
                self.values[value] = root
                return root
        rational = Fraction(square).limit_denominator(1000)
        if 0 < rational.numerator < 10**6 and math.sqrt(rational) == abs(value):  # numel ** 0.5
            return expr.sqrt(expr.const(rational)) if value > 0 else expr.neg(expr.sqrt(expr.const(rational)))
        return expr.const(value)

    @staticmethod
    def _is_round(value: float) -> bool:
        return len(repr(abs(value)).partition("e")[0].replace(".", "").strip("0")) <= 7

    def branch(self, node: Node, holds: bool) -> bool:
        """Records that Python branched on `node`; returns the side taken."""
        if self.recording and node is not expr.TRUE and node is not expr.FALSE:
            # a == b is kept as not a != b, so that one question has one node
            key = (expr.negate(node), not holds) if node.op in ("eq", "le", "not") else (node, holds)
            if key not in self.conditions:
                self.conditions[key] = Condition(*key, call_site())
                _learn(self.conditions[key].assumed)
        return holds


def _learn(assumed: Node) -> None:
    """What a branch taken says of an expression that was compared with a number."""
    if assumed.op in ("lt", "le"):
        a, b = assumed.args
        if (x := expr.number(a)) is not None:
            narrow(b, x, None, assumed.op == "lt")
        elif (y := expr.number(b)) is not None:
            narrow(a, None, y, assumed.op == "lt")
    elif assumed.op == "and":
        for part in assumed.args:
            _learn(part)


_active: list[Trace] = []


def active() -> Trace | None:
    """The trace that is running, if any."""
    return _active[-1] if _active else None


def _binary(
    build: Callable[[Node, Node], Node], compute: Callable[[Any, Any], Any]
) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    def forward(self: Any, other: Any) -> Any:
        node = self.trace.node(other)
        if node is None:
            return NotImplemented
        return self.trace.tag(compute(_plain(self), _plain(other)), build(self.node, node))

    def backward(self: Any, other: Any) -> Any:
        node = self.trace.node(other)
        if node is None:
            return NotImplemented
        return self.trace.tag(compute(_plain(other), _plain(self)), build(node, self.node))

    return forward, backward


def _plain(x: Any) -> Any:
    if isinstance(x, TaggedInt):
        return int(float.__float__(x))
    if isinstance(x, TaggedFloat):
        return float.__float__(x)
    return x.item() if isinstance(x, np.generic) else x


def _power(a: Any, b: Any) -> Any:
    try:
        result = a**b
    except OverflowError:
        return math.inf
    return math.nan if isinstance(result, complex) else result


def _comparison(build: Callable[[Node, Node], Node], compute: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        node = self.trace.node(other)
        if node is None:
            return NotImplemented
        return self.trace.branch(build(self.node, node), compute(_plain(self), _plain(other)))

    return method


def floor_divide(a: Node, b: Node) -> Node:
    """floor(a / b)."""
    return expr.function("floor", expr.div(a, b))


def modulo(a: Node, b: Node) -> Node:
    """a - b*floor(a/b)."""
    return expr.function("mod", a, b)


class _Arithmetic:
    """The operators of both tagged types."""

    node: Node
    trace: Trace
    __slots__ = ()

    __add__, __radd__ = _binary(expr.add, operator.add)
    __sub__, __rsub__ = _binary(expr.sub, operator.sub)
    __mul__, __rmul__ = _binary(expr.mul, operator.mul)
    __truediv__, __rtruediv__ = _binary(expr.div, operator.truediv)
    __floordiv__, __rfloordiv__ = _binary(floor_divide, operator.floordiv)
    __mod__, __rmod__ = _binary(modulo, operator.mod)
    __lt__ = _comparison(lambda a, b: expr.compare("lt", a, b), operator.lt)
    __le__ = _comparison(lambda a, b: expr.compare("le", a, b), operator.le)
    __gt__ = _comparison(lambda a, b: expr.compare("lt", b, a), operator.gt)
    __ge__ = _comparison(lambda a, b: expr.compare("le", b, a), operator.ge)
    __eq__ = _comparison(lambda a, b: expr.compare("eq", a, b), operator.eq)
    __ne__ = _comparison(lambda a, b: expr.compare("ne", a, b), operator.ne)

    def __pow__(self, other: Any, mod: Any = None) -> Any:
        node = self.trace.node(other)
        if node is None or mod is not None:
            return NotImplemented
        return self.trace.tag(_power(_plain(self), _plain(other)), expr.power(self.node, node))

    def __rpow__(self, other: Any, mod: Any = None) -> Any:
        node = self.trace.node(other)
        if node is None or mod is not None:
            return NotImplemented
        return self.trace.tag(_power(_plain(other), _plain(self)), expr.power(node, self.node))

    def __neg__(self) -> Any:
        return self.trace.tag(-_plain(self), expr.neg(self.node))

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self.trace.tag(abs(_plain(self)), expr.absolute(self.node))

    def __bool__(self) -> bool:
        return self.trace.branch(expr.compare("ne", self.node, expr.ZERO), bool(_plain(self)))

    def __round__(self, digits: Any = None) -> Any:
        if digits:
            return round(_plain(self), digits)
        return self.trace.tag(round(_plain(self)), expr.function("round", self.node))

    def __floor__(self) -> Any:
        return self.trace.tag(math.floor(_plain(self)), expr.function("floor", self.node))

    def __ceil__(self) -> Any:
        return self.trace.tag(math.ceil(_plain(self)), expr.function("ceil", self.node))

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __reduce__(self) -> Any:
        return (type(_plain(self)), (_plain(self),))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()


class TaggedFloat(_Arithmetic, float):
    """A float that carries an expression."""

    __slots__ = ("node", "trace")
    node: Node
    trace: Trace

    def __hash__(self) -> int:
        return float.__hash__(self)

    def is_integer(self) -> bool:
        return self.trace.branch(
            expr.compare("eq", expr.function("floor", self.node), self.node), float.is_integer(_plain(self))
        )


class TaggedInt(TaggedFloat):
    """A whole number that carries an expression. Used as an index it is the concrete number, recorded as a branch.

    It is a float, so that `1.0 / step` asks it first; an int's operators would be passed over for the float's.
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return float.__hash__(self)

    def __index__(self) -> int:
        value: int = _plain(self)
        self.trace.branch(expr.compare("eq", self.node, expr.const(value)), True)
        return value

    def __int__(self) -> int:
        return int(float.__float__(self))

    def __repr__(self) -> str:
        return repr(int(float.__float__(self)))

    __str__ = __repr__


_UNARY = ("sqrt", "exp", "log", "cos", "sin", "tan", "tanh", "atan", "fabs", "floor", "ceil", "expm1", "log1p")


def _replacement(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        trace = active()
        if trace is None:
            return original(*args)
        args = tuple(float(a) if hasattr(a, "numel") else a for a in args)  # a tensor of one element tells its number
        if not any(isinstance(a, float) and (isinstance(a, TaggedFloat) or a in trace.values) for a in args):
            return original(*args)
        plain = [_plain(a) if isinstance(a, TaggedFloat) else a for a in args]
        nodes = [trace.node(a) for a in args]
        value = original(*plain)
        if any(n is None for n in nodes):
            return value
        first: Any = nodes[0]
        if name == "pow":
            return trace.tag(value, expr.power(first, nodes[1]))  # type: ignore[arg-type]
        if name == "sqrt":
            return trace.tag(value, expr.sqrt(first))
        if name == "fabs":
            return trace.tag(value, expr.absolute(first))
        if name == "log" and len(nodes) == 2:
            base: Any = nodes[1]
            return trace.tag(value, expr.div(expr.function("log", first), expr.function("log", base)))
        return trace.tag(value, expr.function(name, first))

    return call


@contextlib.contextmanager
def tracing(trace: Trace, modules: Iterable[Any] = ()) -> Iterator[Trace]:
    """Makes `trace` the running one; `math`, and names imported from it into `modules`, follow tags meanwhile."""
    replaced: list[tuple[dict[str, Any], str, Any]] = []
    originals = {name: getattr(math, name) for name in (*_UNARY, "pow")}
    substitutes = {id(f): _replacement(name, f) for name, f in originals.items()}
    spaces = [vars(math), *(vars(m) for m in modules)]
    _active.append(trace)
    try:
        for space in spaces:
            for name, value in list(space.items()):
                if id(value) in substitutes:
                    replaced.append((space, name, value))
                    space[name] = substitutes[id(value)]
        yield trace
    finally:
        for space, name, value in replaced:
            space[name] = value
        _active.remove(trace)


def plain(x: SupportsFloat) -> float:
    """The number without its tag."""
    return float(_plain(x))
