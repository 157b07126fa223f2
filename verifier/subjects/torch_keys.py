"""What a constructor wants every parameter group to say, besides its parameters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

ASKED = re.compile(r"""if ['"](\w+)['"] not in (?:param_)?group:\s+raise\b""")
"""How a constructor's source refuses a group that lacks a key."""


def keys_of(build: Callable[..., Any]) -> Mapping[str, Any]:
    """The keys without which a class's constructor refuses a group, each switched on; none where no source is had."""
    try:
        text = inspect.getsource(build.__init__)
    except (OSError, TypeError, AttributeError):
        return {}
    return dict.fromkeys(ASKED.findall(text), True)
