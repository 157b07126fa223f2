"""What stands in for `torch._dynamo` in an audit: a step does not import it, and whoever needs it gets torch's own."""

import json
import os
import subprocess
import sys

ASKED = {
    "steps": """
p = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.AdamW([p], foreach=True)
p.grad = torch.ones(3)
optimizer.step()
optimizer.load_state_dict(optimizer.state_dict())
optimizer.zero_grad()
""",
    "settings": """
torch_dynamo.set_deterministic(True, warn_only=True)
assert torch.are_deterministic_algorithms_enabled() and torch.is_deterministic_algorithms_warn_only_enabled()
before.restore()
assert not torch.are_deterministic_algorithms_enabled()
""",
    "looks through all modules": "inspect.getmodule(inspect.currentframe())",
    "decorates": "assert torch.compiler.disable(len)([1]) == 1",
    "makes a decorator": "assert torch.compiler.disable(recursive=False)(lambda: 3)() == 3",
    "compiles": "assert torch.compile(lambda x: x + 1)(torch.ones(1)).item() == 2",
    "asks for a name": "assert torch._dynamo.is_compiling() is False",
    "imports a name": "from torch._dynamo import is_compiling; assert not is_compiling()",
    "imports a module below": "import torch._dynamo.eval_frame as below; assert below.innermost_fn",
    "asks for what is not there": "assert not hasattr(torch._dynamo, 'no_such_name')",
    "is put back": """
old = dict(sys.modules)
own = torch._dynamo.config
sys.modules.update(old)
assert torch._dynamo.config is own
import torch._dynamo.utils
assert torch._dynamo.config is own
""",
}
AWAKE = frozenset(ASKED) - {"steps", "settings", "looks through all modules", "decorates"}

TOLD = """
import inspect, json, os, sys
from verifier.subjects import torch_dynamo
if asleep:
    torch_dynamo.sleep()
import sympy, torch
from verifier.subjects.torch_surroundings import snapshot
for name, text in asked.items():
    sys.stdout.flush()
    if os.fork() == 0:
        before, real = snapshot(), False
        exec(text)
        real = "torch._dynamo.eval_frame" in sys.modules
        print(json.dumps([name, real, list(before.changes())]))
        sys.stdout.flush()
        os._exit(0)
    assert os.wait()[1] == 0, name
"""


def told(asked: dict[str, str], *, asleep: bool) -> dict[str, tuple[bool, list[str]]]:
    """By name: whether torch's own was imported, and what the process lost. Each is asked in a fork."""
    environment = os.environ | {"TORCHDYNAMO_DISABLE": "1", "OMP_NUM_THREADS": "1"}
    text = f"asleep, asked = {asleep!r}, {asked!r}\n{TOLD}"
    run = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return {name: (real, changes) for name, real, changes in map(json.loads, run.stdout.splitlines())}


def test_only_who_needs_it_imports_it_and_then_nothing_around_it_changes() -> None:
    """An optimizer that is the first to need it is not blamed for what its import replaces."""
    seen = told(ASKED, asleep=True)
    assert {name for name, (real, _) in seen.items() if real} == AWAKE
    assert {name: changes for name, (_, changes) in seen.items() if changes} == {}


def test_without_it_a_step_imports_all_and_changes_the_process() -> None:
    """What it is for: if torch ever stops, it can go."""
    real, changes = told({"steps": ASKED["steps"]}, asleep=False)["steps"]
    assert real
    assert changes
