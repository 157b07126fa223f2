"""Implementations that claim a rule: the rule itself in any format, and torch.optim."""
