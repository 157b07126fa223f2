"""Properties of rmsprop_centered_momentum: generated from its rule by `verifier write`; edit the rule or the law, not this.

Graves 2013, eqs. 38-41, arXiv:1308.0850
"""

from hypothesis import given

from verifier import check
from verifier.rules.rmsprop_centered_momentum import rule
from verifier.strategies import cases


@given(case=cases(rule, steps=1, grad=0))
def test_zero_gradient(subject, case):
    """A zero gradient leaves only weight decay.

        g = 0  =>  theta_1 = theta - lr * weight_decay * theta / (sqrt(alpha) * weight_decay * sqrt(1 - alpha) * |theta| + eps)

    Where sqrt(alpha) * weight_decay * sqrt(1 - alpha) * |theta| + eps != 0.

    With g = 0 and the initial state, d = weight_decay * theta, square_avg = weight_decay^2 * theta^2 *
    (1 - alpha), grad_avg = weight_decay * theta * (1 - alpha), denom = sqrt(alpha) * weight_decay *
    sqrt(1 - alpha) * |theta| + eps.
    """
    theta, lr, alpha, eps, weight_decay = check.exact(subject, case, "theta lr alpha eps weight_decay")
    closed = (
        theta - lr * weight_decay * theta / (check.sqrt(alpha) * weight_decay * check.sqrt(1 - alpha) * abs(theta)
        + eps)
    )

    check.follows(subject, case, closed, step=1)


@given(case=cases(rule, steps=1))
def test_first_step(subject, case):
    """The first step has a closed form.

        theta_1 = theta - lr * (g_1 + weight_decay * theta) / (sqrt(alpha) * sqrt(1 - alpha) * |g_1 + weight_decay * theta| + eps)

    Where sqrt(alpha) * sqrt(1 - alpha) * |g_1 + weight_decay * theta| + eps != 0.

    The state starts at square_avg = 0, grad_avg = 0, momentum_buffer = 0.
    """
    theta, lr, alpha, eps, weight_decay, g_1 = check.exact(subject, case, "theta lr alpha eps weight_decay g_1")
    closed = (
        theta - lr * (g_1 + weight_decay * theta) / (check.sqrt(alpha) * check.sqrt(1 - alpha) * abs(g_1 +
        weight_decay * theta) + eps)
    )

    check.follows(subject, case, closed, step=1)


@given(case=cases(rule, steps=1))
def test_first_state(subject, case):
    """The state after the first step has a closed form.

        square_avg_1 = (1 - alpha) * (g_1 + weight_decay * theta)^2, grad_avg_1 = (1 - alpha) * (g_1 + weight_decay * theta), momentum_buffer_1 = (g_1 + weight_decay * theta) / (sqrt(alpha) * sqrt(1 - alpha) * |g_1 + weight_decay * theta| + eps)

    Where sqrt(alpha) * sqrt(1 - alpha) * |g_1 + weight_decay * theta| + eps != 0.

    The state starts at square_avg = 0, grad_avg = 0, momentum_buffer = 0.
    """
    theta, alpha, eps, weight_decay, g_1 = check.exact(subject, case, "theta alpha eps weight_decay g_1")

    check.state_follows(subject, case, "square_avg", (1 - alpha) * (g_1 + weight_decay * theta) ** 2, step=1)
    check.state_follows(subject, case, "grad_avg", (1 - alpha) * (g_1 + weight_decay * theta), step=1)
    closed = (
        (g_1 + weight_decay * theta) / (check.sqrt(alpha) * check.sqrt(1 - alpha) * abs(g_1 + weight_decay *
        theta) + eps)
    )
    check.state_follows(subject, case, "momentum_buffer", closed, step=1)


@given(case=cases(rule, steps=(20, 24), groups=True, schedule=True, absent=True, maximize=True))
def test_step(subject, case):
    """Every step lies inside the enclosure of the rule's step.

        theta_t = step(theta_{t-1}, g_t)

    Where square_avg - grad_avg^2 >= 0, denom != 0.

    This is the rule itself, evaluated with every rounding an implementation may make; the state is read
    where it can be (square_avg, grad_avg, momentum_buffer) and carried where it cannot.
    """
    check.steps_enclosed(subject, case)


@given(case=cases(rule, steps=(1, 8)))
def test_step_blind(subject, case):
    """Every step lies inside the enclosure of the rule's step, though its state is not looked at.

        theta_t = step(theta_{t-1}, g_t)

    Where square_avg - grad_avg^2 >= 0, denom != 0.

    The state is carried from step to step as an enclosure, and only theta is compared with it.
    """
    check.steps_enclosed_blind(subject, case)


@given(case=cases(rule, steps=(1, 20), groups=True, dyadic="weight_decay"))
def test_penalty(subject, case):
    """weight_decay = 2 * lam steps exactly as the penalty lam*w^2 in the loss does.

        step(g, 2 * lam) = step(g + 2 * lam * theta, 0)

    Where weight_decay a power of two: then 2*lam*w is exact, and bits are compared.

    The gradient of lam*w^2 is 2 * lam * w, by differentiation; weight_decay is solved in square_avg,
    proved for theta and every state variable.
    """
    check.paths_agree(subject, case)


@given(case=cases(rule, steps=(1, 20), groups=True))
def test_penalty_any(subject, case):
    """Penalty, weight_decay and groups follow one rule, whatever weight_decay is.

        step(g, 2 * lam) = step(g + 2 * lam * theta, 0)

    The gradient of lam*w^2 is 2 * lam * w, by differentiation; weight_decay is solved in square_avg,
    proved for theta and every state variable.
    """
    check.paths_enclosed(subject, case)


@given(case=cases(rule, steps=(1, 20), grad="balanced", dyadic="weight_decay"))
def test_fixed_point(subject, case):
    """On the loss h*w^2/2 - b*w the rule rests at the ridge optimum, below b/h.

        g = h * theta - b  =>  theta_star = b / (h + 2 * lam)

    Where h > 0, the gradient is -weight_decay*theta, exact for a power of two.

    There g + weight_decay*theta = 0 with weight_decay = 2*lam: b / (h + weight_decay) is at rest.
    """
    check.frozen(subject, case, "theta")


@given(case=cases(rule, steps=(1, 20), tame=True))
def test_scale(subject, case):
    """Scaling theta by c, g by c, lr by c, eps by c scales every theta alike.

        theta_T(c * theta, c * g, lr * c, c * eps) = c * theta_T(theta, g, lr, eps)

    Where c > 0, c a power of two, and no number leaves the normal range of its format: then scaling is
    exact.

    Terms of every sum, and the two sides of every comparison, scale alike.
    """
    check.scaled(
        subject,
        case,
        theta=2.0,
        grad=2.0,
        hyper={"lr": 2.0, "eps": 2.0},
        state={"square_avg": 4.0, "grad_avg": 2.0, "momentum_buffer": 1.0},
    )


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
        state={"square_avg": 1.0, "grad_avg": 1.0, "momentum_buffer": 1.0},
    )


@given(case=cases(rule, steps=(1, 20), tame=True))
def test_scale_gradients(subject, case):
    """Scaling g by c, eps by c, weight_decay by c leaves every theta as it is.

        theta_T(c * g, c * eps, c * weight_decay) = theta_T(g, eps, weight_decay)

    Where c > 0, c a power of two, and no number leaves the normal range of its format: then scaling is
    exact.

    Terms of every sum, and the two sides of every comparison, scale alike.
    """
    check.scaled(
        subject,
        case,
        theta=1.0,
        grad=2.0,
        hyper={"eps": 2.0, "weight_decay": 2.0},
        state={"square_avg": 4.0, "grad_avg": 2.0, "momentum_buffer": 1.0},
    )


@given(case=cases(rule, steps=(1, 20)))
def test_sign(subject, case):
    """Negating theta and the gradients negates the run.

        theta_T(-theta, -g) = -theta_T(theta, g)

    Every line is odd or even in (theta, g): odd: grad_avg, momentum_buffer; even: square_avg.
    """
    negated = case.with_(theta=-case.theta, grads=-case.grads)

    check.same_run(
        subject,
        case,
        negated,
        theta=-1.0,
        state={"square_avg": 1.0, "grad_avg": -1.0, "momentum_buffer": -1.0},
    )


@given(case=cases(rule, steps=(1, 20), weight_decay=0))
def test_translation(subject, case):
    """Without decay a step adds something to theta that does not depend on theta.

        theta_T(c + theta, g) = c + theta_T(theta, g)

    Where weight_decay = 0.

    Without decay, theta is read by the last line alone, which adds to it.
    """
    other = case.with_(theta=case.theta[::-1].copy())

    check.same_state(subject, case, other, ["square_avg", "grad_avg", "momentum_buffer"])


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

    Where square_avg - grad_avg^2 >= 0, denom != 0.

    lr multiplies every change of theta, decay included.
    """
    check.frozen(subject, case, "theta")


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
