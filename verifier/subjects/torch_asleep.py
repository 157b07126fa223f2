"""Options, off by default, that alone make an element's step read others: without them, contracts of elements hold.

Clipping, centralised gradients and cautious steps are options of many classes whose steps are of one element else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from verifier.strategies import COUPLES
from verifier.subjects.torch_conventions import STRUCTURE
from verifier.subjects.torch_probe import SHAPES, Probe
from verifier.subjects.torch_signature import Signature

MIXED = frozenset({COUPLES, "its step reads whole tensors", "it treats tensors by their shape"})
"""Why contracts of elements, or of single tensors, are left out of a class whose steps mix them."""


def asleep(signature: Signature) -> tuple[str, ...]:
    """The options that must be off for steps to mix nothing; none where nothing is mixed, or more than they mix it."""
    if not mixed(signature) or _mixes(signature, signature.defaults):
        return ()
    off = [o for o in signature.options if o.default == 0 and len(o.values) > 1]
    names = [o.name for o in off if _mixes(signature, {**signature.defaults, o.name: o.values[1]})]
    for hyper in _probe(signature)._telling():
        for option in (o for o in off if o.name not in names and hyper[o.name]):
            if _mixes(signature, hyper) and not _mixes(signature, {**hyper, option.name: 0.0}):
                names.append(option.name)
    if not names:
        return ()
    calm = without(replace(signature, asleep=tuple(names)))
    return () if any(_mixes(calm, hyper) for hyper in (*calm.configurations, *calm.plain)) else calm.asleep


def mixed(signature: Signature) -> frozenset[str]:
    """The contracts that are left out because steps mix elements or tensors."""
    return frozenset(name for name in STRUCTURE if signature.exempt.get(name) in MIXED)


def without(signature: Signature) -> Signature:
    """The signature with those options held off, of which contracts of elements and single tensors say something."""
    held = {name: signature.option(name).default for name in signature.asleep}
    options = tuple(replace(o, values=(o.default,)) if o.name in held else o for o in signature.options)
    every = ({**hyper, **held} for hyper in signature.configurations)
    once = {tuple(sorted(hyper.items())): hyper for hyper in every}
    plain = tuple(hyper for hyper in signature.plain if all(hyper[name] == value for name, value in held.items()))
    exempt = {name: why for name, why in signature.exempt.items() if name not in mixed(signature)}
    return replace(signature, options=options, configurations=tuple(once.values()), plain=plain, exempt=exempt)


def _probe(signature: Signature) -> Probe:
    """A trial of the class that begins with nothing left out."""
    probe = Probe(replace(signature, exempt={}, notes=()))
    probe.shape = SHAPES[0] if signature.least_dimensions <= 1 else SHAPES[1]
    return probe


def _mixes(signature: Signature, hyper: Mapping[str, float]) -> bool:
    """Whether steps with these options mix elements or tensors, or raise."""
    probe = _probe(signature)
    try:
        probe._coupling(hyper)
    except Exception:  # foreign code on options it may not be made for
        return True
    return bool(set(probe.exempt) & set(STRUCTURE))
