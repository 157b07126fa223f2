"""Published steps over whole tensors, written in every way that is known, right or wrong, and which of them code is.

A family is a list of slots, the lines of its step in order. Each slot has several ways of writing it: those in use are
conventions, the others are known mistakes. Code is of a family if one choice of ways, with one mistake at most, gives
what the code gives, at points of ordinary size: every difference shows there, that of an eps as well.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from sympy import S, Symbol

from verifier.lift import expr
from verifier.lift.evaluate import holds, values
from verifier.lift.expr import Node
from verifier.lift.generic_state import T
from verifier.lift.lifted import Lift
from verifier.lift.matrix_numbers import Array, number
from verifier.lift.observe import Variable

POINTS = 8
"""Points, for each step and each shape that was read, at which what is said of code holds."""

_TRIES = 300  # draws of a point, those outside the lift's path conditions included
_NEAR = 2.0**-30  # candidates are screened with doubles; what is said rests on bounds of their rounding
_BOUND = 2.0**-16  # and such a bound says something: fifteen products of matrices multiply it


class Absent(Exception):
    """A way of writing a line reads an option, or a state variable, that the code has not."""


class Line(dict[str, Any]):
    """What a step has computed so far, by name: theta, g, t, the state before it, and every slot since."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise Absent(name) from None

    def constant(self, value: Fraction | int) -> Any:
        """A number that the code writes out, as this line computes: a double, or an expression."""
        return number(expr.const(Fraction(value))) if self["exact"] else float(value)


Written = Callable[[Line], Any]


@dataclass(frozen=True)
class Way:
    """One way to write a slot. `says` is what it is called in a sentence, '' for the published way; `wrong`: a mistake.

    `first` is the slot's value in the first step, where that is another; `unless` an option that must not be on, and
    `needs` one that must not be off; `stateless`: the slot is no state variable, written so; `named`: a mistake of code
    that names the family alone, which other code means.
    """

    name: str
    says: str
    value: Written
    wrong: bool = False
    first: Written | None = None
    unless: str = ""
    needs: str = ""
    stateless: bool = False
    named: bool = False

    def against(self, options: Mapping[str, Any]) -> str:
        """The option that the code does not follow, and how, if it is written so; '' where it follows all."""
        if self.unless and options.get(self.unless):
            return f"{self.unless} is on, and the step is one without it"
        if self.needs and self.needs in options and options[self.needs] is not None and not options[self.needs]:
            return f"{self.needs} is off, and the step is one with it"
        return ""


@dataclass(frozen=True)
class Slot:
    """A line of a step: its name, and the ways to write it. A slot that is a `state` shows what it is by itself."""

    name: str
    ways: tuple[Way, ...]
    state: bool = False


@dataclass(frozen=True)
class Family:
    """A published optimizer over whole tensors: `names` are the names in use for each hyperparameter of its slots.

    `shaped` gives, for a shape of the parameter, the shape of each state variable that has not the parameter's.
    """

    rule: str
    cite: str
    dimensions: tuple[int, ...]
    names: Mapping[str, tuple[str, ...]]
    slots: tuple[Slot, ...]
    shaped: Mapping[str, Callable[[tuple[int, ...]], tuple[int, ...]]] = field(default_factory=dict)
    defaults: Mapping[str, Fraction] = field(default_factory=dict)  # hyperparameters of code that has no such option


@dataclass(frozen=True)
class Form:
    """What code is: the family, and its ways of writing that have a name; `wrong`: the mistake among them."""

    rule: str
    says: tuple[str, ...]
    wrong: Way | None
    points: int
    ways: tuple[Way, ...] = ()  # of every slot
    names: Mapping[str, str] = field(default_factory=dict)  # the code's state variable that each slot is
    family: Family | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # of the constructor, while it was read

    @property
    def mistake(self) -> str:
        """The mistake in words, '' if none: what is wrong, or the option that is not followed."""
        if self.wrong is None:
            return ""
        return self.wrong.says if self.wrong.wrong else self.wrong.against(self.options)

    @property
    def sentence(self) -> str:
        """What may be said of the code."""
        written = f", {'; '.join(self.says)}" if self.says else ""
        mistaken = f", but {self.mistake}" if self.mistake else ""
        return f"{self.rule} over whole tensors{written}{mistaken}: checked at {self.points} points, not proved"


@dataclass
class _Scene:
    """One step of the code at one point: what it starts from and what it gives, as doubles and as expressions."""

    read: Lift
    first: bool
    point: dict[Node, float]
    start: Line
    gave: dict[str, np.ndarray[Any, Any]]


def form(family: Family, reads: Sequence[Lift], options: Mapping[str, Any]) -> Form | None:
    """How code of this family is written, by what was read of it at several shapes; None where it is none of it.

    `options` are the options of the constructor with their defaults. The ways in use come first; a mistake is told
    where they do not fit, and one other way does.
    """
    reads = [read for read in reads if _fits(family, read)]
    scenes = [scene for read in reads for first in (False, True) for scene in _scenes(read, first, family, options)]
    if not scenes or len(scenes) < 2 * POINTS * len(reads):
        return None
    with np.errstate(all="ignore"):
        for mistakes in (0, 1):
            for chosen, names in _chosen(family, scenes[0], options, mistakes):
                if all(_agrees(family, chosen, names, scene) for scene in scenes) and _sure(
                    family, chosen, names, scenes
                ):
                    return _form(family, chosen, names, options)
    return None


def _fits(family: Family, read: Lift) -> bool:
    """Whether all of a step was read, of one tensor of the family's dimensions, and no element steps by itself."""
    return (
        read.status == "lifted"
        and read.rule is None
        and read.steps is not None
        and len(read.steps.main.shapes) == 1
        and len(read.steps.main.shapes[0]) in family.dimensions
    )


def _form(family: Family, chosen: Sequence[Way], names: Mapping[str, str], options: Mapping[str, Any]) -> Form:
    wrong = next((way for way in chosen if _mistaken(way, options)), None)
    says = tuple(way.says for way in chosen if way.says and way is not wrong)
    return Form(family.rule, says, wrong, POINTS, tuple(chosen), names, family, options)


def _mistaken(way: Way, options: Mapping[str, Any]) -> bool:
    return way.wrong or bool(way.against(options))


def _chosen(
    family: Family, scene: _Scene, options: Mapping[str, Any], mistakes: int
) -> Iterator[tuple[tuple[Way, ...], dict[str, str]]]:
    """Choices of ways with this many mistakes that give what the code gives in one scene; state variables by slot."""

    def extended(line: Line, ways: tuple[Way, ...], names: dict[str, str], left: int) -> Iterator[Any]:
        if len(ways) == len(family.slots):
            if not left:
                yield ways, names
            return
        slot = family.slots[len(ways)]
        for way in slot.ways:
            mistaken = _mistaken(way, options)
            if mistaken > left:
                continue
            for name in _places(family, slot, way, scene, names):
                was = Line({**line["was"], **({slot.name: scene.start["was"][name]} if name else {})})
                if name:
                    was[slot.name] = was[slot.name].reshape(_shape(family, slot.name, scene))
                now = Line({**line, "was": was})
                try:
                    now[slot.name] = way.value(now)
                except Absent:
                    continue
                seen = scene.gave.get(name or ("theta" if slot is family.slots[-1] else ""))
                if seen is None or _near(now[slot.name], seen):
                    yield from extended(
                        now, (*ways, way), {**names, **({slot.name: name} if name else {})}, left - mistaken
                    )

    yield from extended(Line({**scene.start, "was": Line()}), (), {}, mistakes)


def _places(family: Family, slot: Slot, way: Way, scene: _Scene, names: Mapping[str, str]) -> list[str]:
    """The state variables of the code that a slot may be; one empty name where it is none."""
    if not slot.state or way.stateless:
        return [""]
    size = math.prod(_shape(family, slot.name, scene))
    return [n for n, held in scene.start["was"].items() if held.size == size and n not in names.values()]


def _shape(family: Family, name: str, scene: _Scene) -> tuple[int, ...]:
    shape = scene.start["theta"].shape
    return family.shaped[name](shape) if name in family.shaped else shape


def _near(one: Any, two: Any) -> bool:
    one, two = np.asarray(one, dtype=float).reshape(-1), two.reshape(-1)
    if one.size not in (1, two.size):
        return False
    return bool(np.all(np.abs(one - two) <= _NEAR * np.maximum(1.0, np.abs(two))))


def _run(family: Family, chosen: Sequence[Way], names: Mapping[str, str], scene: _Scene, start: Line) -> dict[str, Any]:
    """What the chosen ways give for theta and every state variable of the code."""
    was = {slot: start["was"][name].reshape(_shape(family, slot, scene)) for slot, name in names.items()}
    line = Line({**start, "was": Line(was)})
    for slot, way in zip(family.slots, chosen, strict=True):
        line[slot.name] = (way.first if way.first is not None and scene.first else way.value)(line)
    return {"theta": line[family.slots[-1].name], **{name: line[slot] for slot, name in names.items()}}


def _agrees(family: Family, chosen: Sequence[Way], names: Mapping[str, str], scene: _Scene) -> bool:
    try:
        gives = _run(family, chosen, names, scene, scene.start)
    except (Absent, KeyError):  # another state variable at this shape
        return False
    return all(_near(value, scene.gave[name]) for name, value in gives.items())


def _sure(family: Family, chosen: Sequence[Way], names: Mapping[str, str], scenes: Sequence[_Scene]) -> bool:
    """Whether no bound of a rounding tells the two apart, at any point, where every such bound is small."""
    made: dict[tuple[int, bool], list[tuple[Node, Node]]] = {}
    for scene in scenes:
        key = (id(scene.read), scene.first)
        if key not in made:
            wanted = _run(family, chosen, names, scene, _exact(scene, family))
            made[key] = [
                (mine, np.asarray(array, dtype=object).reshape(-1)[k].node)
                for name, array in wanted.items()
                for k, mine in enumerate(_nodes(scene.read, name, scene.first))
            ]
        roots = [node for pair in made[key] for node in pair]
        found = values(roots, scene.point)
        for (a, error), (b, other) in zip(found[::2], found[1::2], strict=True):
            if not abs(a - b) <= error + other or not error + other <= _BOUND * max(1.0, abs(a)):
                return False
    return True


def _nodes(read: Lift, name: str, first: bool) -> list[Node]:
    """The code's expressions for each element of theta, or of a state variable, after a step."""
    assert read.steps is not None
    main = read.steps.main
    if name == "theta":
        return list(main.theta_first[0] if first else main.theta_after[0])
    variable = next(v for v in main.variables if v.name == name and v.owner == 0)
    return list(variable.first if first else variable.after)


def _scenes(read: Lift, first: bool, family: Family, options: Mapping[str, Any]) -> Iterator[_Scene]:
    assert read.steps is not None
    main = read.steps.main
    held = [v for v in main.variables if v.owner == 0 and not v.counter]
    guards = [c.assumed for c in (main.first_conditions if first else read.steps.assumed)]
    nodes = {name: _nodes(read, name, first) for name in ("theta", *(v.name for v in held))}
    asked = expr.symbols(*guards, *(n for each in nodes.values() for n in each))
    asked |= {expr.sym(name) for name in read.hyper} | {T}
    asked |= {expr.sym(name, (0, k)) for name in ("theta", "g") for k in range(math.prod(main.shapes[0]))}
    asked |= {expr.sym(v.name, (0, k)) for v in held for k in range(math.prod(v.shape))}
    found = 0
    for seed in range(_TRIES):
        point = _point(asked, read, seed)
        if not all(holds(guard, point) for guard in guards):
            continue
        gave = {name: np.array([value for value, _ in values(each, point)]) for name, each in nodes.items()}
        if not all(np.isfinite(array).all() for array in gave.values()):
            continue
        yield _Scene(read, first, point, start(read, held, first, family, options, point), gave)
        found += 1
        if found == POINTS:
            return


def _point(symbols: Iterable[Node], read: Lift, seed: int) -> dict[Node, float]:
    """A number for each symbol that lets every difference be seen: of ordinary size, whatever the defaults are."""
    point = {}
    for s in sorted(symbols, key=repr):
        draw = random.Random(f"{s!r} {seed}")
        name = str(s.args[0])
        usual = name.removesuffix("_initial")
        if s is T:
            point[s] = float(draw.randint(2, 40))
        elif s.args[1] is None and usual in read.hyper:
            draw = random.Random(f"{usual} {seed}")
            point[s] = _option(usual, read, draw)
        elif name in ("theta", "g"):
            scale = (
                (1.0, 0.125, 8.0)[seed % 3] if name == "theta" else 1.0
            )  # bounds on ratios of norms are met, and are not
            point[s] = scale * draw.choice((-1, 1)) * draw.uniform(0.5, 1.5)
        else:
            point[s] = draw.uniform(0.25, 1.5)
    return point


def _option(name: str, read: Lift, draw: random.Random) -> float:
    usual = read.hyper[name]
    if not math.isfinite(usual):
        return draw.uniform(0.2, 0.9)
    small, large, any_size = draw.uniform(0.2, 0.9), draw.uniform(0.3, 3.0), 10 ** draw.uniform(-1.5, 0.3)
    allowed = read.domain.get(Symbol(name, real=True), S.Reals)
    for value in (usual * large if abs(usual) >= 1 else math.copysign(any_size, usual), math.copysign(small, usual)):
        if _within(value, allowed):
            return value
    return usual or small


def _within(value: float, allowed: sympy.Set) -> bool:
    """Whether a number is in a set; of intervals, which most are, told by their ends."""
    if not isinstance(allowed, sympy.Interval):
        return sympy.Float(value) in allowed
    low, high = float(allowed.start), float(allowed.end)
    above = value > low if allowed.left_open else value >= low
    return above and (value < high if allowed.right_open else value <= high)


def start(
    read: Lift,
    held: Sequence[Variable],
    first: bool,
    family: Family,
    options: Mapping[str, Any],
    point: Mapping[Node, float] | None = None,
) -> Line:
    """What a step starts from, at a point; as expressions where there is none."""
    assert read.steps is not None
    shape = read.steps.main.shapes[0]

    def one(node: Node) -> Any:
        return number(node) if point is None else point[node]

    def array(name: str, shape: Sequence[int]) -> Array:
        numbers = [one(expr.sym(name, (0, k))) for k in range(math.prod(shape))]
        return np.array(numbers, dtype=object if point is None else float).reshape(tuple(shape))

    nothing = number(expr.ZERO) if point is None else 0.0
    line = Line(exact=point is None, options=options, theta=array("theta", shape), g=array("g", shape))
    line["t"] = line.constant(1) if first else one(T)
    line["was"] = Line({v.name: np.full(tuple(v.shape), nothing) if first else array(v.name, v.shape) for v in held})
    constants = {n: v for n, v in options.items() if isinstance(v, float)} | dict(read.literal)
    for name, others in family.names.items():
        mine = next((n for n in (name, *others) if n in read.hyper or n in constants), None)
        if mine is not None:
            line[name] = one(expr.sym(mine)) if mine in read.hyper else line.constant(Fraction(repr(constants[mine])))
        elif name in family.defaults:
            line[name] = line.constant(family.defaults[name])
    return line


def _exact(scene: _Scene, family: Family) -> Line:
    assert scene.read.steps is not None
    held = [v for v in scene.read.steps.main.variables if v.owner == 0 and not v.counter]
    return start(scene.read, held, scene.first, family, scene.start["options"])
