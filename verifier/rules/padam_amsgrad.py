"""PAdam as its paper has it: with the largest second moment so far."""

from dataclasses import replace

from sympy import Integer, Max, sqrt

from verifier.rules import padam
from verifier.rules.padam import denom, exp_avg_sq
from verifier.rules.symbols import eps, real

(max_exp_avg_sq,) = real("max_exp_avg_sq")

rule = replace(
    padam.rule,
    name="padam_amsgrad",
    state={**padam.rule.state, max_exp_avg_sq: Integer(0)},
    step=(
        *padam.rule.step[:3],
        (max_exp_avg_sq, Max(max_exp_avg_sq, exp_avg_sq)),
        (denom, sqrt(max_exp_avg_sq) + eps),
        padam.rule.step[4],
    ),
    differs="the paper corrects no bias and has neither eps nor weight decay; its authors' code takes the root of the "
    "second bias correction as Adam does",
)
