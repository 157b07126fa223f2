"""NAdamW: NAdam with decoupled weight decay."""

from dataclasses import replace

from verifier.rules import nadam
from verifier.rules.symbols import d, g, lr, theta, weight_decay

rule = replace(
    nadam.rule,
    name="nadam_decoupled",
    cite=f"{nadam.rule.cite}; decay: Loshchilov & Hutter 2019, arXiv:1711.05101",
    step=(
        (theta, theta * (1 - lr * weight_decay)),  # decoupled
        *((target, value.xreplace({d: g})) for target, value in nadam.rule.step[1:]),
    ),
    differs="neither paper joins the two; torch decays by lr*weight_decay before the step",
)
