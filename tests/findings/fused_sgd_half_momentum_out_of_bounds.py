"""Fused SGD on CPU reads float16 and bfloat16 momentum buffers as if they were float32, past their end.

The vectorised body loads the buffer's memory as floats: momentum is built from pairs of neighbours glued together,
and for the last elements from whatever lies behind the buffer. Below, the buffer is the head of a larger tensor; what
is written behind it should not matter and does. With pytorch/pytorch#191763 this makes results change from run to run.

Report: none of its own found; the pull requests pytorch/pytorch#191774 and #192545 load the buffer rightly.
"""

import torch


def momentum_after_a_step(behind: float) -> list[float]:
    memory = torch.full((256,), behind, dtype=torch.bfloat16)
    p = torch.zeros(16, dtype=torch.bfloat16, requires_grad=True)
    p.grad = torch.ones(16, dtype=torch.bfloat16)
    optimizer = torch.optim.SGD([p], lr=0.5, momentum=0.5, fused=True)
    optimizer.state[p]["momentum_buffer"] = memory[:16].fill_(2.0)
    optimizer.step()
    return memory[:16].tolist()


raise SystemExit(int(momentum_after_a_step(behind=7.0) != momentum_after_a_step(behind=9.0)))
