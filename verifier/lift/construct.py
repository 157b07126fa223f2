"""Building an optimizer nobody here wrote: which arguments are hyperparameters, what the required ones may be."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import pkgutil
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from verifier.errors import UsageError, nearest
from verifier.lift.keywords import DECAY_NAMES, REQUIRED, completed, required
from verifier.lift.nested import importing

PAIRS: dict[str, tuple[str, ...]] = {
    "etas": ("etaminus", "etaplus"),
    "step_sizes": ("step_size_min", "step_size_max"),
}
PENALTY = "lam"
"""The strength of the L2 penalty in the loss."""

_PARAMS = ("params", "parameters", "param_groups", "named_params", "named_parameters", "model", "models", "module",
           "optim_groups", "muon_params", "params_or_named_params")  # fmt: skip
_FLOAT_NAMES = frozenset(
    {*DECAY_NAMES, "lr", "momentum", "dampening", "eps", "lambd", "alpha", "beta", "beta1", "beta2", "lr_decay",
     "initial_accumulator_value", "rho", "nesterov_momentum", "eta", "gamma", "delta", "kappa", "learning_rate",
     "momentum_decay", "t0"}
)  # fmt: skip


class Question(UsageError):
    """A required argument nothing is known of: the person must say, by `--arg name=value`."""

    def __init__(self, target: str, argument: str) -> None:
        self.argument = argument
        super().__init__(f"needs {argument}; give it by --arg {argument}=VALUE", where=target)


@dataclass(frozen=True)
class Hyper:
    """One symbolic hyperparameter: its symbol's name, the constructor argument, the place in a tuple argument."""

    name: str
    argument: str
    place: int | None
    default: float


@dataclass(frozen=True)
class Recipe:
    """How to build an optimizer: the class, its symbolic hyperparameters, the arguments fixed, the parameters."""

    target: str
    build: Callable[..., Any]
    hypers: tuple[Hyper, ...]
    fixed: Mapping[str, Any]  # constructor arguments given as they are
    literal: Mapping[str, float]  # numeric hyperparameters left at a value, by symbol name
    parameters: str  # name of the argument that takes the parameters
    shapes: tuple[tuple[int, ...], ...] = ((2,),)
    form: str = "list"  # list, named, model
    tensor: frozenset[str] = frozenset()  # hyperparameters passed as 0-dim tensors
    tracked: bool = True  # whether parameters require grad
    is_complex: bool = False  # whether they are complex: pairs of reals, in the order of view_as_real
    tensor_read: int = 0  # which parameter tensor the rule is read from
    path: str = ""  # how the L2 penalty lam*sum(theta^2) enters: '', penalty, weight_decay or groups
    stateful: frozenset[tuple[str, ...]] = frozenset()  # paths known to be state even where a run leaves them alone
    beyond: str = ""  # a hyperparameter that is larger than all it is compared with
    modules: tuple[ModuleType, ...] = field(default=(), repr=False)


def resolve(target: str | Callable[..., Any]) -> tuple[str, Callable[..., Any]]:
    """The name and the class of a target: a class, `pkg.mod:Class`, or `path/file.py:Class`."""
    if not isinstance(target, str):
        return f"{target.__module__}:{target.__qualname__}", target
    place, colon, name = target.rpartition(":")
    if not colon:
        place, _, name = target.rpartition(".")
    if not place or not name:
        raise UsageError(f"target {target!r} is not pkg.mod:Class or path/file.py:Class")
    if place.endswith(".py"):
        module = _from_file(Path(place))
    else:
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            near = nearest(place, neighbours(error.name or place))
            meant = f"; did you mean {near!r}?" if near else ""
            raise UsageError(f"no module {error.name!r} for target {target!r}{meant}", given=place) from error
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            classes = [n for n, v in vars(module).items() if inspect.isclass(v) and hasattr(v, "step")]
            raise UsageError(f"{place} has no {name!r}", given=name, accepted=classes)
        found = getattr(found, part)
    return f"{place}:{name}", found


def neighbours(missing: str) -> list[str]:
    """The modules that lie where one is missing."""
    package, _, _ = missing.rpartition(".")
    places = getattr(sys.modules.get(package), "__path__", None) if package else None
    if package and places is None:
        return []
    return [f"{package}.{m.name}" if package else m.name for m in pkgutil.iter_modules(places)]


def _from_file(path: Path) -> ModuleType:
    """The module of a file, which finds what lies beside it, last of all places, as it would if it were run."""
    if not path.is_file():
        files = sorted(p.name for p in path.parent.glob("*.py")) if path.parent.is_dir() else []
        near = nearest(path.name, files)
        raise UsageError(f"no file {path}" + (f"; did you mean {str(path.with_name(near))!r}?" if near else ""))
    name = stem = f"verifier_target_{path.stem}"
    for number in itertools.count(2):  # each of its classes has a module of its own, where pickle finds it
        if name not in sys.modules:
            break
        name = f"{stem}_{number}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be imported")
    if (beside := str(path.resolve().parent)) not in sys.path:
        sys.path.append(beside)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with importing(name):
            spec.loader.exec_module(module)
    except SyntaxError as error:
        raise UsageError(f"is no Python: {error.msg}", where=f"{error.filename}, line {error.lineno}") from error
    return module


def recipe(
    target: str | Callable[..., Any],
    implementation: str = "forloop",
    *,
    symbolic: Iterable[str] = (),
    shapes: Sequence[Sequence[int]] | None = None,
    tensor: Iterable[str] = (),
    args: Mapping[str, Any] | None = None,
    is_complex: bool = False,
    **options: Any,
) -> Recipe:
    """How to build `target`.

    A float argument is symbolic unless its default is 0 (weight decay is always symbolic); an option given as a
    number other than 0 is symbolic too, one given as 0, a bool, a string or None is passed on as it is. `symbolic`
    names further ones; `args` gives arguments that are to be passed on literally.
    """
    name, build = resolve(target)
    args = dict(args or {})
    wanted = set(symbolic)
    try:
        parameters = arguments(build)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} has no signature: {error}") from error
    known = [p.name for p in parameters]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        pairs = {n for p in parameters for n in _parts(p.name, p.default)}
        for option in {*options, *args, *wanted}:
            if option not in known and option not in pairs:
                raise UsageError(f"{name} has no option {option!r}", given=option, accepted=[*known, *sorted(pairs)])
    first = next((p.name for p in parameters if p.name in _PARAMS), known[0] if known else "params")
    parameters = completed(build, first, parameters, required(parameters, first) | args)
    hypers: list[Hyper] = []
    fixed: dict[str, Any] = {}
    literal: dict[str, float] = {}
    for p in parameters:
        if p.name == first or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        if p.name in args:
            fixed[p.name] = args[p.name]
        elif p.default is p.empty and p.name in _PARAMS and p.name not in options:
            fixed[p.name] = AGAIN
        elif p.name == "foreach" and p.name not in options:
            fixed[p.name] = implementation == "foreach"
        elif p.name == "fused" and p.name not in options:
            continue
        else:
            argument(name, p, options, wanted, hypers, fixed, literal)
    if implementation == "foreach" and "foreach" not in fixed:
        raise UsageError(f"{name} has no foreach implementation: it takes no `foreach` argument")
    tracked = not fixed.get("differentiable", False)
    return Recipe(
        target=name,
        build=build,
        hypers=tuple(hypers),
        fixed=fixed,
        literal=literal,
        parameters=first,
        shapes=tuple(tuple(s) for s in shapes) if shapes is not None else Recipe.shapes,
        form=_form(first),
        tensor=frozenset(tensor),
        tracked=tracked,
        is_complex=is_complex,
        modules=modules_of(build),
    )


AGAIN = object()
"""Stands for the parameters in an argument that wants them a second time, in the form its name says."""


def arguments(build: Callable[..., Any]) -> list[inspect.Parameter]:
    """A constructor's arguments; where it only passes on what it is given, those of the class it passes it to."""
    own = list(inspect.signature(build).parameters.values())
    if not inspect.isclass(build) or any(p.kind is p.POSITIONAL_OR_KEYWORD for p in own):
        return own
    for base in build.__mro__[1:]:
        theirs = list(inspect.signature(base).parameters.values()) if "__init__" in vars(base) else own
        if any(p.kind is p.POSITIONAL_OR_KEYWORD for p in theirs):
            known = {p.name for p in theirs}
            return theirs + [p for p in own if p.kind is p.KEYWORD_ONLY and p.name not in known]
    return own


def given(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """The symbolic hyperparameters with their defaults, the numbers left alone, the options: as a lift says them."""
    return {
        "hyper": {h.name: h.default for h in recipe.hypers},
        "literal": dict(recipe.literal),
        "fixed": {n: v for n, v in recipe.fixed.items() if v is not AGAIN},
    }


def _form(argument: str) -> str:
    """What the argument that takes the parameters wants, going by its name."""
    if argument in ("optimizer", "base_optimizer"):
        return "optimizer"
    if argument in ("model", "models", "module"):
        return "model"
    return "named" if argument.startswith("named") else "list"


def modules_of(build: Callable[..., Any]) -> tuple[ModuleType, ...]:
    """The modules whose code an optimizer class runs: those of its bases, torch's own optimizers included."""
    classes = build.__mro__ if inspect.isclass(build) else (build,)
    found = {c.__module__: sys.modules.get(c.__module__) for c in classes if c.__module__ != "builtins"}
    return tuple(m for m in found.values() if m is not None)


def _parts(name: str, default: Any) -> tuple[str, ...]:
    """The symbols' names of an argument: `betas` holds beta1, beta2."""
    if not isinstance(default, tuple | list):
        return (name,)
    if name in PAIRS:
        return PAIRS[name]
    stem = name if name == "eps" else name.rstrip("s")
    return tuple(f"{stem}{k}" for k in range(1, len(default) + 1))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def argument(
    target: str,
    p: inspect.Parameter,
    options: Mapping[str, Any],
    wanted: set[str],
    hypers: list[Hyper],
    fixed: dict[str, Any],
    literal: dict[str, float],
) -> None:
    """Decides about one constructor argument: symbolic, fixed, or left to its default."""
    default = p.default
    if type(default).__name__ == "_RequiredParameter":  # torch.optim.optimizer.required
        default = inspect.Parameter.empty
    given = options.get(p.name, inspect.Parameter.empty)
    if default is inspect.Parameter.empty and given is inspect.Parameter.empty:
        if p.name not in REQUIRED:
            raise Question(target, p.name)
        default = REQUIRED[p.name]
    value = default if given is inspect.Parameter.empty else given
    if isinstance(default, tuple | list) and not isinstance(value, tuple | list):
        value = default
    if isinstance(value, tuple | list) and value and all(_is_number(v) for v in value):
        if isinstance(value[0], int) and p.name not in PAIRS and p.name != "betas":
            if given is not inspect.Parameter.empty:
                fixed[p.name] = value
            return
        for k, part in enumerate(_parts(p.name, value)):
            hypers.append(Hyper(part, p.name, k, float(options.get(part, value[k]))))
        return
    floating = isinstance(value, float) or (isinstance(value, int) and p.name in _FLOAT_NAMES)
    floating = floating or (_is_number(value) and "float" in str(p.annotation) and "Optional" not in str(p.annotation))
    if not _is_number(value) or not floating:
        if p.name in wanted:
            hypers.append(Hyper(p.name, p.name, None, 0.5))
        elif given is not inspect.Parameter.empty or default is not p.default or p.default is inspect.Parameter.empty:
            fixed[p.name] = value
        return
    active = value != 0 or p.name in wanted or (p.name in DECAY_NAMES and given is inspect.Parameter.empty)
    if active:
        hypers.append(Hyper(p.name, p.name, None, float(value)))
    else:
        literal[p.name] = 0.0
        if given is not inspect.Parameter.empty:
            fixed[p.name] = value


SLOW, FADES = 0.8, 0.86
"""From which default on a rate of decay is drawn no lower than FADES: its power at the generic step must show next to
one. At step 211, 1 - 0.83**211 is 1.0 exactly, and a bias correction could not be told from none."""


def generic(hyper: Hyper, seed: int) -> float:
    """A value nobody would have typed, of the size and in the range of the default."""
    draw = random.Random(f"{hyper.name} {seed}")
    share = draw.uniform(0.2, 0.8)
    value = hyper.default
    if hyper.name.startswith("eps") or 0 < value <= 1e-5:
        return 0.001 + 0.02 * share
    if value == 0:
        return 0.05 + 0.3 * share
    if hyper.name in ("lr", "learning_rate", *DECAY_NAMES) and 0 < value < 0.9:
        return 0.01 + 0.1 * share
    if 0 < value < 1:
        drawn = value * (1 - 0.15 * share)
        return drawn if drawn >= FADES or value < SLOW else FADES + (1 - FADES) * share / 4
    return value * (1 + 0.1 * share)


def near_default(hyper: Hyper, seed: int) -> float:
    """A value within a thousandth of the default, for constructors that are strict about theirs."""
    draw = random.Random(f"{hyper.name} {seed}")
    share = draw.uniform(0.2, 0.8)
    return hyper.default * (1 - 0.001 * share) if hyper.default else 0.001 * share


def make_parameters(
    shapes: Sequence[Sequence[int]], seed: int, tracked: bool, is_complex: bool = False
) -> list[torch.nn.Parameter]:
    """Parameters of generic values, away from zero, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for shape in shapes:
        shape = (*shape, 2) if is_complex else shape
        values = torch.rand(tuple(shape), generator=generator, dtype=torch.float64) + 0.25
        signs = torch.randint(0, 2, tuple(shape), generator=generator) * 2 - 1
        values = torch.view_as_complex(values * signs) if is_complex else values * signs
        made.append(torch.nn.Parameter(values, requires_grad=tracked))
    return made


class _Holder(torch.nn.Module):
    """A model that holds parameters and nothing else."""

    def __init__(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        super().__init__()
        for k, p in enumerate(parameters):
            self.register_parameter(f"weight{k}", p)


def build(recipe: Recipe, parameters: Sequence[torch.nn.Parameter], values: Mapping[str, Any]) -> Any:
    """The optimizer of `recipe` over `parameters`, with `values` (by symbol name) for its hyperparameters."""
    holder = _Holder(parameters)
    keywords = dict(recipe.fixed)
    again = {"list": parameters, "named": list(holder.named_parameters()), "model": holder}
    keywords.update({n: again.get(_form(n), parameters) for n, v in recipe.fixed.items() if v is AGAIN})
    tuples: dict[str, list[Any]] = {}
    for hyper in recipe.hypers:
        value = values[hyper.name]
        if hyper.argument == PENALTY:
            continue
        if hyper.name in recipe.tensor:
            value = torch.tensor(value)
        if hyper.place is None:
            keywords[hyper.argument] = value
        else:
            tuples.setdefault(hyper.argument, []).append(value)
    keywords.update({name: tuple(parts) for name, parts in tuples.items()})
    given: Any = list(parameters)
    if recipe.form == "named":
        given = list(holder.named_parameters())
    elif recipe.form == "flagged":  # groups that say which algorithm they want
        given = [{"params": given, "use_muon": True}]
    elif recipe.form == "optimizer":
        given = torch.optim.SGD(given, lr=0.05)
    elif recipe.form in ("model", "module list"):
        given = holder if recipe.form == "model" else [holder]
    if recipe.path == "weight_decay":
        keywords["weight_decay"] = 2 * values[PENALTY]
    elif recipe.path == "groups":  # weights decay, the rest does not
        given = [{"params": given[:1], "weight_decay": 2 * values[PENALTY]}, {"params": given[1:]}]
        keywords["weight_decay"] = 0
    return recipe.build(**{recipe.parameters: given}, **keywords)
