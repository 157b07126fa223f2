"""Foreach SGD rounds its momentum to 16 bits, except while some parameter of the list has no momentum buffer yet.

Then `Tensor.mul_` multiplies each buffer; otherwise `torch._foreach_mul_` does, which rounds the number to bfloat16 or
float16 first. So the step of one parameter depends on whether another one had its first gradient.

No bug: either step is an admissible rounding of the rule, and in 16 bits no more is asked.

Report: none of its own found (searched: _foreach_mul_ scalar bfloat16 rounds; foreach SGD bfloat16 differs from
for-loop); kozistr/pytorch_optimizer#519 says in passing that foreach SGD differs in float16.
"""

import torch


def moved(late: bool) -> list[float]:
    some, other = torch.zeros(64, dtype=torch.bfloat16), torch.zeros(1, dtype=torch.bfloat16)
    optimizer = torch.optim.SGD([some, other], lr=1.0, momentum=0.9, foreach=True)
    for t in (1, 2):
        some.grad = torch.linspace(-1, 1, 64, dtype=torch.bfloat16)
        other.grad = None if late and t == 1 else torch.ones(1, dtype=torch.bfloat16)
        optimizer.step()
    return some.tolist()


raise SystemExit(int(moved(late=False) != moved(late=True)))
