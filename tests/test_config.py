from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from verifier import cli, config
from verifier.errors import UsageError


def written(folder: Path, text: str) -> Path:
    path = folder / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_table_is_found_from_a_folder_below(tmp_path: Path) -> None:
    """The nearest pyproject.toml that has the table counts; one without it is passed by."""
    path = written(tmp_path, "[tool.verifier]\nseed = 3\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    written(tmp_path / "a", "[tool.other]\n")

    assert path == config.find(below)


def test_no_table_is_none(tmp_path: Path) -> None:
    """A pyproject.toml without [tool.verifier] sets nothing."""
    written(tmp_path, "[tool.other]\n")

    assert path_or_none(config.find(tmp_path), tmp_path) is None


def path_or_none(found: Path | None, top: Path) -> Path | None:
    """`found`, if it lies in `top`: what lies above a test's folder is not the test's business."""
    return found if found is not None and found.is_relative_to(top) else None


def test_values_are_read_and_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """A folder in the table means the one beside the file, wherever the program is started."""
    path = written(tmp_path, '[tool.verifier]\nprofile = "smoke"\nout = "found"\n')

    assert {"profile": "smoke", "out": str(tmp_path / "found")} == config.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[tool.verifier]\nprofil = "ci"\n', "unknown option 'profil'; did you mean 'profile'?"),
        ('[tool.verifier]\nprofile = "smok"\n', "unknown profile 'smok'; did you mean 'smoke'?"),
        ('[tool.verifier]\nseed = "3"\n', "seed = '3' should be a whole number"),
        ("[tool.verifier]\nseed = true\n", "seed = True should be a whole number"),
        ('[tool]\nverifier = "ci"\n', "should be a table, not str"),
        ("[tool.verifier\n", "not TOML"),
    ],
)
def test_a_mistake_is_one_line_with_the_nearest_name(tmp_path: Path, text: str, message: str) -> None:
    """Unknown names, wrong types and broken TOML name the file, what is wrong and what is near."""
    path = written(tmp_path, text)

    with pytest.raises(UsageError) as caught:
        config.read(path)

    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_schema_that_ships_is_made_of_the_table() -> None:
    """The file editors read is what the table of options says, to the letter."""
    assert json.dumps(config.schema(), indent=2) + "\n" == config.SCHEMA.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ('profile = "smoke"\nseed = 3\nmemory = 2\nrule = "adamw"', True),
        ("memory = 0.5", True),
        ('profil = "ci"', False),
        ('profile = "smok"', False),
        ('seed = "3"', False),
        ("seed = true", False),
        ("memory = true", False),
        ("out = 3", False),
        ("workers = 2", True),
        ("workers = 0", False),
        ("memory = -0.5", False),
    ],
)
def test_the_schema_and_the_parser_agree(tmp_path: Path, text: str, taken: bool) -> None:
    """What an editor marks as wrong is what the program refuses, and nothing else."""
    path = written(tmp_path, f"[tool.verifier]\n{text}\n")
    document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    valid = jsonschema.Draft202012Validator(config.schema()).is_valid(document)

    def parsed() -> bool:
        try:
            return bool(config.read(path))
        except UsageError:
            return False

    assert (taken, taken) == (valid, parsed())


def test_every_option_of_the_table_is_an_option_of_some_command() -> None:
    """What the file may set, the command line may set too."""
    on_the_line = {p.name for command in cli.program.commands.values() for p in command.params}

    assert set() == set(config.OPTIONS) - on_the_line


def test_a_rule_file_in_the_table_is_beside_it(tmp_path: Path) -> None:
    """A rule that is a file is found from the folder of pyproject.toml; a name stays a name."""
    path = written(tmp_path, '[tool.verifier]\nrule = "mine.py:rule"\n')

    assert {"rule": str(tmp_path / "mine.py:rule")} == config.read(path)
