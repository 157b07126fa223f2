"""rad.optim.sgd:SGD: steps with next to no momentum are not those without at step 1, tensor 0, element 0"""
import torch
from rad.optim.sgd import SGD

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([0.7109375, 0.5078125, 0.6796875, 0.2734375, -0.8828125], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([-0.8359375, -0.9453125, -0.5703125, -0.2890625, 0.9765625, 0.9453125], dtype=torch.float32).reshape((3, 2))), torch.nn.Parameter(torch.tensor([-0.8359375, 0.3671875, 0.8984375, -0.6640625], dtype=torch.float32))]
    opt = (SGD([{'params': [p[0], p[1]]}, {'params': [p[2]]}], lr=0.5, momentum=8.470329472543003e-22, symplectic=False)) if changed else (SGD([{'params': [p[0], p[1]]}, {'params': [p[2]]}], lr=0.5, symplectic=False))
    rows = [[torch.tensor([-0.6796875, 0.7109375, -0.5078125, -0.6171875, 0.8984375], dtype=torch.float32), torch.tensor([-0.3515625, 0.5546875, -0.6015625, 0.8984375, -0.6953125, 0.9296875], dtype=torch.float32).reshape((3, 2)), torch.tensor([0.9609375, 0.5078125, 0.2890625, -0.7890625], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

expected, observed = run(False), run(True)
wrong = (observed - expected).abs() > 0.011362737341772152  # rounding
i = wrong.nonzero().flatten()[:1].tolist()
print('element', i, 'observed', observed[i].tolist(), 'expected', expected[i].tolist())
raise SystemExit(len(i))
