"""The table of contracts: a row each, with its words, its cases, its test, and what in the documentation implies it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A contract before it is stated of anything. `needs` are hyperparameters without which it says nothing.
    `signatures`: it is for audited classes; of a rule, its enclosure says more, and it has no constructor.
    """

    name: str
    says: str
    cases: str
    body: tuple[str, ...]
    because: str
    about: str
    costly: bool = False
    needs: tuple[str, ...] = ()
    signatures: bool = False


PLAIN = "steps=(2, 5), groups=True"
EVERYTHING = "steps=(2, 6), groups=True, schedule=True, absent=True"

RESUMED = (
    ("resume", "A state_dict loaded into a new optimizer continues the run bit for bit.", "memory"),
    ("resume_from_file", "A state_dict saved and loaded with torch.save and torch.load continues the run.", "file"),
    ("resume_from_pickle", "A state_dict that was pickled continues the run.", "pickle"),
    ("resume_from_copy", "A deep copy of a state_dict continues the run.", "deepcopy"),
    (
        "resume_over_others",
        "A state_dict overrides whatever values the new optimizer was built with, and continues the run.",
        "other",
    ),
    (
        "resume_across",
        "A state_dict loaded into an optimizer built to run another implementation continues the run.",
        "foreach",
    ),
)
"""Contract, what it says, and how the state_dict travels or what the new optimizer was built with."""

RESTORED = "load_state_dict restores an optimizer: training goes on as if it had not been interrupted."

CONTRACTS = (
    Row(
        "determinism",
        "The same run, done twice, has the same bits.",
        EVERYTHING + ", layouts=True, maximize=True",
        ("check.deterministic(subject, case)",),
        because="Nothing random is documented, so nothing may vary.",
        about="determinism",
    ),
    Row(
        "purity",
        "A step reads .grad and leaves it as it was.",
        EVERYTHING + ", layouts=True, maximize=True",
        ("check.leaves_gradients(subject, case)",),
        because="A step updates parameters; gradients belong to whoever computed them, and accumulate until zero_grad.",
        about="gradients",
    ),
    Row(
        "absent_gradients",
        "A parameter whose .grad is None is neither moved nor decayed, and its state stands still.",
        'steps=(2, 6), groups=True, schedule=True, absent="always"',
        ("check.skips_absent(subject, case)",),
        because="torch.optim skips parameters without a gradient: that is what zero_grad(set_to_none=True) relies on.",
        about="gradients",
    ),
    Row(
        "late_parameters",
        "A parameter whose gradients begin late, or pause, moves as if the steps it missed had never been.",
        "steps=(3, 6)",
        ("check.late(subject, case)",),
        because="State, the step counter included, is kept for each parameter, and a missing gradient is no step.",
        about="gradients",
    ),
    Row(
        "nan_stays",
        "A gradient of NaN in one element stays in that element, and is not swallowed.",
        "steps=(1, 4)",
        ('check.stays_in_element(subject, case, float("nan"))',),
        because="The rule is elementwise, and NaN must be seen rather than hidden.",
        about="gradients",
    ),
    Row(
        "infinity_stays",
        "An infinite gradient in one element changes no other element.",
        "steps=(1, 4)",
        ('check.stays_in_element(subject, case, float("inf"))',),
        because="The rule is elementwise.",
        about="gradients",
    ),
    Row(
        "groups",
        "Each parameter group moves as it would in an optimizer of its own.",
        'steps=(1, 6), groups="always", schedule=True, absent=True, maximize=True',
        ("check.groups_as_alone(subject, case)",),
        because='"Per-parameter options": a group has options and state of its own, every option, and none leaks.',
        about="groups",
    ),
    Row(
        "added_group",
        "A group added in the middle of a run moves as in an optimizer of its own, and disturbs no other.",
        'steps=(2, 6), groups="always"',
        ("check.joined(subject, case)",),
        because="add_param_group is for fine-tuning, where layers are made trainable as training goes on.",
        about="groups",
    ),
    Row(
        "all_parameters",
        "The options of a group act on every parameter in it: weights, biases and single numbers alike.",
        "steps=(1, 5)",
        ("check.acts_on_all(subject, case)",),
        because='"Per-parameter options" belong to groups, not to shapes; what is not to be decayed goes into a group.',
        about="parameters",
    ),
    Row(
        "order",
        "The order of the parameters does not matter.",
        EVERYTHING,
        ("check.reordered(subject, case)",),
        because="Each parameter is stepped on its own.",
        about="parameters",
    ),
    Row(
        "partition",
        "How the same elements are cut into tensors does not matter, empty and 0-dim tensors included.",
        "steps=(1, 5), groups=True, absent=True",
        ("check.partitioned(subject, case)",),
        because="The rule is elementwise.",
        about="parameters",
    ),
    Row(
        "shapes",
        "A parameter of any shape can be stepped, alone and beside others: empty ones and single numbers too.",
        "steps=2",
        ("check.takes_shapes(subject, case)",),
        because="A parameter is any tensor; models hold scales of no dimension and layers of no width.",
        about="parameters",
    ),
    Row(
        "layouts",
        "How parameters and gradients lie in memory does not matter.",
        "steps=(1, 5), layouts=True, maximize=True",
        ("check.layout_free(subject, case)",),
        because="A layout is a matter of speed, not of meaning.",
        about="parameters",
    ),
    Row(
        "sizes",
        "An element moves alike in a tensor just below, at and above the sizes at which kernels change their path.",
        "steps=(1, 3), tensors=1",
        (
            "for size in (17, 65, 1031):",
            "    check.sized(subject, case, size)",
        ),
        because="The rule is elementwise: vector bodies, tails and chunks are a matter of speed.",
        about="parameters",
    ),
    Row(
        "large_sizes",
        "An element moves alike in a tensor larger than a chunk of a kernel or of a thread.",
        "steps=2, tensors=1",
        ("check.sized(subject, case, 65537)",),
        because="The rule is elementwise.",
        about="parameters",
    ),
    Row(
        "whole_tensors",
        "Where one part of a tensor moves the rest of it, as through a norm, every part does.",
        "steps=2, tensors=1",
        ("check.reads_all(subject, case)",),
        because="A norm is that of the whole tensor.",
        about="parameters",
        signatures=True,
    ),
    Row(
        "mixed_dtypes",
        "A parameter of another dtype in the same list changes nothing for the others.",
        PLAIN,
        ('check.in_company(subject, case, "float64" if subject.format.name == "float32" else "float32")',),
        because="Each parameter is stepped in its own dtype.",
        about="parameters",
    ),
    Row(
        "schedule",
        "An option changed between steps acts from the next step on, as if the optimizer had been built with it.",
        'steps=(2, 6), groups=True, schedule="always"',
        ("check.scheduled(subject, case)",),
        because="torch.optim.lr_scheduler works by writing param_groups.",
        about="schedules",
    ),
    Row(
        "scheduled_lr",
        "A step is taken with the learning rate that its group has then, not with one it had before.",
        "steps=(2, 4), tensors=1",
        ("check.scheduled_lr(subject, case)",),
        because="torch.optim.lr_scheduler works by writing param_groups between steps.",
        about="schedules",
        signatures=True,
    ),
    Row(
        "options_read",
        "An option written into param_groups before the first step acts as one given to the constructor.",
        "steps=(1, 4)",
        ("check.set_later(subject, case)",),
        because="Options are read from param_groups at every step.",
        about="schedules",
    ),
    Row(
        "tensor_lr",
        "lr as a 0-dim tensor acts as the same number as a float.",
        'steps=(1, 4), dyadic="lr"',
        ("check.tensor_lr(subject, case)",),
        because='"lr (float, Tensor, optional)".',
        about="schedules",
        needs=("lr",),
    ),
    Row(
        "maximize",
        "maximize ascends: it equals negated gradients.",
        EVERYTHING,
        ("check.ascends(subject, case)",),
        because='"maximize the objective with respect to the params, instead of minimizing"',
        about="options",
    ),
    Row(
        "bad_options",
        "A class that checks its options refuses a negative learning rate.",
        "steps=1, tensors=1",
        ("check.refuses_bad_options(subject, case)",),
        because="A negative lr ascends without a word; torch.optim raises ValueError.",
        about="options",
        signatures=True,
    ),
    Row(
        "misspelt_option",
        "An option that does not exist is refused.",
        "steps=1, tensors=1",
        ("check.notices_misspelt_options(subject, case)",),
        because="A misspelt option would silently have its default.",
        about="options",
        signatures=True,
    ),
    *(
        Row(name, says, EVERYTHING, (f'check.resumes(subject, case, "{how}")',), because=RESTORED, about="state")
        for name, says, how in RESUMED
    ),
    Row(
        "state_dtypes",
        "Loading a state_dict leaves every state tensor its dtype.",
        PLAIN,
        ("check.keeps_state_dtypes(subject, case)",),
        because="State in another dtype is rounded, and what is rounded does not continue the run.",
        about="state",
    ),
    Row(
        "state_apart",
        "An optimizer shares no memory with the state_dict it loaded.",
        PLAIN,
        ("check.keeps_state_apart(subject, case)",),
        because="A checkpoint that two optimizers load must serve both: the steps of one must not change the other.",
        about="state",
    ),
    Row(
        "saving",
        "Taking a state_dict changes nothing.",
        EVERYTHING,
        ('check.unmoved_by(subject, case, "save")',),
        because="Saving is reading.",
        about="state",
    ),
    Row(
        "copying",
        "A deep copy of an optimizer and its parameters continues the run.",
        EVERYTHING,
        ('check.unmoved_by(subject, case, "copy")',),
        because="Everything a step depends on is in the optimizer.",
        about="state",
    ),
    Row(
        "pickling",
        "An optimizer pickled with its parameters continues the run.",
        EVERYTHING,
        ('check.unmoved_by(subject, case, "pickle")',),
        because="Everything a step depends on is in the optimizer.",
        about="state",
    ),
    Row(
        "skipped_step",
        "A step that found_inf says to skip leaves parameters, state and the next steps as they were.",
        "steps=(1, 5), groups=True",
        ('check.unmoved_by(subject, case, "found_inf")',),
        because="torch.amp: the scaler skips steps whose gradients are not finite.",
        about="steps",
    ),
    Row(
        "idle_step",
        "A step in which no parameter has a gradient changes nothing, and is not counted.",
        EVERYTHING,
        ('check.unmoved_by(subject, case, "idle")',),
        because="torch.optim skips parameters without a gradient.",
        about="steps",
    ),
    Row(
        "zero_grad",
        "zero_grad() between steps changes nothing but gradients.",
        EVERYTHING,
        ('check.unmoved_by(subject, case, "zero_grad")',),
        because='"Resets the gradients of all optimized tensors."',
        about="steps",
    ),
    Row(
        "neighbours",
        "Two optimizers of one class do not influence each other.",
        EVERYTHING,
        ('check.unmoved_by(subject, case, "neighbour", 1, 2)',),
        because="State belongs to an optimizer, not to its class.",
        about="steps",
    ),
    Row(
        "closure",
        "step(closure) calls the closure once, with gradients enabled, before it reads them, and returns its value.",
        "steps=(1, 4), groups=True",
        ("check.takes_closures(subject, case)",),
        because='"closure (Callable, optional): A closure that reevaluates the model and returns the loss."',
        about="closure",
    ),
    Row(
        "threads",
        "The number of threads does not matter.",
        "steps=2, tensors=1",
        ("check.threads_do_not_matter(subject, case, 65537)",),
        because="Threads are a matter of speed.",
        about="determinism",
        costly=True,
    ),
    Row(
        "written_memory",
        "No memory is read before it is written.",
        "steps=(1, 4), groups=True",
        ('check.unmoved_by(subject, case, "filled", 0)',),
        because="Filling fresh memory with NaN, as torch.use_deterministic_algorithms does, must change nothing.",
        about="memory",
    ),
    Row(
        "bounded_memory",
        "State does not grow with the number of steps.",
        "steps=(1, 4)",
        ("check.bounded_memory(subject, case)",),
        because="Training runs for millions of steps.",
        about="memory",
    ),
    Row(
        "own_state",
        "State of one parameter shares no memory with another's state, nor with a gradient.",
        "steps=(1, 3)",
        ("check.keeps_state_to_itself(subject, case)",),
        because="State is kept for each parameter, and gradients belong to whoever computed them.",
        about="memory",
    ),
    Row(
        "no_graph",
        "No state tensor and no parameter keeps an autograd graph.",
        "steps=(1, 3)",
        ("check.keeps_no_graph(subject, case)",),
        because="A graph that is kept grows with every step.",
        about="memory",
    ),
    Row(
        "complex_numbers",
        "A complex parameter moves as the pair of its real and imaginary parts.",
        "steps=(1, 4)",
        ("check.as_reals(subject, case)",),
        because="torch.optim treats complex parameters as pairs of reals (torch.view_as_real).",
        about="dtypes",
    ),
    Row(
        "sparse_gradients",
        "A sparse gradient with duplicate entries acts as the dense gradient it stands for.",
        "steps=(1, 4)",
        ("check.sparse_as_dense(subject, case)",),
        because="torch.sparse: duplicate entries of an uncoalesced tensor are summed.",
        about="gradients",
    ),
    Row(
        "implementations",
        "Every implementation computes what the for-loop does, bit for bit or up to what rounding alone explains.",
        EVERYTHING,
        ("check.implementations_agree(subject, case)",),
        because='"foreach" and "fused" are faster implementations of the same step.',
        about="implementations",
        signatures=True,
    ),
)
