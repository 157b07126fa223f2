"""Rprop: only the signs of gradients are read; each element keeps a step size of its own."""

from sympy import Integer, Interval, Max, Min, Piecewise, sign

from verifier.rule import Rule
from verifier.rules.symbols import g, lr, real, theta

etaminus, etaplus, step_size_min, step_size_max = real("etaminus etaplus step_size_min step_size_max")
prev, step_size, agreement, factor = real("prev step_size agreement factor")

rule = Rule(
    name="rprop",
    cite="Riedmiller & Braun 1993, ICNN, eqs. 4-6; without backtracking: Igel & Huesken 2000, iRprop-",
    theta=theta,
    grad=g,
    hyper={
        lr: Interval(0, 1),
        etaminus: Interval.open(0, 1),
        etaplus: Interval.Lopen(1, 2),
        step_size_min: Interval(0, 1),
        step_size_max: Interval(1, 100),
    },
    state={prev: Integer(0), step_size: lr},
    step=(
        (agreement, g * prev),
        (factor, Piecewise((etaplus, agreement > 0), (etaminus, agreement < 0), (1, True))),
        (step_size, Min(Max(step_size * factor, step_size_min), step_size_max)),
        (prev, Piecewise((0, agreement < 0), (g, True))),
        (theta, theta - step_size * sign(prev)),
    ),
    differs="the 1993 paper takes the last step back when the gradient changes sign; torch forgets the gradient and "
    "stays, as iRprop- does, and clamps the step size on every step, the first included",
)
