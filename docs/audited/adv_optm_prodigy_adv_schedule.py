"""adv_optm.optim.Prodigy_adv:Prodigy_adv: a change of beta1 between two steps acts one step late at step 2, tens"""
import torch
from adv_optm.optim.Prodigy_adv import Prodigy_adv

def run(changed):
    p = [torch.nn.Parameter(torch.tensor([0.511552579867131, 0.26947581958419603, 0.8297488766560697, 0.56651068343835, -0.9821517809264801], dtype=torch.float32)), torch.nn.Parameter(torch.tensor([-0.8308880805136112, -0.9016029948533774, -0.6744949864006581, -0.5046357154971636, 0.890791081093446, 0.5598707032262833], dtype=torch.float32).reshape((3, 2))), torch.nn.Parameter(torch.tensor([-0.903488756531551, 0.934912584534785, 0.5155990063691129, -0.7939115782014783], dtype=torch.float32))]
    opt = Prodigy_adv(p, lr=0.5, weight_decay=0.1, nesterov=True, compiled_optimizer=True, d0=1.25e-07, d_coef=0.5, safeguard_warmup=True, prodigy_steps=2, beta2_min=0.5, ema_alpha=0.11875, tiny_spike=1.25e-10, k_warmup_steps=2, k_logging=3, centered_wd=0.1, betas=(0.75, 0.5))
    rows = [[torch.tensor([-0.8602821659980548, 0.9984055842747206, -0.5931041604225072, -0.40053401247070197, 0.4436730542260502], dtype=torch.float32), torch.tensor([-0.5362577454450206, 0.3035537013998249, -0.7698088975277748, 0.29264199050945333, -0.5987161926883025, 0.9984941054826991], dtype=torch.float32).reshape((3, 2)), torch.tensor([0.552458028621636, 0.4079026613710782, 0.5564785217612538, -0.44596053430887944], dtype=torch.float32)], [torch.tensor([0.4015481553830116, 0.44565432268180927, -0.47976619390669273, -0.5929589604816079, -0.46227639334653803], dtype=torch.float32), torch.tensor([-0.7291734857906219, -0.893002330344552, 0.268138122026186, 0.5989606244424933, 0.7124386494051023, 0.6062401530486923], dtype=torch.float32).reshape((3, 2)), torch.tensor([-0.7457076991065172, -0.40392296732135746, 0.9512766912965, -0.9969336646645119], dtype=torch.float32)]]
    for step, grads in enumerate(rows, 1):
        if changed and step == 2: [g.update({'betas': (0.9, 0.5)}) for g in opt.param_groups]
        for x, g in zip(p, grads): x.grad = g
        opt.step()
    return torch.cat([x.detach().double().flatten() for x in p])

without, observed = run(False), run(True)
print('observed', observed[:4].tolist(), 'and without the change', without[:4].tolist())
raise SystemExit(bool(((observed == without) | (observed.isnan() & without.isnan())).all()))
