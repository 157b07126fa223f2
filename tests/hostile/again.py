"""A module that can be imported once: where a worker of pytest imports it again, it waits for something else."""

from __future__ import annotations

import os
import time

from tests.broken.optimizers import Right

if "PYTEST_XDIST_WORKER" in os.environ:
    time.sleep(3600)


class HangsWhenImportedAgain(Right):
    """Nothing is wrong with it but where it is written."""
