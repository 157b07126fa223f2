"""The jinja2 environment the templates share, and the filters that keep foreign text from becoming markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from verifier.formats import view


def environment() -> Environment:
    """An environment that escapes in HTML and XML templates and fails on a name that is not there."""
    made = Environment(
        loader=PackageLoader("verifier.formats", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html", "xml"), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "prose": prose,
        "code": code,
        "xml": printable,
        "number": view.number,
        "status": view.status,
        "grouped": grouped,
        "plural": plural,
    }
    made.filters.update(filters)
    made.globals.update(
        MARKS=view.MARKS, LABELS=view.LABELS, MEANINGS=view.MEANINGS, STATUSES=view.STATUSES, WORDS=view.WORDS
    )
    return made


def grouped(count: int) -> str:
    """A count with its thousands separated: 12,345."""
    return f"{count:,}"


def plural(count: int, noun: str) -> str:
    """The count and the noun in the right number: '1 row', '12,345 rows', '2 entries'."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}"


def prose(text: object) -> str:
    """`text` on one line of Markdown, nothing in it read as markup: '2*lam*w' stays what it is, also in a table."""
    line = " ".join(str(text).split())
    line = re.sub(r"([\\`*\[\]|~])", r"\\\1", line)
    line = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", line)  # inside a word Markdown leaves it alone
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: object) -> str:
    """`text` as a Markdown code span, with a fence longer than any run of backticks in it; empty stays empty."""
    line = " ".join(str(text).split()).replace("|", r"\|")
    if not line:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    edge = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{edge}{line}{edge}{fence}"


def printable(text: object) -> str:
    """`text` without the control characters that XML 1.0 cannot hold, each replaced by U+FFFD."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", str(text))
