"""RAdamW: RAdam with decoupled weight decay."""

from dataclasses import replace

from verifier.rules import radam
from verifier.rules.symbols import d, g, lr, theta, weight_decay

rule = replace(
    radam.rule,
    name="radam_decoupled",
    cite=f"{radam.rule.cite}; decay: Loshchilov & Hutter 2019, arXiv:1711.05101",
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        *((target, value.xreplace({d: g})) for target, value in radam.rule.step[1:]),
    ),
    differs="the paper rectifies from rho > 4 on and has neither eps nor weight decay; torch rectifies from rho > 5 "
    "on, adds eps to the root of the uncorrected second moment, and decays by lr*weight_decay before the step",
)
