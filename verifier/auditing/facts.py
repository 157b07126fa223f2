"""How a script ends whose law is no comparison of two runs: with facts, read off an optimizer that has stepped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from verifier.record import Violation

MOVED = (
    "opt, p, build = run()",
    "before = [x.detach().clone() for x in p]",
    "build(p).load_state_dict(opt.state_dict())",
    "moved = [k for k, x in enumerate(p) if not torch.equal(x, before[k])]",
    "print('parameters that load_state_dict moved:', moved)",
    "raise SystemExit(len(moved))",
)
"""Loading a state_dict moves no parameter."""


CLEARED = (
    "opt, p, build = run()",
    "left = []",
    "for options in ({}, {'set_to_none': False}):",
    "    for x in p: x.grad = torch.ones_like(x)",
    "    opt.zero_grad(**options)",
    "    left += [(k, options) for k, x in enumerate(p) if x.grad is not None and x.grad.any()]",
    "print('parameters that have a gradient after zero_grad:', left)",
    "raise SystemExit(len(left))",
)
"""zero_grad clears all gradients."""


def _accepted(what: str) -> tuple[str, ...]:
    """Fails where a run goes through that should be refused."""
    return (
        "try:",
        "    run()",
        "except Exception as refused:",
        "    print('refused:', refused)",
        "else:",
        f"    raise SystemExit('{what} is accepted')",
    )


FACTS: Mapping[str, Sequence[str]] = {
    "surroundings": (
        "import os, sys, warnings",
        "kept = lambda x: {n: v for n, v in vars(x).items() if not isinstance(v, type(torch))}",
        "look = lambda: [torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads(),"
        " torch.are_deterministic_algorithms_enabled(), torch.is_grad_enabled(), torch.is_anomaly_enabled(),"
        " list(warnings.filters), dict(os.environ), os.getcwd(), *map(kept, (torch, torch.Tensor, torch.optim)),"
        " {n: len(v) for n, v in vars(sys.modules['torch.optim.optimizer']).items() if n.startswith('_global_')}]",
        "before = look()",
        "run()",
        "changed = [k for k, (x, y) in enumerate(zip(before, look())) if x != y]",
        "ends = [torch.manual_seed(k) and (run(), torch.get_rng_state())[1] for k in (1, 2)]",
        "print('what a step changed of the process:', changed, 'and whether it set the seed:', torch.equal(*ends))",
        "raise SystemExit(len(changed) > 0 or torch.equal(*ends))",
    ),
    "bad_options": _accepted("lr = -1"),
    "misspelt_option": _accepted("an option that does not exist"),
    "state_apart": (
        "opt, p, build = run()",
        "saved = copy.deepcopy(opt.state_dict())",
        "new = build(p)",
        "new.load_state_dict(saved)",
        "for i, state in saved['state'].items():",
        "    for name, value in state.items() if isinstance(state, dict) else ():",
        "        mine = new.state_dict()['state'][i][name]",
        "        if torch.is_tensor(value) and value.numel() and value.data_ptr() == mine.data_ptr():",
        "            raise SystemExit(f'the optimizer shares {name} with the state_dict it loaded')",
    ),
    "state_dtypes": (
        "opt, p, build = run()",
        "new = build(p)",
        "new.load_state_dict(opt.state_dict())",
        "for x, y in zip(opt.state.values(), new.state.values()):",
        "    for name in x if isinstance(x, dict) else ():",
        "        was, now = (getattr(v.get(name), 'dtype', type(v.get(name))) for v in (x, y))",
        "        if torch.is_tensor(y.get(name)) and was != now:",
        "            raise SystemExit(f'load_state_dict turns {name} from {was} into {now}')",
    ),
    "bounded_memory": (
        "opt, p, build = run()",
        "held = lambda v: v.numel() if torch.is_tensor(v) else sum(map(held, v.values() if isinstance(v, dict) else v)"
        " if isinstance(v, (dict, list, tuple, set)) else [0])",
        "before = held(vars(opt))",
        "for _ in range(9): opt.step()",
        "print(before, 'elements in memory, and 9 steps later', held(vars(opt)))",
        "raise SystemExit(held(vars(opt)) > before)",
    ),
    "own_state": (
        "opt, p, build = run()",
        "owners = {x.grad.untyped_storage().data_ptr(): 'a gradient' for x in p if x.grad is not None}",
        "for k, x in enumerate(p):",
        "    for name, v in [(n, v) for n, v in opt.state[x].items() if torch.is_tensor(v) and v.shape == x.shape]:",
        "        if (place := v.untyped_storage().data_ptr()) in owners:",
        "            raise SystemExit(f'one memory for {name} of parameter {k} and {owners[place]}')",
        "        owners[place] = f'{name} of parameter {k}'",
    ),
    "stays_finite": (
        "opt, p, build = run()",
        "print([x.tolist() for x in p])",
        "raise SystemExit(any(x.isnan().any().item() for x in p))",
    ),
    "divisors": (
        "class Watch(torch.utils._python_dispatch.TorchDispatchMode):",
        "    def __torch_dispatch__(self, func, types, args=(), kwargs=None):",
        "        by = args[2 if 'addcdiv' in str(func) else 1:][:1] if 'div' in str(func) else ()",
        "        by = by[0] if by and isinstance(by[0], (list, tuple)) else by",
        "        if any(torch.is_tensor(x) and x.isinf().any() for x in by):",
        "            raise SystemExit(f'{func} divides by infinity')",
        "        return func(*args, **(kwargs or {}))",
        "with Watch(): run()",
    ),
    "no_graph": (
        "opt, p, build = run()",
        "kept = [n for s in opt.state.values() for n, v in s.items() if torch.is_tensor(v) and v.grad_fn is not None]",
        "print('state that keeps a graph:', kept)",
        "raise SystemExit(bool(kept or any(x.grad_fn is not None for x in p)))",
    ),
}
"""Laws about facts, not values: how each is read off an optimizer that has stepped."""


def of_closures(found: Violation) -> list[str]:
    """What a closure's life should have been, for the part of the contract that is broken: (step, returned, calls)."""
    if "never calls" in found.what:
        told = "any(not calls for _, _, calls in seen)"
    elif "calls the closure again" in found.what:
        told = "any(len(calls) > 1 for _, _, calls in seen)"
    elif "return" in found.what:
        told = "any(returned != step for step, returned, _ in seen)"
    else:
        told = "not all(enabled for _, _, calls in seen for enabled in calls)"
    return ["seen = run()", "print('(step, what step(closure) returned, gradients enabled in the closure)', seen)",
            f"raise SystemExit({told})"]  # fmt: skip


def of_zeros(found: Violation) -> list[str]:
    """State that is zero once the steps are taken."""
    name = found.what.partition(" ")[0]
    return [
        "opt, p, build = run()",
        f"print({name!r}, opt.state[p[0]][{name!r}].tolist())",
        f"raise SystemExit(not opt.state[p[0]][{name!r}].any().item())",
    ]


def of_counts(found: Violation) -> list[str]:
    """The count that stands still, read before four steps more and after them."""
    name, _, kind, number = found.what.split()[:4]  # NAME of tensor|group NUMBER counts steps ...
    holder = f"opt.state[p[{number}]]" if kind == "tensor" else f"opt.param_groups[{number}]"
    return [
        "opt, p, build = run()",
        f"before = float({holder}[{name!r}])",
        "for _ in range(4): opt.step()",
        f"print({name!r}, before, 'and four steps later', float({holder}[{name!r}]))",
        f"raise SystemExit(float({holder}[{name!r}]) == before)",
    ]


def of_digits(found: Violation) -> list[str]:
    """Whether state that is called a copy of more digits is what the parameter's format makes of it."""
    name = found.what.partition(" ")[0]
    return [
        "opt, p, build = run()",
        f"kept = [opt.state[x][{name!r}] for x in p]",
        f"print({name!r}, [v.dtype for v in kept], 'of parameters', [x.dtype for x in p])",
        "raise SystemExit(all(torch.equal(v, v.to(x.dtype).to(v.dtype)) for v, x in zip(kept, p)))",
    ]


def of_numbers(building: str, shows: Mapping[str, Any]) -> list[str]:
    """The run and the ending of a script that asks to which of two numbers an element comes nearer: by rule or mistake.

    Both are computed by the lines of the rule, in double precision.
    """
    shape = tuple(shows["shape"])
    reshaped = f".reshape({shape!r})" if len(shape) > 1 else ""
    return [
        f"p = [torch.nn.Parameter(torch.tensor({shows['theta']!r}, dtype=torch.float64){reshaped})]",
        f"opt = {building}",
        f"for g in {shows['grads']!r}:",
        f"    p[0].grad = torch.tensor(g, dtype=torch.float64){reshaped}",
        "    opt.step()",
        f"observed = p[0].flatten()[{shows['element']}].item()",
        f"by_rule, mistaken = {shows['by_rule']!r}, {shows['mistaken']!r}",
        "print('observed', observed, 'by the rule, in the ways it is written,', by_rule, 'with the mistake', mistaken)",
        "raise SystemExit(abs(observed - mistaken) < min(abs(observed - x) for x in by_rule))",
    ]


def of_direction(
    building: str,
    dtype: str,
    shape: Sequence[int],
    theta: Sequence[float],
    grad: Sequence[float],
    shares: Sequence[float],
    trains: bool,
) -> list[str]:
    """The run and the ending of a script that asks which way the first step goes that moves anything.

    `shares`: what each step's gradient is of `grad`.
    """
    reshaped = f".reshape({tuple(shape)!r})" if len(shape) > 1 else ""
    return [
        f"p = [torch.nn.Parameter(torch.tensor({list(theta)!r}, dtype=torch.{dtype}){reshaped})]",
        f"grad = torch.tensor({list(grad)!r}, dtype=torch.{dtype}){reshaped}",
        f"opt = {building}",
        *(["opt.train()"] if trains else []),
        "before = p[0].detach().clone()",
        f"for share in {list(shares)!r}:",
        "    if torch.equal(p[0], before):",
        "        p[0].grad = grad * share",
        "        opt.step()",
        "along = ((p[0].detach() - before) * p[0].grad).sum().item()",
        "print('the product of the gradient and the first step that moves anything:', along)",
        "raise SystemExit(along > 0)",
    ]


def of_parts(building: str, dtype: str, shape: Sequence[int], steps: int, trains: bool, kind: str) -> list[str]:
    """The run and the ending of a script that asks which eighths of a tensor move the rest of it, through a norm.

    `kind`: whether their gradients do, or their parameters.
    """
    size = 1
    for side in shape:
        size *= side
    part = size // 8
    reshaped = f".reshape({tuple(shape)!r})" if len(shape) > 1 else ""
    larger, last = f"{{}}.view(8, {part})[part] *= 64", f"step == {steps - 1} and part is not None"
    drawn = f"(torch.rand({part}, dtype=torch.{dtype}) + 0.25).repeat(8){reshaped}"
    return [
        f"def run(part=None):  # larger {kind} in one eighth of the tensor",
        "    torch.manual_seed(0)",
        f"    p = [torch.nn.Parameter({drawn})]",
        *(["    if part is not None: " + larger.format("p[0].data")] if kind == "parameters" else []),
        f"    opt = {building}",
        *(["    opt.train()"] if trains else []),
        f"    for step in range({steps}):",
        f"        p[0].grad = {drawn}",
        *([f"        if {last}: {larger.format('p[0].grad')}"] if kind == "gradients" else []),
        "        opt.step()",
        f"    return p[0].detach().reshape(8, {part})",
        "",
        "others = lambda part: torch.arange(8) != part",
        "moves = [not torch.equal(run(part)[others(part)], run()[others(part)]) for part in range(8)]",
        f"print('whether the {kind} of each eighth of the tensor move the rest of it:', moves)",
        "raise SystemExit(len(set(moves)) > 1)",
    ]
