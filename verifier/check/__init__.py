"""The assertions generated properties call. Each returns nothing, or raises `Violation` saying what, where, how far.

Two kinds. Some hold observed values to an enclosure derived from the rule; the others compare the bits of two runs
of the same subject, related by a follow-up that is exact in binary floating point. None has a tolerance.
"""

from verifier.check.absent import late, skips_absent
from verifier.check.arranged import crowded, groups_as_alone, reordered
from verifier.check.as_read import long_run_as_read, long_run_follows, steps_as_read
from verifier.check.averages import keeps_its_share
from verifier.check.bits import (
    between,
    deterministic,
    frozen,
    leaves_gradients,
    maximize,
    monotone,
    same_run,
)
from verifier.check.bounds import bounds
from verifier.check.changes import ascends
from verifier.check.complexes import as_reals
from verifier.check.contracts import (
    acts_on_all,
    in_company,
    layout_free,
    partitioned,
    reads_all,
    sparse_as_dense,
    stays_in_element,
    steps_follow,
    takes_shapes,
    threads_do_not_matter,
)
from verifier.check.counters import counts_on
from verifier.check.direction import descends, rates_act
from verifier.check.divisors import divides_by_numbers
from verifier.check.enclosed import exact, follows, state_follows, steps_enclosed, steps_enclosed_blind
from verifier.check.faint import fades
from verifier.check.fine import feels_small_changes
from verifier.check.functions import maximum, minimum, ratio, sign, sqrt
from verifier.check.lasting import begins_in_groups, skips_first, stays_finite, switched_on, unscales
from verifier.check.loops import implementations_agree
from verifier.check.masters import follows_master
from verifier.check.meant import corrects, decays_vectors
from verifier.check.paths import paths_agree, paths_enclosed
from verifier.check.rates import leaves_zero, rests_without_rate, scheduled_lr, tensor_lr
from verifier.check.refusals import notices_misspelt_options, refuses_bad_options
from verifier.check.sizes import sized, uniform
from verifier.check.state import (
    bounded_memory,
    joined,
    keeps_no_graph,
    keeps_state_apart,
    keeps_state_dtypes,
    keeps_state_to_itself,
    resumes,
    scheduled,
    set_later,
    takes_closures,
    unmoved_by,
)
from verifier.check.steps import can_step, decays
from verifier.check.surroundings import leaves_surroundings
from verifier.check.switches import acts, decides_of_decay
from verifier.check.symmetry import permuted, same_state, scaled
from verifier.check.together import (
    acts_on_single_numbers,
    adds_nothing_empty,
    goes_on_past_idle_groups,
    reads_all_tensors,
)
from verifier.check.transposed import reorders_matrices
from verifier.check.turned import decays_either_way
from verifier.check.undecayed import rates_step
from verifier.check.unread import reads_options
from verifier.check.vanishing import (
    decays_matrices,
    formats_agree,
    looks_aside,
    reads_parameters,
    remembers,
    vanishes,
)
from verifier.check.written import writes_what_it_keeps

__all__ = [
    "acts",
    "acts_on_all",
    "acts_on_single_numbers",
    "adds_nothing_empty",
    "as_reals",
    "ascends",
    "begins_in_groups",
    "between",
    "bounded_memory",
    "bounds",
    "can_step",
    "corrects",
    "counts_on",
    "crowded",
    "decays",
    "decays_either_way",
    "decays_matrices",
    "decays_vectors",
    "decides_of_decay",
    "descends",
    "deterministic",
    "divides_by_numbers",
    "exact",
    "fades",
    "feels_small_changes",
    "follows",
    "follows_master",
    "formats_agree",
    "frozen",
    "goes_on_past_idle_groups",
    "groups_as_alone",
    "implementations_agree",
    "in_company",
    "joined",
    "keeps_its_share",
    "keeps_no_graph",
    "keeps_state_apart",
    "keeps_state_dtypes",
    "keeps_state_to_itself",
    "late",
    "layout_free",
    "leaves_gradients",
    "leaves_surroundings",
    "leaves_zero",
    "long_run_as_read",
    "long_run_follows",
    "looks_aside",
    "maximize",
    "maximum",
    "minimum",
    "monotone",
    "notices_misspelt_options",
    "partitioned",
    "paths_agree",
    "paths_enclosed",
    "permuted",
    "rates_act",
    "rates_step",
    "ratio",
    "reads_all",
    "reads_all_tensors",
    "reads_options",
    "reads_parameters",
    "refuses_bad_options",
    "remembers",
    "reordered",
    "reorders_matrices",
    "rests_without_rate",
    "resumes",
    "same_run",
    "same_state",
    "scaled",
    "scheduled",
    "scheduled_lr",
    "set_later",
    "sign",
    "sized",
    "skips_absent",
    "skips_first",
    "sparse_as_dense",
    "sqrt",
    "state_follows",
    "stays_finite",
    "stays_in_element",
    "steps_as_read",
    "steps_enclosed",
    "steps_enclosed_blind",
    "steps_follow",
    "switched_on",
    "takes_closures",
    "takes_shapes",
    "tensor_lr",
    "threads_do_not_matter",
    "uniform",
    "unmoved_by",
    "unscales",
    "vanishes",
    "writes_what_it_keeps",
]
