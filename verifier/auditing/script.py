"""A violation as a script of its own: 25 lines that import torch and the target, and exit 1 while it is there."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.case import Case, Group

LIMIT = 25
"""Lines a script may have."""


@dataclass(frozen=True)
class Scene:
    """What a script needs to know: the class, how it is built, what it is run on, what was found there."""

    target: str
    first: str  # the argument that takes the parameters
    options: Mapping[str, Any]  # constructor arguments of the implementation, maximize included
    dtype: str
    case: Case
    law: str
    message: str
    group_options: Mapping[int, Mapping[str, Any]]  # group -> the arguments it has of its own
    changes: Mapping[int, Mapping[str, Any]]  # step -> arguments that change before it, in every group
    always_closure: bool = False
    wants_train: bool = False


def script(scene: Scene) -> str:
    """The script; ValueError where the violation needs more lines than one may have."""
    lines = _lines(scene)
    if len(lines) > LIMIT:
        raise ValueError(f"{len(lines)} lines")
    return "\n".join(lines) + "\n"


def _lines(scene: Scene) -> list[str]:
    twice = (0, "") if scene.law in ("state_dtypes", "state_apart") else _event(scene)
    head = [f'"""{_headline(scene)}"""', *_imports(scene.target)]
    return [*head, "", *_run(scene, twice), "", *_ending(scene, twice)]


def _headline(scene: Scene) -> str:
    text = re.sub(r"^\S+ on \S+ ", "", scene.message).split(": observed")[0]
    return f"{scene.target}: {text}"[:110].replace('"""', "'''").replace("\\", "/")


def _imports(target: str) -> list[str]:
    place, _, name = target.rpartition(":")
    if place.endswith(".py"):
        path = Path(place).resolve()
        return [
            "import sys",
            "import torch",
            f"sys.path.insert(0, {str(path.parent)!r})",
            f"from {path.stem} import {name}",
        ]
    return ["import torch", f"from {place} import {name}"]


def _event(scene: Scene) -> tuple[int, str]:
    """The one thing in which two runs differ: (step, event); (0, "") where one run shows it."""
    for step, names in sorted(scene.case.events.items()):
        for name in names:
            if name.partition(":")[0] in _CODE:
                return step, name
    return 0, ""


_CODE: Mapping[str, Sequence[str]] = {
    "resume": ("new = build(p)", "new.load_state_dict(opt.state_dict())", "opt = new"),
    "copy": ("opt, p = __import__('copy').deepcopy((opt, p))",),
    "pickle": ("opt, p = __import__('pickle').loads(__import__('pickle').dumps((opt, p)))",),
    "save": ("opt.state_dict()",),
    "zero_grad": ("opt.zero_grad()",),
    "idle": ("for x in p: x.grad = None", "opt.step()"),
    "found_inf": (
        "for x in p: x.grad = torch.full_like(x, torch.inf)",
        "opt.grad_scale, opt.found_inf = None, torch.tensor(1.0)",
        "opt.step()",
        "del opt.grad_scale, opt.found_inf",
    ),
    "filled": ("torch.use_deterministic_algorithms(True, warn_only=True)",),
}


def _run(scene: Scene, twice: tuple[int, str]) -> list[str]:
    """`build`, which makes the optimizer, and `run`, which steps it."""
    case = scene.case
    name = scene.target.rpartition(":")[2]
    groups = case.all_groups
    if len(groups) == 1 and groups[0].tensors == tuple(range(len(case.shapes))):
        given = "p"
    else:
        given = ", ".join(_group(scene, k, group) for k, group in enumerate(groups))
        given = f"[{given}]"
    options = "".join(f", {k}={_literal(v)}" for k, v in scene.options.items())
    first = given if scene.first == "params" else f"{scene.first}={given}"
    step, event = twice
    lines = [f"def build(p): return {name}({first}{options})", "", f"def run({'changed' if event else ''}):"]
    lines.append(f"    p = [{', '.join(_tensor(scene, k) for k in range(len(case.shapes)))}]")
    if step == 0 and event:
        lines += ["    if changed:", *(f"        {line}" for line in _CODE[event.partition(":")[0]])]
    lines.append("    opt = build(p)")
    lines += ["    opt.train()"] if scene.wants_train else []
    rows = [[_grad(scene, s, k) for k in range(len(case.shapes))] for s in range(1, case.steps + 1)]
    shown = ", ".join(f"[{', '.join(row)}]" for row in rows)
    lines.append(f"    for step, grads in enumerate([{shown}], 1):")
    for number, changed in sorted(scene.changes.items()):
        lines.append(f"        if step == {number}: [g.update({_dict(changed)}) for g in opt.param_groups]")
    if event and step:
        where = sorted(k for k, names in case.events.items() if event in names)
        lines.append(f"        if changed and step in {tuple(where)!r}:")
        lines += [f"            {line}" for line in _CODE[event.partition(":")[0]]]
    lines.append("        for x, g in zip(p, grads): x.grad = g")
    lines.append("        opt.step(lambda: torch.zeros(()))" if scene.always_closure else "        opt.step()")
    if scene.law == "purity":
        return [*lines, "    return torch.cat([x.grad.flatten() for x in p])"]
    if scene.law in ("state_dtypes", "state_apart"):
        return [*lines, "    return opt, build(p)"]
    return [*lines, "    return torch.cat([x.detach().flatten() for x in p])"]


def _group(scene: Scene, k: int, group: Group) -> str:
    inside = ", ".join(f"p[{n}]" for n in group.tensors)
    own = "".join(f", {name!r}: {_literal(v)}" for name, v in scene.group_options.get(k, {}).items())
    return f"{{'params': [{inside}]{own}}}"


def _tensor(scene: Scene, k: int) -> str:
    case = scene.case
    values = _placed(scene, case.theta[case.slices[k]], case.shapes[k], case.layout)
    return f"torch.nn.Parameter({values})"


def _grad(scene: Scene, step: int, k: int) -> str:
    case = scene.case
    if (step, k) in case.absent:
        return "None"
    return _placed(scene, case.grads[step - 1][case.slices[k]], case.shapes[k], case.grad_layout)


def _placed(scene: Scene, values: Any, shape: tuple[int, ...], layout: str) -> str:
    floats = [float(v) for v in values]
    short = ""
    if len(floats) > 1 and len(set(floats)) == 1:
        short = f"torch.full({shape!r}, {_literal(floats[0])}, dtype=torch.{scene.dtype})"
    listed = ", ".join(_literal(v) for v in floats)
    text = short or (
        f"torch.tensor({listed}, dtype=torch.{scene.dtype})"
        if shape == ()
        else f"torch.tensor([{listed}], dtype=torch.{scene.dtype})"
        + ("" if len(shape) == 1 else f".reshape({shape!r})")
    )
    if layout == "sliced":
        return f"{text}.unsqueeze(-1).repeat({', '.join(['1'] * len(shape) + ['2'])})[..., 0]"
    if layout == "transposed" and len(shape) >= 2:
        return f"{text}.mT.contiguous().mT"
    return text


def _literal(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if isinstance(value, tuple):
        return "(" + ", ".join(_literal(v) for v in value) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def _dict(values: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{k!r}: {_literal(v)}" for k, v in values.items()) + "}"


def _ending(scene: Scene, twice: tuple[int, str]) -> list[str]:
    """How the script decides, prints both values, and exits."""
    if "raised instead of stepping" in scene.message:
        return ["run(True)  # raises, and so exits 1" if twice[1] else "run()  # raises, and so exits 1"]
    if scene.law == "purity":
        grads = ", ".join(_grad(scene, scene.case.steps, k) for k in range(len(scene.case.shapes)))
        return _compare("run()", f"torch.cat([g.flatten() for g in ({grads},)])")
    if scene.law == "state_apart":
        return [
            "old, new = run()",
            "saved = __import__('copy').deepcopy(old.state_dict())",
            "new.load_state_dict(saved)",
            "for i, state in saved['state'].items():",
            "    for name, value in state.items():",
            "        mine = new.state_dict()['state'][i][name]",
            "        if torch.is_tensor(value) and value.data_ptr() == mine.data_ptr():",
            "            raise SystemExit(f'the optimizer shares {name} with the state_dict it loaded')",
        ]
    if scene.law == "state_dtypes":
        return [
            "old, new = run()",
            "new.load_state_dict(old.state_dict())",
            "for x, y in zip(old.state.values(), new.state.values()):",
            "    for name in x:",
            "        if torch.is_tensor(x[name]) and x[name].dtype != y[name].dtype:",
            "            raise SystemExit(f'load_state_dict turns {name} from {x[name].dtype} into {y[name].dtype}')",
        ]
    if twice[1]:
        return _compare("run(True)", "run(False)")
    place = re.search(r"at step (\d+)(?:, tensor (\d+))?(?:, element (\d+))?", scene.message)
    values = re.search(r"observed (\S+).*? but should be (in \[)?(\S+?)(?:,| |$)(?:.*?, (\S+?)[\] ])?", scene.message)
    if place is None or place[3] is None or values is None:
        raise ValueError("nothing to compare with")
    if re.search(r"\(\w+\) at step", scene.message):
        raise ValueError("it shows in the state")
    if int(place[1]) != scene.case.steps:
        raise ValueError("it shows before the last step")
    flat = scene.case.slices[int(place[2])].start + int(place[3])
    if values[2]:
        low, high = _bounds(scene.message)
        return [f"observed = run()[{flat}].item()", f"print('observed', observed, 'expected {low} to {high}')",
                f"raise SystemExit(not {low} <= observed <= {high})"]  # fmt: skip
    expected = values[3].rstrip(",")
    wanted = f"float('{expected}')" if expected in ("nan", "inf", "-inf") else expected
    test = "observed == observed" if expected == "nan" else f"observed != {wanted}"
    shown = f"print('observed', observed, 'expected', {wanted})"
    return [f"observed = run()[{flat}].item()", shown, f"raise SystemExit({test})"]


def _bounds(message: str) -> tuple[str, str]:
    found = re.search(r"in \[(\S+?)(?: \(\S+\))?, (\S+?)(?: \(\S+\))?\]", message)
    if found is None:
        raise ValueError("no bounds")
    return found[1], found[2]


def _compare(observed: str, expected: str) -> list[str]:
    return [
        f"observed, expected = {observed}, {expected}",
        "print('observed', observed.tolist())",
        "print('expected', expected.tolist())",
        "raise SystemExit(not torch.equal(observed.nan_to_num(), expected.nan_to_num()))",
    ]
