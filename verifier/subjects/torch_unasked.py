"""Contracts that there is nothing to ask of: of switches a class does not have, of tensors that do not mix."""

from __future__ import annotations

from collections.abc import Mapping

from verifier.strategies import COUPLES, OF_DECAY, RATES, ROUND_STATE, idle
from verifier.subjects.torch_signature import DRAWS, Signature


def unasked(signature: Signature, exempt: Mapping[str, str]) -> dict[str, str]:
    """Why contracts have nothing to ask of a class. `exempt`: what others say nothing of, and why."""
    switches = [o.name for o in signature.options if o.kind == "switch"]
    found = {}
    if not switches:
        found["acting_switches"] = "it has no switches"
    if not {o.name for o in signature.options} & set(RATES):
        found["acting_rates"] = f"it has none of the options {', '.join(RATES)}"
    if not signature.decays:
        found["faint_decay"] = "it has no weight decay"
    if not signature.decays or not any(OF_DECAY.search(name) for name in switches):
        found["decay_switches"] = "it has no switch that says how weight decay acts"
    whole = {o.name for o in signature.options if o.place is None}
    if not whole & idle(signature.notes) & (signature.group_options | ROUND_STATE):
        found["read_options"] = "every option that its groups have does something"
    if "sizes" not in exempt:
        found["uniform_tensors"] = "an element's step reads no other"
    if exempt.get("order") != COUPLES:
        found |= dict.fromkeys(("whole_models", "empty_parameters"), "its parameters do not move each other")
    if exempt.get("all_parameters", DRAWS) == DRAWS:
        found["single_numbers"] = "it is asked whether all parameters are treated alike, or it draws random numbers"
    return {name: why for name, why in found.items() if name not in exempt}
