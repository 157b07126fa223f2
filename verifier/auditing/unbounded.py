"""What a class does where it bounds nothing: the rule beneath the clipping of gradients, and a mistake in that."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from verifier.auditing import claimed, reading
from verifier.auditing.read import Read
from verifier.lift.beyond import bounds, lone
from verifier.lift.lifted import Lift


def unbounded(
    read: Lift, lifting: Callable[[str], Lift | None], options: Mapping[str, float]
) -> tuple[str, list[Read]]:
    """What the code is where an option that it compares gradients with is out of reach, '' if nothing known; and that
    it is a rule with a mistake even there, if so.

    `lifting` reads the class with such an option out of reach, and `options` are numbers that groups have.
    """
    if read.steps is None:
        return "", []
    for bound in bounds(read.steps):
        again = lifting(bound) if lone(read.steps, bound) else None
        if again is None or again.rule is None or again.path_conditions or again.scope:
            continue
        proof = reading.prove(again, None, tell=False)
        near = claimed.relation(again, proof, {}, (), options)
        where = f"with {bound} out of reach"
        if near is not None and near.wrong is not None:
            said = f"the code {where} is {claimed.sentence(near)}"
            return said, [Read("forloop", near.rule.name, "refuted", said, near.wrong.name)]
        if near is not None:
            return f"{where}, {claimed.sentence(near)}", []
        if proof is not None and proof.proved:
            return f"{where}, {proof.rule}; {claimed.PROVED}", []
    return "", []
