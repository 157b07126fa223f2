"""Rows of the table of contracts about what an optimizer keeps, and what happens to it between and during steps."""

from __future__ import annotations

from verifier.contract_row import EVERYTHING, PLAIN, Row

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

STATE = (
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
        "skipped_first_step",
        "A first step that found_inf says to skip leaves nothing behind, and no memory that was never written.",
        "steps=(1, 3), groups=True",
        ("check.skips_first(subject, case)",),
        because="torch.amp: its first scale is a guess, so the first step is the one most often skipped.",
        about="steps",
        signatures=True,
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
        "A tensor of state shares no memory with another, of the same parameter or not, nor with a gradient.",
        "steps=(1, 3)",
        ("check.keeps_state_to_itself(subject, case)",),
        because="Each tensor of state is one thing, and gradients belong to whoever computed them.",
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
        "surroundings",
        "A step changes nothing of the process: settings, flags, warnings, environment, names of modules.",
        "steps=2, tensors=1",
        ("check.leaves_surroundings(subject, case)",),
        because="A step updates parameters; the process belongs to whoever trains.",
        about="process",
        signatures=True,
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
