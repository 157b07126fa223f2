"""torch_optimizer:NovoGrad: resumed from a state_dict (memory), it goes on differently at step 2, tensor 0, elem"""
import torch
from torch_optimizer import NovoGrad

def build(p): return NovoGrad(p, lr=0.5)

def run(changed):
    p = [torch.nn.Parameter(torch.full((7,), 1.0, dtype=torch.bfloat16)), torch.nn.Parameter(torch.full((3, 2), 1.0, dtype=torch.bfloat16))]
    opt = build(p)
    for step, grads in enumerate([[torch.tensor([1.4580206835369587, 1.9602583164499647, 1.801634869866125, 1.31510376473437, 0.357380410658956, -1.2083186322821715, -0.004454133120083229], dtype=torch.bfloat16), torch.tensor([0.6564749350763358, -1.2883614637495544, 0.39512206018200824, 0.42986369482223, 0.6960427239628685, -1.184117966757189], dtype=torch.bfloat16).reshape((3, 2))], [torch.tensor([-0.6617025720390349, -0.43643524714322124, -1.169801907772864, 1.739367877130134, -0.4959107284421519, 0.3289696294602021, -0.258572545473924], dtype=torch.bfloat16), torch.tensor([1.5834728788021222, 1.3203609870818391, 0.6333526228249152, -2.2035098806466507, 0.05202897425988651, 0.6836861907765345], dtype=torch.bfloat16).reshape((3, 2))]], 1):
        if changed and step in (2,):
            new = build(p)
            new.load_state_dict(opt.state_dict())
            opt = new
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().flatten() for x in p])

observed, expected = run(True), run(False)
print('observed', observed.tolist())
print('expected', expected.tolist())
raise SystemExit(not torch.equal(observed.nan_to_num(), expected.nan_to_num()))
