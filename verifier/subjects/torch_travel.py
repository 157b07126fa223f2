"""What leaves an optimizer and comes back: errors it raises, copies of it, state_dicts, the tensors it holds."""

from __future__ import annotations

import copy
import dis
import io
import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from verifier.case import Refused

if TYPE_CHECKING:
    from verifier.subjects.torch_signature import Signature


class Escaped(RuntimeError):
    """The optimizer raised something that is no ordinary exception, or one that cannot be printed."""


def loss_of(returned: Any) -> float | None:
    """The number that step(closure) returned, alone or first of several things; None where there is none."""
    first = returned[0] if isinstance(returned, tuple) and len(returned) > 1 else returned
    return float(first) if isinstance(first, torch.Tensor | int | float) else None


@contextmanager
def refusals() -> Iterator[None]:
    """Turns what an optimizer raises into what a run may raise.

    An error raised on purpose, in a `raise` or `assert` of the optimizer's own, becomes `Refused`. SystemExit and its
    like become `Escaped`, except where they end this very test. A forked child that comes out of a step ends here.
    """
    with _contained("a step", refuses=True):
        yield


@contextmanager
def contained() -> Iterator[None]:
    """Turns SystemExit and its like, and what cannot be printed, out of any part of an optimizer, into `Escaped`.

    A forked child that comes out of it ends here.
    """
    with _contained("a call", refuses=False):
        yield


@contextmanager
def _contained(where: str, *, refuses: bool) -> Iterator[None]:
    mine = os.getpid()
    try:
        yield
    except Exception as error:
        _end_forks(mine)
        try:
            text = str(error)
        except BaseException:  # its __str__ is foreign code too
            raise Escaped(f"{type(error).__name__}, which cannot be printed") from None
        if refuses and _of_refusals(type(error)) and _raised(error):
            raise Refused(f"{type(error).__name__}: {text}") from error
        raise
    except BaseException as error:
        _end_forks(mine)
        if type(error).__module__.startswith(("_pytest", "pytest", "hypothesis")):
            raise
        raise Escaped(f"{type(error).__name__} out of {where}") from None
    else:
        _end_forks(mine)


def _raised(error: Exception) -> bool:
    """Whether a `raise` or `assert` of Python code made the error, and no operation that failed."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return at is not None and dis.opname[at.tb_frame.f_code.co_code[at.tb_lasti]] == "RAISE_VARARGS"


def _of_refusals(kind: type[Exception]) -> bool:
    """Whether errors of a class, where a `raise` made them, are refusals: no operation or lookup of Python's failed."""
    own = not kind.__module__.startswith(("builtins", "torch"))  # a class that was written in order to be raised
    return own or issubclass(kind, _DELIBERATE) or kind in (Exception, ArithmeticError, LookupError)


_DELIBERATE = (ValueError, TypeError, RuntimeError, NotImplementedError, AssertionError)


def _end_forks(mine: int) -> None:
    if os.getpid() != mine:
        os._exit(0)


def pickled(living: Any) -> Any:
    """A pickled copy; Refused where it cannot be pickled at all, which nothing promises."""
    try:
        data = pickle.dumps(living)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise Refused(f"cannot be pickled: {error}") from error
    return _unpickled(data)


def _unpickled(data: bytes) -> Any:
    """What was pickled; Refused where torch cannot read what it wrote, as of tensors of a format of 8 bits."""
    try:
        return pickle.loads(data)
    except AttributeError as error:
        if "UntypedStorage" not in str(error):
            raise
        raise Refused(f"torch does not unpickle tensors of such a format: {error}") from error


def travel(saved: dict[str, Any], how: str) -> dict[str, Any]:
    """A state_dict after it went through memory, a file, pickle or deepcopy."""
    if how == "file":
        file = io.BytesIO()
        torch.save(saved, file)
        file.seek(0)
        loaded: dict[str, Any] = torch.load(file, weights_only=False)
        return loaded
    if how == "pickle":
        loaded = _unpickled(pickle.dumps(saved))
        return loaded
    return copy.deepcopy(saved) if how == "deepcopy" else saved


def sparse(grad: Tensor) -> Tensor:
    """The same gradient, uncoalesced: every row twice, with summands whose sum is exact."""
    rows = torch.arange(grad.shape[0]).repeat(2)[None]
    return torch.sparse_coo_tensor(rows, torch.cat([grad * 0.5, grad * 0.5]), grad.shape, is_coalesced=False)


def tensors(held: Any, seen: set[int]) -> Iterator[Tensor]:
    """Every tensor reachable through dicts, lists, tuples and sets, each once; `seen` are ids left out."""
    if id(held) in seen:
        return
    seen.add(id(held))
    if isinstance(held, Tensor):
        yield held
    elif isinstance(held, Mapping):
        for value in held.values():
            yield from tensors(value, seen)
    elif isinstance(held, list | tuple | set | frozenset):
        for value in held:
            yield from tensors(value, seen)


def numbers(living: Any) -> dict[str, Any]:
    """The attributes that are numbers, or dictionaries or lists of nothing else: what steps may be counted in."""
    found = {}
    for name, value in getattr(living, "__dict__", {}).items():
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
        if name != "defaults" and all(isinstance(part, int | float) for part in parts):
            found[name] = value
    return found


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors hold the same values, NaNs alike."""
    return bool(torch.equal(torch.nan_to_num(a.detach()), torch.nan_to_num(b.detach())))


def shared(given: Any, taken: Any) -> set[str]:
    """The names of state whose tensors, in both state_dicts, lie in the same memory."""
    found = set()
    for key, values in given.items():
        for name, value in values.items() if isinstance(values, dict) else ():
            other = taken.get(key, {}).get(name)
            if not (isinstance(value, Tensor) and isinstance(other, Tensor) and value.numel()):
                continue
            if value.untyped_storage().data_ptr() == other.untyped_storage().data_ptr():
                found.add(str(name))
    return found


def cut_short(
    signature: Signature, optimizer: Any, error: Callable[[str], Exception | None]
) -> tuple[tuple[str, ...], str, str] | None:
    """The contracts of copies that torch's own __getstate__ breaks, why, and a note; None where it breaks none.

    `error` is what steps raise after the optimizer was copied in the way named: "copy" or "pickle".
    """
    whose = getattr(signature.build, "__getstate__", None)
    if whose is not torch.optim.Optimizer.__getstate__ or signature.target.startswith("torch.optim"):
        return None
    lost = set(vars(optimizer)) - set(whose(optimizer))
    why = "torch's own __getstate__ leaves out attributes of a subclass"
    ways = (("copy", "a deep copy or a pickle", ("copying", "pickling")), ("pickle", "a pickle", ("pickling",)))
    for how, what, contracts in ways:
        raised = error(how) if lost else None
        if isinstance(raised, AttributeError) and raised.name in lost:
            return contracts, why, f"{what} of it cannot step: {raised.name} is missing, as {why}"
    return None
