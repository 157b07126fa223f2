"""What an enclosure holds, says and refuses: values, roundings, the reach of an overflow, closed forms, branches."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from sympy import Integer, Interval, cos

from verifier import enclosure, rules
from verifier.case import Case, Group
from verifier.enclosure import Enclosure, blocks
from verifier.enclosure.interval import half_ulp, nearest
from verifier.floats import BF16, FORMATS, FP16, FP32, FP64, Format
from verifier.rule import Rule, RuleError, maximized
from verifier.rules.symbols import g, lr, theta

ADAM = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01}


def exact(*values: float, fmt: Format | None = FP32) -> Enclosure:
    return Enclosure.exact(np.array(values), fmt)


def bounds(e: Enclosure) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in zip(*e.allowed(), strict=True)]


def sgd(values: list[float], grads: list[float], lr: float, weight_decay: float = 0.0, fmt: Format = FP32) -> Enclosure:
    return enclosure.step(
        rules.get("sgd"),
        fmt,
        theta=fmt.round(np.array(values)),
        grad=fmt.round(np.array(grads)),
        state={},
        hyper={"lr": lr, "weight_decay": weight_decay},
        t=1,
    )["theta"]


# rounding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=lambda f: f.name)
def test_nearest_is_the_rounding_of_the_format(fmt: Format) -> None:
    """`nearest` agrees with `Format.round` from the subnormals to infinity."""
    rng = np.random.default_rng(0)
    values = rng.choice([-1, 1], 4000) * 2.0 ** rng.uniform(fmt.emin - fmt.precision - 2, min(fmt.emax + 2, 1023), 4000)
    values = np.concatenate([values, [0.0, fmt.largest, fmt.tiny, fmt.tiny / 2, fmt.smallest_normal, np.inf]])
    assert np.array_equal(fmt.round(values), nearest(fmt, values))


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=lambda f: f.name)
def test_half_an_ulp_bounds_the_rounding_error(fmt: Format) -> None:
    """No value moves further than `half_ulp` when rounded, and some move almost that far."""
    rng = np.random.default_rng(1)
    values = np.longdouble(2.0) ** rng.uniform(fmt.emin - fmt.precision, fmt.emax, 4000)
    moved = np.abs(nearest(fmt, values) - values)
    allowed = half_ulp(fmt, values, inner=False)
    assert (moved <= allowed).all()
    assert float((moved / allowed).max()) > 0.99


def test_a_sum_is_rounded_once() -> None:
    """1 + 2^-24 in fp32 is a tie: both neighbours come from an enclosure this thin, no third."""
    assert [(1.0, 1.0 + 2.0**-23)] == bounds(exact(1.0) + exact(2.0**-24))
    assert [(1.0, 1.0)] == bounds(exact(1.0) + exact(2.0**-25))


def test_exact_operations_stay_exact() -> None:
    """Adding zero, multiplying by a power of two or by zero, negating: one admissible value."""
    x = exact(0.1, -3.7, 0.0)
    values = [float(v) for v in np.float32([0.1, -3.7, 0.0])]
    x = exact(*values)
    assert [(v, v) for v in values] == bounds(x + exact(0.0))
    assert [(v / 4, v / 4) for v in values] == bounds(x * 0.25)
    assert [(-v, -v) for v in values] == bounds(-x)
    assert [(0.0, 0.0)] * 3 == bounds(x * 0)


def test_a_power_of_two_still_underflows() -> None:
    """Half of the smallest subnormal is a tie between it and zero."""
    assert [(0.0, FP32.tiny)] == bounds(exact(FP32.tiny) * 0.5)


def test_rounding_never_changes_a_sign() -> None:
    """Products of positive subnormals reach zero, not below: their root is not NaN."""
    x = exact(1e-30) * exact(1e-30)
    assert (0.0, 0.0) == bounds(x)[0]
    assert [False] == list((x.sqrt() + exact(1.0)).where_nan())


def test_three_factors_leave_room_for_their_association() -> None:
    """(a*b)*c and a*(b*c) differ in fp32 and both are inside; two roundings further off is not."""
    a, b, c = (np.float32(x) for x in (2.9, 1.8, 1.1))
    allowed = exact(float(a)) * exact(float(b)) * exact(float(c))
    left, right = float((a * b) * c), float(a * (b * c))
    assert left != right
    assert [True, True] == [bool(allowed.contains(np.array([v]))[0]) for v in (left, right)]
    assert not allowed.contains(np.array([left + 4 * float(np.spacing(np.float32(left)))]))[0]


def test_partial_products_may_underflow() -> None:
    """1e-30 * 1e-30 * 1e30 is 1e-30, or 0 when the small factors meet first."""
    allowed = exact(1e-30) * exact(1e-30) * exact(1e30)
    assert [True, True] == [bool(allowed.contains(np.array([v]))[0]) for v in (0.0, float(np.float32(1e-30)))]


def test_partial_products_may_overflow() -> None:
    """1e30 * 1e30 * 1e-30 is 1e30, or infinite when the large factors meet first; never negative."""
    allowed = exact(1e30) * exact(1e30) * exact(1e-30)
    seen = np.array([np.inf, float(np.float32(1e30)), -1.0])
    assert [True, True, False] == [bool(allowed.contains(np.array([v]))[0]) for v in seen]


def test_narrow_formats_may_be_computed_in_fp32() -> None:
    """A bfloat16 sum rounded to fp32 first and then to bfloat16 is inside, though it is one rounding too many."""
    one, eps = 1.0, 2.0**-9
    assert [(1.0, 1.0 + 2.0**-7)] == bounds(
        exact(one, fmt=BF16) + exact(2.0**-8, fmt=BF16) * exact(one, fmt=BF16) + exact(eps * 2.0**-24, fmt=BF16)
    )


# reading ----------------------------------------------------------------------------------------------------------


def test_margin_is_one_at_the_edge_and_more_outside() -> None:
    """The centre uses nothing, the last admissible value all, its neighbour more than all."""
    allowed = exact(1.0, 1.0, 1.0) * exact(*[float(np.float32(1.1))] * 3) * exact(*[float(np.float32(1.3))] * 3)
    low, high = bounds(allowed)[0]
    below = float(np.nextafter(np.float32(low), np.float32(0)))
    shares = allowed.margin(np.array([low, high, below]))
    assert [True, True, True] == [shares[0] <= 1, shares[1] <= 1, shares[2] > 1]
    assert [True, True, False] == list(allowed.contains(np.array([low, high, below])))


def test_nan_is_refused_unless_it_is_possible() -> None:
    """NaN is outside an ordinary enclosure, and inside that of the root of a value that may be negative."""
    possible = (exact(1.0) - exact(1.0) * exact(float(np.float32(1.0000001)))).sqrt()
    assert [False] == list(exact(1.0).contains(np.array([np.nan])))
    assert [True] == list(possible.contains(np.array([np.nan])))


def test_division_by_a_range_that_holds_zero_is_vacuous() -> None:
    """0/0 and 1/0 exclude nothing, and say so; the element beside them is unharmed."""
    e = exact(0.0, 1.0, 1.0) / exact(0.0, 0.0, 2.0)
    assert [True, True, False] == list(e.vacuous)
    assert [True, True, True] == list(e.contains(np.array([np.nan, np.inf, 0.5])))
    assert 0.0 == float(e.margin(np.array([5.0, np.inf, 0.5]))[0])


def test_an_overflow_reaches_infinity_on_its_own_side() -> None:
    """3e38 + 3e38 in fp32 is infinite, not minus infinity; infinity less infinity is anything."""
    total = exact(3e38) + exact(3e38)
    assert [True, False] == [bool(total.contains(np.array([v]))[0]) for v in (np.inf, -np.inf)]
    assert [True] == list((total - total).vacuous)


def test_pieces_and_joins_keep_their_elements() -> None:
    """Slices of an enclosure put side by side are the enclosure."""
    whole = exact(1.0, 2.0, 3.0) * exact(float(np.float32(0.1))) + exact(1.0, 1.0, 1.0)
    joined = Enclosure.concatenate([whole[0:1], whole[1:3]])
    assert bounds(whole) == bounds(joined)


# real numbers -----------------------------------------------------------------------------------------------------


def test_real_arithmetic_is_not_rounded() -> None:
    """1/3 as a quotient of reals is enclosed to 60 bits; an ordinary number mixes in."""
    third = 1 / exact(3.0, fmt=None)
    width = float(third.hi[0] - third.lo[0])
    low, high = (Fraction(*x[0].as_integer_ratio()) for x in (third.lo, third.hi))
    assert low <= Fraction(1, 3) <= high
    assert 0 < width < 2.0**-60


def test_closed_forms_use_the_usual_operators() -> None:
    """theta * (1 - lr*wd)**3, |x|, max, sign and sqrt of exact values."""
    x, rate = exact(-2.0, 0.25, fmt=None), exact(0.5, 0.5, fmt=None)
    shrunk = x * (1 - rate) ** 3
    assert [True, True] == list(shrunk.contains(np.array([-0.25, 0.03125])))
    assert float((shrunk.hi - shrunk.lo).max()) < 2.0**-58
    assert [(2.0, 2.0), (0.25, 0.25)] == bounds(abs(x))
    assert [(-1.0, -1.0), (1.0, 1.0)] == bounds(x.sign())
    assert [(0.0, 0.0), (0.25, 0.25)] == bounds(x.maximum(0))
    assert [True] == list((exact(4.0, fmt=None) ** 1).sqrt().contains(np.array([2.0])))


def test_a_closed_form_is_widened_by_the_rules_rounding_alone() -> None:
    """theta*(1 - lr*wd) with AdamW's roundings holds AdamW's zero-gradient step, and not one of another decay."""
    rule, values = rules.get("adamw"), np.array([0.3, -7.0, 1e-3])
    fixed = FP32.round(values)
    case = Case(shapes=((3,),), theta=values, grads=np.zeros((1, 3)), hyper={**ADAM, "lr": 0.1, "weight_decay": 0.3})
    rounded = enclosure.propagate(rule, FP32, case)[1]["theta"]
    real = enclosure.propagate(rule, FP32, case, real=True)[1]["theta"]
    form = Enclosure.exact(fixed) * (1 - Enclosure.exact(np.full(3, 0.1)) * Enclosure.exact(np.full(3, 0.3)))
    allowed = form.widened(rounded, real)
    right = FP32.round(fixed * (1 - 0.1 * 0.3))
    wrong = FP32.round(fixed * (1 - 0.3))
    assert [True, True, True] == list(allowed.contains(right))
    assert [False, False, False] == list(allowed.contains(wrong))


# steps ------------------------------------------------------------------------------------------------------------


def test_a_step_of_sgd_has_one_or_two_answers() -> None:
    """theta - lr*g in fp32: rounded once or twice; lr = 0 leaves theta alone."""
    rate = 0.1
    w, d = np.float32(0.3), np.float32(0.7)
    twice, once = float(w - np.float32(rate) * d), float(np.float32(float(w) - float(np.float32(rate)) * float(d)))
    low, high = bounds(sgd([0.3], [0.7], rate))[0]
    assert low <= min(once, twice) <= max(once, twice) <= high
    assert (high - low) / float(np.spacing(np.float32(high))) <= 1
    assert [(float(w), float(w))] == bounds(sgd([0.3], [0.7], 0.0))


def test_a_kernel_that_rounds_hyperparameters_first_needs_its_own_profile() -> None:
    """1 - float32(beta2) is hundreds of roundoffs from 1 - beta2: inside `consistent`, outside `each`."""
    rule, grad = rules.get("adam"), np.array([1.5])
    coefficient = np.float32(1) - np.float32(0.999)
    second = float(np.float32(coefficient * np.float32(1.5) * np.float32(1.5)))
    inside = {}
    for profile in ("each", "consistent"):
        start = enclosure.initial(rule, FP32, theta=np.zeros(1), hyper=ADAM, profile=profile)
        found = enclosure.step(rule, FP32, theta=np.zeros(1), grad=grad, state=start, hyper=ADAM, t=1, profile=profile)
        inside[profile] = bool(found["exp_avg_sq"].contains(np.array([second]))[0])
    assert {"each": False, "consistent": True} == inside


def test_profiles_are_those_that_differ() -> None:
    """fp64 has no float scalars to tell apart; formats narrower than fp32 have one profile more."""
    assert ("each", "single", "wide") == enclosure.profiles(FP64)
    assert ("each", "single", "wide", "consistent") == enclosure.profiles(FP32)
    assert ("each", "consistent", "low") == enclosure.profiles(FP16, held=False)
    assert set(enclosure.profiles(BF16, counted=True, lerps=True)) == set(enclosure.PROFILES)
    assert {"counted", "lerped"} == set(enclosure.PROFILES) - set(enclosure.profiles(BF16))


def test_scalars_of_a_counter_in_a_tensor_are_float32() -> None:
    """With a float32 counter, 1 - beta2**t has float32's digits; profile each holds it to those of double."""
    rule = rules.get("adam")
    corrected = np.float64(np.float32(1) - np.float32(0.999) ** np.float32(1))
    second = (1 - 0.999) * 1.5 * 1.5
    moved = -0.001 * ((1 - 0.9) * 1.5 / np.float64(np.float32(1) - np.float32(0.9))) / (
        np.sqrt(second) / np.sqrt(corrected) + 1e-8
    )  # fmt: skip
    inside = {}
    for profile in ("each", "counted"):
        start = enclosure.initial(rule, FP64, theta=np.zeros(1), hyper=ADAM, profile=profile)
        of = dict(theta=np.zeros(1), grad=np.array([1.5]), state=start, hyper=ADAM, t=1, profile=profile)
        inside[profile] = bool(enclosure.step(rule, FP64, **of)["theta"].contains(np.array([moved]))[0])
    assert {"each": False, "counted": True} == inside


def test_an_undecided_sign_admits_each_branch_and_nothing_between() -> None:
    """Where g*prev underflows, Rprop may see agreement or none: two step sizes, not the range between them."""
    rule = rules.get("rprop")
    hyper = {"lr": 0.5, "etaminus": 0.5, "etaplus": 1.5, "step_size_min": 1e-6, "step_size_max": 50.0}
    state = {"prev": np.array([1e-30]), "step_size": np.array([0.5])}
    found = enclosure.step(rule, FP32, theta=np.zeros(1), grad=np.array([1e-30]), state=state, hyper=hyper, t=2)[
        "step_size"
    ]
    seen = [0.75, 0.5, 0.6, 0.25]
    assert [True, True, False, False] == [bool(found.contains(np.array([v]))[0]) for v in seen]
    assert [True, False] == [found.margin(np.array([v]))[0] <= 1 for v in (0.5, 0.6)]


def test_hyperparameters_and_steps_may_differ_by_element() -> None:
    """A step with arrays of lr and t is that of each element alone."""
    rule, rng = rules.get("adam"), np.random.default_rng(2)
    values, grad = FP32.round(rng.standard_normal(2)), FP32.round(rng.standard_normal(2))
    state = {"exp_avg": FP32.round(rng.standard_normal(2)), "exp_avg_sq": FP32.round(rng.random(2))}
    rates, counts = np.array([1e-3, 0.3]), np.array([2, 9])
    both = enclosure.step(rule, FP32, theta=values, grad=grad, state=state, hyper={**ADAM, "lr": rates}, t=counts)
    for k in range(2):
        one = enclosure.step(
            rule,
            FP32,
            theta=values[k : k + 1],
            grad=grad[k : k + 1],
            state={n: v[k : k + 1] for n, v in state.items()},
            hyper={**ADAM, "lr": float(rates[k])},
            t=int(counts[k]),
        )
        assert {n: bounds(e)[k] for n, e in both.items()} == {n: bounds(e)[0] for n, e in one.items()}


def test_a_block_boundary_changes_nothing() -> None:
    """Elements of a tensor longer than a block are enclosed as they are in a short one."""
    rule, rng = rules.get("adam"), np.random.default_rng(3)
    size = blocks.BLOCK + 5
    values, grad = FP32.round(rng.standard_normal(size)), FP32.round(rng.standard_normal(size))
    state = {"exp_avg": np.zeros(size), "exp_avg_sq": np.zeros(size)}
    long = enclosure.step(rule, FP32, theta=values, grad=grad, state=state, hyper=ADAM, t=1)["theta"]
    short = enclosure.step(
        rule,
        FP32,
        theta=values[-9:],
        grad=grad[-9:],
        state={n: v[-9:] for n, v in state.items()},
        hyper=ADAM,
        t=1,
    )["theta"]
    assert bounds(long)[-9:] == bounds(short)


def test_no_elements_are_no_trouble() -> None:
    """An empty tensor has an empty enclosure."""
    assert 0 == len(sgd([], [], 0.1))


def test_propagation_honours_groups_schedule_and_absent_gradients() -> None:
    """Three tensors, two groups, a change of lr before step 2, one absent gradient: each as by hand, exactly."""
    case = Case(
        shapes=((1,), (1,), (1,)),
        theta=np.array([1.0, 2.0, 4.0]),
        grads=np.ones((2, 3)),
        hyper={"lr": 0.5, "weight_decay": 0.0},
        groups=(Group((0, 2)), Group((1,), {"lr": 0.25})),
        schedule={2: {"lr": 0.125}},
        absent=frozenset({(1, 2)}),
    )
    found = enclosure.propagate(rules.get("sgd"), FP64, case)
    assert [[(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)], [(0.5, 0.5), (1.75, 1.75), (4.0, 4.0)]] == [
        bounds(row["theta"]) for row in found[:2]
    ]
    assert [(0.375, 0.375), (1.625, 1.625), (3.875, 3.875)] == bounds(found[2]["theta"])


def test_propagation_climbs_when_the_case_maximizes() -> None:
    """`maximize` in a case is the maximized rule."""
    case = Case(
        shapes=((2,),),
        theta=np.array([1.0, -1.0]),
        grads=np.array([[0.5, 0.25]]),
        hyper={"lr": 0.5, "weight_decay": 0.25},
        maximize=True,
    )
    rule = rules.get("sgd")
    expected = enclosure.propagate(maximized(rule), FP64, case)[1]["theta"]
    assert bounds(expected) == bounds(enclosure.propagate(rule, FP64, case)[1]["theta"])
    assert [(1.125, 1.125), (-0.75, -0.75)] == bounds(expected)


def test_what_is_not_covered_is_refused_by_name() -> None:
    """A rule with a cosine of a tensor is refused, with the line that holds it."""
    rule = Rule(
        name="wavy",
        cite="none",
        theta=theta,
        grad=g,
        hyper={lr: Interval(0, 1)},
        state={},
        step=((theta, theta - lr * cos(g) + Integer(0)),),
    )
    with pytest.raises(RuleError, match=r"rule wavy, line 1, theta = .*: cos is not covered by the enclosure"):
        enclosure.step(rule, FP32, theta=np.zeros(1), grad=np.zeros(1), state={}, hyper={"lr": 0.1}, t=1)
