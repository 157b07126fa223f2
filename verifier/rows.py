"""One dataclass for each kind of line of an evidence file, checked as it is read; plain data, no torch, no sympy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

from verifier.errors import UsageError
from verifier.evidence import Evidence, Strength, Verdict

T = TypeVar("T")

STATUSES = ("proved", "refuted", "undecided", "stated")
"""What a proof may say of a law; `stated` is a contract that documentation implies and no formula does."""


@dataclass(frozen=True)
class Run:
    """One run that wrote evidence: what it was asked, where it ran, and how it ended.

    `label` is the short name of its machine in a merged report (m1, m2, ...). `rows` counts the evidence it wrote.
    `finished` is false where the file has no end record; `resumed` says that a later run went on from this one.
    """

    run: str
    seed: int | None = None
    profile: str = ""
    device: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    planned: int | None = None
    label: str = "m1"
    rows: int = 0
    finished: bool = False
    stopped: bool = False  # Ctrl-C: it ended in order, but early
    resumed: bool = False
    exit_code: int | None = None
    seconds: float | None = None
    out: str = ""  # the folder an audit wrote to

    @property
    def interrupted(self) -> bool:
        """Whether it was cut short, by a kill (no end record) or by Ctrl-C, and nothing went on from it."""
        return (self.stopped or not self.finished) and not self.resumed


@dataclass(frozen=True)
class Claim:
    """One claim of the tutorial, its verdict, and how it was settled."""

    id: str
    claim: str
    verdict: Verdict
    strength: Strength | None = None
    how: str = ""
    evidence: tuple[str, ...] = ()
    detail: str = ""
    machine: str = ""


@dataclass(frozen=True)
class ProofRow:
    """What algebra says of one law: proved, refuted, undecided or stated.

    `witness` gives the values at which a refuted law fails, `difference` the two sides' difference there or as a
    term, `where` the side conditions. `says`, `claim` and `because` are the law's own words where they were recorded.
    """

    law: str
    status: str
    method: str = ""
    witness: Mapping[str, str] | None = None
    where: tuple[str, ...] = ()
    difference: str = ""
    seconds: float = 0.0
    says: str = ""
    claim: str = ""
    because: str = ""
    machine: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r} of {self.law} is none of {', '.join(STATUSES)}")


@dataclass(frozen=True)
class PowerRow:
    """Whether one law rejects one mutant of its rule, by algebra (`dtype` is then 'reals') or in one dtype."""

    rule: str
    law: str
    mutant: str
    dtype: str = "reals"
    killed: bool = False


@dataclass(frozen=True)
class Timing:
    """How long one named part of a run took, in seconds."""

    name: str
    seconds: float


@dataclass(frozen=True)
class NotCovered:
    """Something that is not checked at all (an optimizer, an option), with the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Unexamined:
    """An option of a rule that no case drew away from its default."""

    rule: str
    option: str
    reason: str = ""


@dataclass(frozen=True)
class Derivation:
    """How a rule's laws were derived, as a person would write it and as LaTeX."""

    rule: str
    text: str
    latex: str = ""
    cite: str = ""
    differs: str = ""


@dataclass(frozen=True)
class Target:
    """One optimizer as it was understood: the rule it is held to and where that rule came from.

    The fields are those of a target in the JSON of results.
    """

    target: str
    rule: str | None = None
    rule_source: str | None = None
    weight_decay: str = "unknown"
    lift: Mapping[str, Any] = field(default_factory=dict)
    proof: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()  # (convention or note, a sentence)


@dataclass(frozen=True)
class Listing:
    """An entry of the expected-failures file that was in force; `why` is filled where a run found it out of date."""

    id: str
    reason: str = ""
    link: str = ""
    until: str = ""
    why: str = ""


@dataclass(frozen=True)
class Row(Evidence):
    """Evidence, and the label of the machine that measured it."""

    machine: str = ""


_KINDS: dict[str, type[Any]] = {
    "proof": ProofRow,
    "claim": Claim,
    "evidence": Row,
    "power": PowerRow,
    "timing": Timing,
    "not_covered": NotCovered,
    "unexamined": Unexamined,
    "derivation": Derivation,
    "target": Target,
    "expectation": Listing,
    "stale": Listing,
}

KINDS = ("start", "planned", *_KINDS, "end")
"""The kinds of line an evidence file may hold."""

_TYPES: dict[str, tuple[type[Any], ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "bool": (bool,),
    "Mapping": (dict,),
    "Mapping | None": (dict, type(None)),
    "tuple": (list,),
}


def parse(record: Mapping[str, Any], where: str) -> Any:
    """The row that `record`, a line of an evidence file, holds; fields this version does not know are left out.

    A missing or ill-typed field, an unknown kind, verdict, strength or status is a UsageError that names `where`.
    """
    kind = record.get("kind")
    if kind not in _KINDS:
        raise UsageError(f"unknown kind {kind!r}", where=where, given=str(kind), accepted=KINDS)
    return build(_KINDS[str(kind)], record, where)


def build(cls: type[T], record: Mapping[str, Any], where: str) -> T:
    """An instance of the row type `cls` from plain data, each field checked against its declared type."""
    values: dict[str, Any] = {}
    for one in fields(cls):  # type: ignore[arg-type]  # every caller passes a dataclass
        if one.name in record:
            values[one.name] = _value(one.name, str(one.type), record[one.name], where)
        elif one.default is MISSING and one.default_factory is MISSING:
            raise UsageError(f"a {record.get('kind', 'record')} record needs {one.name!r}", where=where)
    try:
        return cls(**values)
    except ValueError as error:
        raise UsageError(str(error), where=where) from error


def _value(name: str, declared: str, value: Any, where: str) -> Any:
    if declared.startswith(("Verdict", "Strength")):
        if value is None and declared.endswith("None"):
            return None
        words = Verdict if declared.startswith("Verdict") else Strength
        accepted = [word.value for word in words]
        if value not in accepted:
            raise UsageError(f"{name} = {value!r} is unknown", where=where, given=str(value), accepted=accepted)
        return words(value)
    plain = f"{declared.split('[')[0]}{' | None' if declared.endswith('| None') and '[' in declared else ''}"
    accepted_types = _TYPES[plain]
    if not isinstance(value, accepted_types) or (isinstance(value, bool) and bool not in accepted_types):
        raise UsageError(f"{name} = {value!r} should be {declared.replace('tuple', 'list')}", where=where)
    if plain != "tuple":
        return value
    if "tuple[tuple[" in declared:
        if not all(isinstance(pair, list) and all(isinstance(part, str) for part in pair) for pair in value):
            raise UsageError(f"{name} = {value!r} should be a list of pairs of strings", where=where)
        return tuple(tuple(pair) for pair in value)
    if not all(isinstance(item, str) for item in value):
        raise UsageError(f"{name} = {value!r} should be a list of strings", where=where)
    return tuple(value)
