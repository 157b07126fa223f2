"""Reading the update rule out of an optimizer's code, and proving which rule it is.

    >>> lifted = verifier.lift("torch.optim:AdamW")
    >>> verifier.prove(lifted, "adamw").status
    <Status.PROVED: 'proved'>

Importing this package imports neither torch nor sympy; calling it does.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verifier.lift.induction import LiftProof
    from verifier.lift.lifted import Lift
    from verifier.rule import Rule

__all__ = ["lift", "match", "prove"]


def lift(target: Any, implementation: str = "forloop", **options: Any) -> Lift:
    """The rule that the code of `target` performs; see `verifier.lift.lifted.lift` for the options."""
    from verifier.lift import lifted

    return lifted.lift(target, implementation, **options)


def prove(lifted: Lift, rule: Rule | str) -> LiftProof:
    """Whether the code that was lifted follows `rule` for every number of steps: proved, refuted or undecided.

    `rule` is a Rule, a name of the catalogue, or path/file.py[:name]. A refutation names the known mistake of the
    rule that the code equals, if it equals one.
    """
    from verifier import rules
    from verifier.lift import induction, matching

    declared = rules.load(rule) if isinstance(rule, str) and ".py" in rule else rule
    declared = rules.get(declared) if isinstance(declared, str) else declared
    return induction.prove(lifted, declared, mutants=matching.mutants_of(declared))


def match(lifted: Lift) -> LiftProof | None:
    """The proof that the lifted code follows a rule of the catalogue; None where it follows none of them."""
    from verifier.lift import matching

    return matching.match(lifted)


class _Callable(ModuleType):
    """This package, which is also the function: `verifier.lift(MyOptimizer)`."""

    def __call__(self, target: Any, implementation: str = "forloop", **options: Any) -> Lift:
        return lift(target, implementation, **options)


sys.modules[__name__].__class__ = _Callable
