"""`python -m verifier` is the same program as `verifier`."""

from __future__ import annotations

from verifier.cli import main

if __name__ == "__main__":
    main()
