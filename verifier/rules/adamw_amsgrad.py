"""AMSGrad with decoupled weight decay."""

from dataclasses import replace

from sympy import Integer, Max, sqrt

from verifier.rules import adamw
from verifier.rules.adamw import denom, exp_avg_sq
from verifier.rules.symbols import beta2, eps, real, t

(max_exp_avg_sq,) = real("max_exp_avg_sq")

rule = replace(
    adamw.rule,
    name="adamw_amsgrad",
    cite="Reddi, Kale & Kumar 2018, Algorithm 2, arXiv:1904.09237; decay: Loshchilov & Hutter 2019, arXiv:1711.05101",
    state={**adamw.rule.state, max_exp_avg_sq: Integer(0)},
    step=(
        *adamw.rule.step[:3],
        (max_exp_avg_sq, Max(max_exp_avg_sq, exp_avg_sq)),
        (denom, sqrt(max_exp_avg_sq) / sqrt(1 - beta2**t) + eps),
        adamw.rule.step[4],
    ),
    differs="neither paper joins the two; torch takes the maximum of uncorrected moments, divides it by the current "
    "correction, and decays by lr*weight_decay",
)
