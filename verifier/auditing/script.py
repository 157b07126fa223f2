"""A violation as a script of its own: at most 25 lines that import torch and the target, and exit 1 while it is there.

Most laws compare two runs. The script then has one function, `run(changed)`, in which every line that differs between
the two says so: `x if changed else y`. The others compare one number with the one it should be.
"""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from verifier.auditing import dying
from verifier.auditing import facts as facts_of
from verifier.auditing.scene import Lines, Scene, built, lines_of
from verifier.case import Case
from verifier.record import Pair, Violation

LIMIT = 25
"""Lines a script may have."""

WIDTH = 1000
"""Characters a line of a script may have."""

LONGEST = 110
"""Characters that its first line may say."""


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
        ran = found.follow_up or case
        calm = {k: tuple(n for n in names if not n.startswith("dirty")) for k, names in ran.events.items()}
        cases = [ran.with_(events=calm), ran] if calm != dict(ran.events) else [ran]
        return fitting(_text(scene, told, _alone(scene, one), ["run()  # raises, and so exits 1"]) for one in cases)
    facts = facts_of.FACTS.get(law, facts_of.MOVED if "moved a parameter" in found.what else ())
    facts = facts_of.CLEARED if "leaves gradients" in found.what else facts
    if facts:
        whole = case.with_(events={0: tuple(n for n in case.events.get(0, ()) if n == "misspelt")})
        texts: Iterable[str] = [_text(scene, told, _alone(scene, whole, "opt, p, build"), facts)]
    elif law == "closure" and found.pair is None:
        texts = [_text(scene, told, _alone(scene, case, "seen"), facts_of.of_closures(found))]
    elif law == "counted_steps":
        texts = [_text(scene, told, _alone(scene, case, "opt, p, build"), facts_of.of_counts(found))]
    elif law == "acting_switches" and "never written" in found.what:
        texts = [_text(scene, told, _alone(scene, case, "opt, p, build"), facts_of.of_zeros(found))]
    elif law == "master_weights" and "no more digits" in found.what:
        texts = [_text(scene, told, _alone(scene, case, "opt, p, build"), facts_of.of_digits(found))]
    elif law == "direction":
        if scene.signature.needs_closure:
            raise ValueError("its step needs a closure")
        building = built(scene, case, case.hyper, [0])
        grad = [float(x) for x in case.grads[0]]
        start = [float(x) for x in case.theta]
        shares = [float(x) for x in case.grads[:, 0] / case.grads[0, 0]]
        lines = facts_of.of_direction(building, scene.dtype, case.shapes[0], start, grad, shares, scene.trains)
        texts = [_text(scene, told, lines, [])]
    elif law == "whole_tensors":
        building = built(scene, case, case.hyper, [0])
        kind = found.observed.partition(" ")[0]
        lines = facts_of.of_parts(building, scene.dtype, case.shapes[0], case.steps, scene.trains, kind)
        texts = [_text(scene, told, lines, [])]
    elif found.pair is not None:
        texts = _of_a_pair(scene, told, found.pair)
    else:
        texts = _of_a_number(scene, told, case)
    return fitting(texts)


def of_numbers(signature: Any, read: Any, law: str) -> dict[str, Any]:
    """What is known of a mistake over whole tensors: the script that shows it, as `explain` tells of one not tried."""
    scene = Scene(signature, "forloop", "float64", {})
    values = np.zeros(len(read.shows["theta"]))
    case = Case((tuple(read.shows["shape"]),), values, np.zeros((0, len(values))), dict(signature.defaults))
    building = built(scene, case, {**signature.defaults, **read.shows["hyper"]}, [0])
    body = facts_of.of_numbers(building, read.shows)
    told = headline(signature.target, read.difference)
    text = "\n".join([f'"""{told}"""', *imports(signature.target, body), "", *body]) + "\n"
    try:
        return {"untried": {"texts": fitting([text]), "name": law.replace(".", "_"), "message": told, "observed": ""}}
    except ValueError as error:
        return {"no_script": f"a script would not show it in {LIMIT} lines: {error}"}


def of_an_end(scene: Scene, found: Violation, ran: Case) -> list[str]:
    """Scripts that run a case in a child, which ends; ValueError says why there is none."""
    lines = _alone(scene, dying.plain(ran))
    return fitting([_text(scene, Told("", found), lines, dying.ending(dying.code_of(found.observed), ["run()"]))])


def first_step(target: str, reason: str, args: Mapping[str, Any]) -> list[str]:
    """The script of a target that cannot be built or cannot take one step."""
    name = target.rpartition(":")[2]
    options = "".join(f", {name}={value!r}" for name, value in args.items())
    told = headline(target, reason)
    if dying.is_end(reason):
        bodies = [dying.ending(dying.code_of(reason), lines) for lines in dying.first_uses(name, options)]
        return fitting("\n".join([f'"""{told}"""', *imports(target, body), "", *body]) + "\n" for body in bodies)
    body = ["p = [torch.nn.Parameter(torch.ones(3))]", f"opt = {name}(p{options})", "p[0].grad = torch.ones(3)"]
    body.append("opt.step()  # raises, and so exits 1")
    return fitting(["\n".join([f'"""{told}"""', *imports(target, body), "", *body]) + "\n"])


def fitting(texts: Iterable[str]) -> list[str]:
    """Those of the scripts that are short enough; ValueError where none is."""
    found = [text for text in texts if len(text.splitlines()) <= LIMIT and max(map(len, text.splitlines())) <= WIDTH]
    if not found:
        raise ValueError("it takes more lines, or longer ones")
    return found


def _text(scene: Scene, told: Told, run: Sequence[str], ending: Sequence[str]) -> str:
    body = [*run, "", *ending] if ending else [*run]
    lines = [f'"""{_headline(scene, told)}"""', *imports(scene.target, body), "", *body]
    return "\n".join(lines) + "\n"


def _headline(scene: Scene, told: Told) -> str:
    text = re.sub(r"^\S+ on \S+: ", "", told.found.sentence).split(": observed")[0]
    return headline(scene.target, text)


def headline(target: str, text: str) -> str:
    """What is wrong with a class, as the first line of its script: whole words, and nothing that ends a string."""
    told = textwrap.shorten(f"{target.rpartition(':')[2]}: {text}", LONGEST, placeholder=" ...")
    return told.replace('"', "'").replace("\\", "/")


def imports(target: str, body: Sequence[str]) -> list[str]:
    """Lines that import torch, the target, and what `body` takes from the standard library."""
    place, _, name = target.rpartition(":")
    text = "\n".join(body)
    library = [module for module in ("copy", "io", "os", "pickle", "warnings") if re.search(rf"\b{module}\.\w", text)]
    lines = ["import torch", f"from {place} import {name}"]
    if place.endswith(".py"):
        path = Path(place).resolve()
        library.append("sys")
        named = path.stem.isidentifier() and not keyword.iskeyword(path.stem)
        taken = f"from {path.stem} import {name}" if named else f"{name} = __import__({path.stem!r}).{name}"
        lines = ["import torch", f"sys.path.insert(0, {str(path.parent)!r})", taken]
    return [f"import {', '.join(library)}", *lines] if library else lines


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
    for head in ("p = ", "rows = ", "opt = ", "return ", "for x, g in zip(p, grads): x.grad = "):
        if one.startswith(head) and other.startswith(head):
            return f"{indent}{head}({one.removeprefix(head)}) if changed else ({other.removeprefix(head)})"
    return f"{indent}if changed: {one}\n    {indent}else: {other}"


DIFFERING = (
    "without, observed = run(False), run(True)",
    "print('observed', observed[:4].tolist(), 'and without the change', without[:4].tolist())",
    "raise SystemExit(bool(((observed == without) | (observed.isnan() & without.isnan())).all()))",
)
"""The end of a script about two runs that should differ."""

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
    ending = DIFFERING if pair.unlike else COMPARED
    if pair.reach:
        ending = (COMPARED[0], f"wrong = (observed - expected).abs() > {pair.reach!r}  # rounding", *COMPARED[2:])
    named = re.search(r" \((\w+)\)$", told.found.what)  # a state variable, where the parameters are alike
    states: list[bool | str] = [False, *([named[1]] if named else [])]
    states += [] if pair.here or pair.there or pair.unlike else [True]
    states = [pair.of] if pair.of else states
    for state in states:
        for length in lengths:
            one, other = (_trimmed(c, length) if same_steps else c for c in (pair.observed, pair.expected))
            changed = lines_of(scene, one, elements=pair.here, state=state)
            plain = lines_of(scene, other, elements=pair.there, state=state)
            yield _text(scene, told, _function("def run(changed):", _paired(changed, plain)), ending)


ORDER = (
    "threads",
    "filled",
    "p",
    "build",
    "opt",
    "train",
    "seen",
    "sparse",
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
    if found.step is None or found.element is None or found.tensor is None:
        raise ValueError("it names no number to compare with")
    case = _trimmed(case, found.step)
    name = re.match(r"(\w+) (?:left its enclosure|moved although|is not what)", found.what)
    tensor = f"p[{found.tensor}]"
    if told.law == "purity":
        tensor += ".grad"
    elif name is not None and name[1] != "theta":
        tensor = f"opt.state[{tensor}][{name[1]!r}]"
    run = _alone(scene, case, f"{tensor}.detach().flatten()[{found.element}].item()")
    before = float(scene.rounded(case.theta)[case.slices[found.tensor].start + found.element])
    yield _text(scene, told, run, ["observed = run()", *_compared(told, before)])


def _compared(told: Told, before: float) -> list[str]:
    """The end of a script that has `observed` one number, which was `before`."""
    if told.law == "decay_toward_zero":
        sign = "observed" if before == 0 else "1" if before > 0 else "-1"
        should, wrong = f"'it was', {before!r}", f"(observed - {before!r}) * {sign} > 0"
    elif told.found.expected.startswith("another value"):
        should, wrong = "'as before the step'", f"observed == {before!r}"
    else:
        values = re.match(r"(in \[)?(\S+?)(?: \(\S+\))?(?:, (\S+?)(?: \(\S+\))?\])?$", told.found.expected)
        if values is None:
            raise ValueError("it names no number to compare with")
        low, high = values[2], values[3]
        if high:
            should, wrong = f"'expected {low} to {high}'", f"not {_number(low)} <= observed <= {_number(high)}"
        else:
            same = "observed != observed" if low == "nan" else f"observed == {_number(low)}"
            should, wrong = f"'expected', {_number(low)}", f"not {same}"
    return [f"print('observed', observed, {should})", f"raise SystemExit({wrong})"]


def _number(text: str) -> str:
    return f"float({text!r})" if text in ("nan", "inf", "-inf") else text
