"""The example of the guide: from `/job/start` to `/job/complete`, in the demo application."""

from __future__ import annotations

import time
from pathlib import Path

import httpx2

from benchmarks.measuring import Result, Stopwatch
from ephemera import Client
from ephemera.cli.demonstration import elapsed_ns, free_port, site_config
from ephemera.testing.serving import serving

_APP = "welcome"
_ANSWERS_MAX_S = 30


def start_to_complete(folder: Path, rounds: int) -> list[Result]:
    """Request `/job/start` and read in `/job/status` when the job had called back."""
    with serving(folder) as server, Client(server.endpoint.url, server.token) as client:
        watch = Stopwatch()
        with httpx2.Client(trust_env=False, timeout=10) as browser:
            site = _serve_site(client, browser, folder)
            for _ in range(rounds + 1):
                browser.get(f"{site}/job/start").raise_for_status()
                watch.samples.append(_elapsed_ms(browser, site))
    del watch.samples[0]
    return [Result("`/job/start` → `/job/complete`, process", watch.median, "ms", 100, rounds)]


def _serve_site(client: Client, browser: httpx2.Client, folder: Path) -> str:
    """Run the demo application as a machine; return its URL once it answers."""
    client.apps.create(_APP)
    port = free_port()
    client.machines.create(_APP, config=site_config(port, folder))
    site = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + _ANSWERS_MAX_S
    while time.monotonic() < deadline:
        try:
            browser.get(site)
        except httpx2.TransportError:
            time.sleep(0.02)
        else:
            return site
    raise TimeoutError(f"the demo application does not answer at {site}")


def _elapsed_ms(browser: httpx2.Client, site: str) -> float:
    status, deadline = "", time.monotonic() + _ANSWERS_MAX_S
    while time.monotonic() < deadline:
        status = browser.get(f"{site}/job/status").text
        if len(status.splitlines()) == 2:
            return elapsed_ns(status) / 1e6
        time.sleep(0.02)
    raise TimeoutError(f"the job did not call back: {status!r}")
