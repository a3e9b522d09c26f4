"""The example of the guide: from `/job/start` to `/job/complete`, in the demo application."""

from __future__ import annotations

import time
from pathlib import Path

import httpx2

from benchmarks.measuring import Result, Stopwatch
from ephemera import Client
from ephemera.cli.demonstration import elapsed_ns
from ephemera.demos import welcome
from ephemera.testing.serving import serving

_APP = "welcome"
_ANSWERS_MAX_S = 30


def start_to_complete(folder: Path, rounds: int) -> list[Result]:
    """Request `/job/start` and read in `/job/status` when the job had called back."""
    with serving(folder) as server, Client(server.endpoint.url, server.token) as client:
        client.apps.create(_APP)
        site = welcome.serve(client, _APP, folder)
        watch = Stopwatch()
        with httpx2.Client(trust_env=False, timeout=10) as browser:
            for _ in range(rounds + 1):
                browser.get(f"{site}/job/start").raise_for_status()
                watch.samples.append(_elapsed_ms(browser, site))
    del watch.samples[0]
    return [Result("`/job/start` → `/job/complete`, process", watch.median, "ms", 100, rounds)]


def _elapsed_ms(browser: httpx2.Client, site: str) -> float:
    deadline = time.monotonic() + _ANSWERS_MAX_S
    while time.monotonic() < deadline:
        status = browser.get(f"{site}/job/status").text
        if len(status.splitlines()) == 2:
            return elapsed_ns(status) / 1e6
        time.sleep(0.02)
    raise TimeoutError(f"the job did not call back: {status!r}")
