"""The commands `explain`, `init` and `write`."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from verifier.errors import UsageError


def explain(
    target: str, implementation: str, arguments: Sequence[str], params: str | None, *, latex: bool, as_json: bool
) -> None:
    """Prints what the code of a target does, as text, LaTeX or JSON."""
    from verifier.lift.explain import explain as read

    found = read(the_class(target), implementation, **built_with(arguments, params))
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        click.echo(found.latex if latex else found.text, nl=False)


def the_class(target: str) -> str:
    """The only optimizer class of a file or module, and any other target as it is; UsageError where there are more."""
    if ":" in target or not (target.endswith(".py") or _is_module(target)):
        return target
    from verifier.auditing.targets import expand

    found = expand((target,)).audited
    if len(found) > 1:
        raise UsageError(f"holds {len(found)} optimizers; which one?", where=target, accepted=found)
    return found[0]


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # what it should be part of is no package, or is not there
        return False


def init(target: str, arguments: Sequence[str], params: str | None, name: str) -> None:
    """Prints the rule file of a target; UsageError where its step is no rule of one element."""
    from verifier.lift.lifted import lift
    from verifier.lift.rule_file import rule_source

    read = lift(the_class(target), **built_with(arguments, params))
    if read.rule is None:
        raise UsageError(f"has no rule of one element: {read.stopped_by or read.coupled}", where=target)
    click.echo(rule_source(read, name), nl=False)


def write(directory: Path, check: bool, rule_file: str, target: str) -> int:
    """Writes the properties of the catalogue or of one rule file, or shows what is stale; the exit code."""
    from verifier import write as writer

    if target and not rule_file:
        raise UsageError("--target needs --rule FILE")
    if rule_file and check:
        raise UsageError("--check is for the whole catalogue, not for --rule")
    if rule_file:
        for path in writer.write_one(Path(rule_file), directory, target):
            click.echo(path)
        return 0
    if check:
        diff = writer.check(directory)
        click.echo(diff, nl=False)
        stale = f"{directory} is not what the rules say; `verifier write` rewrites it (exit 1)"
        click.echo(stale if diff else f"{directory} is what the rules say (exit 0)", err=True)
        return 1 if diff else 0
    changed = writer.write(directory)
    for path in changed:
        click.echo(path)
    click.echo(f"{len(changed)} files changed in {directory} (exit 0)", err=True)
    return 0


def built_with(arguments: Sequence[str], params: str | None) -> dict[str, Any]:
    """The keywords for a lift that --arg and --params ask for."""
    options: dict[str, Any] = {}
    for given in arguments:
        name, equals, value = given.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--arg {given!r} should be NAME=VALUE")
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):  # not a literal: a word, passed on as it is
            options[name] = value
    if params is not None:
        try:
            options["shapes"] = [[int(n) for n in shape.split("x") if n] for shape in params.split(",")]
        except ValueError as error:
            raise UsageError(f"--params {params!r} should be shapes such as 2x3,3") from error
    return options
