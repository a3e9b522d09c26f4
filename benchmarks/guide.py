"""The example of the guide: from `/job/start` to `/job/complete`, in the demo application."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from benchmarks.measuring import Result, Stopwatch
from ephemera import Client
from ephemera.cli.demonstration import elapsed_ns, free_port, site_config
from ephemera.testing.serving import serving

_APP = "welcome"
_ANSWERS_MAX_S = 120
_BUDGET_MS = 100
_LOOK_EVERY_S = 0.02
_FETCH = "import sys, urllib.request as web; print(web.urlopen(sys.argv[1]).read().decode())"

#: Returns what the application answers to a path; raises `OSError` where it does not.
Browser = Callable[[str], str]


def start_to_complete(folder: Path, rounds: int) -> list[Result]:
    """Request `/job/start` and read in `/job/status` when the job had called back."""
    with serving(folder) as server, Client(server.endpoint.url, server.token) as client:
        client.apps.create(_APP)
        port = free_port()
        client.machines.create(_APP, config=site_config(port, folder))
        with httpx2.Client(trust_env=False, timeout=10) as http:

            def browse(path: str) -> str:
                try:
                    return http.get(f"http://127.0.0.1:{port}{path}").raise_for_status().text
                except httpx2.TransportError as error:
                    raise ConnectionError(str(error)) from error

            return [_result("process", _jobs(browse, rounds))]


def start_to_complete_in_containers(folder: Path, rounds: int) -> list[Result]:
    """Do the same where application and job are containers, in one private network.

    Nobody outside of that network reaches the application, so it is asked from inside its machine.
    Its data is beside the state folder, which machines do not see.
    """
    with (
        serving(folder / "home", driver="container") as server,
        Client(server.endpoint.url, server.token) as client,
    ):
        client.apps.create(_APP)
        config = site_config(port := free_port(), folder)
        assert config.init
        assert config.init.exec
        config.init.exec += ["--host", "::"]
        config.env = {**(config.env or {}), "FLY_API_TOKEN": client.tokens.create_deploy(_APP)}
        machine = client.machines.create(_APP, config=config)
        client.machines.wait(_APP, machine.id, "started")
        site = f"http://{machine.id}.vm.{_APP}.internal:{port}"

        def browse(path: str) -> str:
            command = [sys.executable, "-c", _FETCH, site + path]
            done = client.machines.exec(_APP, machine.id, command)
            if done.exit_code:
                raise ConnectionError(done.stderr)
            return done.stdout or ""

        return [_result("container", _jobs(browse, rounds))]


def _result(driver: str, watch: Stopwatch) -> Result:
    key = f"`/job/start` → `/job/complete`, {driver}"
    return Result(key, watch.median, "ms", _BUDGET_MS, len(watch.samples))


def _jobs(browse: Browser, rounds: int) -> Stopwatch:
    """Run jobs one after the other, once the application answers."""
    _until(f"{_APP} answers", lambda: browse("/"))
    watch = Stopwatch()
    for _ in range(rounds + 1):
        browse("/job/start")
        watch.samples.append(_elapsed_ms(browse))
    del watch.samples[0]
    return watch


def _elapsed_ms(browse: Browser) -> float:
    """Return how long the job took, by the application's own clock."""

    def both() -> str:
        status = browse("/job/status").strip()
        return status if len(status.splitlines()) == 2 else ""

    return elapsed_ns(_until("the job calls back", both)) / 1e6


def _until(what: str, look: Callable[[], str]) -> str:
    """Return what `look` returns, once that is something."""
    said, deadline = "", time.monotonic() + _ANSWERS_MAX_S
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except ConnectionError as error:
            said = str(error)
        time.sleep(_LOOK_EVERY_S)
    raise TimeoutError(f"waited {_ANSWERS_MAX_S} s until {what}: {said}")
