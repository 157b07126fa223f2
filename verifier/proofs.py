"""Everything algebra says of one rule, as records of an evidence file: a proof for each law, and the derivation."""

from __future__ import annotations

from typing import Any

from verifier import contracts, derive, families, rules
from verifier.law import prove


def records(name: str) -> list[dict[str, Any]]:
    """The records of the rule called `name`: its laws' proofs, its contracts as stated, and its derivation."""
    rule = rules.get(name)
    found: list[dict[str, Any]] = []
    for law in families.laws(rule):
        words = {"says": law.says, "claim": law.claim, "because": law.because}
        found.append({**prove(law).to_json(), **words})
    for contract in contracts.laws(rule):
        found.append(
            {
                "kind": "proof",
                "law": f"{rule.name}.{contract.name}",
                "status": "stated",
                "method": "torch's documentation",
                "says": contract.says,
                "because": contract.because,
            }
        )
    derivation = derive.derivation(rule)
    found.append(
        {
            "kind": "derivation",
            "rule": rule.name,
            "text": derive.text(derivation),
            "latex": derive.latex(derivation),
            "cite": rule.cite,
            "differs": rule.differs,
        }
    )
    return found
