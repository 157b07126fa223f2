"""The tutorial's claims, each settled: by algebra, by exact runs of torch, and by the evidence of the properties.

`settle` returns one `Claim` a row of the table of claims. A claim's verdict is the gravest of what was found; its
strength is the weakest link among the findings it rests on. Nothing here has a tolerance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier import evidence as evidence_file
from verifier import rules
from verifier.evidence import Evidence, Strength, Verdict
from verifier.rows import Claim
from verifier.tutorial import algebra
from verifier.tutorial.algebra import Finding, worst

if TYPE_CHECKING:
    from verifier.tutorial.loop import Penalty

__all__ = ["Claim", "Setting", "settle", "to_json"]

CLAIMS = {
    "claim.vanilla": "SGD is plain gradient descent",
    "claim.gradient": "the negative gradient of lam*sum(w^2) is -2*lam*w",
    "claim.l1": "L1 adds lam*sum(abs(w)); its gradient is lam*sign(w), which no weight_decay value reproduces",
    "claim.shrink": "L2 decreases each weight by an amount proportional to its value",
    "claim.equivalent": "weight_decay = 2*lam is fully equivalent to the penalty, for optimizers with coupled decay",
    "claim.rescaled": "L2 and decoupled decay are equivalent for plain SGD when rescaled by the learning rate",
    "claim.cost": "weight_decay needs no terms accumulated in the loss and does not involve autograd",
    "claim.all": "weight_decay acts on all parameters of a group, biases too",
    "claim.groups": "a group with weight_decay 0 turns it off for biases",
    "claim.smaller": "regularised weights end smaller",
}
"""The tutorial's claims in its order: id and sentence."""

HOW = {
    "claim.vanilla": "the rule read out of torch's code equals theta - lr*g; exact steps",
    "claim.gradient": "sympy diff; torch autograd, every bit",
    "claim.l1": "sympy diff and solve, witness; torch autograd, every bit",
    "claim.shrink": "closed form (1 - 2*lr*lam)^n by induction; the rule read out of torch's code; exact steps, no "
    "gradient",
    "claim.equivalent": "sympy solve for the decay, for every rule; coupling proved from torch's code; the "
    "tutorial's loop on real data, bitwise for dyadic lam, set-valued otherwise; the generated properties",
    "claim.rescaled": "sympy solve, and witnesses where it fails; exact steps",
    "claim.cost": "the size of the autograd graph; paired timings and peak memory of the two paths",
    "claim.all": "every tensor of a group against the same tensor alone, bitwise, for every rule with weight_decay",
    "claim.groups": "weights and biases in two groups against each tensor alone, bitwise, and the tutorial's loop",
    "claim.smaller": "ridge fixed point b/(h + 2*lam) by solve; trained to it with an exact bound; real data",
}
"""How each claim is settled, in a line."""

EVIDENCE = {
    "claim.vanilla": ("sgd.first_step", "sgd.step", "sgd.constant_gradient"),
    "claim.shrink": ("sgd.zero_gradient", "sgd.decay"),
    "claim.equivalent": ("*.penalty", "*.penalty_any"),
    "claim.all": ("*.all_parameters",),
    "claim.groups": ("*.groups", "*.added_group"),
    "claim.smaller": ("*.fixed_point",),
}
"""The laws whose evidence rows a claim rests on besides, as shell patterns."""

PROOFS = {
    "claim.l1": ("*.not_l1",),
    "claim.shrink": ("sgd.zero_gradient", "sgd.decay"),
    "claim.equivalent": ("*.penalty", "*.not_a_penalty"),
    "claim.smaller": ("*.fixed_point",),
}
"""The laws whose proofs, where the evidence records them, a claim rests on besides."""


@dataclass(frozen=True)
class Setting:
    """What the claims are put to: devices, seed, the optimizers (torch.optim's names) and the two penalties.

    `optimizers` and the penalties default to torch's and the tutorial's; something broken given here must be caught.
    """

    devices: tuple[str, ...]
    seed: int
    optimizers: Any
    l2: Penalty
    l1: Penalty
    rows: tuple[Evidence, ...] = ()
    proofs: tuple[tuple[str, str], ...] = ()  # (law, status) of each recorded proof
    benchmarks: Path | None = None
    absent: tuple[str, ...] = field(default=())  # why a device that was asked for is not here


def to_json(claim: Claim) -> dict[str, Any]:
    """The claim as the evidence file's record of kind `claim`."""
    data = asdict(claim) | {
        "kind": "claim",
        "verdict": claim.verdict.value,
        "strength": claim.strength.value if claim.strength else None,
        "evidence": list(claim.evidence),
    }
    del data["machine"]
    return data


def settle(
    evidence: Path | Iterable[Evidence] = (),
    *,
    device: str = "cpu",
    seed: int = 0,
    optimizers: Any = None,
    l2: Penalty | None = None,
    l1: Penalty | None = None,
    benchmarks: Path | None = None,
) -> list[Claim]:
    """Every claim of the tutorial, in its order, with its verdict.

    `evidence` is an evidence file or its rows; `device` is cpu, cuda or all; `benchmarks` is a benchmarks.json to take
    the costs from, measured afresh where there is none.
    """
    import torch

    from verifier.tutorial import exact as tutorial_exact
    from verifier.tutorial import loop as tutorial

    rows, proofs = _recorded(evidence)
    asked = ("cpu", "cuda") if device == "all" else (device,)
    there = tuple(name for name in asked if not tutorial.missing(name))
    setting = Setting(
        devices=there,
        seed=seed % 2**32,
        optimizers=torch.optim if optimizers is None else optimizers,
        l2=l2 or tutorial.l2,
        l1=l1 or tutorial_exact.l1,
        rows=rows,
        proofs=proofs,
        benchmarks=benchmarks,
        absent=tuple(tutorial.missing(name) for name in asked if name not in there),
    )
    return [settled(id, setting) for id in CLAIMS]


def settled(id: str, setting: Setting) -> Claim:
    """One claim settled; what breaks in the check itself makes it BROKEN, with the reason."""
    settler = SETTLERS[id]
    try:
        rests_on, besides = settler(setting)
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError) as error:  # ours or a foreign class
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        return Claim(id, CLAIMS[id], Verdict.BROKEN, None, HOW[id], (), why)
    if not setting.devices:  # algebra alone settles nothing about torch
        besides = [*besides, *(Finding(Verdict.UNTESTABLE, why) for why in setting.absent)]
    bearing = EVIDENCE.get(id, ())
    rows = [row for row in setting.rows if _any(row.law, bearing)]
    from_rows = _row_findings(rows) if rows else []
    if setting.rows and bearing and not rows:  # a law renamed must not pass unnoticed
        from_rows = [Finding(Verdict.INCONCLUSIVE, f"none of the laws {', '.join(bearing)} is in the evidence")]
    proofs = [(law, status) for law, status in setting.proofs if _any(law, PROOFS.get(id, ()))]
    findings = [*rests_on, *besides, *from_rows, *_proof_findings(proofs)]
    order = list(Strength)
    strength = max((f.strength for f in rests_on), key=order.index) if rests_on else Strength.HELD
    wrong = [f for f in findings if f.verdict is not Verdict.HELD]
    said = [f.said for f in wrong] or [f.said for f in findings]
    if len(setting.devices) and setting.absent:
        said += [f"not run: {why}" for why in setting.absent]
    return Claim(
        id=id,
        claim=CLAIMS[id],
        verdict=worst(findings),
        strength=strength,
        how=HOW[id],
        evidence=tuple(sorted({row.law for row in rows} | {law for law, _ in proofs})),
        detail=". ".join(said),
    )


Findings = tuple[Sequence[Finding], Sequence[Finding]]
"""What a claim rests on, and what was found besides: both decide its verdict, the first its strength."""


def vanilla(setting: Setting) -> Findings:
    """SGD without options is theta - lr*g: the rule, the code that implements it, and exact steps."""
    from verifier.tutorial import exact

    lifted = _code_of_sgd(setting)
    steps = [exact.plain_steps(setting.optimizers, device, setting.seed) for device in setting.devices]
    rule = algebra.plain(rules.get("sgd"))
    return ([rule, *lifted], steps) if lifted else ([rule, *steps], [])


def gradient(setting: Setting) -> Findings:
    """The gradient of the L2 term by differentiation, and by autograd to the bit."""
    from verifier.tutorial import exact

    theta = rules.get("sgd").theta
    seen = [exact.penalty_gradient(setting.l2, device, setting.seed) for device in setting.devices]
    return [algebra.gradient(algebra.l2_penalty(theta), theta)], seen


def l1(setting: Setting) -> Findings:
    """The gradient of the L1 term by differentiation, no weight decay for it, and autograd to the bit."""
    from verifier.tutorial import exact

    theta = rules.get("sgd").theta
    seen = [exact.penalty_gradient(setting.l1, device, setting.seed, power=1) for device in setting.devices]
    return [algebra.l1_gradient(algebra.l1_penalty(theta), theta)], seen


def shrink(setting: Setting) -> Findings:
    """Without a gradient every weight keeps the same share of itself each step."""
    from verifier.tutorial import exact

    steps = [exact.shrink_steps(setting.optimizers, device, setting.seed) for device in setting.devices]
    rule, lifted = algebra.shrink(rules.get("sgd")), _code_of_sgd(setting)
    return ([rule, *lifted], steps) if lifted else ([rule, *steps], [])


def equivalent(setting: Setting) -> Findings:
    """The solved decay of every rule; the loop on real data for every coupled optimizer; a witness for the others."""
    from verifier.tutorial import exact
    from verifier.tutorial import from_code as claim_lift
    from verifier.tutorial import loop as tutorial

    known = {name: rules.get(name) for name in exact.OPTIMIZERS}
    solved, coupled, without = algebra.equivalent(known, algebra.l2_penalty(known["sgd"].theta))
    runs: list[Finding] = []
    for device in setting.devices:
        agree = exact.equivalence(setting.optimizers, coupled, device, setting.seed)
        said = f"the tutorial's loop on {device}: identical bits for {len(coupled)} coupled rules with lam = 1/32"
        runs.append(_together(agree, said))
        differ = exact.equivalence(setting.optimizers, tuple(without), device, setting.seed, differ=True)
        runs.append(_together(differ, f"decoupled decay is not the penalty: {'; '.join(f.said for f in differ)}"))
        loops = tutorial.loops(device, setting.seed, setting.optimizers)
        seen = [tutorial.compare(loop) for loop in loops]
        counts = f"{sum(c.identical for c in seen)} of {len(seen)} loops with identical bits, the others in their sets"
        runs.append(_together([Finding(c.verdict, c.sentence) for c in seen], f"{counts} ({device}, fp32 and fp64)"))
    code: list[Finding] = []  # proofs about torch's code, for all real values
    if setting.devices:
        code += claim_lift.decays(setting.optimizers, coupled, "coupled")
        code += claim_lift.decays(setting.optimizers, tuple(without), "decoupled")
    return [solved, *code], runs


def rescaled(setting: Setting) -> Findings:
    """The decoupled amount solved for, witnesses for momentum and Adam, and exact steps of torch's SGD."""
    from verifier.tutorial import exact

    by_algebra = algebra.rescaled(rules.get("sgd"), rules.get("sgd_momentum"), rules.get("adam"))
    steps = [exact.rescaled_steps(setting.optimizers, device, setting.seed) for device in setting.devices]
    return [by_algebra], steps


def cost(setting: Setting) -> Findings:
    """The autograd graph grows with the penalty and not with weight_decay; the two paths' time and memory."""
    from verifier.bench import ratio as bench_ratio
    from verifier.tutorial import exact

    found: list[Finding] = []
    for device in setting.devices:
        with_penalty, without = exact.autograd_terms(setting.l2, device)
        grown = f"the penalty takes autograd's graph from {without} to {with_penalty} functions, weight_decay adds none"
        verdict = Verdict.HELD if with_penalty > without else Verdict.VIOLATED
        found.append(Finding(verdict, f"{grown} ({device})"))
        found.append(bench_ratio.finding(setting.optimizers, device, setting.benchmarks))
    return found, []


def all_parameters(setting: Setting) -> Findings:
    """Every tensor of a group decays, and as it would alone."""
    from verifier.tutorial import exact

    return [
        _together(
            exact.decay_everywhere(setting.optimizers, device, setting.seed),
            f"{len(exact.OPTIMIZERS)} rules on {device}: weight, bias, scale, kernel, gain decay as each would alone",
        )
        for device in setting.devices
    ], []


def groups(setting: Setting) -> Findings:
    """Two groups move as two optimizers would; the tutorial's loop with groups is the penalty on the weights."""
    from verifier.tutorial import exact
    from verifier.tutorial import loop as tutorial

    found: list[Finding] = []
    for device in setting.devices:
        alone = exact.groups_as_alone(setting.optimizers, device, setting.seed)
        found.append(_together(alone, f"{len(alone)} rules on {device}: each group moves as alone, bit for bit"))
        loops = tutorial.loops(device, setting.seed, setting.optimizers)
        seen = [tutorial.compare(loop, tutorial.PAIRS[1]) for loop in loops]
        said = f"{len(seen)} loops on real data ({device}): groups are the penalty on the weights alone"
        found.append(_together([Finding(c.verdict, c.sentence) for c in seen], said))
    return found, []


def smaller(setting: Setting) -> Findings:
    """The ridge fixed point by algebra; SGD trained to it; the tutorial's model on real data."""
    from verifier.tutorial import exact

    sgd = rules.get("sgd")
    by_algebra = algebra.smaller(sgd, algebra.l2_penalty(sgd.theta))
    runs = [exact.ridge(setting.optimizers, device, setting.seed) for device in setting.devices]
    runs += [exact.smaller_on_data(setting.optimizers, device, setting.seed) for device in setting.devices]
    lifted = _code_of_sgd(setting)
    return ([by_algebra, *lifted], runs) if lifted else ([by_algebra, *runs], [])


SETTLERS: dict[str, Callable[[Setting], Findings]] = {
    "claim.vanilla": vanilla,
    "claim.gradient": gradient,
    "claim.l1": l1,
    "claim.shrink": shrink,
    "claim.equivalent": equivalent,
    "claim.rescaled": rescaled,
    "claim.cost": cost,
    "claim.all": all_parameters,
    "claim.groups": groups,
    "claim.smaller": smaller,
}
"""Each claim's id and the function that settles it."""


def _code_of_sgd(setting: Setting) -> list[Finding]:
    """The proof that the code of SGD is the rule sgd; empty where the code cannot be read, or nothing can run."""
    from verifier.tutorial import from_code as claim_lift

    return claim_lift.sgd_is_its_rule(setting.optimizers) if setting.devices else []


def _together(findings: Sequence[Finding], said: str) -> Finding:
    """Several findings as one: `said` where all held, otherwise what the ones that did not hold say."""
    verdict = worst(findings)
    if verdict is Verdict.HELD:
        return Finding(verdict, said)
    return Finding(verdict, "; ".join(f.said for f in findings if f.verdict is not Verdict.HELD))


def _recorded(
    evidence: Path | Iterable[Evidence],
) -> tuple[tuple[Evidence, ...], tuple[tuple[str, str], ...]]:
    """The evidence rows, and the law and status of every proof where `evidence` is a file that records them."""
    if not isinstance(evidence, Path):
        return tuple(evidence), ()
    records = list(evidence_file.read(evidence)) if evidence.exists() else []
    rows = tuple(Evidence.from_json(record) for record in records if record.get("kind") == "evidence")
    return rows, tuple((str(r["law"]), str(r["status"])) for r in records if r.get("kind") == "proof")


def _any(law: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(law, pattern) for pattern in patterns)


def _proof_findings(proofs: Sequence[tuple[str, str]]) -> list[Finding]:
    """What recorded proofs say: a refuted law breaks the claim; undecided ones are named, and alone leave it open."""
    laws = {status: [law for law, s in proofs if s == status] for status in ("proved", "refuted", "undecided")}
    findings = [Finding(Verdict.VIOLATED, f"{law} is refuted") for law in laws["refuted"]]
    said = f"{len(laws['proved'])} laws proved"
    if laws["undecided"]:
        said += f", undecided: {', '.join(laws['undecided'])}"
        if not laws["proved"]:
            findings.append(Finding(Verdict.INCONCLUSIVE, said))
    return [*findings, algebra.proved(said)] if laws["proved"] else findings


def _row_findings(rows: Sequence[Evidence]) -> list[Finding]:
    """What the rows say together: counts, and each row that broke its law without being listed."""
    findings = []
    counts: Counter[str] = Counter()
    for row in rows:
        listed = row.verdict is Verdict.VIOLATED and row.expected_failure is not None
        counts["violated as listed" if listed else row.verdict.value] += 1
        if row.verdict in (Verdict.VIOLATED, Verdict.BROKEN) and not listed:
            findings.append(Finding(row.verdict, f"{row.id}: {row.message or row.reason or row.verdict.sentence}"))
    if not counts["held"]:
        findings.append(Finding(Verdict.INCONCLUSIVE, "no property that bears on this held"))
    summary = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return [*findings, Finding(Verdict.HELD, f"properties: {summary}")]
