"""`torch._dynamo`, left unimported until somebody compiles: importing it takes a sixth of a smoke audit's start.

`torch.optim.Optimizer` imports it at its first step, for two functions that do nothing where nothing is compiled, as
in an audit (`TORCHDYNAMO_DISABLE`). A module that has these two stands in its place; whoever asks for anything else
of it, or for a module below it, gets torch's own, from then on.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"


class _Asleep(ModuleType):
    """Stands in for `torch._dynamo`."""

    _own: ModuleType

    def disable(self, fn: Callable[..., Any] | None = None, *rest: Any, **options: Any) -> Any:
        """`fn` itself: nothing compiles it. Called as a decorator's maker, what torch's own returns."""
        return fn if callable(fn) else self._awake().disable(fn, *rest, **options)

    def graph_break(self, *_: Any, **__: Any) -> None:
        """Nothing: there is no graph."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # who looks through all modules asks for these
            raise AttributeError(f"module {NAME!r} has no attribute {name!r}")
        return getattr(self._awake(), name)

    def _awake(self) -> ModuleType:
        """torch's own, imported where it is not yet; once, though somebody may put this back in its place."""
        if sys.modules.get(NAME) is not self:
            return importlib.import_module(NAME)
        if "_own" not in vars(self):
            del sys.modules[NAME]
            with _as_before():
                self._own = importlib.import_module(NAME)
        return self._own


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """Puts back what the import replaces in the process, which an optimizer under audit would be blamed for."""
    torch = sys.modules["torch"]
    environment, names = dict(os.environ), dict(vars(torch))
    try:
        yield
    finally:
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)
        for name, value in names.items():
            if vars(torch).get(name) is not value:
                setattr(torch, name, value)


def sleep() -> None:
    """Leaves `torch._dynamo` unimported until it is needed, where nobody has imported it."""
    if NAME in sys.modules:
        return
    found = importlib.util.find_spec(NAME)  # imports torch, and not what is looked for
    if found is None or found.origin is None:  # a torch without it needs none
        return
    asleep = _Asleep(NAME)
    asleep.__file__ = found.origin
    sys.modules[NAME] = asleep
    vars(sys.modules["torch"])["_dynamo"] = asleep  # which torch otherwise looks up at every step


def set_deterministic(mode: bool, *, warn_only: bool) -> None:
    """`torch.use_deterministic_algorithms`, which tells the compiler too, and imports it for that."""
    import torch

    if "torch._inductor" in sys.modules:
        torch.use_deterministic_algorithms(mode, warn_only=warn_only)
    else:
        torch._C._set_deterministic_algorithms(mode, warn_only=warn_only)
