"""The commands `audit` and `replay`."""

from __future__ import annotations

import contextlib
import io
import json as jsons
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from verifier.errors import UsageError

OUT = Path("reports/audit")
"""Where audits keep their evidence, scripts and replays."""


def audit(
    targets: tuple[str, ...],
    *,
    rule: str | None,
    arguments: tuple[str, ...],
    profile: str,
    device: str,
    seed: int,
    workers: int | None,
    out: Path,
    baseline: Path | None,
    baseline_update: bool,
    memory: float | None,
    quiet: bool,
    **also: Path | None,
) -> int:
    """Audits the targets, prints the report, writes it; the exit code."""
    from verifier import expected, rules
    from verifier.auditing import audit as audits

    if rule and ".py" not in rule:
        rules.get(rule)  # an unknown one is said before anything runs
    given(arguments)
    if baseline is not None and not baseline.is_file() and not baseline_update:
        raise UsageError("there is no such list of expected failures", where=str(baseline))
    if baseline is not None:
        expected.read(baseline)
    if any(also.values()):
        from verifier import render

        render.writable(also)
    folder = out / "audit" if out.name != "audit" else out
    found = audits.audit(
        *targets,
        rule=rule or "",
        args=arguments,
        profile=profile,
        device=device,
        seed=seed,
        workers=workers,
        out=folder,
        expected=baseline.resolve() if baseline is not None and baseline.is_file() else None,
        memory=int(memory * 2**30) if memory is not None else None,
        quiet=quiet,
    )
    if baseline_update:
        path = baseline or Path("expected.toml")
        listed = audits.baseline(found, path)
        said = f"wrote {path.resolve()}: {listed} expected failures; give each its reason, and pass it by --baseline"
        click.echo(said, err=True)
    from verifier import render  # the audit has imported it while it waited

    with contextlib.redirect_stdout(io.StringIO()):  # the report below says it in an audit's words
        render.render([found.evidence], folder, also, quiet=True)
    told = found.last_line if quiet else str(found)
    if not (baseline_update and found.exit_code in (0, 1, 4)):
        click.echo(told)
        return found.exit_code
    body, _, last = told.rpartition("\n")
    click.echo("\n".join(filter(None, (body, f"{last.rpartition(' (exit')[0]}; all of it is listed now (exit 0)"))))
    return 0


def given(arguments: Sequence[str]) -> None:
    """UsageError for the first --arg that is not NAME=VALUE."""
    for text in arguments:
        if "=" not in text:
            raise UsageError(f"--arg {text!r} should be NAME=VALUE")


def replay(name: str, out: Path, as_json: bool) -> int:
    """Runs a recorded failure again; 0 where it is FIXED, 1 where it FAILED, 5 where it ended in an ERROR."""
    from verifier.auditing import replay as replays

    folders = [folder for folder in (out / "replays", out / "audit" / "replays") if folder.is_dir()]
    holding = [folder for folder in folders if (folder / f"{name}.json").is_file()]
    recorded = replays.load(name, (holding or folders or [out / "audit" / "replays"])[0])
    status, text = replays.replay(recorded)
    told: dict[str, Any] = {"status": status, "message": text, **recorded.to_json()}
    code = {"FIXED": 0, "FAILED": 1, "ERROR": 5}[status]
    said = f"{status}: {recorded.law} of {recorded.target} on {recorded.subject}: {text} (exit {code})"
    click.echo(jsons.dumps(told, indent=2) if as_json else said)
    return code
