"""Where a run took place: what a reader needs to compare it with another."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from verifier.resume import versions


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def gpu() -> str:
    """The first CUDA device's name, or 'none'."""
    return _said("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").partition("\n")[0] or "none"


def commit(folder: Path) -> str:
    """The commit checked out at `folder`, with '+' where files differ from it; empty outside a repository."""
    head = _said("git", "-C", str(folder), "rev-parse", "--short=12", "HEAD")
    if not head:
        return ""
    changed = _said("git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no")
    return f"{head}+" if changed else head


def describe(folder: Path, *, device: str, seed: int) -> dict[str, str | int]:
    """The machine as plain data: versions, processor, cores, CUDA device, commit of `folder`, and what was asked."""
    return {
        **versions(),
        "os": f"{platform.system()} {platform.release()}",
        "cpu": cpu(),
        "cores": cores(),
        "gpu": gpu(),
        "device": device,
        "seed": seed,
        "commit": commit(folder),
    }


def _said(*command: str) -> str:
    """What a command printed; empty where it is not installed or failed."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
