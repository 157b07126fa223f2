"""A life as data: what happened in it, played again, made small, and unrolled into a script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verifier.auditing import script
from verifier.auditing.life import SIZES, machine
from verifier.auditing.scene import Scene, built
from verifier.auditing.strayed import Strayed
from verifier.case import Case

SMALL = ((1,), (), (1, 1), (2,))
"""Shapes that serve as well as `SIZES` in most lives."""

BORN = "born:"
"""How the first event of a history begins; its number seeds the values."""


@dataclass(frozen=True)
class History:
    """What happened in a life: the options it was born with, the seed of its values, and events with their arguments.

    `small`: its parameters have few elements, of values that are short to write.
    """

    hyper: Mapping[str, float]
    seed: int
    events: tuple[tuple[str, Mapping[str, Any]], ...]
    small: bool = False

    def to_case(self) -> Case:
        """The life as a case without steps of its own: an event a number, each with its arguments as JSON."""
        shapes = SMALL if self.small else SIZES
        count = sum(int(np.prod(shape)) for shape in shapes)
        told = [f"{name}:{json.dumps(_plain(given), sort_keys=True)}" for name, given in self.events]
        events = {0: (f"{BORN}{self.seed}",), **{k: (text,) for k, text in enumerate(told, 1)}}
        return Case(shapes, np.zeros(count), np.zeros((0, count)), dict(self.hyper), events=events)

    @classmethod
    def from_case(cls, case: Case) -> History:
        """The life that `to_case` wrote."""
        events = []
        for step in sorted(k for k in case.events if k):
            name, _, given = case.events[step][0].partition(":")
            events.append((name, json.loads(given)))
        seed = int(case.events[0][0].removeprefix(BORN))
        return cls(dict(case.hyper), seed, tuple(events), case.shapes == SMALL)


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: sorted(value) if isinstance(value, set) else value for name, value in given.items()}


def played(found: Any, history: History) -> Strayed | None:
    """What goes wrong when the life is lived again; events that cannot happen by then are left out."""
    signature = found.signature
    sizes = SMALL if history.small else SIZES
    life = machine(signature, held=found.held, sizes=sizes, short=history.small)()
    life.born(hyper=dict(history.hyper), seed=history.seed)  # type: ignore[attr-defined]
    known = {rule.function.__name__: rule for rule in life.rules}
    try:
        for name, given in history.events:
            if all(may(life) for may in known[name].preconditions):
                getattr(life, name)(**{n: set(v) if isinstance(v, list) else v for n, v in given.items()})
                life.moves_as_alone()  # type: ignore[attr-defined]
    except Strayed as strayed:
        strayed.life = life
        return strayed
    return None


def replayed(found: Any, case: Case) -> None:
    """Raises what goes wrong in the life that a case holds."""
    strayed = played(found, History.from_case(case))
    if strayed is not None:
        raise strayed


def told(past: Sequence[Any]) -> History:
    """The life that a machine tells of."""
    (hyper, seed), *events = past
    return History(hyper, seed, tuple((name, dict(given)) for name, given in events))


def smaller(found: Any, history: History) -> History:
    """The life with everything left out without which it goes wrong all the same, and with plainer options."""
    first = played(found, history)
    if first is None:
        return history

    def keeps(other: History) -> bool:
        strayed = played(found, other)
        return strayed is not None and strayed.by == first.by

    for other in _plainer(history, found.signature.defaults):
        history = other(history) if other(history) != history and keeps(other(history)) else history
    return history


def _plainer(history: History, defaults: Mapping[str, float]) -> Iterator[Any]:
    yield lambda h: replace(h, small=True)
    for _ in range(2):
        for k in reversed(range(len(history.events))):
            yield lambda h, k=k: replace(h, events=h.events[:k] + h.events[k + 1 :])
    for k in range(len(history.events)):
        yield lambda h, k=k: _changed(h, k, lambda name, given: given | {"count": 2} if "count" in given else given)
        yield lambda h, k=k: _changed(
            h, k, lambda name, given: given | {"missing": []} if "missing" in given else given
        )
    for name in sorted(history.hyper):
        yield lambda h, name=name: replace(h, hyper={**h.hyper, name: defaults[name]})
    for k in range(len(history.events)):
        for name in sorted(history.hyper):
            yield lambda h, k=k, name=name: _changed(h, k, lambda _, given: _as_born(given, name, h.hyper))
    yield lambda h: replace(h, small=True)


def _changed(history: History, k: int, change: Any) -> History:
    """The history with the arguments of one event changed."""
    if k >= len(history.events):
        return history
    name, given = history.events[k]
    return replace(history, events=(*history.events[:k], (name, change(name, dict(given))), *history.events[k + 1 :]))


def _as_born(given: Mapping[str, Any], name: str, hyper: Mapping[str, float]) -> dict[str, Any]:
    """The arguments of an event, an option in them set back to what the optimizer was born with."""
    back = {n: {**v, name: hyper[name]} for n, v in given.items() if n in ("own", "other") and name in v}
    return {**given, **back} if given.get("name") != name else dict(given)


def scripts(scene: Scene, history: History, strayed: Strayed) -> list[str]:
    """Scripts that live the life again, in plain torch, and exit 1 where its parameter goes astray."""
    live, alone = _lines(scene, history, strayed.life, None), _lines(scene, history, strayed.life, strayed.parameter)
    body = [*HELP[: 3 if "step(" in "".join(live) else 0], _building(scene, history)]
    seen = f"    return p[{strayed.parameter}].flatten().tolist()"
    body += ["def life():", *[f"    {line}" for line in live], seen]
    if strayed.by == "alone":
        body += ["def alone():", *[f"    {line}" for line in alone], "    return p[0].flatten().tolist()"]
        ending = ["observed, expected = life(), alone()", "print('in this life', observed, 'and alone', expected)"]
        ending += ["raise SystemExit(str(observed) != str(expected))"]
    else:
        low, high = strayed.allowed
        ending = [f"observed = life()[{strayed.element}]"]
        ending += [f"print('observed', observed, 'expected', {low!r}, 'to', {high!r})"]
        ending += [f"raise SystemExit(not {low!r} <= observed <= {high!r})"]
    told = script.headline(scene.target, f"{strayed.what.partition('events ')[2]} at step {strayed.step}")
    lines = [f'"""{told}"""', *script.imports(scene.target, [*body, *ending]), "", *body, "", *ending]
    return script.fitting("\n".join(kept) + "\n" for kept in (lines, [line for line in lines if line]))[:1]


HELP = (
    "def step(opt, p, grads):",
    "    for x, g in zip(p, grads): x.grad = None if g is None else torch.tensor(g).to(x).reshape(x.shape)",
    "    opt.step()",
)


def _building(scene: Scene, history: History) -> str:
    """A line that defines `build`: the optimizer, a group for each parameter."""
    one = Case(((1,),), np.zeros(1), np.zeros((0, 1)), dict(history.hyper))
    text = built(scene, one, history.hyper, [0])
    return f"build = lambda p: {text.replace('(p', '([{' + repr('params') + ': [x]} for x in p]', 1)}"


def _lines(scene: Scene, history: History, life: Any, only: int | None) -> list[str]:
    """What happened as lines, to all parameters, or to one of them that has an optimizer alone."""
    mine = [only] if only is not None else list(range(len(life.real)))
    values = [v for k, v in enumerate(life.values) if k in mine]
    lines = [f"p = [torch.nn.Parameter(torch.tensor(v, dtype=torch.{scene.dtype})) for v in {values!r}]"]
    count = 1
    own = life.own.get(only, {}) if only is not None else {}
    lines.append(
        f"{lines.pop()}; opt = build(p[:1]){''.join(f'; opt.param_groups[0][{n!r}] = {v!r}' for n, v in own.items())}"
    )
    for kind, told in life.log:
        if kind == "step":
            grads = [told.get(k) for k in mine[: count if only is None else 1]]
            if any(g is not None for g in grads) or only is None:
                lines.append(f"step(opt, p, {grads!r})")
        elif kind == "change":
            if told["which"] in mine:
                lines.append(f"opt.param_groups[{mine.index(told['which'])}][{told['argument']!r}] = {told['value']!r}")
        elif kind == "move":
            wider = "p = [torch.nn.Parameter(x.detach().double()) for x in p]"
            lines.append(f"{wider}; {RESUMED.format(count=count, travels='opt.state_dict()')}")
        elif only is None:
            count += kind == "group"
            lines += _of_all(kind, told, count)
    return _joined(lines)


RESUMED = "new = build(p[:{count}]); new.load_state_dict({travels}); opt = new"


def _of_all(kind: str, told: Any, count: int) -> Sequence[str]:
    """What happened to the optimizer of all parameters and not to those that have one alone."""
    from verifier.auditing.scene import TRAVELS

    if kind == "group":
        given = "".join(f", {n!r}: {v!r}" for n, v in told.items())
        return [f"opt.add_param_group({{'params': [p[{count - 1}]]{given}}})"]
    if kind == "resume":
        return [RESUMED.format(count=count, travels=TRAVELS.get(told, "opt.state_dict()"))]
    skipped = (
        f"for x in p[:{count}]: x.grad = torch.full_like(x, torch.inf)",
        "scaler = torch.amp.GradScaler('cpu'); scaler.scale(torch.zeros(())); scaler.step(opt)",
    )
    return {
        "copied": ["opt, p = copy.deepcopy((opt, p))"],
        "skipped": skipped,
        "idle": [f"step(opt, p, {[None] * count!r})"],
        "clear": ["opt.zero_grad(); opt.state_dict()"],
    }[kind]


def _joined(lines: Sequence[str]) -> list[str]:
    """Neighbouring steps share a line, as far as that is short."""
    found: list[str] = []
    for line in lines:
        if found and line.startswith("step(") and found[-1].startswith("step(") and len(found[-1] + line) < 110:
            found[-1] += "; " + line
        else:
            found.append(line)
    return found
