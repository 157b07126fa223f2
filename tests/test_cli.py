from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from verifier import cli

Program = Callable[..., "subprocess.CompletedProcess[str]"]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr that a refusal with exit code 2 leaves."""
    code = cli.run(arguments)
    captured = capsys.readouterr()
    assert (2, "") == (code, captured.out)
    lines = captured.err.splitlines()
    assert 1 == len(lines), captured.err
    return lines[0]


def test_help_imports_neither_torch_nor_sympy(tmp_path: Path, root: Path) -> None:
    """Asking for help is quick: what is heavy is imported by the commands that need it."""
    script = """
import sys
from verifier import cli
code = cli.run(["--help"])
heavy = {"torch", "sympy", "numpy", "hypothesis", "rich", "jinja2"} & set(sys.modules)
print(code, sorted(heavy), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)

    assert "0 []" == done.stderr.strip()


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command has a sentence, and each option of each command has one."""
    for name, command in cli.program.commands.items():
        assert 0 == cli.run([name, "--help"])
        text = capsys.readouterr().out
        assert text.startswith(f"Usage: verifier {name}")
        assert command.help
        for parameter in command.params:
            assert parameter.param_type_name == "argument" or getattr(parameter, "help", None), (name, parameter.name)


def test_help_lists_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """What each exit code means is said where one looks first."""
    assert 0 == cli.run(["--help"])

    text = capsys.readouterr().out
    assert all(f"  {code:<5}" in text for code in (0, 1, 2, 3, 4, 5, 130))


def test_python_dash_m_is_the_same_program(program: Program) -> None:
    """`python -m verifier` answers as `verifier` does, version included."""
    done = program("--version")

    assert (0, "verifier, version 0.1.0\n") == (done.returncode, done.stdout)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["verfy"], "verifier: unknown command 'verfy'; did you mean 'verify'?"),
        (["verify", "--device", "cudda"], "verifier: unknown device 'cudda'; did you mean 'cuda'?"),
        (["verify", "--profile", "nightli"], "verifier: unknown profile 'nightli'; did you mean 'nightly'?"),
        (["verify", "--profil", "ci"], "verifier: unknown option --profil; did you mean '--profile'?"),
        (["verify", "--seed", "x"], "verifier: --seed 'x' should be a whole number (exit 2)"),
        (["derive", "adamv"], "verifier: there is no rule 'adamv'; did you mean 'adam'?"),
        (["explain", "torch.optim:AdmW"], "verifier: torch.optim has no 'AdmW'; did you mean 'AdamW'?"),
        (["explain", "torch.optim:SGD", "--arg", "x"], "verifier: --arg 'x' should be NAME=VALUE"),
        (["explain", "torch.optim:SGD", "--params", "axb"], "verifier: --params 'axb' should be shapes such as 2x3,3"),
        (["init", "torch.optim:SGD", "--arg", "momentun=0.9"], "verifier: "),
        (["audit", "torch.optim:AdamW", "--ruel", "x"], "verifier: unknown option --ruel; did you mean '--rule'?"),
        (["audit", "torch.optim:AdamW", "--rule", "adamv"], "verifier: there is no rule 'adamv'; did you mean 'adam'?"),
        (["audit", "torch.optim:AdmW", "-q"], "verifier: torch.optim has no 'AdmW'; did you mean 'AdamW'?"),
        (["audit", "torch.optm"], "verifier: torch.optm: no module 'torch.optm'; did you mean 'torch.optim'?"),
        (["audit", "torch.nn:Linear"], "verifier: torch.nn:Linear: is no optimizer: it has no step()"),
        (["audit", "mine.ipynb:Lion"], "verifier: mine.ipynb:Lion: is a notebook, which cannot be imported; write its"),
        (["audit", "trch.optim"], "verifier: trch.optim: no module 'trch'; did you mean 'torch'?"),
        (["audit", "torch.optim.AdamW"], "verifier: torch.optim.AdamW: no module 'torch.optim.AdamW'; did you mean"),
        (["audit", "AdamW"], "verifier: AdamW: no module 'AdamW'; did you mean 'torch.optim:AdamW'?"),
        (["audit", "nothing.py:Mine"], "verifier: no file nothing.py"),
        (["list", "torch.optim:AdmW"], "verifier: torch.optim has no 'AdmW'; did you mean 'AdamW'?"),
        (["list", "torch.optim:AdamW", "--arg", "lr"], "verifier: --arg 'lr' should be NAME=VALUE"),
        (["derive", "nothing.py"], "verifier: nothing.py: there is no such rule file"),
        (["report", "nothing.jsonl"], "verifier: nothing.jsonl: there is no such evidence file"),
    ],
)
def test_bad_input_is_one_line_with_the_nearest_name(
    arguments: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown commands, options, rules, devices and profiles end with exit code 2 and one line that helps."""
    monkeypatch.chdir(tmp_path)

    assert refused(arguments, capsys).startswith(line)


def test_a_rule_file_with_an_undefined_name_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line names the file, the line in it and the symbol."""
    path = tmp_path / "mine.py"
    path.write_text("rule = Rool(name='mine')\n", encoding="utf-8")

    line = refused(["derive", str(path)], capsys)

    assert line.startswith(f"verifier: {path}, line 1: NameError: name 'Rool' is not defined")


def test_a_malformed_list_of_expected_failures_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said before anything runs, with the file and the entry."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "expected.toml"
    path.write_text('[[expect]]\nid = "sgd.x@cpu"\n', encoding="utf-8")

    line = refused(["verify", "--baseline", str(path)], capsys)

    assert line.startswith(f"verifier: {path}, entry 1: reason is missing")


def test_a_reports_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file where the folder should be is found before anything runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").write_text("in the way", encoding="utf-8")

    line = refused(["verify"], capsys)

    assert line.startswith("verifier: reports/evidence: the reports folder cannot be written to")


def test_the_command_line_is_over_the_environment_is_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each source is seen through the mistake in it, once the stronger ones are gone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.verifier]\nseed = 1\n", encoding="utf-8")
    (tmp_path / "reports").write_text("in the way", encoding="utf-8")
    seeds = []
    monkeypatch.setattr("verifier.verify.verify", lambda options: seeds.append(options.seed) or 1 / 0)

    cli.run(["verify"])
    monkeypatch.setenv("VERIFIER_SEED", "2")
    cli.run(["verify"])
    cli.run(["verify", "--seed", "3"])

    assert [1, 2, 3] == seeds
    capsys.readouterr()


def test_our_own_fault_has_an_exit_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception nobody expected is 5 and says so, never Python's own 1, which means a violation."""
    monkeypatch.setattr("verifier.verify.verify", lambda options: 1 / 0)

    assert 5 == cli.run(["verify"])
    assert "ZeroDivisionError" in (text := capsys.readouterr().err)
    assert text.endswith("(exit 5)\n")


def test_ctrl_c_anywhere_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands that do not handle Ctrl-C themselves end with 130 and no traceback."""

    def pressed(options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("verifier.verify.verify", pressed)

    assert 130 == cli.run(["verify"])
    assert "Traceback" not in capsys.readouterr().err


def test_explain_says_which_rule_the_code_performs(capsys: pytest.CaptureFixture[str]) -> None:
    """Text names the rule and the decay; JSON says the same as data; LaTeX is LaTeX."""
    assert 0 == cli.run(["explain", "torch.optim:SGD", "--arg", "momentum=0.9", "--params", "2x3"])
    text = capsys.readouterr().out
    assert "Weight decay: coupled" in text
    assert "Rule: sgd_momentum" in text

    assert 0 == cli.run(["explain", "torch.optim:SGD", "--json"])
    assert "sgd" == json.loads(capsys.readouterr().out)["rule"]

    assert 0 == cli.run(["explain", "torch.optim:SGD", "--latex"])
    assert r"\begin{align*}" in capsys.readouterr().out


def test_explain_takes_a_file_with_one_optimizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its only class is meant; of several, which one is asked, and all of them are named."""
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("import torch\n\nclass Mine(torch.optim.SGD):\n    pass\n", encoding="utf-8")
    two.write_text(one.read_text(encoding="utf-8") + "\nclass Other(Mine):\n    pass\n", encoding="utf-8")

    assert 0 == cli.run(["explain", str(one)])
    assert "Rule: sgd" in capsys.readouterr().out
    assert 2 == cli.run(["explain", str(two)])
    assert f"holds 2 optimizers; which one?; accepted: {two}:Mine, {two}:Other" in capsys.readouterr().err


def test_init_writes_a_rule_file_that_can_be_derived_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `init` prints is a rule file: `derive` takes it."""
    assert 0 == cli.run(["init", "torch.optim:SGD", "--name", "mine"])
    path = tmp_path / "mine.py"
    path.write_text(capsys.readouterr().out, encoding="utf-8")

    assert 0 == cli.run(["derive", str(path)])
    assert "mine.zero_gradient" in capsys.readouterr().out


def test_list_is_plain_data(capsys: pytest.CaptureFixture[str]) -> None:
    """`list --json` names every law with its subjects, without running any; as text it has no colours in a pipe."""
    assert 0 == cli.run(["list", "--json"])
    listed = json.loads(capsys.readouterr().out)
    laws = {law["id"]: law for law in listed["laws"]}
    assert "adamw.zero_gradient" in laws
    assert "cpu-float32-foreach" in listed["subjects"]["adamw"]

    assert 0 == cli.run(["list"])
    text = capsys.readouterr().out
    assert "adamw.zero_gradient" in text
    assert "\x1b" not in text


def test_list_of_a_target_is_what_an_audit_would_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Laws, subjects, cases and what is not asked, and why; the cost where an audit has left evidence."""
    target = "tests.broken.optimizers:Right"
    folder = tmp_path / "audit" / "evidence"
    folder.mkdir(parents=True)
    row = {"kind": "evidence", "target": target, "law": "right.purity", "subject": "x", "seconds": 1.25}
    (folder / "audit-1.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n", encoding="utf-8")

    assert 0 == cli.run(["list", target, "--profile", "smoke", "--json", "--out", str(tmp_path)])
    (listed,) = json.loads(capsys.readouterr().out)["targets"]
    laws = {law["id"]: law for law in listed["laws"]}
    assert 2.5 == laws["right.purity"]["seconds"] == listed["seconds"]
    assert laws["right.groups"]["seconds"] is None
    assert "cpu-float32-forloop" in laws["right.purity"]["subjects"]
    assert listed["rows"] == sum(len(law["subjects"]) for law in laws.values()) > len(laws)
    assert listed["left_out"]["sparse_gradients"]

    assert 0 == cli.run(["list", target, "--profile", "smoke", "--out", str(tmp_path)])
    text = capsys.readouterr().out
    assert "2.50 s" in text and "not asked: sparse_gradients: " in text
    assert text.endswith("config.schema.json\n")


def test_results_are_written_in_each_format_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`verifier report` writes JSON, JUnit and SARIF where it is told to, all of the same rows."""
    rows = tmp_path / "audit-1.jsonl"
    row = {"kind": "evidence", "id": "sgd.zero@cpu-float32-forloop", "law": "sgd.zero", "verdict": "violated"}
    more = {"subject": "cpu-float32-forloop", "strength": "held", "message": "it moved", "target": "torch.optim:SGD"}
    rows.write_text(json.dumps({**row, **more}) + "\n", encoding="utf-8")
    names = {"--json": "r.json", "--junit": "deep/r.xml", "--sarif": "r.sarif"}

    code = cli.run(
        ["report", str(rows), "--out", str(tmp_path), *(w for o, n in names.items() for w in (o, str(tmp_path / n)))]
    )

    capsys.readouterr()
    assert 1 == code
    assert 1 == json.loads((tmp_path / "r.json").read_text())["summary"]["violated"]
    assert 'failures="1"' in (tmp_path / "deep/r.xml").read_text()
    assert 1 == len(json.loads((tmp_path / "r.sarif").read_text())["runs"][0]["results"])


@pytest.mark.parametrize("option", ["--json", "--junit", "--sarif"])
def test_results_that_cannot_be_written_are_refused_before_the_audit(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder in the place of a file is said at once, in one line."""
    line = refused(["audit", "torch.optim:SGD", "--out", str(tmp_path), option, str(tmp_path)], capsys)

    assert f"verifier: {tmp_path}: is a folder, and should be a file (exit 2)" == line


def test_audit_into_a_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file where the folder should be is a mistake of who asked, and no fault of ours."""
    (tmp_path / "taken").write_text("in the way", encoding="utf-8")

    line = refused(["audit", "torch.optim:SGD", "--out", str(tmp_path / "taken")], capsys)

    assert line.startswith(f"verifier: {tmp_path / 'taken/audit/evidence'}: the reports folder cannot be written to")
