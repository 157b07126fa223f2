"""What is read of a target's code and proved of it: the lift of one implementation, and the rule that it follows."""

from __future__ import annotations

from typing import Any

from sympy import true

from verifier.auditing.read import Read
from verifier.lift import induction, lifted, matching
from verifier.printing import to_text
from verifier.rule import Rule
from verifier.subjects.torch_signature import Signature


def lift(
    known: Signature,
    implementation: str,
    literal: list[str],
    switches: Any,
    args: Any,
    shapes: tuple[tuple[int, ...], ...] | None = None,
    beyond: str = "",
) -> Any:
    """The lift of one implementation, None where it cannot be built for reading; `beyond` as `lifted.lift` has it."""
    shapes = shapes or (((2, 2),) if known.least_dimensions > 1 else None)
    for symbolic in (literal, []):
        try:
            read = lifted.lift(
                known.build,
                implementation,
                symbolic=symbolic,
                shapes=shapes,
                args={**known.fixed, **args},
                name=known.name,
                beyond=beyond,
                **switches,
            )
        except (Exception, SystemExit):  # foreign code under an interpreter: nothing read, and the contracts still run
            continue
        if read.status != "opaque":
            return read
    return None


def words(read: Any) -> dict[str, Any]:
    """What was read, as plain data: how much of the step, its formula, and where it holds."""
    if read is None:
        return {"status": "opaque", "formula": "", "stopped_by": "it could not be built for reading"}
    found: dict[str, Any] = read.to_json()["lift"]
    if found["formula"] and (asked := [c for c in read.path_conditions if c != true]):
        found["formula"] += f", where {' and '.join(map(to_text, asked))}"
    return found


def prove(read: Any, declared: Rule | None, *, tell: bool = True) -> Any:
    """The proof that the code follows the declared rule; without one, that of the rule it follows or is nearest to.

    `tell`: by how much it departs from that is wanted as well.
    """
    if declared is not None:
        return induction.prove(read, declared, mutants=matching.mutants_of(declared))
    found = matching.match(read)
    return found if found is not None else matching.likest(read, tell=tell)


def told(proof: Any, implementation: str, rule: Rule) -> Read:
    """What the proof says of one implementation."""
    return Read(
        implementation, rule.name, proof.status.value, proof.apart or proof.difference or proof.method, proof.mutant
    )
