"""Optimizers that are wrong on purpose, one mistake each."""
