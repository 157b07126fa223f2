"""What Hypothesis draws in our runs."""

from __future__ import annotations

import sys

import pytest

pytest_plugins = ("pytester",)

DRAWING = """
import sys

from hypothesis import given, settings, strategies

import telling  # a module that is not installed, whose constants Hypothesis reads
from verifier import draws

drawn = set()


@settings(max_examples=1000, database=None, derandomize=True)
@given(strategies.integers())
def draw(number):
    drawn.add(number)


if sys.argv[1:]:
    draws.alike_anywhere()
draw()
print(telling.NUMBER in drawn)
"""


def test_constants_of_imported_modules_are_not_drawn(pytester: pytest.Pytester) -> None:
    """Hypothesis draws the constants of whatever is imported; in our runs a seed means the same cases anywhere."""
    pytester.makepyfile(telling="NUMBER = 1234567890123", drawing=DRAWING)
    found = [pytester.run(sys.executable, "drawing.py", *words).outlines for words in ([], ["ours"])]
    assert found == [["True"], ["False"]]
