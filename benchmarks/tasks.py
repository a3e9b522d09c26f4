"""What the job benchmark gives its machines to do."""

from __future__ import annotations

from ephemera import task


@task
def double(number: int) -> int:
    """Do next to nothing."""
    return 2 * number
