"""The report as its readers look at it: rows grouped by rule, law and subject; findings; margins; what is missing."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from verifier.evidence import Strength, Verdict
from verifier.report import Report
from verifier.rows import Derivation, PowerRow, ProofRow, Row, Unexamined

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
    text = f"{value:.2f}" if 0.005 <= abs(value) < 99.5 or value == 0 else f"{value:.2g}"
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
        """Held rows, of all rows where they differ: '12', '10/12'."""
        held, rows = self.counts["held"], len(self.rows)
        return str(rows) if held == rows else f"{held}/{rows}"

    @property
    def sentence(self) -> str:
        """The counts in words."""
        return ", ".join(f"{self.counts[s]:,} {s}" for s in STATUSES if self.counts[s]) or "never run"

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


_DTYPES = ("float64", "float32", "bfloat16", "float16")


def grid(rows: Iterable[Row]) -> Grid:
    """`rows` arranged by the parts of their subjects' ids; a cell holds several rows where machines were merged."""
    cells: dict[tuple[str, tuple[str, str]], list[Row]] = defaultdict(list)
    for row in rows:
        parts = (row.subject.split("-", 2) + ["", ""])[:3]
        cells[parts[2] or parts[0], (parts[0], parts[1])].append(row)

    def order(column: tuple[str, str]) -> tuple[str, int, str]:
        device, dtype = column
        return device, _DTYPES.index(dtype) if dtype in _DTYPES else len(_DTYPES), dtype

    columns = tuple(sorted({column for _, column in cells}, key=order))
    names = sorted({name for name, _ in cells}, key=lambda n: (("forloop", "foreach", "fused") + (n,)).index(n))
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
        kills = discriminates | {one.mutant for one in power[law] if one.killed}
        measured = bool(power[law]) or bool(discriminates)
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
    """Violations that are one and the same: same law, same listing, same mistake. The first is shown in full."""

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
    """The violations, equal ones together; those that nobody listed come first."""
    together: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in (*report.unlisted, *report.listed):
        together[str(row.expected_failure is not None), row.law, row.expected_failure or "", row.equals].append(row)
    return tuple(Finding(tuple(rows)) for rows in together.values())


def again(row: Row, report: Report) -> tuple[str, ...]:
    """The commands that run this row again, shortest first."""
    rule, _, law = row.law.partition(".")
    seeds = {run.label: run.seed for run in report.runs}
    seed = seeds.get(row.machine, report.seed)
    hint = f" --hypothesis-seed {seed}" if seed is not None else ""
    known = (f"verifier replay {row.replay}",) if row.replay else ()
    script = (f"python {row.repro}",) if row.repro else ()
    generated = (f"pytest 'properties/test_{rule}.py::test_{law}[{row.subject}]'{hint}",) if law else ()
    return (*known, *script, *generated)


@dataclass(frozen=True)
class Margins:
    """How much of their enclosures the rows used: a histogram of tenths, and the middle and largest of each dtype."""

    bins: tuple[int, ...]  # 0 - 0.1, ..., 0.9 - 1
    over: int  # rows beyond 1: violations
    by_dtype: tuple[tuple[str, int, float, float], ...]  # dtype, rows, median, largest

    @property
    def rows(self) -> int:
        return sum(self.bins) + self.over


def margins(report: Report) -> Margins:
    """The distribution of `margin` over all rows that have one."""
    seen = [(row, row.margin) for row in report.evidence if row.margin is not None]
    bins = [0] * 10
    by_dtype: dict[str, list[float]] = defaultdict(list)
    for row, margin in seen:
        if margin <= 1:
            bins[min(9, max(0, int(margin * 10)))] += 1
            by_dtype[(row.subject.split("-") + ["other"])[1]].append(margin)
    lines = [(name, len(m), statistics.median(m), max(m)) for name, m in by_dtype.items()]
    lines.sort(key=lambda line: _DTYPES.index(line[0]) if line[0] in _DTYPES else len(_DTYPES))
    return Margins(tuple(bins), len(seen) - sum(bins), tuple(lines))


@dataclass(frozen=True)
class Gaps:
    """What a report does not show: the other half of an honest one."""

    untestable: tuple[tuple[str, int, tuple[str, ...]], ...]  # reason, rows, rules
    inconclusive: tuple[tuple[str, int, tuple[str, ...]], ...]
    undecided: tuple[ProofRow, ...]
    unexamined: tuple[Unexamined, ...]
    vacuous: tuple[tuple[str, int, int], ...]  # law, vacuous element-checks, all of them
    blind: tuple[str, ...]  # laws that no known mistake could have failed
    unmeasured: tuple[str, ...]  # laws whose power nobody looked at
    survivors: tuple[tuple[str, str], ...]  # (rule, mutant) that no law rejects


def gaps(report: Report, views: Sequence[RuleView]) -> Gaps:
    """What was not run, not decided, not drawn, not able to fail, and not rejected."""
    laws = [law for view in views for law in view.laws]
    tested = [law for law in laws if law.counts["held"] and not _only_algebra(law)]
    explicit = {(u.rule, u.option) for u in report.unexamined}
    never = [
        Unexamined(rule, option)
        for rule, option in _zero_options(report.evidence)
        if (rule, option) not in explicit
    ]
    return Gaps(
        untestable=_by_reason(report.with_verdict(Verdict.UNTESTABLE)),
        inconclusive=_by_reason(report.with_verdict(Verdict.INCONCLUSIVE)),
        undecided=tuple(p for p in report.proofs if p.status in ("undecided", "refuted")),
        unexamined=(*report.unexamined, *never),
        vacuous=tuple((law.id, law.vacuous, law.elements) for law in laws if law.vacuous),
        blind=tuple(law.id for law in tested if law.measured and not law.kills),
        unmeasured=tuple(law.id for law in tested if not law.measured),
        survivors=tuple((v.name, m) for v in views for m, by_law in v.mutants.items() if not any(by_law.values())),
    )


def _only_algebra(law: Law) -> bool:
    return set(law.strengths) <= {Strength.PROVED, Strength.FAITHFUL}


def _zero_options(rows: Iterable[Row]) -> list[tuple[str, str]]:
    drawn: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for option, cases in row.options.items():
            drawn[rule_of(row.law), option] += cases
    return sorted(key for key, cases in drawn.items() if not cases)


def _by_reason(rows: Iterable[Row]) -> tuple[tuple[str, int, tuple[str, ...]], ...]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.reason or "no reason was recorded"].append(row)
    lines = [(why, len(same), tuple(sorted({rule_of(r.law) for r in same}))) for why, same in found.items()]
    return tuple(sorted(lines, key=lambda line: (-line[1], line[0])))
