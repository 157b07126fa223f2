"""benchmarks.json as tables for people, with the spread of every figure and a word where it is not to be believed."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from verifier.errors import UsageError

UNSTEADY = 0.1
"""A standard deviation above this share of the mean is called noisy: pyperf's rule (its `check` command)."""

Row = Mapping[str, Any]


def read(path: Path) -> dict[str, Any]:
    """The pytest-benchmark report at `path`; UsageError where there is none or it is something else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read benchmarks: {getattr(error, 'strerror', None) or error}", where=str(path)
        ) from error
    except json.JSONDecodeError as error:
        raise UsageError(f"not JSON, line {error.lineno}: {error.msg}", where=str(path)) from error
    if not isinstance(data, dict) or not isinstance(data.get("benchmarks"), list):
        raise UsageError("no report of pytest-benchmark: it has no list `benchmarks`", where=str(path))
    return data


def steps(data: Mapping[str, Any]) -> dict[tuple[str, str, str, str], dict[str, Row]]:
    """(device, size, rule, implementation) -> path -> what the training step's row noted."""
    found: dict[tuple[str, str, str, str], dict[str, Row]] = {}
    for row in data["benchmarks"]:
        info = row.get("extra_info", {})
        if "ratio" in info and "path" in info:
            key = (info["device"], info["size"], info["rule"], info["implementation"])
            found.setdefault(key, {})[info["path"]] = info
    return {key: paths for key, paths in found.items() if {"penalty", "weight_decay"} <= set(paths)}


def told_apart(one: Mapping[str, float], control: Mapping[str, float]) -> str:
    """`more` or `less` where a ratio's interval lies clear of the control's, `noise` where the two meet."""
    return "more" if one["low"] > control["high"] else "less" if one["high"] < control["low"] else "noise"


WORDS = {"more": "costs more", "less": "costs less", "noise": "too noisy to tell"}


def duration(seconds: float) -> str:
    """Seconds with a unit and three digits: '195 us', '1.20 ms'."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1 or unit == "us":
            return f"{seconds * scale:.3g} {unit}"
    raise AssertionError


def memory(count: float) -> str:
    """Bytes with a binary unit: '33 B', '2.0 MiB'."""
    for unit, scale in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} B"


def spread(ratio: Mapping[str, float]) -> str:
    """A median and its 99 % interval: '1.71 (1.68 to 1.76)'."""
    if not math.isfinite(ratio["low"]):
        return f"{ratio['median']:.2f} (too few pairs)"
    return f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A markdown table, the first column to the left and the others to the right."""
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def markdown(data: Mapping[str, Any], untestable: Sequence[str] = (), before: Mapping[str, Any] | None = None) -> str:
    """The whole report; `untestable` says what could not run, `before` is an older report to compare with."""
    lines = ["# Benchmarks", "", *machine(data), ""]
    lines += [f"- UNTESTABLE: {reason}" for reason in untestable] + ([""] if untestable else [])
    found = steps(data)
    if found:
        lines += ["## One training step by the three paths", "", *_said(found), ""]
        for device, size in dict.fromkeys(key[:2] for key in found):
            lines += _size(device, size, {k: v for k, v in found.items() if k[:2] == (device, size)})
    lines += _others(data)
    if before is not None:
        lines += compared(before, data)
    return "\n".join(lines).rstrip() + "\n"


def machine(data: Mapping[str, Any]) -> list[str]:
    """Where and when it was measured, one fact a line."""
    info = data.get("machine_info", {})
    ours, cpu = info.get("verifier", {}), info.get("cpu", {})
    facts = {
        "cpu": ours.get("cpu") or cpu.get("brand_raw"),
        "cores": ours.get("cores") or cpu.get("count"),
        "gpu": ours.get("gpu"),
        "torch": ours.get("torch"),
        "python": ours.get("python") or info.get("python_version"),
        "commit": ours.get("commit") or data.get("commit_info", {}).get("id"),
        "profile": ours.get("profile"),
        "measured": data.get("datetime"),
    }
    return [f"- {name}: {value}" for name, value in facts.items() if value]


def _said(found: Mapping[tuple[str, str, str, str], Mapping[str, Row]]) -> list[str]:
    """What the rows say together, and how to read them."""
    words = [told_apart(paths["penalty"]["ratio"], paths["weight_decay"]["ratio"]) for paths in found.values()]
    bytes_ = [paths["penalty"]["peak_bytes"] / paths["weight_decay"]["peak_bytes"] for paths in found.values()]
    more, less = sum(b > 1 for b in bytes_), sum(b < 1 for b in bytes_)
    return [
        f"The penalty in the loss takes more time than `weight_decay` in {words.count('more')} of {len(words)} rows, "
        f"less in {words.count('less')}; {words.count('noise')} are too noisy to tell.",
        f"Its peak memory is higher in {more} rows, lower in {less} ({min(bytes_):.2f} to {max(bytes_):.2f} times).",
        "",
        "Ratios are medians of paired, interleaved steps, with a distribution-free interval of 99 % or more. "
        "The control is `weight_decay` against itself: a ratio whose interval meets the control's is too noisy to "
        "tell. Times are with one thread on CPU, by CUDA events and synchronisation on CUDA. Memory is what one step "
        "holds at most above what stays between steps: CUDA's allocator, or torch's CPU allocator as its profiler "
        "sees it.",
    ]


def _size(device: str, size: str, found: Mapping[tuple[str, str, str, str], Mapping[str, Row]]) -> list[str]:
    parameters = next(iter(found.values()))["weight_decay"]["parameters"]
    rows = []
    for (*_, rule, implementation), paths in found.items():
        own, penalty, groups = paths["weight_decay"], paths["penalty"], paths.get("groups")
        peaks = "/".join(memory(p["peak_bytes"]) for p in (penalty, own, groups) if p)
        rows.append(
            (
                f"{rule}, {implementation}",
                duration(own["seconds"]["median"]),
                spread(penalty["ratio"]),
                WORDS[told_apart(penalty["ratio"], own["ratio"])],
                spread(groups["ratio"]) if groups else "-",
                spread(own["ratio"]),
                peaks,
                f"{penalty['peak_bytes'] / own['peak_bytes']:.2f}",
            )
        )
    head = (
        "rule",
        "step by weight_decay",
        "penalty / weight_decay",
        "the penalty",
        "groups / weight_decay",
        "control",
        "peak penalty/weight_decay/groups",
        "peak ratio",
    )
    return [f"### {size}: {parameters} parameters, {device}", "", *table(head, rows)]


def _others(data: Mapping[str, Any]) -> list[str]:
    """Every benchmark that is no training step, by group."""
    groups: dict[str, list[Row]] = {}
    for row in data["benchmarks"]:
        if "path" not in row.get("extra_info", {}):
            groups.setdefault(row.get("group") or "other", []).append(row)
    lines: list[str] = []
    for group, members in groups.items():
        rows = []
        for row in members:
            stats, extra = row["stats"], row.get("extra_info", {})
            noted = ", ".join(f"{key} {_plain(value)}" for key, value in extra.items())
            quartiles = f"{duration(stats['q1'])} to {duration(stats['q3'])}"
            steady = "too noisy" if stats["stddev"] > UNSTEADY * stats["mean"] else "steady"
            rows.append((row["name"], duration(stats["median"]), quartiles, str(stats["rounds"]), steady, noted))
        lines += [f"## {group}", "", *table(("benchmark", "median", "quartiles", "rounds", "spread", "noted"), rows)]
    return lines


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def compared(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What changed since `before`: ratios whose intervals do not meet, memory, and times that left the crowd.

    A machine drifts between two runs, so a time counts as changed where its quartiles do not meet the old ones and its
    change lies outside Tukey's fences of all changes (1.5 interquartile ranges; Exploratory Data Analysis, 1977).
    """
    old = {row["name"]: row for row in before["benchmarks"]}
    new = {row["name"]: row for row in now["benchmarks"]}
    both = [name for name in new if name in old]
    same_machine = _processor(before) == _processor(now)
    rows = []
    drift = {name: new[name]["stats"]["median"] / old[name]["stats"]["median"] for name in both}
    low, high = fences(list(drift.values()))
    for name in both:
        a, b = old[name]["stats"], new[name]["stats"]
        apart = b["q1"] > a["q3"] or b["q3"] < a["q1"]
        if same_machine and apart and not low <= drift[name] <= high:
            word = "slower" if b["q1"] > a["q3"] else "faster"
            times = f"{drift[name]:.2f} x"
            rows.append((name, "time", duration(a["median"]), duration(b["median"]), f"{word}, {times}"))
        one, other = (r[name].get("extra_info", {}) for r in (old, new))
        if one.get("ratio") and other.get("ratio") and told_apart(other["ratio"], one["ratio"]) != "noise":
            rows.append((name, "ratio", spread(one["ratio"]), spread(other["ratio"]), "changed"))
        if one.get("peak_bytes") != other.get("peak_bytes") and one.get("peak_bytes") and other.get("peak_bytes"):
            rows.append((name, "peak", memory(one["peak_bytes"]), memory(other["peak_bytes"]), "changed"))
    lines = ["## Changes", "", f"{len(both)} benchmarks in both reports, {len(rows)} figures changed."]
    for word, missing in (("before", sorted(set(old) - set(new))), ("now", sorted(set(new) - set(old)))):
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            lines.append(f"Only {word}: {', '.join(missing[:3])}{more}.")
    if same_machine and both:
        lines.append(f"All together times are {statistics.median(drift.values()):.2f} times what they were.")
    if not same_machine:
        lines.append(f"Another processor ({_processor(before)}): times are not compared, ratios are.")
    lines.append("")
    return [*lines, *(table(("benchmark", "figure", "before", "now", "change"), rows) if rows else [])]


def fences(values: Sequence[float]) -> tuple[float, float]:
    """Tukey's fences of some positive values, on their logarithms; with fewer than 8 there is no crowd: (1, 1)."""
    if len(values) < 8:
        return 1.0, 1.0
    first, _, third = statistics.quantiles([math.log(v) for v in values], n=4)
    reach = 1.5 * (third - first)
    return math.exp(first - reach), math.exp(third + reach)


def _processor(data: Mapping[str, Any]) -> str:
    info = data.get("machine_info", {})
    return str(info.get("verifier", {}).get("cpu") or info.get("cpu", {}).get("brand_raw") or "unknown")
