"""Which findings are one defect seen several times."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from verifier.auditing import causes, findings, ranked, told
from verifier.auditing.needs import explains, needed


def row(law: str, subject: str, message: str = "", **more: Any) -> dict[str, Any]:
    """A row of evidence; violated where it has a message."""
    found = {"id": f"one.{law}@{subject}", "law": f"one.{law}", "subject": subject, "target": "pkg:One"}
    said = {"message": f"one on {subject}: {message}: observed 1, but should be 2"} if message else {}
    return {**found, **said, "verdict": "violated" if message else "held", **more}


def of(*rows: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The findings among some rows, each with what else it is seen as."""
    return {finding.what: finding.also for finding in findings.collect(rows)}


CAST = "load_state_dict changes the dtype of eta"
RESUMED = "resumed from a state_dict (memory), it goes on differently"


def test_cast_state_takes_in_runs_that_go_on_from_it() -> None:
    """A run that goes on differently only where loading casts state is no second finding."""
    rows = [row("state_dtypes", s, CAST) for s in ("cpu-bfloat16-forloop", "cpu-float64-forloop")]

    assert {CAST: ("resumed from a state_dict, it goes on differently",)} == of(
        *rows, row("resume", "cpu-bfloat16-forloop", RESUMED)
    )


def test_lost_state_is_a_finding_beside_cast_state() -> None:
    """A run that goes on differently where nothing is cast has another cause."""
    rows = [row("state_dtypes", "cpu-bfloat16-forloop", CAST), row("resume", "cpu-float32-forloop", RESUMED)]

    assert 2 == len(of(*rows))


GRAPH = "an autograd graph is kept"
LEAF = "raised instead of stepping: observed RuntimeError: a leaf Variable that requires grad is being used in-place"


def test_state_that_keeps_its_graph_takes_in_copies_that_raise() -> None:
    """Copies of a tensor that has a graph are refused by torch: one finding; another error beside it is a second."""
    kept, copied = row("no_graph", "cpu-float32-forloop", GRAPH), row("pickling", "cpu-float32-forloop", LEAF)

    assert {GRAPH} == set(of(kept, copied))
    assert 2 == len(of(kept, copied | {"message": copied["message"].replace("a leaf", "another")}))
    assert 1 == len(of(copied))


DEPARTS = "theta is not what the rule read out of the code gives"


def test_departing_implementation_takes_in_what_shows_there_alone() -> None:
    """Tensors cut otherwise move otherwise, only where the steps leave the rule anyway: one finding."""
    rows = [
        row("implementations", "cpu-bfloat16-fused", "differs from the for-loop"),
        row("implementations", "cpu-float32-fused"),
        row("partition", "cpu-bfloat16-fused", "depends on how elements are cut into tensors"),
    ]

    assert {"differs from the for-loop": ("depends on how elements are cut into tensors",)} == of(*rows)


def test_departing_implementation_takes_in_nothing_that_shows_elsewhere_too() -> None:
    """What also shows where the rule is kept, what raises, and what is no matter of values stay findings."""
    rows = [
        row("implementations", "cpu-bfloat16-fused", "differs from the for-loop"),
        row("implementations", "cpu-float32-fused"),
        row("groups", "cpu-bfloat16-fused", "a group moves otherwise"),
        row("groups", "cpu-float32-forloop", "a group moves otherwise"),
        row("purity", "cpu-bfloat16-fused", ".grad was changed by the step"),
        row("order", "cpu-bfloat16-fused", "raised instead of stepping"),
    ]

    assert 4 == len(of(*rows))


def test_rule_that_nobody_keeps_takes_in_nothing() -> None:
    """Where every implementation leaves the rule, it is another rule, and explains nothing."""
    rows = [
        row("step_follows", "cpu-float32-forloop", DEPARTS),
        row("groups", "cpu-float32-forloop", "a group moves otherwise"),
    ]

    assert 2 == len(of(*rows))


def test_steps_that_leave_the_rule_in_strided_tensors_are_of_the_layout() -> None:
    """A rule that is left only by strided tensors, where layouts matter, is the same finding; by plain ones, not."""
    strided, plain = ({"layout": layout, "grad_layout": "contiguous"} for layout in ("sliced", "contiguous"))
    layouts = row("layouts", "cpu-float32-fused", "depends on the memory layout (parameters sliced)")
    held = row("as_read", "cpu-float32-forloop")

    def case(layout: dict[str, str]) -> dict[str, Any]:
        return {"theta": [1.0], "grads": [[1.0]], **layout}

    departs = row("as_read", "cpu-float32-fused", DEPARTS, case=case(strided))
    assert {"depends on the memory layout": ()} == of(layouts, held, departs)

    departs = row("as_read", "cpu-float32-fused", DEPARTS, case=case(plain))
    assert 2 == len(of(layouts, held, departs))


def departing(law: str, subject: str, *needs: str, **more: Any) -> findings.Finding:
    """A finding of steps that leave a rule, which needs some things to be seen."""
    (found,) = findings.gathered([row(law, subject, DEPARTS)])
    return replace(found, needs=needs, law=law, **more)


def test_departures_that_need_different_things_are_different_mistakes() -> None:
    """One that needs nesterov and one that needs dampening are two; one that needs both is either, and no third."""
    nesterov = departing("step_follows", "cpu-float32-foreach", "momentum", "nesterov = True", equals="a known mistake")
    dampening = departing("as_read", "cpu-float32-foreach", "momentum", "dampening")
    both = departing("long_run", "cpu-float32-foreach", "momentum", "dampening", "nesterov = True")

    assert 2 == len(causes.joined([nesterov, dampening], []))
    assert 2 == len(causes.joined([both, nesterov, dampening], []))
    (one,) = causes.joined([both, nesterov], [])
    assert ("a known mistake", 2) == (one.equals, len(one.rows))
    assert 2 == len(causes.joined([nesterov, replace(nesterov, rows=("one.as_read@cpu-float32-forloop",))], []))


def test_departure_in_one_format_alone_is_not_what_departs_in_others() -> None:
    """A step that leaves its rule in bfloat16 alone, where the others keep it, is a mistake beside that of all."""
    low = departing("step_follows", "cpu-bfloat16-forloop", "nesterov = True", only=("bfloat16",))
    every = departing("as_read", "cpu-float32-forloop", "nesterov = True", "weight_decay")

    assert 2 == len(causes.joined([low, every], []))
    assert 1 == len(causes.joined([replace(low, only=()), every], []))


def test_departure_takes_in_nothing_that_is_seen_without_what_it_needs() -> None:
    """A step that is wrong under maximize does not bring about what is wrong without it."""
    rows = [row("step_follows", "cpu-float32-forloop", DEPARTS), row("step_follows", "cpu-float32-foreach")]
    rows += [row("late_parameters", "cpu-float32-forloop", "a parameter that missed steps moves otherwise")]
    step, late = findings.gathered(rows)
    step = replace(step, needs=("maximize = True", "weight_decay"))

    assert 2 == len(causes.joined([step, replace(late, needs=("an absent gradient",))], rows))
    needs = ("an absent gradient", "maximize = True", "weight_decay")
    assert 1 == len(causes.joined([step, replace(late, needs=needs)], rows))


def test_what_a_violation_needs() -> None:
    """Switches with their values and numbers that are off unless set; not what the law chose or what only enlarges."""

    def option(name: str, kind: str, default: float) -> Any:
        plain = (lambda v: bool(v)) if kind == "switch" else (lambda v: v)
        return SimpleNamespace(name=name, kind=kind, default=default, plain=plain)

    options = [option("nesterov", "switch", 0), option("decoupled", "switch", 1), option("amsgrad", "switch", 0),
               option("weight_decay", "float", 0), option("beta", "float", 0.9), option("lr", "float", 0)]  # fmt: skip
    case = SimpleNamespace(groups=(1, 2), schedule={}, absent=(), maximize=False, layout="contiguous",
                           grad_layout="contiguous", hyper={"nesterov": 1.0, "decoupled": 1.0, "weight_decay": 0.5,
                           "beta": 0.5, "lr": 0.25})  # fmt: skip
    matters = ["nesterov = True", "decoupled (at False it is not seen)", "weight_decay = 0.5", "beta = 0.5",
               "lr = 0.25 (the law's choice)"]  # fmt: skip

    found = needed("as_read", case, case, matters, options, {"amsgrad": 1.0})

    assert ("amsgrad = True", "decoupled = True", "groups", "nesterov = True", "weight_decay") == found
    assert explains(("groups",), found) and not explains(("a layout",), found) and explains(None, found)


IDLE = findings.Finding(
    target="pkg:One",
    what="no value of betaN changes a step",
    law="one.acting_rates",
    subject="cpu-float32-forloop",
    message="",
    rows=("one.acting_rates@cpu-float32-forloop",),
    seen={"what": "no value of beta1 changes a step"},
    matters=("beta1 = 0.3 (the law's choice)",),
)


def beside(law: str, *matters: str, equals: str = "") -> int:
    """How many findings an option that changes no step and another violation are."""
    subject = "cpu-float32-forloop"
    other = replace(IDLE, what="moves otherwise", law=f"one.{law}", rows=(f"one.{law}@{subject}",), seen={})
    return len(ranked.ranked([IDLE, replace(other, matters=matters, equals=equals)]))


def test_option_that_changes_no_step_takes_in_what_shows_it() -> None:
    """A mistake of the formula about that option, and groups that differ in it alone, are no second finding."""
    assert 1 == beside("step_follows", equals="lion, but beta2 stands everywhere that beta1 should")
    assert 2 == beside("step_follows", equals="lion, but weight decay is applied twice")
    assert 1 == beside("groups", "2 groups that differ in beta1")
    assert 2 == beside("groups", "2 groups that differ in beta1, lr")
    assert 2 == beside("resume", "beta1 = 0.5")


def test_option_of_a_group_alone_is_told_as_that() -> None:
    """What needs one group is told of the constructor; of several options that leak each is named."""
    finding = replace(IDLE, what="a group moves otherwise than alone", law="one.groups", seen={})

    assert "lr and momentum given to a parameter group act otherwise than given to the constructor" == told.title(
        replace(finding, matters=("given to a group, and not to the constructor: lr, momentum",))
    )
    assert told.title(replace(finding, matters=("2 groups that differ in eps, lr, momentum",))).endswith(
        ": eps, lr and momentum of one group act on another"
    )


def test_departure_from_code_that_is_no_rule_is_told_of_the_loop() -> None:
    """A rule read out of the for-loop alone has no name that a reader knows."""
    finding = replace(
        IDLE, what="theta is not what the update rule makes it", law="one.step_follows", seen={}, matters=()
    )

    assert "theta is not what the for-loop's code makes it" == told.title(
        replace(finding, subject="cpu-float32-foreach")
    )
    assert "theta is not what the update rule adamw makes it" == told.title(
        replace(finding, law="adamw.step_follows", subject="cpu-float32-foreach")
    )


def test_rule_by_another_convention_has_its_plain_name() -> None:
    """A rule of the catalogue that was written otherwise for a class is told by the name that readers know."""
    departs = replace(
        IDLE, what="theta is not what the update rule makes it", law="adan_variant.step_follows", matters=()
    )

    lines = " ".join(
        told.shown(1, replace(departs, matters=(), equals="adan_variant, but m is averaged with beta1", seen={}))
    )

    assert "theta is not what the update rule adan makes it" in lines
    assert "adan, but m is averaged with beta1" in lines


def test_departure_from_a_declared_rule_is_told_of_that_rule() -> None:
    """A rule that somebody wrote has a name of its own, which is not the class's."""
    finding = replace(IDLE, what="theta is not what the update rule makes it", law="mine.step_follows", matters=())

    assert "theta is not what the update rule mine makes it" == told.title(
        replace(finding, subject="cpu-float32-foreach", seen={})
    )


def test_place_that_all_departures_share_is_told() -> None:
    """A step that only foreach takes otherwise is said to be that, though nothing else could break one of the laws."""
    steps = departing("step_follows", "cpu-float32-foreach", only=("foreach",))
    loops = departing("implementations", "cpu-float32-foreach", only=())
    fused = departing("implementations", "cpu-float32-fused", only=())

    assert ("foreach",) == causes._where_alone([steps, loops])
    assert () == causes._where_alone([steps, fused])


def test_deaths_are_told_apart_by_what_ends_the_process() -> None:
    """Two laws that end their process by one signal are one finding, and one that it leaves by an exit code another."""
    died = [row(law, "cpu-float32-forloop", "ended", crashed=True) for law in ("resume", "nan_stays", "copying")]
    resume, nan, copying = findings.gathered(died)
    by_signal = {"seen": {"observed": "it ends the process by SIGSEGV"}, "replay": "abcde"}
    by_code = {"seen": {"observed": "it ends the process with exit code 9"}, "replay": "fghij"}

    known = [replace(resume, **by_signal), replace(nan, **by_code), replace(copying, **by_signal)]  # type: ignore[arg-type]
    assert [2, 1] == [len(one.rows) for one in findings.deaths(known)]
    (one,) = findings.deaths([replace(resume, **by_signal), nan, copying])  # type: ignore[arg-type]
    assert 3 == len(one.rows)
    assert 1 == len(findings.collect(died))
