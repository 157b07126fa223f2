"""Whether a step forms its averages by torch's lerp, from the new value towards the old."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from verifier.floats import FORMATS
from verifier.subjects.torch_conventions import case_of
from verifier.subjects.torch_foreign import Foreign
from verifier.subjects.torch_life import Life
from verifier.subjects.torch_signature import Signature


class _Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its modes untyped
    """Looks at the weights of every lerp."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "lerp" in func._schema.name:
            given = args[2] if len(args) > 2 else (kwargs or {}).get("weight", (kwargs or {}).get("weights"))
            self.seen |= any(weight >= 0.5 for weight in _numbers(given))
        return func(*args, **(kwargs or {}))


def _numbers(weight: Any) -> Iterator[float]:
    """The weights that are numbers, or single numbers in tensors."""
    for one in weight if isinstance(weight, list | tuple) else (weight,):
        if isinstance(one, int | float) or getattr(one, "numel", lambda: 0)() == 1:
            yield float(one)


def lerps(signature: Signature, shape: tuple[int, ...]) -> bool:
    """Whether some lerp has a weight of a half or more, for which torch computes 1 - weight of the rounded weight.

    Under the defaults, and with each switch turned.
    """
    for hyper in (signature.defaults, *signature.plain):
        watching = _Watching()
        try:
            with watching:
                Life(Foreign(signature, FORMATS["float32"]), case_of(signature, [shape], hyper, 2)).run()
        except Exception:  # foreign code: the contracts will meet it again
            continue
        if watching.seen:
            return True
    return False
