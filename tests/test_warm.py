from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from verifier.auditing import running
from verifier.auditing.warm import Warm

MEMORY = 4 << 30


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """A warm process that may import the functions below."""
    folder = tmp_path_factory.mktemp("warm")
    (folder / "forked.py").write_text(FORKED, encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    with (folder / "log").open("wb") as log, Warm(environment, log, 2, MEMORY) as made:
        yield made


FORKED = """
import os, sys, time

def tells(path):
    open(path, "w").write(f"{'torch' in sys.modules} {os.getpid() == os.getsid(0)}")

def ends(code):
    raise SystemExit(int(code))

def dies():
    os.kill(os.getpid(), 11)

def raises():
    raise ValueError

def hides(path):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open(path, "w").write(str(os.getpid()))
            time.sleep(600)
        os._exit(0)
    while not os.path.exists(path) or not open(path).read():
        time.sleep(0.05)

def scratches(path):
    import tempfile
    open(path, "w").write(tempfile.mkdtemp())

def sleeps(path):
    open(path, "w").write(str(os.getpid()))
    time.sleep(600)
"""


def eventually(true: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether it becomes true in time."""
    until = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def alive(process: int) -> bool:
    """Whether a process runs; one that is dead and not yet waited for does not."""
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_fork_has_torch_and_leads_its_own_group(warm: Warm, tmp_path: Path) -> None:
    """What is asked for runs in a process of its own in which torch was imported already."""
    assert 0 == warm.ended(warm.start("forked:tells", str(tmp_path / "told")))
    assert "True True" == (tmp_path / "told").read_text()


@pytest.mark.parametrize(
    ("run", "words", "code"),
    [("forked:ends", ["7"], 7), ("forked:dies", [], 128 + 11), ("forked:raises", [], 1), ("forked:no_such", [], 1)],
)
def test_how_a_fork_ends_is_its_exit_code(warm: Warm, run: str, words: list[str], code: int) -> None:
    """An exit code, a signal as a shell counts it, an exception: each is told, and the warm process goes on."""
    assert code == warm.ended(warm.start(run, *words))
    assert 0 == warm.ended(warm.start("forked:ends", "0"))


def test_who_waits_no_longer_kills_the_fork(warm: Warm, tmp_path: Path) -> None:
    """A fork that takes too long is gone soon after its asker is."""
    path = tmp_path / "id"
    asked = warm.start("forked:sleeps", str(path))
    assert eventually(lambda: path.exists() and path.read_text() != "")
    process = int(path.read_text())

    assert warm.ended(asked, 0.1) is None
    assert eventually(lambda: not alive(process))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to who asks for them")
def test_what_hides_in_a_session_of_its_own_is_ended_too(warm: Warm, tmp_path: Path) -> None:
    """A grandchild that left the group of its fork is gone once another fork was asked for."""
    path = tmp_path / "id"
    assert 0 == warm.ended(warm.start("forked:hides", str(path)))
    assert 0 == warm.ended(warm.start("forked:ends", "0"))

    assert eventually(lambda: not alive(int(path.read_text())))


def test_temporary_files_go_with_the_warm_process(warm: Warm, tmp_path: Path) -> None:
    """What a target writes to the folder for temporary files lies in the warm process's own, which is taken away."""
    path = tmp_path / "folder"
    assert 0 == warm.ended(warm.start("forked:scratches", str(path)))

    assert warm.folder in Path(path.read_text()).parents


def test_an_interpreter_does_what_pythons_would(warm: Warm) -> None:
    """It runs the line it reads, with our streams, may allocate no more than it was allowed to, and ends as it ends."""
    line = """
    import resource
    print(sys.stdin.readline().strip(), __name__, "torch" in sys.modules, resource.getrlimit(resource.RLIMIT_DATA)[0])
    raise SystemExit(9)
    """
    words = [*warm.interpreter.split(), "-u", "-c", "ignored: execnet always says the same"]
    given = f"{'import sys' + textwrap.dedent(line)!r}\nhello\n"
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False, timeout=120)

    assert (9, f"hello __main__ True {MEMORY}") == (done.returncode, done.stdout.strip())


def test_it_ends_with_its_starter_however_that_ends(tmp_path: Path) -> None:
    """Killed with -9, the starter leaves neither the warm process, nor its forks, nor its folder."""
    (tmp_path / "forked.py").write_text(FORKED, encoding="utf-8")
    source = f"""
    import os, sys, time
    from verifier.auditing.warm import Warm
    warm = Warm(dict(os.environ), open(os.devnull, "wb"), 2, {MEMORY})
    asked = warm.start("forked:sleeps", {str(tmp_path / "id")!r})
    print(warm.process.pid, warm.folder, flush=True)
    time.sleep(600)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert starter.stdout is not None
    process, folder = starter.stdout.readline().split()
    path = tmp_path / "id"
    assert eventually(lambda: path.exists() and path.read_text() != "", 120)

    starter.send_signal(signal.SIGKILL)
    starter.wait()

    assert eventually(lambda: not alive(int(process)))
    assert eventually(lambda: not alive(int(path.read_text())))
    assert not Path(folder).exists()


@pytest.mark.parametrize("fresh", [True, False])
def test_scripts_run_beside_each_other_and_are_told_apart(fresh: bool, tmp_path: Path) -> None:
    """What each prints, and how it ends: by itself, with a message, by a signal, or for want of time."""
    texts = {
        "fine": "print(__name__)",
        "message": "raise SystemExit('no')",
        "raises": "raise ValueError",
        "dies": "import os; os.kill(os.getpid(), 11)",
        "hangs": "import time; time.sleep(600)",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")

    found = dict(zip(texts, running.run([tmp_path / f"{name}.py" for name in texts], 10, fresh=fresh), strict=True))

    assert (0, "__main__\n") == (found["fine"].code, found["fine"].printed)
    assert (1, "no\n") == (found["message"].code, found["message"].printed)
    assert 1 == found["raises"].code and "ValueError" in found["raises"].printed
    assert [-11, -9] == [found["dies"].code, found["hangs"].code]


LAST = """
import json, os, socket, sys
from verifier.auditing import warm

with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as asking:
    listening.bind(sys.argv[1])
    listening.listen(1)
    asking.connect(sys.argv[1])
    nowhere = os.open(os.devnull, os.O_RDWR)
    line = json.dumps({"run": "forked:ends", "words": ["7"], "at_once": True}).encode() + b"\\n"
    socket.send_fds(asking, [line], [nowhere, nowhere, nowhere])
    ours, theirs = os.pipe()
    if os.fork() == 0:
        os.dup2(ours, 0)
        os.close(theirs)
        warm._Server(listening, 1, 1 << 32, ["colorsys"]).serve()
        os._exit(0)
    asking.settimeout(30)
    try:
        print(asking.recv(16).decode())
    finally:
        os.close(theirs)
        os.wait()
"""


def test_who_waits_for_the_last_module_alone_is_started(tmp_path: Path) -> None:
    """An interpreter asked for while the last module is imported is started after it, though nobody asks again."""
    (tmp_path / "forked.py").write_text(FORKED, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}

    words = [sys.executable, "-c", LAST, str(tmp_path / "s")]
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)

    assert "7" == ran.stdout.strip(), ran.stderr
