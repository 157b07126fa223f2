"""LARS and NovoGrad, line by line: the ways in use of writing each line, and the known mistakes."""

from __future__ import annotations

from typing import Any

from verifier.lift.matrix_search import Family, Line, Slot, Way
from verifier.lift.matrix_ways import COMMON, averages, decays, gradient, norm, root, square, sums, usual, wrong


def _decayed(n: Line) -> Any:
    return n.grad + n.weight_decay * n.theta


def _local() -> Slot:
    """The rate of a layer: the ratio of two norms."""

    def size(n: Line) -> Any:
        return norm(n.theta)

    def below(n: Line) -> Any:
        return norm(n.grad) + n.weight_decay * size(n)

    return Slot(
        "local",
        (
            usual("published", lambda n: n.trust * size(n) / below(n)),
            usual("eps_added", lambda n: n.trust * size(n) / (below(n) + n.eps)),
            usual(
                "of_sum", lambda n: n.trust * size(n) / norm(_decayed(n)), "by the norm of gradient and decay together"
            ),
            usual(
                "of_sum_eps",
                lambda n: n.trust * size(n) / (norm(_decayed(n)) + n.eps),
                "by the norm of gradient and decay together",
            ),
            usual("of_gradient", lambda n: n.trust * size(n) / norm(n.grad), "by the norm of the gradient alone"),
            usual(
                "of_gradient_eps",
                lambda n: n.trust * size(n) / (norm(n.grad) + n.eps),
                "by the norm of the gradient alone",
            ),
            wrong("inverted", "the local rate is upside down", lambda n: n.trust * below(n) / size(n)),
            wrong("inverted_sum", "the local rate is upside down", lambda n: n.trust * norm(_decayed(n)) / size(n)),
            wrong(
                "subtracted",
                "the local rate subtracts the decay's norm",
                lambda n: n.trust * size(n) / (norm(n.grad) - n.weight_decay * size(n)),
            ),
            wrong("unweighted", "the local rate lacks the trust coefficient", lambda n: size(n) / below(n)),
            wrong(
                "unweighted_sum", "the local rate lacks the trust coefficient", lambda n: size(n) / norm(_decayed(n))
            ),
            wrong("without_size", "the local rate lacks the norm of the parameters", lambda n: n.trust / below(n)),
            wrong(
                "without_size_sum",
                "the local rate lacks the norm of the parameters",
                lambda n: n.trust / norm(_decayed(n)),
            ),
            wrong("undivided", "the local rate is divided by nothing", lambda n: n.trust * size(n)),
            wrong(
                "squares",
                "the local rate takes squares of norms",
                lambda n: n.trust * square(n.theta) / square(_decayed(n)),
            ),
            wrong(
                "square_below",
                "the local rate divides by the square of a norm",
                lambda n: n.trust * size(n) / square(_decayed(n)),
            ),
            wrong(
                "decay_unsized",
                "the local rate adds the decay without the norm of the parameters",
                lambda n: n.trust * size(n) / (norm(n.grad) + n.weight_decay),
            ),
            wrong("none", "the step is not scaled by a local rate", lambda n: n.constant(1)),
        ),
    )


def _scaled() -> Slot:
    return Slot(
        "scaled",
        (
            usual("published", lambda n: n.local * _decayed(n)),
            usual("by_lr", lambda n: n.lr * n.local * _decayed(n)),
            wrong(
                "decay_unscaled",
                "weight decay is not scaled by the local rate",
                lambda n: n.local * n.grad + n.weight_decay * n.theta,
            ),
            wrong(
                "decay_unscaled_by_lr",
                "weight decay is not scaled by the local rate",
                lambda n: n.lr * (n.local * n.grad + n.weight_decay * n.theta),
            ),
            wrong(
                "decay_subtracted",
                "weight decay is subtracted",
                lambda n: n.local * (n.grad - n.weight_decay * n.theta),
            ),
            wrong("decay_lost", "weight decay is in the local rate alone", lambda n: n.local * n.grad),
            wrong("decay_lost_by_lr", "weight decay is in the local rate alone", lambda n: n.lr * n.local * n.grad),
            wrong(
                "decay_twice",
                "weight decay is added twice",
                lambda n: n.local * (_decayed(n) + n.weight_decay * n.theta),
            ),
            wrong("scaled_twice", "the local rate scales the step twice", lambda n: n.local * n.local * _decayed(n)),
        ),
    )


def _velocity() -> Slot:

    def scaled(n: Line) -> Any:
        return n.scaled

    def momentum(n: Line) -> Any:
        return n.momentum

    ways = [*sums("velocity", "steps", momentum, scaled)]
    ways += [way for way in averages("velocity", "steps", momentum, scaled) if way.wrong]
    dampened = "momentum with dampening"
    ways += [
        usual(
            "dampened",
            lambda n: n.momentum * n.was.velocity + (1 - n.dampening) * n.scaled,
            dampened,
            first=lambda n: n.scaled,
        ),
    ]
    return Slot("velocity", tuple(ways), state=True)


LARS = Family(
    "lars",
    "You et al. 2017, Algorithm 1, arXiv:1708.03888",
    (1, 2),
    {
        "lr": COMMON["lr"],
        "weight_decay": COMMON["weight_decay"],
        "momentum": ("mu", "beta"),
        "dampening": (),
        "trust": ("trust_coefficient", "trust_coeff", "trust_coef", "eta", "tc", "coefficient"),
        "eps": ("epsilon",),
    },
    (
        Slot("grad", (usual("plain", lambda n: n.g), wrong("negated", "the gradient is negated", lambda n: -1 * n.g))),
        _local(),
        _scaled(),
        _velocity(),
        Slot(
            "direction",
            (
                usual("heavy_ball", lambda n: n.velocity, unless="nesterov"),
                usual(
                    "nesterov",
                    lambda n: n.scaled + n.momentum * n.velocity,
                    "with Nesterov's step",
                    needs="nesterov",
                ),
                wrong(
                    "nesterov_stale",
                    "Nesterov's step looks ahead from the velocity before this step",
                    lambda n: n.scaled + n.momentum * n.was.velocity + 0 * n.velocity,
                ),
                wrong("unused", "the velocity is kept and not used", lambda n: n.scaled + 0 * n.velocity),
                wrong("stale", "the velocity before this step is used", lambda n: n.was.velocity + 0 * n.velocity),
            ),
        ),
        Slot(
            "new",
            (
                usual("by_lr", lambda n: n.theta - n.lr * n.direction),
                usual("plain", lambda n: n.theta - n.direction),
                wrong("ascends", "the step goes up the gradient", lambda n: n.theta + n.lr * n.direction),
                wrong(
                    "decayed_again",
                    "weight decay acts twice",
                    lambda n: n.theta * (1 - n.lr * n.weight_decay) - n.lr * n.direction,
                ),
                wrong("rate_squared", "lr scales the step twice", lambda n: n.theta - n.lr * n.lr * n.direction),
            ),
        ),
    ),
)


NOVOGRAD = Family(
    "novograd",
    "Ginsburg et al. 2019, Algorithm 1, arXiv:1905.11286",
    (1, 2),
    {name: COMMON[name] for name in ("lr", "weight_decay", "beta1", "beta2", "eps")},
    (
        gradient(),
        Slot(
            "norms",
            tuple(averages("norms", "squared norms", lambda n: n.beta2, lambda n: square(n.grad), begun=True))
            + tuple(
                Way(f"root_{way.name}", "norms are averaged, in the place of their squares", way.value, True, way.first)
                for way in averages("norms", "norms", lambda n: n.beta2, lambda n: norm(n.grad), begun=True)
                if not way.wrong
            )
            + tuple(
                Way(
                    f"mean_{way.name}",
                    "the mean square is averaged, in the place of the squared norm",
                    way.value,
                    True,
                    way.first,
                )
                for way in averages("norms", "", lambda n: n.beta2, lambda n: square(n.grad) / n.grad.size, begun=True)
                if not way.wrong
            ),
            state=True,
        ),
        Slot(
            "denom",
            (
                usual("eps_added", lambda n: root(n.norms) + n.eps),
                usual("eps_inside", lambda n: root(n.norms + n.eps), "eps inside the root"),
                usual(
                    "corrected", lambda n: root(n.norms / (1 - n.beta2**n.t)) + n.eps, "the norms' average corrected"
                ),
                wrong("rootless", "the root of the norms' average is not taken", lambda n: n.norms + n.eps),
                wrong("stale", "the norms' average before this step is used", lambda n: root(n.was.norms) + n.eps),
                wrong("eps_times", "eps scales the norms' average", lambda n: root(n.norms) * n.eps),
                wrong("eps_subtracted", "eps is subtracted", lambda n: root(n.norms) - n.eps),
                wrong(
                    "unaveraged",
                    "the norm of this gradient is used, and not the average",
                    lambda n: norm(n.grad) + n.eps,
                ),
            ),
        ),
        Slot(
            "scaled",
            (
                usual("published", lambda n: n.grad / n.denom + n.weight_decay * n.theta),
                usual("undecayed", lambda n: n.grad / n.denom),
                wrong(
                    "decay_subtracted",
                    "weight decay is subtracted",
                    lambda n: n.grad / n.denom - n.weight_decay * n.theta,
                ),
                wrong(
                    "decay_normalised",
                    "weight decay is divided by the gradient's norm",
                    lambda n: (n.grad + n.weight_decay * n.theta) / n.denom,
                ),
                wrong(
                    "multiplied",
                    "the gradient is multiplied by its norm",
                    lambda n: n.grad * n.denom + n.weight_decay * n.theta,
                ),
                wrong(
                    "undivided",
                    "the gradient is not divided by its norm",
                    lambda n: n.grad + n.weight_decay * n.theta + 0 * n.denom,
                ),
            ),
        ),
        Slot(
            "velocity",
            (
                *sums("velocity", "steps", lambda n: n.beta1, lambda n: n.scaled),
                *averages("velocity", "steps", lambda n: n.beta1, lambda n: n.scaled),
                wrong(
                    "other_weight",
                    "the average of steps weighs the new by 1 - beta2",
                    lambda n: n.beta1 * n.was.velocity + (1 - n.beta2) * n.scaled,
                ),
            ),
            state=True,
        ),
        Slot(
            "taken",
            (
                usual("plain", lambda n: n.lr * n.velocity),
                usual("corrected", lambda n: n.lr * n.velocity / (1 - n.beta1**n.t), "the average of steps corrected"),
                usual(
                    "both_corrected",
                    lambda n: n.lr * n.velocity * root(1 - n.beta2**n.t) / (1 - n.beta1**n.t),
                    "both averages corrected",
                ),
                wrong(
                    "unused", "the average of steps is kept and not used", lambda n: n.lr * n.scaled + 0 * n.velocity
                ),
            ),
        ),
        Slot("new", tuple(decays(lambda n: n.taken, lambda n: n.lr))),
    ),
    {"norms": lambda shape: ()},
)
