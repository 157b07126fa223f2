"""Any optimizer class: found, read, matched, held to its rule and to the contracts.

`targets` finds the classes, `probe` learns what each is, `collect` makes pytest items of it, `audit` runs them in
processes of their own, `findings` and `explain` say what came of it. Importing this package imports no torch.
"""
