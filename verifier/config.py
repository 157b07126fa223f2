"""What can be chosen, and where it was chosen: the command line over the environment over `[tool.verifier]`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.errors import UsageError

DEVICES: Mapping[str, str] = {
    "cpu": "this processor",
    "cuda": "the CUDA device; without one its rows are untestable",
    "all": "both, so that what could not be tested is counted",
}

PROFILES: Mapping[str, str] = {
    "smoke": "a few cases of every law, within a minute",
    "ci": "within five minutes on two cores",
    "nightly": "many more cases, for hours nobody waits",
}


@dataclass(frozen=True)
class Option:
    """One option every source may set: its type, what it accepts, its default and a sentence for `--help`.

    The environment calls it VERIFIER_<NAME>, the command line --<name>, the table `[tool.verifier]` <name>.
    """

    name: str
    type: type
    says: str
    default: str | int | float | None = None
    accepted: tuple[str, ...] = ()
    metavar: str = ""
    above: float | None = None  # every number is larger

    def refusal(self, value: Any) -> str:
        """Why a value of the right type cannot be, for a person; empty where it can."""
        if self.above is None or (value > self.above and value < float("inf")):
            return ""
        return f"{self.name} = {value} should be {article(self.type)} above {self.above:g}"

    @property
    def is_path(self) -> bool:
        return self.metavar in ("DIR", "FILE")


OPTIONS: Mapping[str, Option] = {
    option.name: option
    for option in (
        Option("device", str, "Where the subjects run.", "all", tuple(DEVICES)),
        Option("profile", str, "How many cases are drawn.", "ci", tuple(PROFILES)),
        Option("seed", int, "Draws the same cases again, whatever the number of workers.", 0, metavar="N"),
        Option("workers", int, "Processes that run properties; by default one a core.", None, metavar="N", above=0),
        Option("out", str, "The folder reports are written to.", "reports", metavar="DIR"),
        Option("json", str, "Also writes the results as JSON to this file.", None, metavar="FILE"),
        Option("junit", str, "Also writes them as JUnit XML, which CI shows as tests.", None, metavar="FILE"),
        Option("sarif", str, "Also writes them as SARIF, which CI shows in the code.", None, metavar="FILE"),
        Option("baseline", str, "The expected failures; `verify` has its own, audits none.", None, metavar="FILE"),
        Option("rule", str, "Audits hold their targets to it: a name, or path/file.py[:name].", None, metavar="RULE"),
        Option("memory", float, "What an audited target may take; by default half of all.", None, (), "GIB", above=0),
    )
}

SCHEMA = Path(__file__).with_name("schema") / "config.schema.json"
"""The JSON Schema of a pyproject.toml's table `[tool.verifier]`, for editors; `schema` is what it holds."""


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a pyproject.toml, saying what `[tool.verifier]` may hold: the options above."""
    options = {name: _described(option) for name, option in OPTIONS.items()}
    table = {
        "type": "object",
        "description": "Options of the program verifier; the command line and VERIFIER_<OPTION> are over them.",
        "additionalProperties": False,
        "properties": options,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:optimizer-verifier:config:1.0",
        "title": "pyproject.toml with [tool.verifier]",
        "type": "object",
        "properties": {"tool": {"type": "object", "properties": {"verifier": table}}},
    }


def _described(option: Option) -> dict[str, Any]:
    found: dict[str, Any] = {"type": _JSON_TYPES[option.type], "description": option.says}
    found |= {"enum": list(option.accepted)} if option.accepted else {}
    found |= {"exclusiveMinimum": option.above} if option.above is not None else {}
    return found | ({"default": option.default} if option.default is not None else {})


_JSON_TYPES: Mapping[type, str] = {str: "string", int: "integer", float: "number"}


def find(start: Path) -> Path | None:
    """The nearest pyproject.toml at `start` or above it that has a table `[tool.verifier]`, or None."""
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file() and "verifier" in _table(path).get("tool", {}):
            return path
    return None


def read(path: Path) -> dict[str, Any]:
    """The options that `[tool.verifier]` of `path` sets; UsageError names file, option and what it accepts.

    Paths in it are relative to the file.
    """
    table = _table(path).get("tool", {}).get("verifier", {})
    where = f"{path}, [tool.verifier]"
    if not isinstance(table, dict):
        raise UsageError(f"should be a table, not {type(table).__name__}", where=where)
    for name, value in table.items():
        if name not in OPTIONS:
            raise UsageError(f"unknown option {name!r}", where=where, given=name, accepted=OPTIONS)
        option = OPTIONS[name]
        if type(value) is not option.type and not (option.type is float and type(value) is int):
            raise UsageError(f"{name} = {value!r} should be {article(option.type)}", where=where)
        if why := option.refusal(value):
            raise UsageError(why, where=where)
        if option.accepted and value not in option.accepted:
            raise UsageError(f"unknown {name} {value!r}", where=where, given=str(value), accepted=option.accepted)
    return {name: str(path.parent / value) if _is_file(name, value) else value for name, value in table.items()}


def _is_file(name: str, value: Any) -> bool:
    return OPTIONS[name].is_path or (name == "rule" and ".py" in value)


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"not TOML: {error}", where=str(path)) from error
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error


def article(kind: type) -> str:
    """What a value of a type is called."""
    return {"int": "a whole number", "str": "a string", "float": "a number"}[kind.__name__]
