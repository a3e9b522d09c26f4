"""`python -m ephemera`, for where the command `ephemera` is not on the path."""

from __future__ import annotations

from ephemera.cli.main import main

if __name__ == "__main__":
    main()
