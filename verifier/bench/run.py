"""Runs the benchmarks under pytest-benchmark, in a process of its own, and writes benchmarks.json and benchmarks.md."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from verifier import machine
from verifier.bench import table as bench_table
from verifier.errors import UsageError
from verifier.progress import phases

PLUGINS = ("pytest_benchmark.plugin", "pytest_timeout", "_hypothesis_pytestplugin", "verifier.plugin")
"""Loaded by name, and nothing else; no xdist: two benchmarks at once would measure each other."""

NOTHING_RAN = 3
BROKE = 5


def suite() -> Path:
    """What pytest runs: the checkout's tests/benchmarks, or, installed without it, the suite of the package."""
    checkout = Path(__file__).parents[2] / "tests" / "benchmarks"
    return checkout if checkout.is_dir() else Path(__file__).with_name("suite.py")


def command(device: str, profile: str, raw: Path) -> list[str]:
    """The command line that writes pytest-benchmark's report to `raw`, runnable by hand."""
    words = [sys.executable, "-m", "pytest", str(suite()), "-c", os.devnull, "--rootdir", str(suite().parent)]
    for plugin in PLUGINS:
        words += ["-p", plugin]
    words += ["-p", "no:cacheprovider", "--benchmark-only", "--benchmark-disable-gc"]
    words += [f"--benchmark-json={raw}", f"--benchmark-storage=file://{raw.parent}"]
    return [*words, "-v", "--no-header", "--verifier-device", device, "--verifier-profile", profile]


def run(
    device: str = "cpu",
    profile: str = "ci",
    out: Path = Path("reports"),
    compare: Path | None = None,
    quiet: bool = False,
) -> int:
    """Measures, writes `out`/benchmarks.json and benchmarks.md, and returns the exit code: 0, 3, 5.

    `device` is cpu, cuda or all; without a CUDA device its rows are untestable, and 3 says that nothing else ran.
    `compare` is an older benchmarks.json. UsageError where `out` cannot be written or `compare` cannot be read.
    """
    from verifier.tutorial.loop import missing

    before = bench_table.read(compare) if compare is not None else None
    raw, report, log = (_writable(out) / name for name in ("benchmarks.json", "benchmarks.md", "benchmarks.log"))
    untestable = [f"{name}: {missing(name)}" for name in ("cpu", "cuda") if device in (name, "all") and missing(name)]
    if untestable and device != "all":
        text = bench_table.markdown({"benchmarks": []}, untestable)
        report.write_text(text, encoding="utf-8")
        print(f"bench: {untestable[0]}; nothing could be measured (exit {NOTHING_RAN})", file=sys.stderr)
        return NOTHING_RAN
    with tempfile.TemporaryDirectory() as scratch, phases(sys.stderr, quiet=quiet) as begin:
        made = Path(scratch) / raw.name
        phase = begin("bench", 0)
        code = _follow(command("cpu" if untestable else device, profile, made), log, phase.update)
        complete = code == 0 and made.exists() and made.stat().st_size > 0
        data = bench_table.read(made) if complete else {}
    if not complete:
        print(f"bench: pytest ended with code {code}; see {log} (exit {BROKE})", file=sys.stderr)
        return BROKE
    facts = machine.describe(Path.cwd(), device=device, seed=0)
    data["machine_info"]["verifier"] = facts | {"profile": profile}
    raw.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    report.write_text(bench_table.markdown(data, untestable, before), encoding="utf-8")
    if not quiet:
        print(f"bench: {len(data['benchmarks'])} benchmarks measured; {report} and {raw} written (exit 0)")
    return 0


def _writable(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"cannot write there: {error.strerror or error}", where=str(out)) from error
    return out


def _follow(words: list[str], log: Path, seen: Callable[[int, int], None]) -> int:
    """Runs `words`, keeps what they print in `log`, and calls `seen(done, planned)`; Ctrl-C ends them first."""
    foreign = ("PYTEST_ADDOPTS", "PYTEST_XDIST_")  # a run of pytest around this one must not reach into it
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    fixed = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    done = planned = 0
    with (
        log.open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=inherited | fixed | {"PYTHONPATH": path},
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                kept.write(line)
                collected = re.search(r"collected (\d+) items?(?: / (\d+) deselected)?", line)
                planned = int(collected[1]) - int(collected[2] or 0) if collected else planned
                done += bool(re.search(r"\b(PASSED|FAILED|SKIPPED|ERROR)\b.*\[ *\d+%\]", line))
                seen(done, planned)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
    return process.returncode
