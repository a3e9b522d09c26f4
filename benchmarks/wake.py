"""A request to an app that is stopped: how long until the first byte of the answer.

Beside it the same program is started by itself, and asked until it answers: that is the app's own
start, and what is more is the platform's. It is an application of a few lines on the standard
library's server, which starts about as fast as Python does.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measuring import Result, Stopwatch, interleaved
from ephemera import Client
from ephemera.cli.demonstration import free_port
from ephemera.testing.serving import Server, serving
from ephemera.wire.models import MachineConfig

_APP = "woken"
_WITHIN_S = 120.0
_PORT = 8080
#: Between two attempts to connect to the program that is started by itself.
_STEP_S = 0.0005
_PROGRAM = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_): pass
http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""


def first_byte(folder: Path, rounds: int) -> list[Result]:
    """Ask an app whose machine is a process."""
    woken, alone = _measured(folder, rounds, "process")
    return [_result("process", woken, alone)]


def first_byte_in_container(folder: Path, rounds: int) -> list[Result]:
    """Ask an app whose machine is a container, and say what that adds to the app's own start."""
    woken, alone = _measured(folder, rounds, "container")
    key = "request to a stopped app → first byte, container, beyond the app's own start"
    beyond = Result(key, woken.median - alone.median, "ms", 60, rounds)
    return [_result("container", woken, alone), beyond]


def _measured(folder: Path, rounds: int, driver: str) -> list[Stopwatch]:
    """Return how long requests took that woke an app, and starts of its program by itself."""
    with (
        serving(folder, driver=driver) as server,
        Client(server.endpoint.url, server.token) as client,
    ):
        client.apps.create(_APP)
        port = _PORT if driver == "container" else free_port()
        machine = client.machines.create(_APP, config=_config(driver, port))

        def woken(watch: Stopwatch) -> None:
            client.machines.wait(_APP, machine.id, "settled")
            client.machines.stop(_APP, machine.id, signal="SIGKILL")
            client.machines.wait(_APP, machine.id, "stopped")
            with watch.running():
                _ask(_proxy(server), f"{_APP}.localhost")

        return interleaved(rounds, woken, _alone)


def _alone(watch: Stopwatch) -> None:
    port = free_port()
    with watch.running():
        program = subprocess.Popen([sys.executable, "-c", _PROGRAM, "127.0.0.1", str(port)])
        _ask_until_answered(("127.0.0.1", port))
    program.kill()
    program.wait()


def _ask_until_answered(address: tuple[str, int]) -> None:
    deadline = time.perf_counter() + _WITHIN_S
    while True:
        try:
            return _ask(address, "localhost")
        except OSError:
            if time.perf_counter() > deadline:
                raise
            time.sleep(_STEP_S)


def _ask(address: tuple[str, int], host: str) -> None:
    """Return when the first byte of the answer is there, which must be a good one."""
    with socket.create_connection(address, timeout=_WITHIN_S) as sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = sock.recv(4096)
    if b" 200 " not in answer.partition(b"\r\n")[0]:
        raise RuntimeError(f"the app did not answer well: {answer!r}")


def _proxy(server: Server) -> tuple[str, int]:
    host, _, port = server.endpoint.proxy_url.removeprefix("http://").rpartition(":")
    return host, int(port)


def _config(driver: str, port: int) -> MachineConfig:
    host = "0.0.0.0" if driver == "container" else "127.0.0.1"
    service = {
        "internal_port": port,
        "autostart": True,
        "autostop": "off",
        "ports": [{"port": 80, "handlers": ["http"]}],
    }
    return MachineConfig.model_validate(
        {
            "image": "host",
            "init": {"exec": [sys.executable, "-c", _PROGRAM, host, str(port)]},
            "restart": {"policy": "no"},
            "services": [service],
        }
    )


def _result(driver: str, woken: Stopwatch, alone: Stopwatch) -> Result:
    key = f"request to a stopped app → first byte, {driver}"
    compared = "the app started by itself"
    budget = alone.median + 60
    return Result(key, woken.median, "ms", budget, len(woken.samples), compared, alone.median)
