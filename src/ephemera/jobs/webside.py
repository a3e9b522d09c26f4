"""What a web application does for its jobs besides enqueueing them: it takes their reports.

An application that mounts the routes of `ephemera.integrations` is where its machines report to,
at its own address. A report is a request, so it also wakes an application that was stopped because
nobody asked it anything, and the supervisor in it finishes what it had begun.

```
machine of a job ──► proxy ──► web application ──► store
                       └ starts it where it is stopped
```
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from ephemera.jobs.reports import REPORT_MAX_BYTES, refused, take_report
from ephemera.jobs.runtime import configure, runtime, supervise

#: Below the prefix that an application chooses. What follows are the store and the attempt.
REPORTS_PATH = "/reports"
#: Where nobody chooses another.
DEFAULT_PREFIX = "/ephemera"

__all__ = [
    "DEFAULT_PREFIX",
    "REPORTS_PATH",
    "app_url",
    "mounted",
    "note",
    "refusal",
    "supervise",
    "take",
]


def app_url(otherwise: str = "", environ: Mapping[str, str] = os.environ) -> str:
    """Return the base URL at which machines reach this web application, without a slash at its end.

    On the embedded platform that is what the platform says (`EPHEMERA_APP_URL`), on Fly.io the
    app's public address.

    Args:
        otherwise: What to return where this process is in no machine: the URL of the request that
            is being answered, for example.
    """
    told = environ.get("EPHEMERA_APP_URL")
    if told:
        return told.rstrip("/")
    app, on_platform = environ.get("FLY_APP_NAME"), environ.get("EPHEMERA_API_SOCKET")
    if app and environ.get("FLY_MACHINE_ID") and not on_platform:
        return f"https://{app}.fly.dev"
    return otherwise.rstrip("/")


def mounted(prefix: str = DEFAULT_PREFIX) -> None:
    """Have machines report to this application, whose routes are below `prefix`.

    Does nothing where no machine could reach it, because it is in none itself, and nothing where
    `EPHEMERA_REPORT_URL` or `configure` says otherwise. Repeating is safe.
    """
    base = app_url()
    if base and not runtime.settings().report_url:
        configure(report_url=f"{base}{prefix}{REPORTS_PATH}")


def refusal(store: str, attempt: str, authorization: str) -> int | None:
    """Return the status to answer a report with unread; None where its body is to be read.

    Args:
        store: From the path.
        attempt: From the path.
        authorization: The header of that name; empty where there is none.

    Raises:
        ConfigError: the job store cannot be opened.
    """
    return refused(runtime.store().identity(), store, attempt, authorization)


def note(attempt: str, body: bytes | None) -> int:
    """Note a report that `refusal` let in, and return the status to answer with. Blocks.

    Args:
        body: None where it has more than `REPORT_MAX_BYTES`.
    """
    return take_report(runtime.store(), attempt, body, time.time())


def take(store: str, attempt: str, authorization: str, read: Callable[[int], bytes]) -> int:
    """Take a report, and return the status to answer with. Blocks. Repeating is safe.

    Args:
        read: Reads so many bytes of the body at most; nobody reads that of a stranger.

    Raises:
        ConfigError: the job store cannot be opened.
    """
    status = refusal(store, attempt, authorization)
    if status is not None:
        return status
    body = read(REPORT_MAX_BYTES + 1)
    return note(attempt, body if len(body) <= REPORT_MAX_BYTES else None)
