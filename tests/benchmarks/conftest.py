"""Benchmarks run one at a time and only when asked: `nox -s bench`, or `pytest tests/benchmarks --benchmark-only`."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--benchmark-only` a benchmark is skipped: its figures would be of a machine busy with tests."""
    if not config.getoption("--benchmark-only", False):
        skip = pytest.mark.skip(reason="a benchmark; --benchmark-only runs it")
        for item in items:
            if "benchmarks" in item.path.parts and "benchmark" in getattr(item, "fixturenames", ()):
                item.add_marker(skip)
