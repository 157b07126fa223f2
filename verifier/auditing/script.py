"""A violation as a script of its own: at most 25 lines that import torch and the target, and exit 1 while it is there.

Most laws compare two runs. The script then has one function, `run(changed)`, in which every line that differs between
the two says so: `x if changed else y`. The others compare one number with the one it should be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier.auditing.scene import Lines, Scene, lines_of
from verifier.case import Case
from verifier.record import Pair, Violation

LIMIT = 25
"""Lines a script may have."""

WIDTH = 1000
"""Characters a line of a script may have."""


@dataclass(frozen=True)
class Told:
    """What is told of a violation besides the case it was seen on: its law, and where and what it was."""

    law: str
    found: Violation


def scripts(scene: Scene, law: str, found: Violation) -> list[str]:
    """Scripts that may show the violation, the best first; ValueError says why there is none."""
    told = Told(law, found)
    case = found.pair.observed if found.pair else found.follow_up
    if case is None:
        raise ValueError("it has no case")
    if "raised instead of stepping" in found.what:
        return [_text(scene, told, _alone(scene, found.follow_up or case), ["run()  # raises, and so exits 1"])]
    if law in FACTS:
        whole = case.with_(events={0: tuple(n for n in case.events.get(0, ()) if n == "misspelt")})
        return [_text(scene, told, _alone(scene, whole, "opt, p, build"), FACTS[law])]
    if law == "closure" and found.pair is None:
        return [_text(scene, told, _alone(scene, case, "seen"), _closure_ending(found))]
    candidates = []
    for text in _of_a_pair(scene, told, found.pair) if found.pair else _of_a_number(scene, told, case):
        lines = text.splitlines()
        if len(lines) <= LIMIT and max(map(len, lines)) <= WIDTH:
            candidates.append(text)
    if not candidates:
        raise ValueError("it takes more lines, or longer ones")
    return candidates


def _text(scene: Scene, told: Told, run: Sequence[str], ending: Sequence[str]) -> str:
    lines = [f'"""{_headline(scene, told)}"""', *_imports(scene.target), "", *run, "", *ending]
    return "\n".join(lines) + "\n"


def _headline(scene: Scene, told: Told) -> str:
    text = re.sub(r"^\S+ on \S+: ", "", told.found.sentence).split(": observed")[0]
    return f"{scene.target}: {text}"[:110].replace('"""', "'''").replace("\\", "/")


def _imports(target: str) -> list[str]:
    place, _, name = target.rpartition(":")
    if place.endswith(".py"):
        path = Path(place).resolve()
        folder = f"sys.path.insert(0, {str(path.parent)!r})"
        return ["import sys", "import torch", folder, f"from {path.stem} import {name}"]
    return ["import torch", f"from {place} import {name}"]


def _trimmed(case: Case, steps: int) -> Case:
    return case.with_(
        grads=case.grads[:steps],
        schedule={k: v for k, v in case.schedule.items() if k <= steps},
        absent=frozenset((s, k) for s, k in case.absent if s <= steps),
        events={k: v for k, v in case.events.items() if k <= steps},
    )


def _alone(scene: Scene, case: Case, returned: str = "") -> list[str]:
    """`run()`, of one case."""
    return _function("def run():", [(line, line) for line in lines_of(scene, case, returned=returned)])


def _function(head: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
    lines = [head]
    for one, other in pairs:
        if one == other:
            lines.append(f"    {one}" if one else "")
            continue
        lines.append(f"    {_either(one, other)}")
    return [line for line in lines if line.strip()]


def _either(one: str, other: str) -> str:
    """A line that is `one` where something is changed, and `other` where not."""
    indent = (one or other)[: len(one or other) - len((one or other).lstrip())]
    one, other = one.strip(), other.strip()
    if not (one and other):
        when, line = ("changed", one) if one else ("not changed", other)
        step = re.match(r"if (step == \d+): (.*)", line)
        return f"{indent}if {when} and {step[1]}: {step[2]}" if step else f"{indent}if {when}: {line}"
    for head in ("p = ", "rows = ", "opt = ", "return "):
        if one.startswith(head) and other.startswith(head):
            return f"{indent}{head}({one.removeprefix(head)}) if changed else ({other.removeprefix(head)})"
    return f"{indent}if changed: {one}\n    {indent}else: {other}"


COMPARED = (
    "expected, observed = run(False), run(True)",
    "wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))",
    "i = wrong.nonzero().flatten()[:1].tolist()",
    "print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())",
    "raise SystemExit(len(i))",
)


def _of_a_pair(scene: Scene, told: Told, pair: Pair) -> Iterator[str]:
    """Both runs in one function: as far as the step it was seen at, then whole, then with the state beside."""
    same_steps = pair.observed.steps == pair.expected.steps
    lengths = [pair.observed.steps]
    if told.found.step and same_steps and told.found.step < pair.observed.steps:
        lengths.insert(0, told.found.step)
    for state in (False,) if pair.here or pair.there else (False, True):
        for length in lengths:
            one, other = (_trimmed(c, length) if same_steps else c for c in (pair.observed, pair.expected))
            changed = lines_of(scene, one, elements=pair.here, state=state)
            plain = lines_of(scene, other, elements=pair.there, state=state)
            yield _text(scene, told, _function("def run(changed):", _paired(changed, plain)), COMPARED)


ORDER = (
    "threads",
    "filled",
    "p",
    "build",
    "opt",
    "train",
    "seen",
    "rows",
    "for",
    "schedule",
    "",
    "grads",
    "step",
)
"""The kinds of lines, in the order they stand in; what happens between steps stands where the empty one does."""


def _paired(one: Lines, other: Lines) -> list[tuple[str, str]]:
    """The lines of two runs side by side; those of a kind that one of them lacks face nothing."""
    found: list[tuple[str, str]] = []
    middle, last = ORDER.index(""), len(ORDER)
    kinds = dict.fromkeys((*one.kinds, *other.kinds))
    place = {kind: ORDER.index(kind) if kind in ORDER else last if kind == "return" else middle for kind in kinds}
    for kind in sorted(kinds, key=lambda kind: place[kind]):
        mine, theirs = one.of(kind), other.of(kind)
        if mine == theirs:
            found += [(line, line) for line in mine]
        elif len(mine) == len(theirs) == 1:
            found.append((mine[0], theirs[0]))
        else:
            found += [(line, "") for line in mine] + [("", line) for line in theirs]
    return found


def _of_a_number(scene: Scene, told: Told, case: Case) -> Iterator[str]:
    """One run, and one number of it compared with a known one."""
    found = told.found
    values = re.match(r"(in \[)?(\S+?)(?: \(\S+\))?(?:, (\S+?)(?: \(\S+\))?\])?$", found.expected)
    if found.step is None or found.element is None or found.tensor is None or values is None:
        raise ValueError("it names no number to compare with")
    case = _trimmed(case, found.step)
    name = re.match(r"(\w+) (?:left its enclosure|moved although|is not what)", found.what)
    tensor = f"p[{found.tensor}]"
    if told.law == "purity":
        tensor += ".grad"
    elif name is not None and name[1] != "theta":
        tensor = f"opt.state[{tensor}][{name[1]!r}]"
    low, high = values[2], values[3]
    expected = _number(low)
    if high:
        ending = [f"print('observed', observed, 'expected {low} to {high}')"]
        ending += [f"raise SystemExit(not {expected} <= observed <= {_number(high)})"]
    else:
        same = "observed != observed" if low == "nan" else f"observed == {expected}"
        ending = [f"print('observed', observed, 'expected', {expected})", f"raise SystemExit(not {same})"]
    run = _alone(scene, case, f"{tensor}.detach().flatten()[{found.element}].item()")
    yield _text(scene, told, run, ["observed = run()", *ending])


def _number(text: str) -> str:
    return f"float({text!r})" if text in ("nan", "inf", "-inf") else text


def _closure_ending(found: Violation) -> list[str]:
    """What a closure's life should have been, for the part of the contract that is broken."""
    if "return" in found.what:
        return ["print(run())", "raise SystemExit(any(returned != step for step, returned, _ in run()))"]
    return ["print(run())", "raise SystemExit(not all(enabled for _, _, enabled in run()))"]


FACTS: dict[str, list[str]] = {
    "bad_options": ["opt, p, build = run()", "raise SystemExit('lr = -1 is accepted')"],
    "misspelt_option": ["opt, p, build = run()", "raise SystemExit('an option that does not exist is accepted')"],
    "state_apart": [
        "opt, p, build = run()",
        "saved = __import__('copy').deepcopy(opt.state_dict())",
        "new = build(p)",
        "new.load_state_dict(saved)",
        "for i, state in saved['state'].items():",
        "    for name, value in state.items() if isinstance(state, dict) else ():",
        "        mine = new.state_dict()['state'][i][name]",
        "        if torch.is_tensor(value) and value.numel() and value.data_ptr() == mine.data_ptr():",
        "            raise SystemExit(f'the optimizer shares {name} with the state_dict it loaded')",
    ],
    "state_dtypes": [
        "opt, p, build = run()",
        "new = build(p)",
        "new.load_state_dict(opt.state_dict())",
        "for x, y in zip(opt.state.values(), new.state.values()):",
        "    for name in x if isinstance(x, dict) else ():",
        "        if torch.is_tensor(x[name]) and x[name].dtype != y[name].dtype:",
        "            raise SystemExit(f'load_state_dict turns {name} from {x[name].dtype} into {y[name].dtype}')",
    ],
    "bounded_memory": [
        "opt, p, build = run()",
        "held = lambda v: v.numel() if torch.is_tensor(v) else sum(map(held, v.values() if isinstance(v, dict) else v)"
        " if isinstance(v, (dict, list, tuple, set)) else [0])",
        "before = held(vars(opt))",
        "for _ in range(9): opt.step()",
        "print(before, 'elements in memory, and 9 steps later', held(vars(opt)))",
        "raise SystemExit(held(vars(opt)) > before)",
    ],
    "no_graph": [
        "opt, p, build = run()",
        "kept = [n for s in opt.state.values() for n, v in s.items() if torch.is_tensor(v) and v.grad_fn is not None]",
        "print('state that keeps a graph:', kept)",
        "raise SystemExit(bool(kept or any(x.grad_fn is not None for x in p)))",
    ],
}
"""Laws about facts, not values: how each is read off an optimizer that has stepped."""
