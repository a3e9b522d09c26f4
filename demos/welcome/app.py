"""A web application that gives a job a machine of its own, and hears from it.

```
you ──► /job/start ──► a timestamp, and a job: a machine that requests ──► /job/complete
you ──► /job/status ──► both timestamps                                        a timestamp
```

Run it with `uvicorn app:app`, anywhere: on this computer the first job starts the embedded
platform, on Fly.io the app's own token makes the machines.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from ephemera import command
from ephemera.jobs import supervise

# What is done for jobs: `Started machine: ...`, and what went wrong where something did.
logging.basicConfig(format="%(levelname)s: %(message)s")
logging.getLogger("ephemera.jobs").setLevel(logging.INFO)

#: Where the timestamps are: a file in this folder.
STATUS = Path(os.environ.get("WELCOME_FOLDER", ".")) / "status"

#: What requests a URL where there is no curl. It prints the answer, and fails as curl does.
FETCH = "import sys, urllib.request as web; print(web.urlopen(sys.argv[1]).read().decode())"

PAGE = """<!doctype html>
<html lang="en">
<title>Welcome</title>
<h1>Welcome</h1>
<p><a href="/job/start">Start a job</a> on a machine of its own, then see
<a href="/job/status">when it started and when it was complete</a>.</p>
</html>
"""


def welcome(_: Request) -> Response:
    return HTMLResponse(PAGE)


def start(request: Request) -> Response:
    """Begin: the first timestamp, and a job that will bring the second."""
    STATUS.write_text(timestamp())
    job = command(fetch(str(request.url_for("complete"))), timeout=60).enqueue()
    return PlainTextResponse(f"{job.id}\n")


def complete(_: Request) -> Response:
    """Hear from the job's machine: the second timestamp."""
    with STATUS.open("a") as status:
        status.write(timestamp())
    return PlainTextResponse("OK")


def status(_: Request) -> Response:
    return PlainTextResponse(STATUS.read_text() if STATUS.exists() else "no job yet\n")


def fetch(url: str) -> list[str]:
    """Return a command that requests `url` and fails unless it is answered well."""
    if shutil.which("curl"):
        return ["curl", "--fail", "--silent", "--show-error", url]
    return [sys.executable, "-c", FETCH, url]


def timestamp() -> str:
    """Return the time as a line, like `date -u +"%d-%m-%Y %T.%N %Z"`."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime(f"%d-%m-%Y %H:%M:%S.{nanoseconds:09d} UTC\n", time.gmtime(seconds))


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Take up the jobs that were under way when this application was last ended."""
    supervise()
    yield


# These are plain functions, not coroutines, so Starlette runs each in a thread: enqueueing
# writes to a file, and must not hold up other requests.
app = Starlette(
    routes=[
        Route("/", welcome),
        Route("/job/start", start),
        Route("/job/complete", complete),
        Route("/job/status", status),
    ],
    lifespan=lifespan,
)
