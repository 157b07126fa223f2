"""The report as its readers look at it: rows grouped by rule, law and subject; findings; margins; what is missing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from verifier.evidence import Strength, Verdict
from verifier.report import Report
from verifier.rows import Derivation, PowerRow, ProofRow, Row

STATUSES = ("violated", "stale", "broken", "expected", "inconclusive", "held", "untestable")
"""What a row can be, worst first: a verdict, or `expected` (listed violation), or `stale` (listed, and it passes)."""

MARKS = {
    "violated": "✗",
    "stale": "≠",
    "broken": "!",
    "expected": "†",
    "inconclusive": "?",
    "held": "✓",
    "untestable": "–",
}

LABELS = {word: word for word in STATUSES} | {"expected": "listed"}
"""The words people read; 'expected' alone could be mistaken for an expected value."""

MEANINGS = {
    "violated": "a case broke the law, and nobody listed it",
    "stale": "listed as a failure, and it passes",
    "broken": "the check itself failed: our fault",
    "expected": "a case broke the law; listed, with its reason",
    "inconclusive": Verdict.INCONCLUSIVE.sentence,
    "held": Verdict.HELD.sentence,
    "untestable": Verdict.UNTESTABLE.sentence,
}

STRENGTHS = {
    Strength.PROVED: "Algebra shows it for all real values: the law follows from the rule, or this code is this rule.",
    Strength.FAITHFUL: "Every operation the code ran returned, bit for bit, a correct rounding of that operation.",
    Strength.ENCLOSED: "Each observed step lies inside an interval derived from the rule; there is no tolerance in it.",
    Strength.HELD: "It held, bit for bit, on every case that was generated.",
}
"""What each strength of claim means, strongest first."""

WORDS = {
    "proved": "proved",
    "refuted": "refuted",
    "undecided": "undecided",
    "stated": "stated by documentation",
    "": "no proof on record",
}


def status(row: Row) -> str:
    """One of STATUSES."""
    if row.expected_failure is not None:
        return {Verdict.VIOLATED: "expected", Verdict.HELD: "stale"}.get(row.verdict, row.verdict.value)
    return row.verdict.value


def worst(counts: Counter[str]) -> str:
    """The worst status that occurs; 'untestable' only where nothing else does."""
    return next((s for s in STATUSES if counts[s]), "untestable")


def rule_of(law: str) -> str:
    """The rule a law's id begins with; 'contracts' for a law of no rule."""
    return law.partition(".")[0] if "." in law else "contracts"


def place(row: Row) -> str:
    """Where a violation was first seen: step, parameter, element."""
    named = (("step", row.step), ("parameter", row.tensor), ("element", row.element))
    return ", ".join(f"{word} {number}" for word, number in named if number is not None)


def number(value: float | None) -> str:
    """A margin or a distance with three digits, in as few characters as they take."""
    if value is None:
        return ""
    if value != value or abs(value) == float("inf"):
        return "NaN" if value != value else "∞"
    if value == int(value) and abs(value) < 1e5:
        return f"{int(value):,}"
    size = abs(value)
    text = f"{value:.2f}" if 0.005 <= size < 9.995 else f"{value:.1f}" if 9 < size < 999.5 else f"{value:.2g}"
    return text.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


@dataclass(frozen=True)
class Law:
    """One law of one rule, with its proof and all its rows."""

    id: str
    rows: tuple[Row, ...]
    proof: ProofRow | None
    kills: tuple[str, ...]  # mutants that it rejected in some dtype
    measured: bool  # whether its power was looked at

    @property
    def name(self) -> str:
        return self.id.partition(".")[2] or self.id

    @property
    def counts(self) -> Counter[str]:
        """Rows by status."""
        return Counter(status(row) for row in self.rows)

    @property
    def status(self) -> str:
        return worst(self.counts) if self.rows else "untestable"

    @property
    def tally(self) -> str:
        """Held rows, of all that could be run where they differ: '12', '10/12'; empty where none could be."""
        held, ran = self.counts["held"], len(self.rows) - self.counts["untestable"]
        return "" if not ran else str(ran) if held == ran else f"{held}/{ran}"

    @property
    def partly(self) -> bool:
        """Whether some rows could be run and others could not."""
        return 0 < self.counts["untestable"] < len(self.rows)

    @property
    def sentence(self) -> str:
        """The counts in words."""
        return ", ".join(f"{self.counts[s]:,} {LABELS[s]}" for s in STATUSES if self.counts[s]) or "never run"

    @property
    def margin(self) -> float | None:
        """The largest share of its enclosure that any element used."""
        return max((row.margin for row in self.rows if row.margin is not None), default=None)

    @property
    def cases(self) -> int:
        return sum(row.cases for row in self.rows)

    @property
    def elements(self) -> int:
        return sum(row.elements for row in self.rows)

    @property
    def vacuous(self) -> int:
        return sum(row.vacuous for row in self.rows)

    @property
    def options(self) -> dict[str, int]:
        """Options drawn away from their defaults, with the cases that did."""
        total: Counter[str] = Counter()
        for row in self.rows:
            total.update(row.options)
        return dict(sorted((k, n) for k, n in total.items() if n))

    @property
    def strengths(self) -> tuple[Strength, ...]:
        """The strengths of the rows that held, strongest first."""
        seen = {row.strength for row in self.rows if row.verdict is Verdict.HELD}
        return tuple(s for s in Strength if s in seen)

    @property
    def open(self) -> tuple[Row, ...]:
        """The rows that need a word: neither held nor merely untestable."""
        return tuple(row for row in self.rows if status(row) not in ("held", "untestable"))

    @property
    def grid(self) -> Grid:
        return grid(self.rows)


@dataclass(frozen=True)
class Grid:
    """The rows of one law by implementation and path (down), device and dtype (across)."""

    columns: tuple[tuple[str, str], ...]  # (device, dtype)
    lines: tuple[tuple[str, tuple[tuple[Row, ...], ...]], ...]


_IMPLEMENTATIONS = ("forloop", "foreach", "fused")
DTYPES = ("float64", "float32", "bfloat16", "float16")


def by_width(dtype: str) -> tuple[int, str]:
    """Where a dtype stands in a table: widest first, unknown ones last."""
    return (DTYPES.index(dtype) if dtype in DTYPES else len(DTYPES)), dtype


def grid(rows: Iterable[Row]) -> Grid:
    """`rows` arranged by the parts of their subjects' ids; a cell holds several rows where machines were merged."""
    cells: dict[tuple[str, tuple[str, str]], list[Row]] = defaultdict(list)
    for row in rows:
        parts = [*row.subject.split("-", 2), "", ""][:3]
        cells[parts[2] or parts[0], (parts[0], parts[1])].append(row)

    def order(column: tuple[str, str]) -> tuple[str, int, str]:
        device, dtype = column
        return device, *by_width(dtype)

    columns = tuple(sorted({column for _, column in cells}, key=order))
    names = sorted({name for name, _ in cells}, key=lambda n: (*(n != usual for usual in _IMPLEMENTATIONS), n))
    return Grid(columns, tuple((n, tuple(tuple(cells.get((n, c), ())) for c in columns)) for n in names))


@dataclass(frozen=True)
class RuleView:
    """One rule: its laws, its derivation, and which of its mutants each law rejects."""

    name: str
    laws: tuple[Law, ...]
    derivation: Derivation | None
    mutants: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)  # mutant -> law -> dtypes it kills in

    @property
    def counts(self) -> Counter[str]:
        return sum((law.counts for law in self.laws), Counter())

    @property
    def status(self) -> str:
        return worst(self.counts)

    @property
    def proofs(self) -> Counter[str]:
        """Laws by status of their proofs."""
        return Counter(law.proof.status if law.proof else "" for law in self.laws)

    @property
    def killers(self) -> tuple[str, ...]:
        """The laws whose power was looked at."""
        return tuple(sorted({law for by_law in self.mutants.values() for law in by_law}))

    @property
    def margin(self) -> float | None:
        return max((law.margin for law in self.laws if law.margin is not None), default=None)


def rules(report: Report) -> tuple[RuleView, ...]:
    """Every rule that has a row, a proof or a derivation, by name."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in report.evidence:
        rows[row.law].append(row)
    proofs: dict[str, ProofRow] = {}
    for proof in report.proofs:  # where machines disagree the worse word is shown
        if proof.law not in proofs or proof.status != "proved":
            proofs[proof.law] = proof
    power: dict[str, list[PowerRow]] = defaultdict(list)
    for one in report.power:
        power[_law_id(one)].append(one)
    derivations = {d.rule: d for d in report.derivations}
    by_rule: dict[str, list[Law]] = {name: [] for name in derivations}
    for law in sorted({*rows, *proofs}):
        discriminates = {mutant for row in rows[law] for mutant in row.discriminates}
        kills = discriminates | {one.mutant for one in power[law] if one.killed and one.dtype != "reals"}
        measured = bool(discriminates) or any(one.dtype != "reals" for one in power[law])
        view = Law(law, tuple(rows[law]), proofs.get(law), tuple(sorted(kills)), measured)
        by_rule.setdefault(rule_of(law), []).append(view)
    return tuple(
        RuleView(name, tuple(laws), derivations.get(name), _mutants(report.power, name))
        for name, laws in sorted(by_rule.items())
    )


def _law_id(row: PowerRow) -> str:
    return row.law if "." in row.law else f"{row.rule}.{row.law}"


def _mutants(power: Iterable[PowerRow], rule: str) -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for row in power:
        if row.rule == rule:
            law = _law_id(row).partition(".")[2]
            before = found[row.mutant].get(law, ())
            found[row.mutant][law] = (*before, row.dtype) if row.killed else before
    return {mutant: dict(by_law) for mutant, by_law in sorted(found.items())}


@dataclass(frozen=True)
class Finding:
    """Violations that are one: same listing, same replay, or same law and mistake. The first is shown in full."""

    rows: tuple[Row, ...]

    @property
    def first(self) -> Row:
        return self.rows[0]

    @property
    def listed(self) -> bool:
        return self.first.expected_failure is not None

    @property
    def others(self) -> tuple[Row, ...]:
        return self.rows[1:]

    @property
    def place(self) -> str:
        return place(self.first)


def findings(report: Report) -> tuple[Finding, ...]:
    """The violations, equal ones together, as those are that one replay shows; those that nobody listed come first."""
    together: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    shown = {(row.law, row.equals): row.replay for row in report.unlisted if row.replay}
    for row in report.unlisted:
        replay = row.replay or shown.get((row.law, row.equals))
        together[("replay", replay) if replay else ("new", row.law, row.equals)].append(row)
    for row in report.listed:
        together["listed", row.expected_failure or ""].append(row)
    return tuple(Finding(tuple(sorted(rows, key=_explained_first))) for rows in together.values())


def _explained_first(row: Row) -> tuple[bool, bool]:
    """The row whose law the script shows, in a format that has digits to show it, comes before the others."""
    shown = Path(row.repro).name.startswith(f"{row.law.replace('.', '_')}_") if row.repro else False
    return not shown, bool(row.repro) and "16-" in row.subject


def elsewhere(report: Report) -> tuple[tuple[str, str, str], ...]:
    """(status, id, why) of what is wrong and no row of an optimizer: checks that broke, laws that algebra refutes."""
    found = [("broken", row.id, row.reason) for row in report.with_verdict(Verdict.BROKEN)]
    found += [("broken", claim.id, claim.detail) for claim in report.claims if claim.verdict is Verdict.BROKEN]
    for proof in report.proofs:
        if proof.status == "refuted":
            values = ", ".join(f"{name} = {value}" for name, value in (proof.witness or {}).items())
            at = f" at {values}" if values else ""
            by = f": the sides differ by {proof.difference}" if proof.difference else ""
            found.append(("violated", proof.law, f"algebra refutes this law of the rule itself{at}{by}"))
    return tuple(found)


def tone(code: int) -> str:
    """The status whose colour and mark an exit code is shown in."""
    return {0: "held", 1: "violated", 3: "inconclusive", 4: "stale", 5: "broken"}.get(code, "inconclusive")


def title(report: Report) -> str:
    """What the report is about, as a headline."""
    targets = sorted({row.target for row in report.evidence if row.target} | {t.target for t in report.targets})
    modules = {target.partition(":")[0] for target in targets}
    if len(targets) == 1:
        about = targets[0]
    elif len(modules) == 1:
        about = modules.pop()
    else:
        about = f"{len(targets)} optimizers" if targets else "the rules"
    torch = report.machine.get("torch")
    return f"Verification of {about}{f', torch {torch}' if torch else ''}"


def facts(report: Report) -> list[tuple[str, str]]:
    """What a reader needs to compare this report with another: versions, device, profile, seed, commit, time."""
    seconds = sum(run.seconds for run in report.runs if run.seconds is not None)
    devices = ", ".join(dict.fromkeys(run.device for run in report.runs if run.device))
    seeds = ", ".join(dict.fromkeys(str(run.seed) for run in report.runs if run.seed is not None))
    known = [
        ("torch", report.machine.get("torch")),
        ("python", report.machine.get("python")),
        ("cpu", report.machine.get("cpu")),
        ("gpu", report.machine.get("gpu")),
        ("device", devices),
        ("profile", report.profile),
        ("seed", seeds),
        ("commit", report.commit),
        ("machines", len(report.machines) if len(report.machines) > 1 else None),
        ("time", f"{seconds:,.0f} s" if seconds else None),
    ]
    return [(name, str(value)) for name, value in known if value not in (None, "", "none")]


def matrix(views: Sequence[RuleView]) -> list[tuple[str, tuple[Law | None, ...]]]:
    """Laws (down) by rules (across): the laws most rules share come first."""
    tables = [{law.name: law for law in one.laws} for one in views]
    shared = Counter(name for table in tables for name in table)
    names = sorted(shared, key=lambda name: (-shared[name], name))
    return [(name, tuple(table.get(name) for table in tables)) for name in names]
