"""A survey's rows as Markdown: what lifts, what it matches, what decay does, what stopped the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]
KINDS = ("whole, one element", "whole, more elements", "partly", "not")

_REASONS = (
    (r"^does not install", "does not install"),
    (r"^does not import", "does not import"),
    (r": needs (defaults|params) ?;", "a base class: its subclasses say what it does"),
    (r": needs ", "an argument is required that nothing is known of"),
    (r"NotImplementedError", "a base class, or without a step of its own"),
    (r"rand|normal_?\.|bernoulli|multinomial", "random numbers"),
    (r"linalg|_svd|eigh|cholesky|qr\b|triangular", "a matrix factorization"),
    (r"complex|fft", "complex numbers"),
    (r"^took more than", "more time than a class is given"),
    (r"too much memory|without a word", "its process ended"),
    (
        r"from the start the rule gives|first step lifted",
        "withheld: from the first step on, the code gives other numbers",
    ),
    (r"leave the parameters as they were", "withheld: where it is read it does nothing"),
    (r"the expression lifted for|the rule gives", "withheld: the code gives other numbers than the expression"),
    (r"grad_fn|require grad|create_graph|backward", "needs a graph: gradients of gradients"),
    (r"process group|distributed|world", "needs processes that talk to each other"),
    (r"CUDA|cuda|triton|GPU", "needs a device"),
    (r" is not there$|No module", "needs another package"),
    (r"^constructor", "its constructor refuses what it is given"),
    (r"^step|^unchangeable", "its step raises on what it is given"),
    (r" at \S+:\d+ in ", "an operation that is not followed"),
)


def reason(row: Row) -> str:
    """The group a row's `stopped_by` belongs to."""
    said = str(row.get("stopped_by"))
    return next((words for pattern, words in _REASONS if re.search(pattern, said)), "else")


def decay(row: Row) -> str:
    """What decay does in a lifted class, without the particulars of it."""
    words = str(row.get("decay") or row["weight_decay"])
    return words.partition(":")[0] + (", after the update" if "after the update, so" in words else "")


def _decay(row: Row) -> str:
    """The same with its particulars, where they are its own."""
    words = str(row.get("decay") or "")
    special = row["weight_decay"] == "other" and words
    return f"weight decay {words if special else decay(row)}"


def kind(row: Row) -> str:
    """Which of KINDS a class's row is."""
    if row["status"] == "lifted":
        return KINDS[0] if row.get("rule") else KINDS[1]
    return KINDS[2] if row["status"] == "partial" else KINDS[3]


def table(found: Iterable[Row]) -> str:
    """The survey as Markdown: counts a package, decay semantics, proved rules, and what stopped the rest."""
    found = list(found)
    classes = [row for row in found if "target" in row]
    lines = ["# Optimizers nobody here wrote, read out of their code", ""]
    lines += _totals(found, classes)
    lines += _packages(found, classes)
    lines += _counted("Weight decay of those lifted whole, from the expression",
                      (decay(row) for row in classes if row["status"] == "lifted"))  # fmt: skip
    lines += _counted("Proved to follow a rule of the catalogue, for every number of steps",
                      (row["matches"] for row in classes if row.get("matches")))  # fmt: skip
    lines += _counted("What stopped the rest", (reason(row) for row in classes if row["status"] != "lifted"))
    lines += ["## Proved", ""]
    lines += [f"- `{r['target']}`: {r['matches']}{_renamed(r)}" for r in _sorted(classes) if r.get("matches")]
    lines += ["", "## Lifted to a rule of one element that is none of the catalogue's", ""]
    lines += [f"- `{r['target']}`: {_decay(r)}{_nearest(r)}"
              for r in _sorted(classes) if r.get("rule") and not r.get("matches")]  # fmt: skip
    lines += ["", "## Lifted, a step reads more than one element", ""]
    lines += [f"- `{r['target']}`: {r['coupled']}; {_decay(r)}" for r in _sorted(classes) if kind(r) == KINDS[1]]
    lines += ["", "## Not lifted whole", ""]
    lines += [f"- `{r['target']}`: {kind(r)}; {r.get('stopped_by')}"
              for r in _sorted(classes) if r["status"] != "lifted"]  # fmt: skip
    return "\n".join(lines) + "\n"


def _sorted(classes: Iterable[Row]) -> list[Row]:
    return sorted(classes, key=lambda r: str(r["target"]))


def _totals(found: list[Row], classes: list[Row]) -> list[str]:
    ended = [row for row in found if "target" not in row]
    whole = sum(row["status"] == "lifted" for row in classes)
    partial = sum(row["status"] == "partial" for row in classes)
    unread = sum("stopped_by" in row for row in ended)
    proved = sum(bool(row.get("matches")) for row in classes)
    seconds = sum(row.get("seconds", 0) for row in classes)
    return [
        f"{len(ended)} packages, {unread} of which do not install or import; {len(classes)} classes: {whole} lift "
        f"whole, {partial} partly, {len(classes) - whole - partial} not. {proved} are proved to follow a rule of the "
        f"catalogue. {seconds / 60:.0f} minutes of one core.",
        "",
        "Whole: the step is one expression that gave what the code computed at every point tried. A rule of one "
        "element is also run from the first step on beside the code. What fails such a comparison is not shown.",
        "",
    ]


def _packages(found: list[Row], classes: list[Row]) -> list[str]:
    lines = ["| package | classes | " + " | ".join(KINDS) + " | proved | remark |"]
    lines += ["| --- |" + " ---: |" * (len(KINDS) + 2) + " --- |"]
    ended = {row["package"]: row for row in found if "target" not in row}
    names = sorted({row["package"] for row in found})
    for name in names:
        mine = [row for row in classes if row["package"] == name]
        counts = Counter(kind(row) for row in mine)
        row = ended.get(name, {"stopped_by": "not read to the end"})
        remark = row.get("stopped_by") or ("no optimizer class found" if not mine else "")
        if row.get("without"):
            remark = f"{remark}{'; ' if remark else ''}imported without {', '.join(row['without'])}"
        version = f" {row['version']}" if row.get("version") else ""
        lines.append(_line(f"{name}{version}", mine, counts, str(remark).replace("|", "/")[:110]))
    lines.append(_line("all", classes, Counter(kind(row) for row in classes), ""))
    return [*lines, ""]


def _line(name: str, mine: list[Row], counts: Counter[str], remark: str) -> str:
    numbers = [len(mine), *(counts[k] for k in KINDS), sum(bool(r.get("matches")) for r in mine)]
    return f"| {name} | {' | '.join(map(str, numbers))} | {remark} |"


def _counted(title: str, values: Iterable[str]) -> list[str]:
    lines = [f"## {title}", ""]
    return [*lines, *(f"- {value}: {count}" for value, count in Counter(values).most_common()), ""]


def _renamed(row: Row) -> str:
    states = row.get("states") or {}
    changed = ", ".join(f"{theirs} is {mine}" for theirs, mine in states.items() if theirs != mine)
    where = " and ".join(row.get("where") or ())
    return (f" ({changed})" if changed else "") + (f", where {where}" if where else "")


def _nearest(row: Row) -> str:
    if not row.get("nearest"):
        return ""
    if row.get("proof") == "refuted":
        return f"; nearest {row['nearest']}, refuted: the new {row['differs']} differs"
    return f"; nearest {row['nearest']}, {row.get('proof')}"
