"""The laws of an audit, asked one at a time of the optimizers of a module, without an audit."""

from __future__ import annotations

from typing import Any

import hypothesis

from verifier import record
from verifier.auditing import collect as audit_collect
from verifier.auditing.probe import Found, learn, with_class
from verifier.auditing.request import Request
from verifier.subjects.torch_signature import Signature, resolve

FAST = hypothesis.settings(
    max_examples=8,
    database=None,
    deadline=None,
    derandomize=True,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    suppress_health_check=list(hypothesis.HealthCheck),
)


class Asked:
    """The optimizers of one module, each learnt once. Laws are asked in `formats`, unless others are given."""

    def __init__(self, module: str, formats: tuple[str, ...] = ("float64", "float32")) -> None:
        self.module = module
        self.formats = formats
        self.known: dict[str, Found] = {}
        self.made: dict[str, dict[str, Any]] = {}

    def learnt(self, name: str) -> Found:
        """What an audit knows of one of the optimizers."""
        if name not in self.known:
            target = f"{self.module}:{name}"
            self.known[name] = with_class(learn(Request(target)), resolve(target)[1])
        return self.known[name]

    def signature(self, name: str) -> Signature:
        """How it is called."""
        found = self.learnt(name)
        assert found.signature is not None, found.reason
        return found.signature

    def laws(self, name: str) -> dict[str, Any]:
        """Its laws, each a test with few cases, and the subjects it is asked of."""
        if name not in self.made:
            found = self.learnt(name)
            modules: list[Any] = [
                audit_collect._contract_module(found, "ci"),
                *audit_collect._rule_modules(found, "ci"),
            ]
            asked = [(law, test, made.subjects) for made in modules for law, test in vars(made).items()]
            self.made[name] = {
                law.removeprefix("test_"): (FAST(test), subjects)
                for law, test, subjects in asked
                if law.startswith("test_") and hasattr(test, "hypothesis")
            }
        return self.made[name]

    def said(self, name: str, law: str, formats: tuple[str, ...] = ()) -> str:
        """What a law finds wrong; empty where it holds."""
        test, subjects = self.laws(name)[law]
        for subject in (s for s in subjects if s.format.name in (formats or self.formats) and not s.untestable):
            record.start()
            try:
                test(subject=subject)
            except record.Violation as violation:
                return violation.sentence
        return ""
