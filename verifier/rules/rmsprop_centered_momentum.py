"""Centered RMSprop with momentum."""

from dataclasses import replace

from verifier.rules import rmsprop_centered, rmsprop_momentum

rule = replace(
    rmsprop_centered.rule,
    name="rmsprop_centered_momentum",
    cite="Graves 2013, eqs. 38-41, arXiv:1308.0850",
    hyper=rmsprop_momentum.rule.hyper,
    state={**rmsprop_centered.rule.state, **rmsprop_momentum.rule.state},
    step=(
        *rmsprop_centered.rule.step[:4],
        *rmsprop_momentum.rule.step[3:],
    ),
    differs="the paper adds its constant inside the root and puts the learning rate inside the velocity; torch adds "
    "eps outside and scales by lr afterwards. The paper has no weight decay",
)
