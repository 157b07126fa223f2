"""Time and peak memory of one training step by the penalty, by weight_decay and by parameter groups."""

from verifier.bench.suite import pytest_generate_tests, test_training_step

__all__ = ["pytest_generate_tests", "test_training_step"]
