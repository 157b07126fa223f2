"""Properties of radam_decoupled: generated from its rule by `verifier write`; edit the rule or the law, not this.

Liu et al. 2020, Algorithm 2, arXiv:1908.03265; decay: Loshchilov & Hutter 2019, arXiv:1711.05101
"""

from hypothesis import given

from verifier import check
from verifier.rules.radam_decoupled import rule
from verifier.strategies import cases


@given(case=cases(rule, steps=1, grad=0))
def test_zero_gradient(subject, case):
    """A zero gradient leaves only weight decay.

        g = 0  =>  theta_1 = theta * (1 - lr * weight_decay)

    With g = 0 and the initial state, exp_avg = 0, exp_avg_sq = 0, adapted = 1.
    """
    theta, lr, weight_decay = check.exact(subject, case, "theta lr weight_decay")

    check.follows(subject, case, theta * (1 - lr * weight_decay), step=1)


@given(case=cases(rule, steps=1))
def test_first_step(subject, case):
    """The first step has a closed form.

        theta_1 = theta - lr * (g_1 + weight_decay * theta)

    The state starts at exp_avg = 0, exp_avg_sq = 0.
    """
    theta, lr, weight_decay, g_1 = check.exact(subject, case, "theta lr weight_decay g_1")

    check.follows(subject, case, theta - lr * (g_1 + weight_decay * theta), step=1)


@given(case=cases(rule, steps=1))
def test_first_state(subject, case):
    """The state after the first step has a closed form.

        exp_avg_1 = (1 - beta1) * g_1, exp_avg_sq_1 = (1 - beta2) * g_1^2

    The state starts at exp_avg = 0, exp_avg_sq = 0.
    """
    beta1, beta2, g_1 = check.exact(subject, case, "beta1 beta2 g_1")

    check.state_follows(subject, case, "exp_avg", (1 - beta1) * g_1, step=1)
    check.state_follows(subject, case, "exp_avg_sq", (1 - beta2) * g_1**2, step=1)


@given(case=cases(rule, steps=(20, 24), groups=True, schedule=True, absent=True, maximize=True))
def test_step(subject, case):
    """Every step lies inside the enclosure of the rule's step.

        theta_t = step(theta_{t-1}, g_t)

    Where rho <= 5 or rho_inf * (rho - 2) * (rho - 4) / (rho * (rho_inf - 2) * (rho_inf - 4)) >= 0, rho
    != 0 or rho <= 5, rho <= 5 or rho_inf - 4 != 0, rho <= 5 or rho_inf - 2 != 0, rho <= 5 or
    sqrt(exp_avg_sq) + eps != 0.

    This is the rule itself, evaluated with every rounding an implementation may make; the state is read
    where it can be (exp_avg, exp_avg_sq) and carried where it cannot.
    """
    check.steps_enclosed(subject, case)


@given(case=cases(rule, steps=(1, 8)))
def test_step_blind(subject, case):
    """Every step lies inside the enclosure of the rule's step, though its state is not looked at.

        theta_t = step(theta_{t-1}, g_t)

    Where rho <= 5 or rho_inf * (rho - 2) * (rho - 4) / (rho * (rho_inf - 2) * (rho_inf - 4)) >= 0, rho
    != 0 or rho <= 5, rho <= 5 or rho_inf - 4 != 0, rho <= 5 or rho_inf - 2 != 0, rho <= 5 or
    sqrt(exp_avg_sq) + eps != 0.

    The state is carried from step to step as an enclosure, and only theta is compared with it.
    """
    check.steps_enclosed_blind(subject, case)


@given(case=cases(rule, steps=(1, 20), grad=0))
def test_decay(subject, case):
    """n steps without a gradient shrink theta geometrically.

        g_k = 0  =>  theta_n = theta * (1 - lr * weight_decay)^n

    Where 2 / (1 - beta2) - 1 - 2 * beta2^(n + 1) * (n + 1) / (1 - beta2^(n + 1)) <= 5 or (2 / (1 -
    beta2) - 1) * (2 / (1 - beta2) - 3 - 2 * beta2^(n + 1) * (n + 1) / (1 - beta2^(n + 1))) * (2 / (1 -
    beta2) - 5 - 2 * beta2^(n + 1) * (n + 1) / (1 - beta2^(n + 1))) / ((2 / (1 - beta2) - 1 - 2 *
    beta2^(n + 1) * (n + 1) / (1 - beta2^(n + 1))) * (2 / (1 - beta2) - 3) * (2 / (1 - beta2) - 5)) >=
    0, 2 / (1 - beta2) - 1 - 2 * beta2^(n + 1) * (n + 1) / (1 - beta2^(n + 1)) <= 5 or 2 / (1 - beta2) -
    1 - 2 * beta2^(n + 1) * (n + 1) / (1 - beta2^(n + 1)) != 0, 2 / (1 - beta2) - 5 != 0 or 2 / (1 -
    beta2) - 1 - 2 * beta2^(n + 1) * (n + 1) / (1 - beta2^(n + 1)) <= 5, 2 / (1 - beta2) - 3 != 0 or 2 /
    (1 - beta2) - 1 - 2 * beta2^(n + 1) * (n + 1) / (1 - beta2^(n + 1)) <= 5, eps != 0 or 2 / (1 -
    beta2) - 1 - 2 * beta2^(n + 1) * (n + 1) / (1 - beta2^(n + 1)) <= 5.

    By induction on n, with exp_avg = 0, exp_avg_sq = 0 after n steps.
    """
    theta, lr, weight_decay = check.exact(subject, case, "theta lr weight_decay")
    n = case.steps

    check.follows(subject, case, theta * (1 - lr * weight_decay) ** n, step=n)


@given(case=cases(rule, steps=(1, 20), tame=True))
def test_scale_parameters(subject, case):
    """Scaling theta by c, lr by c, weight_decay by 1 / c scales every theta alike.

        theta_T(c * theta, lr * c, weight_decay / c) = c * theta_T(theta, lr, weight_decay)

    Where c > 0, c a power of two, and no number leaves the normal range of its format: then scaling is
    exact.

    Terms of every sum, and the two sides of every comparison, scale alike.
    """
    check.scaled(
        subject,
        case,
        theta=2.0,
        grad=1.0,
        hyper={"lr": 2.0, "weight_decay": 0.5},
        state={"exp_avg": 1.0, "exp_avg_sq": 1.0},
    )


@given(case=cases(rule, steps=(1, 20)))
def test_sign(subject, case):
    """Negating theta and the gradients negates the run.

        theta_T(-theta, -g) = -theta_T(theta, g)

    Every line is odd or even in (theta, g): odd: exp_avg; even: exp_avg_sq.
    """
    negated = case.with_(theta=-case.theta, grads=-case.grads)

    check.same_run(subject, case, negated, theta=-1.0, state={"exp_avg": -1.0, "exp_avg_sq": 1.0})


@given(case=cases(rule, steps=(1, 20), weight_decay=0))
def test_translation(subject, case):
    """Without decay a step adds something to theta that does not depend on theta.

        theta_T(c + theta, g) = c + theta_T(theta, g)

    Where weight_decay = 0.

    Without decay, theta is read by the last line alone, which adds to it.
    """
    other = case.with_(theta=case.theta[::-1].copy())

    check.same_state(subject, case, other, ["exp_avg", "exp_avg_sq"])


@given(case=cases(rule, steps=(1, 20)))
def test_permutation(subject, case):
    """Permuting the elements of a tensor permutes the run.

        theta_T(p(i)) = p(theta_T(i))

    The rule reads one element, its gradient and its state, and nothing of any other element.
    """
    check.permuted(subject, case)


@given(case=cases(rule, steps=(1, 20)))
def test_maximize(subject, case):
    """Maximizing is minimizing the negated loss.

        ascent(theta, -g) = descent(theta, g)

    With maximize, the rule reads -g wherever it reads g; decay keeps its sign.
    """
    check.maximize(subject, case)


@given(case=cases(rule, steps=(1, 20), lr=0))
def test_zero_lr(subject, case):
    """A learning rate of zero moves nothing.

        lr = 0  =>  theta_T = theta

    Where rho <= 5 or rho_inf * (rho - 2) * (rho - 4) / (rho * (rho_inf - 2) * (rho_inf - 4)) >= 0, rho
    != 0 or rho <= 5, rho <= 5 or rho_inf - 4 != 0, rho <= 5 or rho_inf - 2 != 0, rho <= 5 or
    sqrt(exp_avg_sq) + eps != 0.

    lr multiplies every change of theta, decay included.
    """
    check.frozen(subject, case, "theta")


@given(case=cases(rule, steps=(1, 5)))
def test_held_back(subject, case):
    """For the first 5 steps the adaptive step is held back, so eps does not matter.

        t <= 5  =>  theta_t(eps) = theta_t(other_eps)

    At t = 1, ..., 5 the branch without eps is taken, whatever the hyperparameters.
    """
    other = case.with_(hyper={**case.hyper, "eps": 1.0})

    check.same_run(subject, case, other)


@given(case=cases(rule, steps=(2, 6), groups=True, schedule=True, absent=True, layouts=True, maximize=True))
def test_determinism(subject, case):
    """The same run, done twice, has the same bits.

    Nothing random is documented, so nothing may vary.
    """
    check.deterministic(subject, case)


@given(case=cases(rule, steps=(2, 6), groups=True, schedule=True, absent=True, layouts=True, maximize=True))
def test_purity(subject, case):
    """A step reads .grad and leaves it as it was.

    A step updates parameters; gradients belong to whoever computed them, and accumulate until
    zero_grad.
    """
    check.leaves_gradients(subject, case)


@given(case=cases(rule, steps=(2, 6), groups=True, schedule=True, absent="always"))
def test_absent_gradients(subject, case):
    """A parameter whose .grad is None is neither moved nor decayed, and its state stands still.

    torch.optim skips parameters without a gradient: that is what zero_grad(set_to_none=True) relies on.
    """
    check.skips_absent(subject, case)


@given(case=cases(rule, steps=(1, 6), groups="always", schedule=True, absent=True, maximize=True))
def test_groups(subject, case):
    """Each parameter group moves as it would in an optimizer of its own.

    "Per-parameter options": a group has options and state of its own, every option, and none leaks.
    """
    check.groups_as_alone(subject, case)


@given(case=cases(rule, steps=(1, 5)))
def test_all_parameters(subject, case):
    """The options of a group act on every parameter in it: weights, biases and single numbers alike.

    "Per-parameter options" belong to groups, not to shapes; what is not to be decayed goes into a
    group.
    """
    check.acts_on_all(subject, case)


@given(case=cases(rule, steps=(2, 6), groups=True, schedule=True, absent=True))
def test_order(subject, case):
    """The order of the parameters does not matter.

    Each parameter is stepped on its own.
    """
    check.reordered(subject, case)


@given(case=cases(rule, steps=(1, 5), layouts=True, maximize=True))
def test_layouts(subject, case):
    """How parameters and gradients lie in memory does not matter.

    A layout is a matter of speed, not of meaning.
    """
    check.layout_free(subject, case)


@given(case=cases(rule, steps=(2, 6), groups=True, schedule="always"))
def test_schedule(subject, case):
    """An option changed between steps acts from the next step on, as if the optimizer had been built with
    it.

    torch.optim.lr_scheduler works by writing param_groups.
    """
    check.scheduled(subject, case)


@given(case=cases(rule, steps=(2, 6), groups=True, schedule=True, absent=True))
def test_resume(subject, case):
    """A state_dict loaded into a new optimizer continues the run bit for bit.

    load_state_dict restores an optimizer: training goes on as if it had not been interrupted.
    """
    check.resumes(subject, case, "memory")
