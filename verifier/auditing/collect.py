"""The tests of an audited optimizer, made when pytest collects: its contracts, and what its rule demands.

Each target becomes modules that read like the generated properties: a `rule` (or the signature that stands in its
place), its subjects, and a test a law. Every xdist worker makes the same ones.
"""

from __future__ import annotations

import functools
import json
import textwrap
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from verifier import evidence
from verifier.auditing import asleep, dying, known, once, overdue, quiet
from verifier.auditing.made import TargetModule, made_of
from verifier.auditing.request import Request, argument

if TYPE_CHECKING:
    from verifier.case import Subject

SMOKE_DTYPES: dict[str, tuple[str, ...]] = {
    "forloop": ("float64", "float32", "bfloat16"),
    "foreach": ("float32", "bfloat16"),
    "fused": ("float32",),
}
"""The formats a smoke run tests each implementation in."""


class Collector:
    """The plugin that adds the tests of the targets to whatever pytest collects."""

    def __init__(self, requests: Sequence[Request], path: Path | None) -> None:
        self.requests = tuple(requests)
        self.path = path
        self.told: set[str] = set()
        self.dead: set[str] = set()
        self.spoilt: Mapping[str, str] = {}
        self.misread: dict[str, str] = {}

    def crashed(self) -> dict[str, int]:
        """How many rows of each target have ended their process so far: a worker that replaces a dead one asks."""
        if self.path is None or not self.path.exists():
            return {}
        rows = (row for row in evidence.read(self.path) if row.get("crashed"))
        return Counter(str(row.get("target")) for row in rows)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Adds the tests, every target's in its own modules; the same ones in every worker."""
        config = session.config
        self.dead = {target for target, count in self.crashed().items() if count >= CRASHES}
        for request in self.requests:
            for made in self._modules(request):
                path = session.path / f"test_{made.rule.name}.py"
                node = TargetModule.from_parent(session, path=path, nodeid=f"{request.target}/{made.rule.name}")
                node.made = made
                items.extend(session.genitems(node))
        if self.requests:
            told = [target_record(request) for request in self.requests]
            if hasattr(config, "workeroutput"):
                config.workeroutput["verifier_targets"] = json.dumps(told)
            else:
                self._tell(told)

    def _modules(self, request: Request) -> list[ModuleType]:
        """The test modules of one target: the same in a worker that cannot import it, where none of them is run."""
        from verifier.auditing import probe as audit_probe

        known.awaited(request)
        self.spoilt = audit_probe.UNIMPORTABLE
        if why := overdue.spoilt(self.path, request.target):
            audit_probe.UNIMPORTABLE[request.target] = why
        with quiet.as_if_not_imported(), overdue.importing(self.path, request.target):
            if known.place(request) is None and (found := audit_probe.probe(request)).usage:  # an audit says so itself
                self.misread[request.target] = found.reason
            return modules(request)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Rows of a target that cannot be imported here; the rest of those of one that ended its process too often."""
        if not isinstance(item.parent, TargetModule):
            return
        target = item.parent.nodeid.rpartition("/")[0]
        if target in self.misread:  # a row that is skipped would look green
            pytest.fail(f"--verifier-target {self.misread[target]}", pytrace=False)
        if target in self.dead:
            pytest.skip(f"{CRASHES} of its rows did not end, or ended their process; the rest was left alone")
        if self.spoilt.get(target):
            pytest.skip(self.spoilt[target])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """What the first worker to finish learnt of the targets goes into the evidence."""
        told = getattr(node, "workeroutput", {}).get("verifier_targets")
        if told:
            self._tell(json.loads(told))

    def _tell(self, told: list[dict[str, Any]]) -> None:
        for record in told:
            if self.path is not None and record["target"] not in self.told:
                self.told.add(record["target"])
                evidence.append(self.path, record)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Puts everything back that a target changed in this process, so that the next test is as it would be alone.

        It is the innermost wrapper: inside pytest's capture, which would keep all that a target writes to the end.
        """
        if not isinstance(getattr(item, "parent", None), TargetModule):
            return (yield)
        from verifier.subjects.torch_surroundings import snapshot

        before = snapshot()
        with quiet.silence():
            try:
                return (yield)
            finally:
                before.restore()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Drops what a target printed: nobody asked for it, and it may be any amount."""
        report = yield
        if isinstance(getattr(item, "parent", None), TargetModule):
            report.sections = []
        return report


def of(config: pytest.Config) -> Collector:
    """The collector that a run's options ask for."""
    option = config.option
    args = tuple(argument(text) for text in option.verifier_arg)
    requests = [
        Request(target, option.verifier_rule, args, option.verifier_profile, option.verifier_memory)
        for target in dict.fromkeys(option.verifier_target)
    ]
    path = Path(option.verifier_evidence) if option.verifier_evidence else None
    return Collector(requests, path)


def target_record(request: Request) -> dict[str, Any]:
    """What was learnt of a target, as a line of evidence."""
    from verifier.auditing import probe as audit_probe

    found = audit_probe.probe(request)
    record: dict[str, Any] = {"kind": "target", "target": request.target, **found.described}
    if found.signature is not None:
        record["notes"] = [list(note) for note in found.signature.notes]
        record["unexamined"] = dict(found.signature.unexamined)
        record["exempt"] = asleep.left_out(found.signature)
    return record


CRASHES = 3
"""Rows of one target that may end their process before the rest of its rows are left alone."""


def modules(request: Request) -> list[ModuleType]:
    """The test modules of one target."""
    from verifier.auditing import probe as audit_probe

    found = audit_probe.probe(request)
    if found.reason or found.signature is None:
        return [_reason_module(found)]
    from verifier.auditing.lives import lives

    contracts = functools.partial(_contract_module, profile=request.profile)
    made = once.apart(contracts(found)) if request.profile == "smoke" else [contracts(found)]
    made += asleep.modules(found, contracts)
    made += [_narrow_module(found)] if request.profile == "smoke" else []
    return [*made, *_rule_modules(found, request.profile), *lives(found, request.profile)]


def source_of(contract: Any) -> str:
    """A contract as the source of a test."""
    doc = textwrap.fill(f"{contract.says} {contract.because}", 100)
    body = "\n".join(f"    {line}" for line in contract.follow_up.body)
    return f'def test_{contract.name}(subject, case):\n    """{textwrap.indent(doc, "    ").strip()}\n    """\n{body}\n'


def _contract_module(found: Any, profile: str) -> ModuleType:
    from verifier import contracts
    from verifier.auditing import itself
    from verifier.auditing.cases import always, cases
    from verifier.subjects.torch_foreign import subjects

    signature = found.signature
    sources = {}
    examples = {}
    for contract in contracts.laws(signature):
        if contract.costly and profile == "smoke":
            continue
        arguments = eval(f"dict({contract.follow_up.cases})")
        sources[contract.name] = (source_of(contract), cases(signature, **arguments))
        examples[contract.name] = always(signature, contract.name, readable=found.readable, **arguments)
    sources |= itself.sources(found, profile) | _stumbles(signature)
    examples |= itself.examples(found)
    return made_of(signature.name, signature, _chosen(subjects(signature), profile), sources, examples)


def _stumbles(signature: Any) -> dict[str, tuple[str, Any]]:
    """A law for each kind of error that a step raises with options the constructor took; nothing else draws them."""
    from hypothesis import strategies as st

    names = [f"accepted_options_{number}" if number else "accepted_options" for number in range(len(signature.raising))]
    source = 'def test_{}(subject, case):\n    """{}"""\n    check.can_step(subject, case)\n'
    says = "What the constructor accepts as an option, steps can be taken with."
    return {n: (source.format(n, says), st.just(c)) for n, c in zip(names, signature.raising, strict=True)}


def _chosen(subjects: Sequence[Subject], profile: str) -> list[Subject]:
    """The subjects that a profile runs."""
    return [s for s in subjects if profile != "smoke" or s.format.name in SMOKE_DTYPES.get(s.implementation, ())]


def _narrow_module(found: Any) -> ModuleType:
    """What a smoke run asks in float16: that every step is the one read out of the code, and leaves gradients alone."""
    from verifier import contracts
    from verifier.auditing import itself
    from verifier.auditing.cases import cases, full
    from verifier.subjects.torch_foreign import subjects

    signature = found.signature
    chosen = [s for s in subjects(signature, dtypes=("float16",)) if s.implementation in ("forloop", "foreach")]
    asked = {name: both for name, both in itself.sources(found, "smoke").items() if name == "as_read"}
    for pure in (c for c in contracts.laws(signature) if c.name == "purity"):
        asked[pure.name] = source_of(pure), cases(signature, **eval(f"dict({pure.follow_up.cases})"))
    examples = {**itself.examples(found), "purity": full(signature)}
    return made_of(f"{signature.name}_narrow", signature, chosen, asked, examples)


def _rule_modules(found: Any, profile: str) -> list[ModuleType]:
    """For each rule the target is held to: its step; and for what was read from the code, that it is that rule."""
    from verifier.auditing import itself
    from verifier.auditing.cases import as_vectors
    from verifier.strategies import cases
    from verifier.subjects.torch_foreign import subjects

    signature = found.signature
    made = []
    for held in found.held:
        names = {s.name for s in held.rule.hyper}
        written = "schedule" not in signature.exempt  # what steps write themselves is state, and nobody else's to write
        free = f"groups=True, schedule={written}, " if names <= signature.group_options and not held.at_rest else ""
        arguments = f"steps=(3, 8), {free}absent={found.counts_each}, maximize={signature.can_maximize}"
        source = (
            "def test_step_follows(subject, case):\n"
            '    """Every step is the rule\'s: inside the enclosure derived from it, or apart by rounding alone."""\n'
            "    check.steps_follow(subject, case)\n"
        )
        strategy = cases(held.rule, **eval(f"dict({arguments})"))
        if found.of_vectors and held.source != "declared":
            strategy = strategy.map(as_vectors)
        chosen = _chosen(subjects(signature, rule=held.rule, state_names=held.states, fixed=held.fixed), profile)
        if held.source == "claimed":  # a mistake in the formula is one, whatever else performs it
            chosen = [s for s in chosen if s.implementation == "forloop"]
        made.append(
            made_of(f"{signature.name}_{held.rule.name}", held.rule, chosen, {"step_follows": (source, strategy)})
        )
        if held.source == "declared":  # of what was read out of the code, `long_run` says as much
            long = (
                "def test_long_follows(subject, case):\n"
                '    """However many steps were taken, the next is the rule\'s."""\n'
                f"    check.long_run_follows(subject, case, {128 if profile == 'smoke' else itself.LONG['smoke']})\n"
            )
            plain = cases(held.rule, steps=2, tensors=1)
            made.append(
                made_of(f"{signature.name}_long_{held.rule.name}", held.rule, chosen, {"long_follows": (long, plain)})
            )
    if found.proofs:
        made.append(_proof_module(found))
    return made


def _proof_module(found: Any) -> ModuleType:
    """One test a proof: what was read out of each implementation is the rule it is held to."""
    from verifier.case import Subject
    from verifier.evidence import Strength
    from verifier.floats import FP64
    from verifier.record import Violation, current

    signature: Any = found.signature  # stands where a rule stands
    proofs = {proof.subject: proof for proof in found.proofs}  # plain data, by implementation

    def test_implements(subject: Subject) -> None:
        """The code performs this update rule: the transition read out of it equals the rule's, for all values."""
        proof = proofs[subject.implementation]
        seen = current()
        seen.strength = Strength.PROVED
        if proof.status == "refuted":
            seen.violation = Violation(
                f"the {proof.subject} code does not perform the rule {proof.rule}",
                subject=subject,
                observed=proof.difference,
                expected="no difference" + (f"; it equals the known mistake {proof.mutant}" if proof.mutant else ""),
            )
            raise seen.violation
        if proof.status == "proved":
            seen.cases = 1
            seen.compared(1)
        else:
            seen.notes[f"undecided: {proof.difference}"] += 1

    subjects = [
        Subject(signature.target, signature, "cpu", FP64, name, "step", _never, signature.target) for name in proofs
    ]
    made = made_of(f"{found.signature.name}_proof", found.signature, subjects, {})
    made.test_implements = test_implements  # type: ignore[attr-defined]
    return made


def _never(case: Any) -> Any:
    raise AssertionError("a proof runs no case")


def _reason_module(found: Any) -> ModuleType:
    """One row that says why nothing else could be said."""
    from verifier.case import Subject
    from verifier.floats import FP64
    from verifier.record import Violation, current
    from verifier.subjects.torch_signature import Signature, stem

    signature: Any = Signature(found.target, stem(found.target), lambda: None, "params", (), {}, ("forloop",), False)

    def test_runs(subject: Subject) -> None:
        """It can be imported, built and stepped."""
        if found.broken:
            raise ImportError(found.reason)
        said = {"observed": found.reason, "expected": dying.expected(found.reason)}
        current().violation = wrong = Violation("cannot be run", subject=subject, **said)
        raise wrong

    reason = "" if found.wrong or found.broken else found.reason
    subject = Subject(found.target, signature, "cpu", FP64, "forloop", "step", _never, found.target, untestable=reason)
    made = made_of(signature.name, signature, [subject], {})
    made.test_runs = test_runs  # type: ignore[attr-defined]
    return made
