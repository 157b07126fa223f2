"""Which options of a group act on another one, or otherwise than the constructor's: each asked alone.

The smallest case that shows it tells of one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from verifier.auditing.cases import full
from verifier.auditing.laws import Laws, of_itself, simpler
from verifier.case import Case, Group


def all_of_them(laws: Laws, law: str, subject: str, case: Case) -> Case:
    """A small case whose groups differ in every option that leaks by itself; the one given where no more leak."""
    signature: Any = laws.found.signature
    apart = len(case.groups) > 1
    told = {name for group in case.groups for name in group.hyper}

    def leaks(one: Case) -> bool:
        found = laws.violation(law, subject, one)
        return found is not None and of_itself(law, found, one)

    alone = [(name, one) for name, one in _each(signature, True) if leaks(one)]
    if not apart:
        given = [(name, one) for name, one in _each(signature, False) if leaks(one)]
        apart = not {name for name, _ in alone} <= {name for name, _ in given}  # others leak between groups
        alone = alone if apart else given
    leaking = {name for name, _ in alone}
    if not told < leaking:
        return case
    _, whole = alone[0]
    own = {name: value for _, one in alone for name, value in one.groups[-1].hyper.items()}
    whole = whole.with_(groups=_groups(whole, own, apart))
    if not leaks(whole):
        return case
    for other in simpler(whole, signature.defaults):
        plainer = other(whole)
        if plainer is not whole and all(set(group.hyper) == leaking for group in plainer.groups[:2] or [Group(())]):
            whole = plainer if all(map(leaks, [plainer, *_apart(plainer, leaking)])) else whole
    return whole


def _groups(case: Case, own: Mapping[str, float], apart: bool) -> tuple[Group, ...]:
    """Two groups that differ in these options, or one that has them while the constructor is told otherwise."""
    if apart:
        return Group((0,), {name: case.hyper[name] for name in own}), Group((1,), own)
    return (Group((0, 1), own),)


def _each(signature: Any, apart: bool) -> Iterator[tuple[str, Case]]:
    """A case for each option of a group, whose groups differ in it; everything that options scale is on."""
    for case in full(signature)[:1]:
        for number, name in enumerate(sorted(signature.group_options)):
            other = [v for v in signature.option(name).values if v != case.hyper[name]]
            if len(case.shapes) == 2 and other:  # values that differ, so that two that are swapped show together
                yield name, case.with_(groups=_groups(case, {name: other[number % len(other)]}, apart))


def _apart(case: Case, names: Iterable[str]) -> Iterator[Case]:
    """The case with groups that differ in one of the options alone, for each."""
    for name in names:
        yield case.with_(groups=tuple(Group(group.tensors, {name: group.hyper[name]}) for group in case.groups))
