"""Writes docs/costs.md from the figures of tests/benchmarks/test_audit_cost.py.

pytest tests/benchmarks/test_audit_cost.py -p no:xdist -s --benchmark-only --benchmark-json=costs.json
python docs/costs.py costs.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WHAT = {
    "right": "a right optimizer",
    "wrong": "a wrong one",
    "torch": "`torch.optim.AdamW`",
    "failing": "`torch.optim.SGD`",
}
HEAD = """# What an audit costs

Written by `docs/costs.py` from `tests/benchmarks/test_audit_cost.py`: one optimizer, two workers, imports included.
Wall time depends on what else the machine does; processor time, of all processes together, depends on it less. A
law-check is one law put to one implementation in one format. Promised are 10 seconds of wall time for `smoke`, and 60
for `ci`, on two cores that do nothing else. `nightly` draws 200 cases a law instead of 6: hours.

"""
COLUMNS = ("profile", "audit of", "wall", "processor", "law-checks", "steps", "elements", "in the optimizer's own step")


def text(measured: Mapping[str, Any]) -> str:
    """The page, from the JSON that pytest-benchmark wrote."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"| --- | --- |{' ---: |' * (len(COLUMNS) - 2)}"]
    for one in measured["benchmarks"]:
        found, params = one["extra_info"], one["params"]
        cells = [
            params["profile"],
            WHAT[params["kind"]],
            f"{one['stats']['mean']:.0f} s",
            f"{found['processor_seconds']:.0f} s",
            *(f"{found[name]:,}" for name in ("law_checks", "optimizer_steps", "elements")),
            f"{found['own_share']:.0%}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    machine = measured["machine_info"]
    found = measured["benchmarks"][0]["extra_info"]
    load = f", {found['cores']} cores, with a load average of {found['load']:.0f} before the audit itself"
    return (
        f"{HEAD}"
        + "\n".join([*lines, "", f"Measured on {machine['cpu'].get('brand_raw', machine['machine'])}{load}."])
        + "\n"
    )


if __name__ == "__main__":
    Path(__file__).with_name("costs.md").write_text(text(json.loads(Path(sys.argv[1]).read_text())), encoding="utf-8")
