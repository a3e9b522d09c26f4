"""An embedded platform for the length of a `with`: started, killed, started again, cleared away.

```python
with serving(tmp_path) as server:
    httpx2.get(f"{server.endpoint.url}/v1/apps?org_slug=personal", headers=server.headers)
    server.kill()  # as a crash would: its machines live on
    server.restart()  # the same folder, the same address
```
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import cycle
from pathlib import Path

import httpx2

from ephemera.home import Endpoint, make_home, read_endpoint, read_token
from ephemera.platform.settings import Settings

#: A platform that a test may make misbehave.
TESTING = Settings(testing=True)

#: A server that was asked to end lets open requests finish for a few seconds first.
_STOP_WAIT_S = 40
_REQUEST_WAIT_S = 75
#: Systems give those who connect, and those who ask for any port, one from 32768 on. While a server
#: is away, its port must not be one that somebody is given, be it whoever tries to reach it.
_LASTING_PORTS = range(10_000, 32_768)
#: A server that is busy, or runs on a computer that is, may take long to have all done.
_GONE_WAIT_S = 60


class DidNotServe(Exception):
    """The server ended instead of serving; the message is what it said and the end of its log."""


class Server:
    """A platform of its own for a test. Made by `serving`.

    Attributes:
        home: Its state folder; its log is `platform.log` in there.
        driver: How its machines are run.
        endpoint: Where it answers; kept across `restart`.
    """

    def __init__(self, home: Path, driver: str, options: tuple[str, ...] = ()) -> None:
        self.home = home
        self.driver = driver
        self._options = options
        listen = f"127.0.0.1:{lasting_port()}"
        self._process, self.endpoint = _start(home, driver, listen, options)

    @property
    def token(self) -> str:
        """The bearer token of its state folder."""
        return read_token(self.home) or ""

    @property
    def headers(self) -> dict[str, str]:
        """What a request must carry."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def alive(self) -> bool:
        """Whether its process still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash would, with SIGKILL. Repeating is safe; machines live on."""
        self._process.kill()
        self._process.wait()

    def stop(self, timeout: float = _STOP_WAIT_S) -> int:
        """Ask it to end and return its exit status; machines live on. Repeating is safe.

        Args:
            timeout: Seconds.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        self._process.terminate()
        return self._process.wait(timeout)

    def restart(self) -> None:
        """Serve the same folder at the same address again, after a kill if it still runs.

        Raises:
            DidNotServe: it ended instead.
        """
        self.kill()
        address = self.endpoint.url.removeprefix("http://")
        self._process, self.endpoint = _start(self.home, self.driver, address, self._options)

    def clear(self) -> None:
        """Destroy every machine, running or not. Returns once nothing of them is left."""
        with httpx2.Client(
            base_url=self.endpoint.url,
            headers=self.headers,
            timeout=_REQUEST_WAIT_S,
            verify=self.endpoint.url.startswith("https:"),  # no authority need be read for HTTP
        ) as http:
            for app in http.get("/v1/apps?org_slug=personal").raise_for_status().json()["apps"]:
                _clear_app(http, f"/v1/apps/{app['name']}/machines")


@contextmanager
def serving(
    home: Path, *, driver: str = "process", settings: Settings = TESTING
) -> Iterator[Server]:
    """Serve an embedded platform on a free port; at the end nothing of it runs any more.

    Args:
        home: The state folder; made where it does not exist.
        driver: The name of a driver, see `ephemera.platform.drivers.NAMES`.
        settings: Its regions, and what else it keeps to.

    Raises:
        DidNotServe: it ended instead of serving.
    """
    make_home(home)
    server = Server(home, driver, settings.options())
    try:
        yield server
    finally:
        if not server.alive:
            server.restart()
        try:
            server.clear()
        finally:
            server.stop()


def lasting_port() -> int:
    """Return a port of 127.0.0.1 that is free, and is free again when a server is restarted.

    No system gives it to anybody, and we give none twice for a long time. Where pytest-xdist has
    several processes run the tests, no two of them have a port in common. So one that was found
    free is not another's before it is used.
    """
    for port in _own_ports():
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("they have no end")


@cache
def _own_ports() -> Iterator[int]:
    """Return the ports of which this process may take any, again and again, from one of them on."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    workers = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "")
    shared = worker.isdecimal() and workers.isdecimal()
    own = _LASTING_PORTS[int(worker) :: int(workers)] if shared else _LASTING_PORTS
    first = secrets.randbelow(len(own))
    return cycle([*own[first:], *own[:first]])


def _start(
    home: Path, driver: str, listen: str, options: tuple[str, ...]
) -> tuple[subprocess.Popen[bytes], Endpoint]:
    ready, told = os.pipe()
    with (home / "platform.log").open("ab") as log, os.fdopen(ready) as answer:
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "ephemera.platform", "--home", str(home)),
                *("--listen", listen, "--driver", driver, "--ready-fd", str(told)),
                *options,
            ],
            pass_fds=(told,),
            stdin=subprocess.DEVNULL,
            stderr=log,
        )
        os.close(told)
        said = answer.readline().strip()
    endpoint = read_endpoint(home)
    if not said.startswith("ready ") or endpoint is None:
        process.kill()
        process.wait()
        log_tail = (home / "platform.log").read_text(errors="replace")[-2000:]
        raise DidNotServe(f"{said or 'it said nothing'}\n{log_tail}")
    return process, endpoint


def _clear_app(http: httpx2.Client, machines: str) -> None:
    ids = [machine["id"] for machine in http.get(machines).raise_for_status().json()]
    for one in ids:
        http.delete(f"{machines}/{one}?force=true", headers=_nonce(http, f"{machines}/{one}"))
    for one in ids:
        gone = http.get(f"{machines}/{one}/wait?state=destroyed&timeout={_GONE_WAIT_S}")
        if gone.status_code not in (200, 404):
            gone.raise_for_status()


def _nonce(http: httpx2.Client, machine: str) -> dict[str, str]:
    """Return the header that a leased machine wants to see before it goes."""
    lease = http.get(f"{machine}/lease")
    return {"fly-machine-lease-nonce": lease.json()["data"]["nonce"]} if lease.is_success else {}
