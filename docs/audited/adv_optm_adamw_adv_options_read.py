"""adv_optm.optim.AdamW_adv:AdamW_adv: raised instead of stepping"""
import torch
from adv_optm.optim.AdamW_adv import AdamW_adv

def run():
    p = [torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float32))]
    opt = AdamW_adv(p, lr=0.1, eps=1e-10, weight_decay=0.03, fisher_wd=True, use_bias_correction=False, use_atan2=True, nesterov=True, normed_momentum=True, beta2_min=0.5, ema_alpha=0.975, tiny_spike=5e-10, k_warmup_steps=2, k_logging=2, centered_wd=0.25, nnmf_factor=True, compiled_optimizer=True, betas=(0.0, 0.6))
    rows = [[torch.tensor([2.0], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if step == 1: [g.update({'lr': 0.001, 'eps': 1e-08, 'weight_decay': 0.0, 'fisher_wd': False, 'use_bias_correction': True, 'use_atan2': False, 'nesterov': False, 'normed_momentum': False, 'beta2_min': 0.9, 'ema_alpha': 0.95, 'tiny_spike': 1e-09, 'k_warmup_steps': 0, 'k_logging': 0, 'centered_wd': 0.0, 'nnmf_factor': False, 'compiled_optimizer': False, 'betas': (0.9, 0.999)}) for g in opt.param_groups]
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

run()  # raises, and so exits 1
