"""Proves and tests optimizers: update rules as data, laws derived from them, rounding enclosed without tolerances."""

from __future__ import annotations

__version__ = "0.1.0"
