"""What the constructor of any optimizer class documents: its options, with values that can be drawn for each."""

from __future__ import annotations

import functools
import inspect
import itertools
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sympy
from sympy import FiniteSet, Symbol

from verifier.case import Case
from verifier.errors import UsageError
from verifier.lift.construct import Question, _parts, arguments, resolve
from verifier.lift.keywords import DECAY_NAMES, REQUIRED, SWITCHES, completed, required
from verifier.strategies import HYPER, is_eps
from verifier.subjects.torch_keys import keys_of
from verifier.subjects.torch_sorting import sorts
from verifier.subjects.torch_words import words

__all__ = ["DECAY_NAMES", "Option", "Question", "Signature", "resolve", "signature"]

COUNTS = re.compile("seed|steps?$|iter|epoch|warmup|start|every|freq|interval|period|size|ndim|dims?$")
"""Names of options that are whole numbers, though their default of 0 does not say so."""

DRAWS = "it draws random numbers"
"""Why contracts that compare runs say nothing of an optimizer whose steps do."""

OF_SOME = re.compile(r"_(weight_decay|wd)$|^(weight_decay|wd)_\d+d$")
"""What weight decay is called that acts on some parameters, as vectors, alone: aux_weight_decay, weight_decay_1d."""

PARAMETERS = ("params", "parameters", "param_groups", "named_params", "named_parameters", "model", "models", "module",
              "optim_groups", "muon_params", "params_or_named_params")  # fmt: skip


@dataclass(frozen=True)
class Option:
    """One documented option: which argument it is (and which place of a tuple argument), and values to draw.

    Values are floats: a switch is 0 or 1, a whole number its value, a word its place in `words`. The first is the
    default.
    """

    name: str
    argument: str
    place: int | None
    kind: str  # float, int, switch, word
    values: tuple[float, ...]
    words: tuple[str | None, ...] = ()
    whole: bool = False  # whether the default of a float is written as a whole number, and so passed on

    @property
    def default(self) -> float:
        return self.values[0]

    def plain(self, value: float) -> Any:
        """The Python value that the float stands for."""
        if self.kind == "switch":
            return bool(value)
        if (self.kind == "int" and float(value).is_integer()) or (self.whole and value == self.default):
            return int(value)
        return self.words[int(value)] if self.kind == "word" else float(value)


@dataclass(frozen=True, eq=False)
class Signature:
    """An optimizer class as its constructor documents it; stands where a rule stands when no rule is known.

    `unexamined` says of each option that is never drawn why it is not. `exempt` says of contracts why they say
    nothing of this class. `group_options` are the options a parameter group may have of its own.
    """

    target: str
    name: str
    build: Callable[..., Any]
    first: str  # the argument that takes the parameters
    options: tuple[Option, ...]
    fixed: Mapping[str, Any]
    implementations: tuple[str, ...]
    can_maximize: bool
    unexamined: Mapping[str, str] = field(default_factory=dict)
    exempt: Mapping[str, str] = field(default_factory=dict)
    group_options: frozenset[str] = frozenset()
    least_dimensions: int = 0
    most_dimensions: int = 5
    takes_empty: bool = True
    needs_closure: bool = False
    configurations: tuple[Mapping[str, float], ...] = ()  # combinations of options that the constructor takes
    plain: tuple[Mapping[str, float], ...] = ()  # the defaults, and each switch turned with nothing else that can stay
    raising: tuple[Case, ...] = ()  # its options are taken, and the step raises: a case a kind of error
    stumbles: Mapping[str, frozenset[str]] = field(default_factory=dict)  # such a kind -> where alone it is raised
    unavailable: Mapping[str, str] = field(default_factory=dict)  # implementation, dtype or both -> why not
    notes: tuple[tuple[str, str], ...] = ()  # (kind, sentence): convention or note
    switches: tuple[str, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)  # what every group must say, as `torch_keys` finds it
    asleep: tuple[str, ...] = ()  # options, off by default, that alone make steps mix elements or tensors
    widest: str = "float64"  # the format in which it is looked at: float32 where it takes no float64
    lerps: bool = False  # whether averages are formed by lerp from the new value to the old
    sorts: bool = False  # whether it makes several groups of what it is given, whose options are then its affair
    forms: Any = None  # `torch_forms.Forms`: the rules read out of the code, where somebody may ask for them

    theta = Symbol("theta", real=True)
    grad = Symbol("g", real=True)
    state: typing.ClassVar[dict[Symbol, Any]] = {}

    @functools.cached_property
    def hyper(self) -> dict[Symbol, sympy.Set]:
        """Every option with the set of values it is drawn from."""
        return {Symbol(option.name, real=True): FiniteSet(*option.values) for option in self.options}

    def option(self, name: str) -> Option:
        """The option of that name."""
        return next(option for option in self.options if option.name == name)

    def sorted_out(self) -> Signature:
        """The signature that knows whether the class makes several groups of what it is given: it is built for that."""
        return replace(self, sorts=sorts(self.build, self.first, self.arguments(self.defaults)))

    @property
    def defaults(self) -> dict[str, float]:
        """Every option at its default."""
        return {option.name: option.default for option in self.options}

    @property
    def draws(self) -> bool:
        """Whether its steps draw random numbers."""
        return DRAWS in self.exempt.values()

    @property
    def of_vectors(self) -> bool:
        """Whether what is true of vectors says nothing of matrices, which the step treats otherwise."""
        return "partition" in self.exempt and self.least_dimensions < 2

    @property
    def decays(self) -> dict[str, float]:
        """Options that switch weight decay on, each with a value that does."""
        own = [o for o in self.options if o.name in DECAY_NAMES or (o.kind == "float" and OF_SOME.search(o.name))]
        found = {o.name: next((v for v in o.values if v > 0), 0.0) for o in own}
        return {name: value for name, value in found.items() if value and name != "decay"}

    def another(self, hyper: Mapping[str, float]) -> dict[str, float]:
        """The configuration that differs from `hyper` in most options of a group; its other options stay."""
        free = self.group_options
        best = max(self.configurations, key=lambda c: sum(c[n] != hyper.get(n) for n in free), default=dict(hyper))
        return {name: best[name] if name in free else value for name, value in hyper.items()}

    def arguments(self, hyper: Mapping[str, float]) -> dict[str, Any]:
        """The keyword arguments, tuples joined, that `hyper` stands for."""
        found: dict[str, Any] = {}
        tuples: dict[str, list[Any]] = {}
        for option in self.options:
            value = option.plain(hyper.get(option.name, option.default))
            if option.place is None:
                found[option.argument] = value
            else:
                tuples.setdefault(option.argument, []).append(value)
        return {**self.fixed, **found, **{name: tuple(parts) for name, parts in tuples.items()}}


def plain(
    defaults: Mapping[str, float], options: Sequence[Option], taken: Callable[[Mapping[str, float]], bool]
) -> Iterator[dict[str, float]]:
    """The defaults at a larger lr, and with each switch turned: what combinations of many options seldom are.

    A switch that is refused alone, as nesterov without a momentum, comes with the first option that helps.
    """
    base = dict(defaults)
    base |= {o.name: o.values[1] for o in options if o.name == "lr" and len(o.values) > 1}
    yield base
    for switch in (o for o in options if o.kind == "switch" and len(o.values) > 1):
        turned = {**base, switch.name: switch.values[1]}
        helped = ({**turned, o.name: v} for o in options if o.name not in (switch.name, "lr") for v in o.values[1:2])
        found = next((c for c in itertools.chain([turned], helped) if taken(c)), None)
        if found is not None:
            yield found


class NoSignature(UsageError):
    """A constructor whose arguments Python cannot tell: nothing can be run, and no other target is concerned."""


def stem(target: str) -> str:
    """The name a class gives its laws: torch.optim:AdamW is adamw."""
    return re.sub(r"\W", "_", target.rpartition(":")[2]).lower()


def signature(target: str | Callable[..., Any], args: Mapping[str, Any] | None = None) -> Signature:
    """What the constructor of `target` documents. Question where a required argument cannot be guessed.

    `args` are constructor arguments given by the person who asks; they are passed on and never varied.
    """
    name, build = resolve(target)
    given = dict(args or {})
    if isinstance(build, type) and not callable(getattr(build, "step", None)):
        raise UsageError("is no optimizer: it has no step()", where=name)
    try:
        parameters = arguments(build)
    except (TypeError, ValueError) as error:
        raise NoSignature(f"its constructor has no signature that can be read: {error}", where=name) from error
    known = [p.name for p in parameters]
    if (unknown := sorted(set(given) - set(known))) and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise UsageError(f"has no option {unknown[0]!r}", where=name, given=unknown[0], accepted=known)
    first = next((p.name for p in parameters if p.name in PARAMETERS), known[0] if known else "params")
    parameters = completed(build, first, parameters, required(parameters, first) | given)
    options: list[Option] = []
    fixed: dict[str, Any] = dict(given)
    unexamined: dict[str, str] = {}
    for p in parameters:
        if p.name in (first, *SWITCHES, *given) or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        found = _options(p) or _words(build, p)
        if p.name == "lr" and p.default is None and _refused(build, first, fixed):
            found = _options(p.replace(default=p.empty))
        if found:
            options += found
        elif p.default is p.empty or type(p.default).__name__ == "_RequiredParameter":
            if p.name not in REQUIRED:
                raise Question(name, p.name)
            fixed[p.name] = REQUIRED[p.name]
            unexamined[p.name] = "required, and given one value"
        else:
            unexamined[p.name] = f"nothing is known of it but its default, {p.default!r}"
    implementations = ("forloop", *(s for s in ("foreach", "fused", "differentiable") if s in known))
    if "capturable" in known:
        unexamined["capturable"] = "acts on accelerators only"
    return Signature(
        target=name,
        name=stem(name),
        build=build,
        first=first,
        keys=keys_of(build),
        options=tuple(options),
        fixed=fixed,
        implementations=implementations,
        can_maximize="maximize" in known,
        switches=tuple(s for s in SWITCHES if s in known),
        unexamined=unexamined,
    )


def _refused(build: Callable[..., Any], first: str, given: Mapping[str, Any]) -> bool:
    """Whether the constructor refuses its own defaults, as one that asserts lr > 0 where lr is None."""
    import torch

    try:
        build(**{first: [torch.nn.Parameter(torch.ones(3))], **given})
    except Exception:  # foreign code
        return True
    return False


def _options(p: inspect.Parameter) -> list[Option]:
    """The options that one constructor argument holds; none where nothing can be drawn for it."""
    default = p.default
    if type(default).__name__ == "_RequiredParameter":  # torch.optim.optimizer.required
        default = p.empty
    if default is p.empty and p.name in HYPER:
        default = HYPER[p.name][-1]
    if default is p.empty and p.name == "betas":
        default = (0.9, 0.99)
    if isinstance(default, bool):
        return [Option(p.name, p.name, None, "switch", (float(default), float(not default)))]
    literal = typing.get_args(p.annotation) if typing.get_origin(p.annotation) is typing.Literal else ()
    if isinstance(default, str) and default in literal:
        ordered = (default, *(w for w in literal if w != default and isinstance(w, str)))
        return [Option(p.name, p.name, None, "word", tuple(float(k) for k in range(len(ordered))), ordered)]
    if isinstance(default, tuple | list) and default and all(_is_number(v) for v in default):
        whole = isinstance(default[0], int) and p.name != "betas" and all(isinstance(v, int) for v in default)
        if whole:
            return []
        return [
            Option(part, p.name, k, "float", _floats(part, float(default[k])))
            for k, part in enumerate(_parts(p.name, default))
        ]
    if not _is_number(default):
        return []
    whole = isinstance(default, int) and p.name not in HYPER and p.name not in DECAY_NAMES
    whole = whole and (default >= 1 or p.annotation in (int, "int") or COUNTS.search(p.name) is not None)
    whole = whole and "float" not in str(p.annotation)
    if whole:
        others = [v for v in (2, 3, default // 2) if 0 < v != default]
        return [Option(p.name, p.name, None, "int", (float(default), *map(float, dict.fromkeys(others))))]
    plainly = isinstance(default, int) and "float" not in str(p.annotation)
    return [Option(p.name, p.name, None, "float", _floats(p.name, float(default)), whole=plainly)]


def _words(build: Callable[..., Any], p: inspect.Parameter) -> list[Option]:
    """The option of one argument that is a word, or None, where the code of the class compares it with words."""
    if not isinstance(p.default, str | None):
        return []
    ordered: tuple[str | None, ...] = (p.default, *(word for word in words(build, p.name) if word != p.default))
    places = tuple(float(k) for k in range(len(ordered)))
    return [Option(p.name, p.name, None, "word", places, ordered)] if len(ordered) > 1 else []


def _floats(name: str, default: float) -> tuple[float, ...]:
    """Values to draw for a float option: its default, then plain values far from it."""
    if name in HYPER:
        others = HYPER[name]
    elif name in DECAY_NAMES:
        others = HYPER["weight_decay"]
    elif is_eps(name):
        others = HYPER["eps"]
    elif name.startswith(("beta", "momentum", "rho", "mu")) and 0 <= default < 1:
        others = (0.5, 0.75, 0.3)
    elif default == 0:
        others = (0.5, 0.25, 0.1)
    elif 0 < default < 1:
        others = (default / 2, default / 8, (1 + default) / 2)
    elif default == -1:  # which stands for a rate that is not given
        others = (0.5, 0.75, -0.5)
    else:
        others = (default / 2, default * 2)
    return (default, *(v for v in others if v != default))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
