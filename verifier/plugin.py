"""The pytest plugin: parametrises properties over subjects, applies expected failures, appends evidence.

Silent unless a collected module is a property (it has a `rule` and tests that take a `subject`).
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from verifier import draws, evidence, expected
from verifier.auditing import overdue

if TYPE_CHECKING:
    from verifier.case import Subject
    from verifier.record import Violation

STATE = pytest.StashKey["_Session"]()


class _Session:
    """What one pytest process knows: options, expected failures, rows already measured."""

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        self.device: str = option.verifier_device
        self.profile: str = option.verifier_profile
        self.kind: str = option.verifier_subjects
        self.complete: bool = option.verifier_complete
        self.path = Path(option.verifier_evidence) if option.verifier_evidence else None
        self.listed: dict[Path, tuple[expected.Expected, ...]] = {}
        self.expected_path = Path(option.verifier_expected) if option.verifier_expected else None
        self.done: dict[str, str] = dict(getattr(config, "workerinput", {}).get("verifier_done", {}))
        self.is_controller = not hasattr(config, "workerinput")
        self.verdicts: dict[str, str] = {}
        self.stale: list[str] = []
        self.untestable: list[dict[str, Any]] = []
        if self.path is not None and self.is_controller and option.verifier_resume and self.path.exists():
            rows = (row for row in evidence.read(self.path) if row.get("kind") == "evidence")
            self.done = {f"{row['id']}\n{row.get('target', '')}": row["verdict"] for row in rows}

    def expectations(self, folder: Path) -> tuple[expected.Expected, ...]:
        """The expected failures that hold for tests of `folder`: the option's file, or expected.toml beside them."""
        path = self.expected_path or folder / "expected.toml"
        if path not in self.listed:
            self.listed[path] = expected.read(path)
        return self.listed[path]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options a property run takes; `verifier verify` passes them on."""
    group = parser.getgroup("verifier", "optimizer properties")
    group.addoption("--verifier-evidence", metavar="FILE", help="append a JSON line for every property and subject")
    group.addoption("--verifier-device", choices=("cpu", "cuda", "all"), default="all", help="where subjects run")
    group.addoption(
        "--verifier-profile", choices=tuple(draws.PROFILES), default="smoke", help="how many cases a property draws"
    )
    group.addoption("--verifier-resume", action="store_true", help="leave out what the evidence file already holds")
    group.addoption(
        "--verifier-expected", metavar="FILE", help="expected failures (default: expected.toml beside the tests)"
    )
    group.addoption(
        "--verifier-complete", action="store_true", help="an expected failure that matches nothing is an error"
    )
    group.addoption(
        "--verifier-target", action="append", default=[], metavar="TARGET", help="also test this optimizer class"
    )
    group.addoption("--verifier-rule", default="", metavar="RULE", help="hold the targets to this rule")
    group.addoption(
        "--verifier-arg", action="append", default=[], metavar="NAME=VALUE", help="an argument of their constructor"
    )
    group.addoption("--verifier-memory", type=int, metavar="BYTES", help="what a target may allocate")
    group.addoption(
        "--verifier-subjects",
        choices=("real", "mutants"),
        default="real",
        help="run implementations, or the known mistakes, which ought to fail",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Reads the options; a malformed list of expected failures is a usage error."""
    config.stash[STATE] = _Session(config)
    if config.option.verifier_target:
        from verifier.auditing import collect as audit_collect
        from verifier.auditing import redrawn

        config.pluginmanager.register(audit_collect.of(config), "verifier-audit")
        config.pluginmanager.register(redrawn.Redrawn(), "verifier-redrawn")
        if config.option.verifier_evidence:
            config.pluginmanager.register(overdue.Overdue(config), "verifier-overdue")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hands every xdist worker the same list of rows to leave out, whatever is written meanwhile."""
    node.workerinput["verifier_done"] = node.config.stash[STATE].done


def is_property(metafunc_or_item: Any) -> bool:
    """Whether a test is a property of a rule: its module has `rule`, and it takes a `subject`."""
    module = getattr(metafunc_or_item, "module", None)
    return hasattr(module, "rule") and "subject" in metafunc_or_item.fixturenames


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a property and subject."""
    if not is_property(metafunc):
        return
    from verifier import lineup

    state = metafunc.config.stash[STATE]
    rule = metafunc.module.rule
    if hasattr(metafunc.module, "subjects"):
        found: list[Subject] = metafunc.module.subjects
    elif state.kind == "mutants":
        found = lineup.mutants(rule)
    else:
        found = lineup.of(rule, state.device, smoke=state.profile == "smoke")
    if state.path is not None and any(not subject.untestable for subject in found):
        # Thousands of rows for a device that is not here need no test each: they are written in one go.
        law = f"{rule.name}.{metafunc.function.__name__.removeprefix('test_')}"
        state.untestable += [_untestable(law, subject) for subject in found if subject.untestable]
        found = [subject for subject in found if not subject.untestable]
    metafunc.parametrize("subject", found, ids=[subject.id for subject in found])
    seeded = metafunc.config.getoption("--hypothesis-seed", None) is not None
    # a smoke audit leaves it to what explains a finding to make its case smaller: once, and not in every row
    explained = state.path is not None and state.profile == "smoke" and hasattr(metafunc.module, "subjects")
    draws.number(metafunc.function, state.profile, shrink=state.kind == "real" and not explained, seeded=seeded)
    if state.path is not None:  # a run of ours, in whose process nobody else's tests are
        draws.alike_anywhere()


def _untestable(law: str, subject: Subject) -> dict[str, Any]:
    row: dict[str, Any] = {"id": f"{law}@{subject.id}", "law": law, "subject": subject.id, "target": subject.target}
    return row | {"verdict": "untestable", "strength": "held", "reason": subject.untestable}


def evidence_id(item: pytest.Item) -> tuple[str, str]:
    """(law, subject) of a property's test item."""
    name = item.originalname.removeprefix("test_")  # type: ignore[attr-defined]  # items here are pytest.Function
    return f"{item.module.rule.name}.{name}", item.callspec.params["subject"].id  # type: ignore[attr-defined]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out rows already measured, and says how many there are in all."""
    state, ours = config.stash[STATE], [item for item in items if _is_ours(item)]
    if not ours:
        return
    done = [item for item in ours if _row_key(item) in state.done]
    if done:
        gone = set(done)
        config.hook.pytest_deselected(items=done)
        items[:] = [item for item in items if item not in gone]
    # With xdist the workers collect; worker 0 speaks for all of them.
    first = getattr(config, "workerinput", {}).get("workerid", "gw0") == "gw0"
    if state.path is not None and first:
        absent = [row for row in state.untestable if f"{row['id']}\n{row['target']}" not in state.done]
        planned = len(ours) + len(state.untestable)
        resumed = planned - len(absent) - (len(ours) - len(done))
        evidence.append(state.path, {"kind": "planned", "planned": planned, "resumed": resumed})
        evidence.append_all(state.path, ({"kind": "evidence", **row} for row in absent))


def _row_key(item: pytest.Item) -> str:  # two targets held to one rule have rows of the same id
    return f"{'@'.join(evidence_id(item))}\n{item.callspec.params['subject'].target}"  # type: ignore[attr-defined]


def _is_ours(item: pytest.Item) -> bool:
    return hasattr(item, "callspec") and "subject" in item.callspec.params and hasattr(item.module, "rule")  # type: ignore[attr-defined]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A subject that cannot run here is skipped; its row says untestable, and why."""
    if _is_ours(item) and (reason := item.callspec.params["subject"].untestable):  # type: ignore[attr-defined]
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Starts the record that `check` fills."""
    if _is_ours(item):
        from verifier import record

        item.stash[RECORD] = record.start()
        listed = item.config.stash[STATE].expectations(item.path.parent)
        item.stash[RECORD].listed = expected.reason(listed, "@".join(evidence_id(item))) is not None
        item.stash[STARTED] = time.perf_counter()
    return (yield)


RECORD = pytest.StashKey[Any]()
STARTED = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, pytest.TestReport]:
    """Turns what the record saw into a row, and a listed violation into an expected failure."""
    report: pytest.TestReport = yield
    settled = report.when == "call" or (report.when == "setup" and not report.passed)
    if not (_is_ours(item) and settled):
        return report
    row = evidence.printable(_row(item, call, report))
    listed = item.config.stash[STATE].expectations(item.path.parent)
    if row["verdict"] == "violated":
        row["expected_failure"] = expected.reason(listed, row["id"])
    report.user_properties.append(("verifier", json.dumps(row)))
    if row["verdict"] == "violated":
        _show_violation(item, report, row)
    elif row["verdict"] == "inconclusive" and report.passed:
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, f"Inconclusive: {row['reason']}")
    elif report.failed and evidence.printable(text := report.longreprtext) != text:  # a worker could not send it
        report.longrepr = evidence.printable(text)
    return report


def _row(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> dict[str, Any]:
    law, subject = evidence_id(item)
    target = item.callspec.params["subject"].target  # type: ignore[attr-defined]
    row: dict[str, Any] = {"id": f"{law}@{subject}", "law": law, "subject": subject, "target": target}
    row |= {"expected_failure": None, "strength": "held", "reason": "", "seconds": 0.0}
    seen = item.stash.get(RECORD, None)
    if seen is not None:
        row |= seen.to_row()
        row["seconds"] = round(time.perf_counter() - item.stash[STARTED], 4)
    error = call.excinfo.value if call.excinfo is not None else None
    if report.skipped:
        row |= {"verdict": "untestable", "reason": str(error)}
    elif report.passed and seen is not None and not seen.empty and not seen.undecided:
        row["verdict"] = "held"
    elif report.passed:
        why = "; ".join((*seen.undecided, *seen.notes)) or seen.silent if seen else ""
        row |= {"verdict": "inconclusive", "reason": why or "nothing was compared"}
    elif seen is not None and seen.violation is not None and _is_violation(error):
        row |= {
            "verdict": "violated",
            "equals": _mistake(seen.violation) if item.config.stash[STATE].kind == "real" else "",
        }
        if _is_flaky(error) and not _is_same_again(error):
            row["message"] = f"differs from run to run on the same case: {row['message']}"
    else:
        row |= {"verdict": "broken", "reason": f"{type(error).__name__}: {error}"}
    return row


def _mistake(found: Violation) -> str:
    """The known mistake that explains the violation; empty where none does, or where no mistake can be asked about."""
    from verifier import diagnose
    from verifier.rule import Rule, RuleError

    rule = found.subject.rule
    if found.case is None or found.subject.untestable or not isinstance(rule, Rule) or not diagnose.answerable(rule):
        return ""
    try:
        wrong = diagnose.equals(found.subject, found.case)
    except (ArithmeticError, RuleError):  # the case lies outside what enclosures cover
        return ""
    return wrong.name.partition("__")[2] if wrong is not None else ""


def _is_violation(error: BaseException | None) -> bool:
    from verifier.record import Violation

    return isinstance(error, Violation) or _is_flaky(error)


def _is_flaky(error: BaseException | None) -> bool:
    from hypothesis.errors import Flaky

    return isinstance(error, Flaky)


def _is_same_again(error: BaseException | None) -> bool:
    """Whether Hypothesis saw one violation raised from two places: a listed one is remembered, and raised again."""
    found = [str(one) for one in getattr(error, "exceptions", ())]
    return len(found) > 1 and len(set(found)) == 1


def _show_violation(item: pytest.Item, report: pytest.TestReport, row: dict[str, Any]) -> None:
    seed = item.config.getoption("--hypothesis-seed", None)
    again = f"pytest {_address(item, str(row['target']))} --verifier-profile {item.config.stash[STATE].profile}"
    again += f" --hypothesis-seed={seed}" if seed is not None else ""
    if row["expected_failure"] is not None:
        report.outcome = "skipped"
        report.wasxfail = row["expected_failure"]
    else:
        known = f"\n\nthe known mistake it equals: {row['equals']}" if row["equals"] else ""
        report.longrepr = (
            f"{row['message']}{known}\n\nthe law\n\n    {item.obj.__doc__}\n\nrun it again\n\n    {again}\n"  # type: ignore[attr-defined]
        )


def _address(item: pytest.Item, target: str) -> str:
    """The words by which pytest finds a test again: its id, or, where it is in no file, the target and its name."""
    option = item.config.option
    if target not in option.verifier_target:
        return f"'{item.nodeid}'"
    words = ["--verifier-target", target, *(["--verifier-rule", option.verifier_rule] if option.verifier_rule else [])]
    words += [word for text in option.verifier_arg for word in ("--verifier-arg", text)]
    return shlex.join([*words, "-k", item.name])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Writes the row a worker sent; the controller is the one writer of the evidence file."""
    session = _CONTROLLER.get("session")
    if session is None:
        return
    for name, value in report.user_properties:
        if name == "verifier":
            row = json.loads(str(value))
            session.verdicts[row["id"]] = row["verdict"]
            if session.path is not None:
                evidence.append(session.path, {"kind": "evidence", **row})
    if str(report.when) == "???" and report.failed:  # xdist's mark for a worker that died while running this test
        row = _crashed(report, session.path)
        session.verdicts[row["id"]] = row["verdict"]
        if session.path is not None:
            evidence.append(session.path, {"kind": "evidence", **row})


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module of properties that cannot be imported leaves a row: what never ran must not look green."""
    session = _CONTROLLER.get("session")
    if not report.failed or session is None or session.path is None:
        return
    law = f"{Path(report.nodeid).stem.removeprefix('test_')}.collection"
    row = {"id": f"{law}@all", "law": law, "subject": "all", "verdict": "broken", "strength": "held"}
    evidence.append(session.path, {"kind": "evidence", **row, "reason": str(report.longrepr).strip().splitlines()[-1]})


def _crashed(report: pytest.TestReport, path: Path | None) -> dict[str, Any]:
    module, _, rest = report.nodeid.partition("::")
    name, _, subject = rest.removesuffix("]").partition("[")
    law = f"{Path(module).stem.removeprefix('test_')}.{name.removeprefix('test_')}"
    reason = "the process ended while it was running this"
    row: dict[str, Any] = {"id": f"{law}@{subject}", "law": law, "subject": subject, "strength": "held"}
    if ":" in (place := module.rpartition("/")[0]):  # an audit's tests are in no file: their place is the target
        row["target"] = place
    row |= {"verdict": "violated", "expected_failure": None, "reason": reason, "message": reason, "crashed": True}
    return {**row, **overdue.of(path, report.nodeid)}


_CONTROLLER: dict[str, _Session] = {}


def pytest_sessionstart(session: pytest.Session) -> None:
    """The controller writes evidence; a worker only sends it."""
    state = session.config.stash[STATE]
    if state.is_controller:
        _CONTROLLER["session"] = state


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Stale listings turn a green run red, with rows of their own kind; a smoke run draws too few cases to say so."""
    state = session.config.stash[STATE]
    if state.profile == "smoke" or state.kind == "mutants" or not state.is_controller:
        return
    if exitstatus == pytest.ExitCode.INTERRUPTED or not (state.verdicts or state.complete):
        return  # what was not run says nothing of what is listed
    folders: Iterable[Path] = {Path(a.split("::")[0]) for a in session.config.args}
    folders = {folder if folder.is_dir() else folder.parent for folder in folders}
    for folder in sorted(folders):
        verdicts = {key.partition("\n")[0]: verdict for key, verdict in state.done.items()} | state.verdicts
        for entry, why in expected.stale(state.expectations(folder), verdicts, complete=state.complete):
            state.stale.append(f"{entry.id} {why}")
            if state.path is not None:
                evidence.append(state.path, {"kind": "stale", "id": entry.id, "reason": entry.reason, "why": why})
    if state.stale and exitstatus in (0, 5):
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Names the listings that no longer say the truth."""
    for line in config.stash[STATE].stale:
        terminalreporter.write_line(f"stale expected failure: {line}", red=True)


def pytest_unconfigure() -> None:
    """Forgets the session, so that a second one in this process starts afresh."""
    _CONTROLLER.clear()
