"""The sessions: each sets up its own environment, and passes what follows `--` on to the command it runs."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # one worker a core; threads would fight over them


def install(session: nox.Session, *extras: str) -> None:
    """Installs this project into the session's environment, at the versions of constraints.txt."""
    target = f".[{','.join(extras)}]" if extras else "."
    session.install("-q", "-c", "constraints.txt", "-e", target)


def run_verify(session: nox.Session, *arguments: str) -> None:
    """Runs the main job; after Ctrl-C it gets the time to write its report."""
    command = ("verifier", "verify", *arguments, *session.posargs)
    session.run(*command, interrupt_timeout=60.0, terminate_timeout=10.0)


def option(posargs: list[str], name: str) -> list[str]:
    """`[name, value]` as given in `posargs`, or nothing."""
    for k, word in enumerate(posargs):
        if word == name and k + 1 < len(posargs):
            return [name, posargs[k + 1]]
        if word.startswith(f"{name}="):
            return [word]
    return []


@nox.session
def verify(session: nox.Session) -> None:
    """The main job: the tutorial's claims and torch.optim's laws; reports go to reports/."""
    install(session, "verify")
    session.run("verifier", "write", "--check")
    run_verify(session)
    session.run("verifier", "report", "-q", *option(session.posargs, "--out"))


@nox.session
def tests(session: nox.Session) -> None:
    """The tests of the verifier itself, on every core."""
    install(session, "verify", "bench", "dev")
    words = ("-n", "auto", "--dist", "worksteal", "--benchmark-skip", "-m", "not nightly")
    session.run("pytest", *words, *session.posargs, env=ONE_THREAD)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff, check and format."""
    session.install("-q", "-c", "constraints.txt", "ruff")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    install(session, "verify", "bench", "dev")
    session.run("mypy", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Time and memory of the three paths; writes reports/benchmarks.json and .md."""
    install(session, "verify", "bench")
    session.run("verifier", "bench", *session.posargs)


@nox.session(default=False)
def cuda(session: nox.Session) -> None:
    """The main job on CPU and CUDA; needs a device."""
    install(session, "verify")
    run_verify(session, "--device", "all")


@nox.session(default=False)
def nightly(session: nox.Session) -> None:
    """The main job with many more cases, and the tests too long for every run."""
    install(session, "verify", "bench", "dev")
    run_verify(session, "--profile", "nightly")
    session.run("pytest", "-m", "nightly", "-n", "auto", "--timeout", "3600", env=ONE_THREAD)


@nox.session(default=False)
def ecosystem(session: nox.Session) -> None:
    """Fetches other people's optimizers, a package at a time, and lifts or audits them; goes on where it stopped."""
    install(session, "verify")
    into = str(Path(session.create_tmp()) / "packages")
    rest = [word for word in session.posargs if word != "--audit"]
    if len(rest) == len(session.posargs):
        session.run(
            "python", "-m", "verifier.lift.survey", "reports/ecosystem.jsonl", "--into", into, *rest, env=ONE_THREAD
        )
        return
    words = ("-m", "verifier.auditing.ecosystem", "reports/audited.jsonl", "--into", into)
    session.run("python", *words, *rest, env=ONE_THREAD)
    session.run("python", "docs/audited.py")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Redraws the pictures and figures of the README from a real run's evidence."""
    install(session, "verify", "dev")
    session.run("python", "docs/draw.py", *session.posargs)


@nox.session(default=False)
def wheel(session: nox.Session) -> None:
    """Builds the wheel and the source distribution into dist/."""
    session.install("-q", "-c", "constraints.txt", "build")
    session.run("python", "-m", "build", "--outdir", "dist", *session.posargs)
