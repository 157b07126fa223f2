"""AMSGrad: Adam whose second moment never shrinks."""

from dataclasses import replace

from sympy import Integer, Max, sqrt

from verifier.rules import adam
from verifier.rules.adam import denom, exp_avg_sq
from verifier.rules.symbols import beta2, eps, real, t

(max_exp_avg_sq,) = real("max_exp_avg_sq")

rule = replace(
    adam.rule,
    name="adam_amsgrad",
    cite="Reddi, Kale & Kumar 2018, Algorithm 2, arXiv:1904.09237",
    state={**adam.rule.state, max_exp_avg_sq: Integer(0)},
    step=(
        *adam.rule.step[:3],
        (max_exp_avg_sq, Max(max_exp_avg_sq, exp_avg_sq)),
        (denom, sqrt(max_exp_avg_sq) / sqrt(1 - beta2**t) + eps),
        adam.rule.step[4],
    ),
    differs="the paper corrects no bias and has neither eps nor weight decay; torch takes the maximum of uncorrected "
    "moments, divides it by the current correction, and adds coupled weight decay to the gradient",
)
