"""Findings as a person reads them: in the field's words, on one screen, those that show the same made one."""

from __future__ import annotations

from dataclasses import replace

from verifier.auditing import told
from verifier.auditing.findings import Finding
from verifier.auditing.ranked import ranked

SEEN = {"what": "a group moves otherwise than alone", "step": 1, "tensor": 0, "element": 0, "ulps": 2.0e9,
        "observed": "0.5 (0x1.0p-1)", "expected": "0.25 (0x1.0p-2)"}  # fmt: skip

GROUPS = Finding(
    target="pkg:Wrong",
    what="a group moves otherwise than alone",
    law="wrong.groups",
    subject="cpu-float32-forloop",
    message="",
    rows=("wrong.groups@cpu-float32-forloop", "wrong.groups@cpu-float64-forloop"),
    seen=SEEN,
    matters=("2 groups that differ in lr",),
    settings=("lr", "weight_decay"),
    replay="abcde",
    repro="/nowhere/script.py",
)


def of(law: str, what: str, **more: object) -> Finding:
    """A finding of another law, which shows other numbers unless it says so."""
    rows = (f"wrong.{law}@cpu-float32-forloop",)
    seen = {"what": what, "observed": "3.0", "expected": "4.0", "ulps": 1.0}
    given = {"law": f"wrong.{law}", "what": what, "rows": rows, "seen": seen, "matters": (), **more}
    return replace(GROUPS, **given)  # type: ignore[arg-type]


def test_what_is_wrong_comes_first() -> None:
    """The title says which option leaks; numbers stand without their hexadecimal form, and how far they are apart."""
    lines = "\n".join(told.shown(1, GROUPS))
    flat = " ".join(lines.split())

    assert "a parameter group moves otherwise than in an optimizer of its own: lr of one group acts on another" in flat
    assert "expected 0.25, 2.0e+09 ulp away: it is off by 100.00%" in flat
    assert "matters 2 groups that differ in lr. Not: weight_decay" in flat
    assert "0x1" not in flat
    assert len(lines.splitlines()) <= 24


def test_lines_fit() -> None:
    """No line but that of a script's path is wider than the report; names are not broken at hyphens."""
    lines = told.shown(1, replace(GROUPS, formula=" + ".join(["beta1 * exp_avg"] * 40)))

    assert [] == [line for line in lines if len(line) > told.WIDTH and "script" not in line]
    assert "cpu-float32-forloop" in "\n".join(lines)


def test_same_numbers_are_one_finding() -> None:
    """What shows the same numbers is counted with the plainer law, and named there."""
    added = of("added_group", "a group added in the middle of a run moves otherwise than alone", seen=SEEN)

    (one,) = ranked([added, GROUPS])

    assert ("wrong.groups", 3) == (one.law, len(one.rows))
    assert ("a group added in the middle of a run moves otherwise than alone",) == one.also


def test_what_needs_a_setting_belongs_to_the_law_about_it() -> None:
    """A formula that is left only under maximize is the mistake of maximize; other findings stay by themselves."""
    up = of("maximize", "maximize differs from negated gradients")
    step = of("step_follows", "theta left its enclosure", matters=("maximize = True",), seen=SEEN | {"ulps": 7.0})

    assert {"wrong.groups", "wrong.maximize"} == {one.law for one in ranked([GROUPS, step, up])}


def test_option_that_is_not_read_from_its_group_is_one_finding() -> None:
    """Groups that leak, changes that do not act and state_dicts that do not override, of one option; of two, two."""
    unread = of("schedule", "lr has no effect once steps are taken", matters=("lr changed between steps",))
    kept = of("resume_over_others", "resumed from a state_dict, it goes on differently", matters=("lr = 0.5",))
    step = of("as_read", "theta is not what it was", matters=("lr changed between steps",), seen=SEEN | {"ulps": 7.0})

    assert ["wrong.groups"] == [one.law for one in ranked([step, kept, unread, GROUPS])]
    assert 1 == len(ranked([GROUPS, replace(kept, matters=())]))
    decays = replace(GROUPS, needs=("decoupled = True", "groups", "weight_decay"))
    loaded = replace(kept, matters=("weight_decay = 0.9",), needs=("a state_dict", "decoupled = True", "weight_decay"))
    assert 1 == len(ranked([decays, loaded]))
    assert 2 == len(ranked([decays, replace(loaded, needs=("a state_dict", "weight_decay"))]))
    other = replace(unread, matters=("momentum changed between steps",))
    assert ["wrong.groups", "wrong.schedule"] == sorted(one.law for one in ranked([GROUPS, other]))


def test_state_that_goes_on_without_gradients_is_one_finding() -> None:
    """Late parameters, absent gradients and idle steps show one count; what shows in the first step is another."""
    late = of("late_parameters", "a parameter that missed steps moves otherwise")
    idle = of("idle_step", "differs after a step without gradients", seen=SEEN | {"ulps": 7.0})
    absent = of("absent_gradients", "moves otherwise because another has no gradient", seen=SEEN | {"step": 2})

    assert 1 == len(ranked([late, idle, absent]))
    assert 2 == len(ranked([late, idle, replace(absent, seen=SEEN | {"step": 1, "ulps": 9.0})]))
    assert 2 == len(ranked([late, replace(idle, matters=("lr_decay = 1",))]))


def test_switch_that_changes_nothing_is_one_finding_with_the_formula_that_lacks_it() -> None:
    """A step that is not the rule's with amsgrad is what amsgrad, which changes nothing, is; one with centered, not."""
    idle = of("acting_switches", "amsgrad changes no step", matters=("amsgrad = True (the law's choice)",))
    step = of("step_follows", "theta left its enclosure", matters=("amsgrad = True",), equals="a mistake", seen=SEEN)

    (one,) = ranked([idle, step])

    assert ("wrong.acting_switches", "a mistake") == (one.law, one.equals)
    assert 2 == len(ranked([idle, replace(step, matters=("centered = True",))]))


def test_life_that_needs_a_resume_shows_what_resuming_breaks() -> None:
    """State that loading casts shows in lives that load it; a life without one is a finding of its own."""
    cast = of("state_dtypes", "load_state_dict changes the dtype of mu_product")
    needs = ("these events: move, several, resume",)
    life = of("life", "in a life parameter 0 moves otherwise", matters=needs, seen=SEEN | {"ulps": 7.0})

    assert ["wrong.state_dtypes"] == [one.law for one in ranked([life, cast])]
    assert 2 == len(ranked([replace(life, matters=("these events: move, several",)), cast]))


def test_what_is_random_comes_before_all_else() -> None:
    """Where a run differs from itself, that is said first; what is listed is said last."""
    random = of("determinism", "a second run of the same case differs")
    listed = replace(GROUPS, expected_failure="known")

    assert ["wrong.determinism", "wrong.groups"] == [one.law for one in ranked([listed, random])]


def test_two_formulas_are_told_by_what_differs() -> None:
    """Of two long terms that are alike, only the whole parts are told by which they differ."""
    one = "lr * (beta1 * m + (1 - beta1) * g) / (sqrt(v) / sqrt(1 - beta2^t) + eps)"
    other = one.replace("sqrt(1 - beta2^t)", "(1 - beta2^t)")

    assert "one has sqrt(1 - beta2^t) where the other has (1 - beta2^t)" == told._apart(f"{one} - {other}")
    assert "the code's differs from the rule's by lr * theta" == told._apart("lr * theta")


def raising(error: str, subject: str, **more: object) -> Finding:
    """A finding of a step that raises, on one subject."""
    rows = (f"wrong.shapes@{subject}",)
    return of("shapes", f"raises {error}", rows=rows, seen={}, matters=("a = 1",), **more)


def test_another_error_of_another_form_is_one_finding() -> None:
    """The for-loop and foreach stumble over one thing, each with an error of its own; over two things, they do not."""
    loop, foreach = raising("KeyError: 'a'", "cpu-float32-forloop"), raising("RuntimeError: b", "cpu-float32-foreach")

    (one,) = ranked([loop, foreach])

    assert ("raises RuntimeError: b",) == one.also
    assert 2 == len(ranked([loop, replace(foreach, matters=("b = 1",))]))
    assert 2 == len(ranked([loop, raising("RuntimeError: b", "cpu-float32-forloop")]))


def test_errors_over_one_option_are_one_finding() -> None:
    """Values of an option that raise differently are one mistake; of two options, two."""
    low, lower = (of(law, f"raises {error}", matters=(f"n = {value}",)) for law, error, value in (
        ("accepted_options", "ValueError", 3), ("accepted_options_1", "ZeroDivisionError", 2)))  # fmt: skip

    assert 1 == len(ranked([low, lower]))
    assert 2 == len(ranked([low, replace(lower, matters=("m = 2",))]))


def test_one_mistake_of_two_forms_is_one_finding() -> None:
    """Forms that are off by the same share at the same place share a mistake; off by another share they do not."""
    one, two = (
        of("step_follows", "theta left its enclosure", rows=(f"wrong.step_follows@{subject}",), matters=("b = 0.5",),
           seen={"step": 1, "tensor": 0, "element": 0, "observed": observed, "expected": expected})
        for subject, observed, expected in (
            ("cpu-float64-forloop", "0.99766666 (0x1.fp-1)", "in [0.9979999999 (0x1.fp-1), 0.998000001 (0x1.fp-1)]"),
            ("cpu-float32-foreach", "0.9976667 (0x1.fp-1)", "in [0.9979999 (0x1.fp-1), 0.9980001 (0x1.fp-1)]"),
        )
    )  # fmt: skip

    assert 1 == len(ranked([one, two]))
    assert 2 == len(ranked([one, replace(two, seen={**two.seen, "observed": "1.5"})]))


def test_rates_that_are_kept_are_no_convention_where_schedules_are_ignored() -> None:
    """What is wrong is not called a convention further down."""
    described = {"notes": [["convention", "keeps the rates it was built with as references"], ["note", "other"]]}

    wrong, right = (" ".join(told._worth_knowing(described, laws)) for laws in ({"scheduled_lr"}, {"groups"}))

    assert (False, True) == tuple("keeps the rates" in text for text in (wrong, right))
    assert (True, True) == tuple("other" in text for text in (wrong, right))


def test_mistake_that_is_known_by_name_is_told_first() -> None:
    """What names the mistake comes before what else it breaks, and says it once."""
    known = "the code is lamb, but gradients shorter than the bound are lengthened"
    named = of("implements", "the forloop code does not perform the rule lamb", formula=known,
               seen={"observed": known, "expected": "no difference"})  # fmt: skip
    bound = of("bounds", "max_grad_norm acts on gradients far below it")

    first, second = ranked([bound, named])
    lines = " ".join(" ".join(told.shown(1, first)).split())

    assert ["implements", "bounds"] == [one.law.partition(".")[2] for one in (first, second)]
    assert lines.startswith(f"1. {known} promised")
    assert 1 == lines.count("shorter than the bound")
    assert "no difference" not in lines


def test_for_loop_is_blamed_where_another_implementation_is_the_known_rule() -> None:
    """Where foreach is Lion by proof and the for-loop is nothing known, the finding says which of them is wrong."""
    subject = "cpu-float32-foreach"
    finding = of("as_read", "exp_avg is not what the rule read out of the code gives", subject=subject,
                 rows=(f"wrong.as_read@{subject}",))  # fmt: skip

    lines = " ".join(" ".join(told.shown(1, finding, performed="lion")).split())

    assert "1. exp_avg is not what the for-loop's code makes it" in lines
    assert "but the foreach code performs lion, as proved: most likely the for-loop is wrong" in lines
    assert "observed 3.0 of the foreach code expected 4.0 of the for-loop" in lines


def test_what_needs_groups_is_what_breaks_them() -> None:
    """A step that is not the rule's where there are two groups, and a group added later, show the same once more."""
    groups = replace(GROUPS, matters=("weight_decay = 0.9", "2 groups"))
    step = of("step_follows", "theta left its enclosure", matters=("weight_decay = 0.5", "2 groups"))
    added = of("added_group", "a group added in the middle of a run moves otherwise than alone", matters=step.matters)
    alone = of("step_follows", "theta left its enclosure", matters=("weight_decay = 0.5",))

    assert 1 == len(ranked([groups, step, added]))
    assert 2 == len(ranked([groups, alone]))
