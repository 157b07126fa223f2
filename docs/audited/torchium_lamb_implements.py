"""torchium.optimizers.specialized.nlp:LAMB: the code is lamb, but weight decay is divided by the average of squa"""
import torch
from torchium.optimizers.specialized.nlp import LAMB

p = [torch.nn.Parameter(torch.tensor([-0.140625, 0.140625, 0.078125, -0.453125, 1.359375, -0.390625], dtype=torch.float64).reshape((3, 2)))]
opt = LAMB(p, lr=0.5, eps=0.125)
for g in [[0.484375, -0.359375, -0.140625, 1.484375, -0.921875, 0.421875], [-0.203125, 0.546875, 0.796875, -0.484375, 0.546875, 0.546875], [-0.140625, -1.140625, 0.359375, -1.328125, 1.171875, 1.078125]]:
    p[0].grad = torch.tensor(g, dtype=torch.float64).reshape((3, 2))
    opt.step()
observed = p[0].flatten()[0].item()
by_rule, mistaken = [-0.767086135403815, -0.7572098747680273, -0.4078751945527562], -0.7425569512209528
print('observed', observed, 'by the rule, in the ways it is written,', by_rule, 'with the mistake', mistaken)
raise SystemExit(abs(observed - mistaken) < min(abs(observed - x) for x in by_rule))
