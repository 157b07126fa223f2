"""The program `verifier`: commands, what they accept, and the exit code each ends with.

Nothing heavy is imported here: each command imports what it needs when it runs, so that `verifier --help` is quick.
"""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from verifier import __version__, config
from verifier.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

EXIT_CODES = """\b
Exit codes:
  0    nothing new is wrong, and something was verified
  1    a violation that is not listed
  2    usage or configuration
  3    nothing could be verified
  4    a listed failure now passes, or a listed id matches nothing
  5    the check itself broke
  130  interrupted, report written"""


def one_of(noun: str, accepted: Sequence[str]) -> Callable[[str], str]:
    """A click type: a word out of a short list; anything else is a usage error with the nearest word."""

    def convert(value: str) -> str:
        if value not in accepted:
            raise UsageError(f"unknown {noun} {value!r}", given=value, accepted=accepted)
        return value

    return convert


def number_of(known: config.Option) -> Callable[[str], int | float]:
    """A click type: the number an option takes; anything else is a usage error that says what it should be."""

    def convert(value: str) -> int | float:
        try:
            found: int | float = known.type(value)
        except ValueError as error:
            raise UsageError(f"--{known.name} {value!r} should be {config.article(known.type)}") from error
        if why := known.refusal(found):
            raise UsageError(f"--{why}")
        return found

    return convert


class Program(click.Group):
    """A group of commands in the order they are written; an unknown one is answered with the nearest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise UsageError(f"unknown command {args[0]!r}", given=args[0], accepted=self.commands)
        return super().resolve_command(ctx, args)


def option(name: str) -> Callable[[Command], Command]:
    """The click option of `config.OPTIONS[name]`, readable from the environment too."""
    known = config.OPTIONS[name]
    kind: Any = one_of(name, known.accepted) if known.accepted else known.type
    if known.type in (int, float):
        kind = number_of(known)
    if known.is_path:
        kind = click.Path(path_type=Path)
    return click.option(
        f"--{name}",
        type=kind,
        default=known.default,
        envvar=f"VERIFIER_{name.upper()}",
        metavar=known.metavar or "|".join(known.accepted),
        help=known.says,
        show_default=known.default is not None,
    )


def options(*names: str) -> Callable[[Command], Command]:
    """Several options of `config.OPTIONS`, and -q and -v."""

    def decorate(command: Command) -> Command:
        command = click.option("-v", "verbose", is_flag=True, help="Say more.")(command)
        command = click.option("-q", "quiet", is_flag=True, help="Say only the last line.")(command)
        for name in reversed(names):
            command = option(name)(command)
        return command

    return decorate


WRITTEN = ("json", "junit", "sarif")
"""The options that name one more file for the results."""


@click.group(cls=Program, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="verifier")
@click.pass_context
def program(ctx: click.Context) -> None:
    """Proves and tests optimizers.

    Update rules are data; laws are derived from them and proved; every implementation is held to every law, with
    rounding enclosed and no tolerance anywhere. Options may also be set as VERIFIER_<OPTION> in the environment or
    in [tool.verifier] of pyproject.toml.
    """
    found = config.find(Path.cwd())
    if found is not None:
        chosen = config.read(found)
        ctx.default_map = {
            name: {p.name: chosen[p.name] for p in command.params if isinstance(p, click.Option) and p.name in chosen}
            for name, command in program.commands.items()
        }


@program.command(short_help="the tutorial's claims and torch.optim's laws, into reports/")
@options("device", "profile", "seed", "workers", "out", *WRITTEN, "baseline")
def verify(
    device: str,
    profile: str,
    seed: int,
    workers: int | None,
    out: Path,
    baseline: Path | None,
    quiet: bool,
    verbose: bool,
    **also: Path | None,
) -> int:
    """Verifies the tutorial's claims and torch.optim's laws; writes the reports.

    A run that was interrupted is gone on from by the next one with the same settings.
    """
    from verifier import render
    from verifier.verify import Options
    from verifier.verify import verify as run_all

    render.writable(also)
    chosen = Options(device, profile, seed, workers, out, baseline, quiet)
    outcome = run_all(chosen)
    return render.render([outcome.evidence], out, also, quiet=quiet, verbose=verbose, broken=outcome.broken)


@program.command(short_help="the derivation of a rule and its laws, as text or LaTeX")
@click.argument("rule")
@click.option("--latex", is_flag=True, help="Print LaTeX.")
def derive(rule: str, latex: bool) -> None:
    """Prints the derivation of RULE: penalty, gradient, the solved weight_decay, each law and its proof.

    RULE is a name of the catalogue, or path/file.py[:name].
    """
    from verifier import derive as derivations
    from verifier import rules

    found = derivations.derivation(rules.load(rule) if ".py" in rule else rules.get(rule))
    click.echo(derivations.latex(found) if latex else derivations.text(found))


def of_a_target(command: Command) -> Command:
    """The argument TARGET and the options that say how it is built."""
    command = click.option("--params", metavar="SHAPE,...", help="Shapes of the parameters, as in 2x3,3.")(command)
    says = "A constructor argument; may be repeated."
    command = click.option("--arg", "arguments", metavar="NAME=VALUE", multiple=True, help=says)(command)
    return click.argument("target")(command)


@program.command(short_help="any optimizer: its contracts, its rule, what is wrong with it")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("--arg", "arguments", metavar="NAME=VALUE", multiple=True, help="A constructor argument; repeatable.")
@click.option("--baseline-update", is_flag=True, help="Lists the failures seen as expected: in FILE, or expected.toml.")
@options("rule", "device", "profile", "seed", "workers", "out", *WRITTEN, "baseline", "memory")
def audit(targets: tuple[str, ...], verbose: bool, **chosen: Any) -> int:
    """Audits optimizers: TARGET is pkg.mod:Class, path/file.py:Class, a file, or a package (all its optimizers).

    No rule is needed. The update rule is read out of the code and matched to the catalogue; its options are
    discovered from the constructor; the contracts of torch's documentation are checked in every implementation
    (for-loop, foreach, fused) and format. The target runs in processes of its own, which may crash or hang.

    \b
    Examples:
      verifier audit torch.optim:AdamW                    one class
      verifier audit my.py:Lion --rule my_lion.py         is it this rule, and not only a sound optimizer?
      verifier audit lion_pytorch --profile smoke         every optimizer of a package, quickly
      verifier audit my.py --arg lr=0.1                   what the constructor needs
      verifier audit my.py --baseline-update              from now on, only what is new is red
      verifier list my.py:Lion                            what an audit would run, and what it cost last time

    \b
    It prints, for every target:
      formula, weight decay, rule    what its code does, and the nearest known rule
      1. ...                         findings: what is wrong, observed and expected, where it shows, the settings
                                     that matter, a script of 25 lines that fails, and a replay id
      conventions, not bugs          decoupled or not, where eps sits, what is counted for whom, ...
      notes                          undocumented, harmless by themselves
    and a last line with the exit code. Reports, scripts and replays go to <out>/audit.

    \b
    Profiles, for one optimizer on two cores (docs/costs.md has measurements):
      smoke    4 cases a law, in the formats most used; seconds
      ci       6 cases a law, in every format; a minute
      nightly  200 cases a law; an hour or more

    \b
    Exit codes:
      0  nothing new is wrong                  3    nothing could be verified
      1  a finding that is not listed          4    the list of expected failures is stale
      2  usage or configuration                5    the check itself broke
                                               130  interrupted, report written
    """
    from verifier import cli_audit

    return cli_audit.audit(targets, **chosen)


@program.command(short_help="a recorded failure, run again: FIXED, FAILED or ERROR")
@click.argument("name", metavar="ID|FILE")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@options("out")
def replay(name: str, as_json: bool, out: Path, quiet: bool, verbose: bool) -> int:
    """Runs a recorded failure again: FIXED (exit 0), FAILED (exit 1) or ERROR (exit 5)."""
    from verifier import cli_audit

    return cli_audit.replay(name, out, as_json)


@program.command(short_help="the update rule an optimizer's code performs")
@of_a_target
@click.option("--implementation", metavar="forloop|foreach", default="forloop", help="Which code path is read.")
@click.option("--latex", is_flag=True, help="Print LaTeX.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(
    target: str, arguments: tuple[str, ...], params: str | None, implementation: str, latex: bool, as_json: bool
) -> None:
    """Reads the update rule out of the code of TARGET: its formula, its weight-decay semantics, the nearest known rule.

    TARGET is pkg.mod:Class, path/file.py:Class, or a file with one optimizer.
    """
    from verifier import cli_rules

    path = one_of("implementation", ("forloop", "foreach"))(implementation)
    cli_rules.explain(target, path, arguments, params, latex=latex, as_json=as_json)


@program.command(short_help="a rule file from the code of an optimizer, for a person to check")
@of_a_target
@click.option("--name", default="", help="The name of the rule; by default the class's.")
def init(target: str, arguments: tuple[str, ...], params: str | None, name: str) -> None:
    """Prints a rule file read out of the code of TARGET, for a person to compare with the paper.

    TARGET is pkg.mod:Class, path/file.py:Class, or a file with one optimizer.
    """
    from verifier import cli_rules

    cli_rules.init(target, arguments, params, name)


@program.command(short_help="(re)write properties/ from the rules, or check it")
@click.option("--check", is_flag=True, help="Write nothing; show the diff and fail where the files are stale.")
@click.option("--rule", "rule_file", metavar="FILE", default="", help="Write the properties of this rule file alone.")
@click.option("--target", default="", metavar="TARGET", help="The optimizer class that claims it: pkg.mod:Class.")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default="properties")
def write(check: bool, rule_file: str, target: str, directory: Path) -> int:
    """Writes the properties of every rule to DIRECTORY, by default properties/.

    With --rule, those of one rule file, which `verifier init` writes, and the file beside them.
    """
    from verifier import cli_rules

    return cli_rules.write(directory, check, rule_file, target)


@program.command(short_help="merge evidence files of any machines and render them")
@click.argument("files", metavar="FILE...", nargs=-1, type=click.Path(path_type=Path))
@options("out", *WRITTEN)
def report(files: tuple[Path, ...], out: Path, quiet: bool, verbose: bool, **also: Path | None) -> int:
    """Merges evidence files of any machines and renders the report.

    Without FILE it renders the newest evidence of the reports folder.
    """
    from verifier import render

    return render.render(list(files) or render.newest(out), out, also, quiet=quiet, verbose=verbose)


@program.command(short_help="the kill matrix: which law rejects which mistake, in which dtype")
@click.argument("rules", metavar="[RULE]...", nargs=-1)
@options("profile", "seed", "workers", "out")
def power(
    rules: tuple[str, ...], profile: str, seed: int, workers: int | None, out: Path, quiet: bool, verbose: bool
) -> int:
    """Puts every known mistake of each RULE (by default all) to every law, by algebra and in each dtype.

    Exit code 1 where a mistake survives everywhere.
    """
    from verifier import kill_matrix
    from verifier import rules as catalogue
    from verifier.verify import Options

    names = [catalogue.get(name).name for name in rules] or list(catalogue.names())
    kills, path = kill_matrix.measure(names, Options("cpu", profile, seed, workers, out, quiet=quiet))
    if not quiet:
        click.echo(kill_matrix.text(kills), nl=False)
    left = kill_matrix.surviving(kills)
    code = 1 if left else 0
    said = f"mistakes no law rejects: {', '.join(left)}" if left else "every mistake is rejected by some law"
    click.echo(f"verifier: {said}; {path} (exit {code})")
    return code


@program.command(short_help="cost of the three paths and of the implementations, into reports/")
@click.option(
    "--compare", type=click.Path(path_type=Path, exists=True), metavar="FILE", help="An earlier benchmarks.json."
)
@options("device", "profile", "out")
def bench(device: str, profile: str, out: Path, compare: Path | None, quiet: bool, verbose: bool) -> int:
    """Times one training step of the three paths, per optimizer and implementation; writes benchmarks.json and .md."""
    from verifier.bench import run as benchmarks
    from verifier.evidence import writable

    return benchmarks.run(device, profile, writable(out), compare)


@program.command("list", short_help="laws, subjects and costs, without running any")
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="As JSON on stdout.")
@click.option("--arg", "arguments", metavar="NAME=VALUE", multiple=True, help="A constructor argument; repeatable.")
@options("rule", "profile", "device", "out")
def list_(
    targets: tuple[str, ...], as_json: bool, arguments: tuple[str, ...], quiet: bool, verbose: bool, **chosen: Any
) -> None:
    """Lists the laws of every rule, the subjects they are put to, and what that costs.

    With TARGETs, what `verifier audit` would run on them: to know their options and forms, each is built and stepped
    a little, in a process of its own; no law is put to it. Costs are those of the last run whose evidence is in OUT,
    in seconds over all subjects. The last line names the JSON Schema of [tool.verifier] in pyproject.toml.
    """
    from verifier import cli_audit, listing

    cli_audit.given(arguments)
    if targets:
        told = listing.audited(targets, arguments=arguments, **chosen)
        click.echo(listing.as_json(told) if as_json else listing.audited_text(told), nl=False)
        return
    found = listing.collect(chosen["device"], chosen["out"])
    click.echo(listing.as_json(found) if as_json else listing.as_text(found), nl=False)


def main(args: Sequence[str] | None = None) -> None:
    """Runs the program and ends the process with one of `EXIT_CODES`."""
    sys.exit(run(args))


def run(args: Sequence[str] | None = None) -> int:
    """Runs the program; its exit code. One line on stderr says why it is 2."""
    try:
        code = program.main(args=None if args is None else list(args), prog_name="verifier", standalone_mode=False)
    except UsageError as error:
        return _refuse(str(error))
    except click.NoSuchOption as error:
        return _refuse(f"unknown option {error.option_name}", error.ctx, error.option_name)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return _refuse(error.format_message().rstrip("."))
    except (KeyboardInterrupt, click.Abort):
        click.echo("verifier: interrupted (exit 130)", err=True)
        return 130
    except BrokenPipeError:  # the reader of our output went away, as in `verifier list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:  # anything uncaught is our fault, and must not end in Python's own 1, which means a violation
        traceback.print_exc()
        click.echo("verifier: the check itself broke; the traceback above says where (exit 5)", err=True)
        return 5
    return code if isinstance(code, int) else 0


def _refuse(why: str, ctx: click.Context | None = None, given: str = "") -> int:
    if ctx is not None:
        known = [word for parameter in ctx.command.params for word in parameter.opts]
        near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
        why += f"; did you mean {near[0]!r}?" if near else f"; `{ctx.command_path} --help` lists them"
    click.echo(f"verifier: {why} (exit 2)", err=True)
    return 2
