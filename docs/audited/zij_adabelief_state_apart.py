"""zij.contrib.first_order.adabelief:AdaBelief: the state_dict that was loaded changes with every later step"""
import copy
import torch
from zij.contrib.first_order.adabelief import AdaBelief

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    build = lambda p: AdaBelief(p, lr=0.001)
    opt = build(p)
    rows = [[torch.tensor([2.0], dtype=torch.float32)], [torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return opt, p, build

opt, p, build = run()
saved = copy.deepcopy(opt.state_dict())
new = build(p)
new.load_state_dict(saved)
for i, state in saved['state'].items():
    for name, value in state.items() if isinstance(state, dict) else ():
        mine = new.state_dict()['state'][i][name]
        if torch.is_tensor(value) and value.numel() and value.data_ptr() == mine.data_ptr():
            raise SystemExit(f'the optimizer shares {name} with the state_dict it loaded')
