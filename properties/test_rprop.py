"""Properties of rprop: generated from its rule by `verifier write`; edit the rule or the law, not this.

Riedmiller & Braun 1993, ICNN, eqs. 4-6; without backtracking: Igel & Huesken 2000, iRprop-
"""

from hypothesis import given

from verifier import check
from verifier.rules.rprop import rule
from verifier.strategies import cases


@given(case=cases(rule, steps=1, grad=0))
def test_zero_gradient(subject, case):
    """A zero gradient leaves theta alone.

        g = 0  =>  theta_1 = theta

    With g = 0 and the initial state, agreement = 0, factor = 1, step_size = min(step_size_max, max(lr,
    step_size_min)), prev = 0.
    """
    check.frozen(subject, case, "theta")


@given(case=cases(rule, steps=1))
def test_first_step(subject, case):
    """The first step has a closed form.

        theta_1 = theta - min(step_size_max, max(lr, step_size_min)) * sign(g_1)

    The state starts at prev = 0, step_size = lr.
    """
    names = "theta lr step_size_min step_size_max g_1"
    theta, lr, step_size_min, step_size_max, g_1 = check.exact(subject, case, names)
    closed = theta - check.minimum(step_size_max, check.maximum(lr, step_size_min)) * check.sign(g_1)

    check.follows(subject, case, closed, step=1)


@given(case=cases(rule, steps=1))
def test_first_state(subject, case):
    """The state after the first step has a closed form.

        prev_1 = g_1, step_size_1 = min(step_size_max, max(lr, step_size_min))

    The state starts at prev = 0, step_size = lr.
    """
    lr, step_size_min, step_size_max, g_1 = check.exact(subject, case, "lr step_size_min step_size_max g_1")

    check.state_follows(subject, case, "prev", g_1, step=1)
    closed = check.minimum(step_size_max, check.maximum(lr, step_size_min))
    check.state_follows(subject, case, "step_size", closed, step=1)


@given(case=cases(rule, steps=(20, 24), groups=True, schedule=True, absent=True, maximize=True))
def test_step(subject, case):
    """Every step lies inside the enclosure of the rule's step.

        theta_t = step(theta_{t-1}, g_t)

    This is the rule itself, evaluated with every rounding an implementation may make; the state is read
    where it can be (prev, step_size) and carried where it cannot.
    """
    check.steps_enclosed(subject, case)


@given(case=cases(rule, steps=(1, 8)))
def test_step_blind(subject, case):
    """Every step lies inside the enclosure of the rule's step, though its state is not looked at.

        theta_t = step(theta_{t-1}, g_t)

    The state is carried from step to step as an enclosure, and only theta is compared with it.
    """
    check.steps_enclosed_blind(subject, case)


@given(case=cases(rule, steps=(1, 20), tame=True))
def test_scale(subject, case):
    """Scaling theta by c, g by c, lr by c, step_size_min by c, step_size_max by c scales every theta
    alike.

        theta_T(c * theta, c * g, lr * c, c * step_size_min, c * step_size_max) = c * theta_T(theta, g, lr, step_size_min, step_size_max)

    Where c > 0, c a power of two, and no number leaves the normal range of its format: then scaling is
    exact.

    Terms of every sum, and the two sides of every comparison, scale alike.
    """
    check.scaled(
        subject,
        case,
        theta=2.0,
        grad=2.0,
        hyper={"lr": 2.0, "step_size_min": 2.0, "step_size_max": 2.0},
        state={"prev": 2.0, "step_size": 2.0},
    )


@given(case=cases(rule, steps=(1, 20), tame=True))
def test_scale_parameters(subject, case):
    """Scaling theta by c, lr by c, step_size_min by c, step_size_max by c scales every theta alike.

        theta_T(c * theta, lr * c, c * step_size_min, c * step_size_max) = c * theta_T(theta, lr, step_size_min, step_size_max)

    Where c > 0, c a power of two, and no number leaves the normal range of its format: then scaling is
    exact.

    Terms of every sum, and the two sides of every comparison, scale alike.
    """
    check.scaled(
        subject,
        case,
        theta=2.0,
        grad=1.0,
        hyper={"lr": 2.0, "step_size_min": 2.0, "step_size_max": 2.0},
        state={"prev": 1.0, "step_size": 2.0},
    )


@given(case=cases(rule, steps=(1, 20), tame=True))
def test_scale_gradients(subject, case):
    """Scaling g by c leaves every theta as it is.

        theta_T(c * g) = theta_T(g)

    Where c > 0, c a power of two, and no number leaves the normal range of its format: then scaling is
    exact.

    Terms of every sum, and the two sides of every comparison, scale alike.
    """
    check.scaled(subject, case, theta=1.0, grad=2.0, hyper={}, state={"prev": 2.0, "step_size": 1.0})


@given(case=cases(rule, steps=(1, 20)))
def test_sign(subject, case):
    """Negating theta and the gradients negates the run.

        theta_T(-theta, -g) = -theta_T(theta, g)

    Every line is odd or even in (theta, g): odd: prev; even: step_size.
    """
    negated = case.with_(theta=-case.theta, grads=-case.grads)

    check.same_run(subject, case, negated, theta=-1.0, state={"prev": -1.0, "step_size": 1.0})


@given(case=cases(rule, steps=(1, 20)))
def test_translation(subject, case):
    """Without decay a step adds something to theta that does not depend on theta.

        theta_T(c + theta, g) = c + theta_T(theta, g)

    Without decay, theta is read by the last line alone, which adds to it.
    """
    other = case.with_(theta=case.theta[::-1].copy())

    check.same_state(subject, case, other, ["prev", "step_size"])


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


@given(case=cases(rule, steps=(1, 20)))
def test_clamped_step_size(subject, case):
    """step_size never leaves its bounds.

        step_size_min <= step_size_t and step_size_t <= step_size_max

    Its line ends in min(step_size_max, max(step_size_min, factor * step_size)).
    """
    check.between(subject, case, "step_size", "step_size_min", "step_size_max")


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
