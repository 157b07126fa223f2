"""One report written by hand: the source of every golden file, with something of every kind in it."""

from __future__ import annotations

from verifier.evidence import Strength, Verdict
from verifier.report import Report
from verifier.rows import (
    Claim,
    Derivation,
    Listing,
    NotCovered,
    PowerRow,
    ProofRow,
    Row,
    Run,
    Target,
    Timing,
    Unexamined,
)

MACHINE = {
    "torch": "2.13.0+cpu",
    "python": "3.12.4",
    "cpu": "A processor",
    "cores": 2,
    "gpu": "none",
    "device": "all",
    "seed": 7,
    "commit": "0123456789ab",
}

OTHER = {**MACHINE, "torch": "2.13.0+cu130", "cpu": "Another processor", "gpu": "An accelerator"}


def row(law: str, subject: str, **fields: object) -> Row:
    """A row of the first machine that held, 20 cases and 640 element-checks, unless `fields` says otherwise."""
    values = {
        "verdict": Verdict.HELD,
        "strength": Strength.ENCLOSED,
        "target": "torch.optim:AdamW" if law.startswith("adamw") else "torch.optim:SGD",
        "cases": 20,
        "elements": 640,
        "seconds": 0.25,
        "machine": "m1",
    } | fields
    return Row(law=law, subject=subject, **values)  # type: ignore[arg-type]


FIXED = Report(
    runs=(
        Run("first", 7, "ci", "all", MACHINE, "f00d", 12, "m1", 9, True, seconds=61.5, exit_code=0),
        Run("second", 7, "ci", "cuda", OTHER, "beef", 2, "m2", 2, True, seconds=12.0, exit_code=0),
    ),
    claims=(
        Claim(
            "claim.gradient",
            "the negative gradient of lam*sum(w^2) is -2*lam*w",
            Verdict.HELD,
            Strength.PROVED,
            "sympy differentiates it; torch's autograd gives the same bits",
            ("sgd.zero_gradient@cpu-float32-forloop",),
            "",
            "m1",
        ),
        Claim(
            "claim.equivalent",
            "weight_decay = 2*lam is fully equivalent to the penalty",
            Verdict.HELD,
            Strength.ENCLOSED,
            "solved for the decay; bitwise for dyadic lam",
            ("sgd.step_enclosed",),
            "for every coupled optimizer; not for AdamW, with a witness",
            "m1",
        ),
        Claim(
            "claim.cost", "no need to involve autograd", Verdict.UNTESTABLE, how="no benchmark on record", machine="m1"
        ),
    ),
    proofs=(
        ProofRow(
            "adamw.step_enclosed",
            "stated",
            "contract",
            says="Every step lies inside the enclosure of the rule.",
            machine="m1",
        ),
        ProofRow(
            "adamw.zero_gradient",
            "proved",
            "normal form",
            where=("eps > 0",),
            difference="0",
            seconds=0.01,
            says="A zero gradient leaves only weight decay.",
            claim="g = 0  =>  theta_1 = theta * (1 - lr * weight_decay)",
            because="exp_avg is 0 and 0 / (0 + eps) is 0",
            machine="m1",
        ),
        ProofRow("sgd.fixed_point", "undecided", "60 s of exact evaluation", seconds=60.0, machine="m1"),
        ProofRow("sgd.zero_gradient", "proved", "normal form", machine="m1"),
    ),
    evidence=(
        row(
            "adamw.step_enclosed", "cpu-bfloat16-foreach", verdict=Verdict.INCONCLUSIVE, reason="wider than any mistake"
        ),
        row("adamw.step_enclosed", "cpu-float32-foreach", margin=0.97, vacuous=3, options={"amsgrad": 11}),
        row("adamw.step_enclosed", "cpu-float64-forloop", margin=0.41, discriminates=("coupled_decay", "eps_inside")),
        row("adamw.step_enclosed", "cuda-float32-fused", verdict=Verdict.UNTESTABLE, reason="no CUDA device"),
        row("adamw.step_enclosed", "cuda-float32-fused", margin=0.88, machine="m2"),
        row("adamw.zero_gradient", "cpu-float32-foreach", margin=0.5),
        row(
            "adamw.zero_gradient",
            "cpu-float32-fused",
            verdict=Verdict.VIOLATED,
            step=1,
            tensor=0,
            element=3,
            observed="0.9999 (0x1.fff2e4p-1)",
            expected="in [0.99990004, 0.9999001]",
            ulps=1.7e7,
            margin=2.5e6,
            equals="adamw__coupled_decay",
            message="adamw on cpu-float32-fused: theta left its enclosure at step 1, tensor 0, element 3",
            repro="reports/repro/7kq2.py",
            replay="7kq2",
        ),
        row(
            "adamw.zero_gradient", "cpu-float64-fused", verdict=Verdict.VIOLATED, equals="adamw__coupled_decay", step=1
        ),
        row(
            "sgd.groups_as_alone",
            "cpu-float16-foreach",
            verdict=Verdict.VIOLATED,
            strength=Strength.HELD,
            expected_failure="in-place foreach mul rounds its scalar | see <NUMERICS.md>",
            message="a `group` of one *moved* otherwise",
            step=2,
        ),
        row("sgd.step_enclosed", "cpu-float16-forloop", verdict=Verdict.BROKEN, reason="KeyError: 'momentum_buffer'"),
        row("sgd.zero_gradient", "cpu-float32-forloop", strength=Strength.HELD),
    ),
    power=(
        PowerRow("adamw", "step_enclosed", "coupled_decay", "float32", True),
        PowerRow("adamw", "step_enclosed", "coupled_decay", "reals", True),
        PowerRow("adamw", "zero_gradient", "coupled_decay", "float32", True),
        PowerRow("adamw", "zero_gradient", "eps_inside", "float32", False),
        PowerRow("sgd", "zero_gradient", "dampening_first", "float32", False),
    ),
    timings=(Timing("proofs", 4.5), Timing("properties", 55.0)),
    not_covered=(NotCovered("lbfgs", "a line search is not an elementwise rule"),),
    unexamined=(Unexamined("adamw", "capturable", "needs a CUDA device"),),
    derivations=(
        Derivation(
            "adamw",
            "theta := theta * (1 - lr * weight_decay)\nexp_avg := beta1 * exp_avg + (1 - beta1) * g",
            r"\theta_t = \theta_{t-1} (1 - \eta \lambda)",
            "Loshchilov & Hutter 2019, Algorithm 2, arXiv:1711.05101",
            "the paper decays by eta*lambda; torch by lr*weight_decay",
        ),
    ),
    targets=(
        Target(
            "torch.optim:AdamW",
            "adamw",
            "declared",
            "decoupled",
            {"status": "lifted", "formula": "theta * (1 - lr * weight_decay) - ...", "stopped_by": None},
            {"status": "proved", "difference": "0"},
        ),
    ),
    listings=(Listing("sgd.purity@cpu-*-foreach", "it was so in 2.12"),),
)
