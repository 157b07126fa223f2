"""A module whose import changes the process."""

from __future__ import annotations

import gc
import random
import warnings

import numpy as np
import torch

from tests.broken.optimizers import Right

torch.set_default_dtype(torch.float64)
torch.set_flush_denormal(True)
torch.manual_seed(1)
random.seed(1)
np.random.seed(1)
np.seterr(all="raise")
warnings.simplefilter("error")
gc.disable()


class ChangesWhenImported(Right):
    """Nothing is wrong with it but where it is written."""
