"""adv_optm.optim.SignSGD_adv:SignSGD_adv: a group moves otherwise than alone (exp_avg) at step 1, tensor 0, elem"""
import torch
from adv_optm.optim.SignSGD_adv import SignSGD_adv

def run(changed):
    p = ([torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64)), torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float64))]) if changed else ([torch.nn.Parameter(torch.full((2,), 1.0, dtype=torch.float64))])
    opt = (SignSGD_adv([{'params': [p[0]], 'normed_momentum': True}, {'params': [p[1]], 'nnmf_factor': True}], lr=0.0001, compiled_optimizer=True)) if changed else (SignSGD_adv(p, lr=0.0001, nnmf_factor=True, compiled_optimizer=True))
    rows = ([[torch.tensor([2.0], dtype=torch.float64), torch.full((2,), 2.0, dtype=torch.float64)]]) if changed else ([[torch.full((2,), 2.0, dtype=torch.float64)]])
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return (torch.cat([opt.state[x]['exp_avg'].detach().double().flatten() for x in p])[1:3]) if changed else (torch.cat([opt.state[x]['exp_avg'].detach().double().flatten() for x in p]))

expected, observed = run(False), run(True)
wrong = ~((observed == expected) | (observed.isnan() & expected.isnan()))
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
