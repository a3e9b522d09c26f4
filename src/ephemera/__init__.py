"""Ephemera gives every background job of a Python web application its own machine.

```python
from ephemera import task


@task
def thumbnails(album: str) -> list[str]: ...


job = thumbnails.enqueue("paris")
job.result()
```

Importing this package is cheap: what needs more than the errors is loaded when it is first used.
"""

from __future__ import annotations

from ephemera import errors

TYPE_CHECKING = False  # importing `typing` for it would take longer than all of this
if TYPE_CHECKING:
    from ephemera.client import AsyncClient, Client
    from ephemera.jobs import Job, command, task

__version__ = "0.1.0"

__all__ = ["AsyncClient", "Client", "Job", "__version__", "command", "errors", "task"]

_HOMES = {
    "AsyncClient": "ephemera.client",
    "Client": "ephemera.client",
    "Job": "ephemera.jobs",
    "command": "ephemera.jobs",
    "task": "ephemera.jobs",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(__import__(_HOMES[name], fromlist=[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
