"""Several callers move the same machines at random while the server is killed again and again.

What must hold afterwards: every machine comes to rest, what the platform says of it is so, and
when all are destroyed no process and no file of any of them is left.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephemera.platform.drivers.monitoring import kernel
from ephemera.testing.serving import Server, serving
from tests.faults.mortality import FEW_ROUNDS

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

_CALLERS, _MACHINES, _MOVES = 4, 8, 60
_KILLS = 6
_RESTS = ("stopped", "suspended", "failed", "started")
_PATIENCE_S = 60.0
_MACHINES_URL = "/v1/apps/storm/machines"
#: Ignores what it is told and leaves its session; leaves orphans behind; fails; stops itself.
_PROGRAMS = (
    "trap '' TERM INT; setsid sleep 1000 & while :; do sleep 0.1; done",
    "(setsid sh -c 'sleep 1000 & sleep 1000' &); sleep 1000",
    "sleep 0.2; exit 3",
    "kill -STOP $$; sleep 1000",
)
_MOVE_PATHS = ("/start", "/stop", "/suspend", "/suspend", "/start", "/restart?force_stop=true")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "home", driver="process") as server:
        yield server


def _config(dice: random.Random) -> dict[str, Any]:
    return {
        "image": "host",
        "init": {"exec": ["sh", "-c", dice.choice(_PROGRAMS)]},
        "restart": {"policy": dice.choice(("no", "on-failure")), "max_retries": 2},
        "stop_config": {"timeout": "100ms"},
    }


def _connected(server: Server) -> httpx2.Client:
    return httpx2.Client(base_url=server.endpoint.url, headers=server.headers, timeout=70)


def _call(server: Server, ids: list[str], seed: int, faults: list[str]) -> None:
    dice = random.Random(seed)
    with _connected(server) as http:
        for _ in range(_MOVES):
            url = f"{_MACHINES_URL}/{dice.choice(ids)}"
            with suppress(httpx2.HTTPError):  # killed while it was asked
                if dice.random() < 0.15:
                    answer = http.post(url, json={"config": _config(dice)})
                else:
                    answer = http.post(url + dice.choice(_MOVE_PATHS))
                if answer.status_code >= 500 and answer.status_code != 503:
                    faults.append(answer.text)


def _storm(server: Server, ids: list[str], seed: int) -> list[str]:
    """Return the answers that blame the server."""
    dice, faults = random.Random(seed), list[str]()
    callers = [
        threading.Thread(target=_call, args=(server, ids, seed + number, faults))
        for number in range(1, _CALLERS + 1)
    ]
    for caller in callers:
        caller.start()
    for _ in range(_KILLS):
        callers[0].join(dice.uniform(0.1, 0.8))
        server.kill()
        server.restart()
    for caller in callers:
        caller.join()
    return faults


def _states_of_processes(server: Server, machine_id: str) -> list[bool]:
    """Return of each process of a machine whether it is stopped."""
    marker = f"EPHEMERA_FILES={server.home}/machines/{machine_id}/".encode()
    found = []
    for one in kernel.processes():
        with suppress(OSError):
            if marker in Path(f"/proc/{one.pid}/environ").read_bytes():
                found.append(kernel.is_stopped(one.pid))
    return found


def _at_rest(server: Server, http: httpx2.Client, machine_id: str) -> tuple[str, list[bool]]:
    """Return the state of a machine once it stays in one, and what its processes are meanwhile."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        before = http.get(f"{_MACHINES_URL}/{machine_id}").json()
        processes = _states_of_processes(server, machine_id)
        after = http.get(f"{_MACHINES_URL}/{machine_id}").json()
        has_just_ended = before["state"] == "started" and not processes
        if before["state"] in _RESTS and before == after and not has_just_ended:
            return before["state"], processes
        assert time.monotonic() < deadline, (after, processes)
        time.sleep(0.02)  # to go on to another boot is no event


@pytest.mark.parametrize("seed", [1] if FEW_ROUNDS else [1, 2])
def test_machines_come_to_rest_as_they_are_said_to_be_and_leave_nothing(
    server: Server, seed: int
) -> None:
    dice = random.Random(seed)
    with _connected(server) as http:
        http.post("/v1/apps", json={"app_name": "storm"}).raise_for_status()
        bodies = ({"config": _config(dice)} for _ in range(_MACHINES))
        ids = [http.post(_MACHINES_URL, json=body).json()["id"] for body in bodies]
    assert _storm(server, ids, seed) == []
    with _connected(server) as http:
        for machine_id in ids:
            url = f"{_MACHINES_URL}/{machine_id}"
            http.get(f"{url}/wait?state=stopped,suspended,failed&timeout=3")
            state, processes = _at_rest(server, http, machine_id)
            assert bool(processes) is (state in ("suspended", "started")), http.get(url).text
            assert state != "suspended" or all(processes)
            http.delete(f"{url}?force=true").raise_for_status()
            http.get(f"{url}/wait?state=destroyed").raise_for_status()
            assert _states_of_processes(server, machine_id) == []
    assert list((server.home / "machines").iterdir()) == []
    assert "defect" not in (server.home / "platform.log").read_text()
