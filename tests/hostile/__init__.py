"""Optimizers that misbehave towards the process they run in."""
