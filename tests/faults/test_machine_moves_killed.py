"""The platform is killed with SIGKILL around each write while a machine is moved about.

A client that asks again, as it must when an answer was lost, gets the machine through suspend,
resume, cordon, update and destroy, and the machine boots exactly as often as it should.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephemera.testing.serving import Server
from tests.faults.mortality import served, start_mortal, writes_to_die_at

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

_TIMEOUT_S = 60.0
#: Of the moves below, at the least.
_WRITES_MIN = 10


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with served(tmp_path, monkeypatch) as server:
        yield server


class Caller:
    """Asks until there is an answer, and has the platform started again once it is dead.

    Attributes:
        died: Whether it was.
    """

    def __init__(self, server: Server, mortal: subprocess.Popen[bytes]) -> None:
        self.died = False
        self._server = server
        self._mortal = mortal
        self._http = httpx2.Client(
            base_url=f"{server.endpoint.url}/v1/apps/demo",
            headers=server.headers,
            timeout=_TIMEOUT_S,
        )

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Return the first answer that there is."""
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                return self._http.request(method, path, **more)
            except httpx2.TransportError:
                assert time.monotonic() < deadline
                self._revive()

    def _revive(self) -> None:
        """Start the platform again if it is dead; else it is still coming up."""
        if self.died or self._mortal.poll() is None:
            time.sleep(0.02)
            return
        self.died = True
        self._server.restart()

    def reaches(self, machine: str, state: str) -> None:
        """Return when the machine is in the state."""
        answer = self.ask("GET", f"/machines/{machine}/wait?state={state}")
        assert answer.is_success, answer.text

    def runs(self, machine: str, ran: Path, boots: list[str]) -> None:
        """Return when the machine is started and its programs have noted these boots."""
        self.reaches(machine, "started")
        deadline = time.monotonic() + _TIMEOUT_S
        while not ran.exists() or ran.read_text().split() != boots:
            assert time.monotonic() < deadline, f"{ran} never has {boots}"
            time.sleep(0.01)  # a program that has begun has done nothing yet

    def create(self, config: dict[str, Any]) -> str:
        """Create the machine, or find it where the answer was lost."""
        body = {"name": "moved", "config": config}
        self.ask("POST", "/machines", json=body)
        (machine,) = self.ask("GET", "/machines").json()
        return str(machine["id"])


def moved_about(caller: Caller, ran: Path) -> dict[str, Any]:
    """Move a machine through its life, and return what is left of it."""
    config: dict[str, Any] = {
        "image": "host",
        "init": {"exec": ["sh", "-c", f"echo $N >> {ran}; exec sleep 600"]},
        "restart": {"policy": "no"},
        "env": {"N": "1"},
    }
    machine = caller.create(config)
    caller.runs(machine, ran, ["1"])
    for verb, state in (("suspend", "suspended"), ("cordon", "suspended"), ("start", "started")):
        caller.ask("POST", f"/machines/{machine}/{verb}")
        caller.reaches(machine, state)
    version = caller.ask("GET", f"/machines/{machine}").json()["instance_id"]
    update = {"config": config | {"env": {"N": "2"}}, "current_version": version}
    caller.ask("POST", f"/machines/{machine}", json=update)
    caller.runs(machine, ran, ["1", "2"])
    caller.ask("DELETE", f"/machines/{machine}?force=true")
    caller.reaches(machine, "destroyed")
    left: dict[str, Any] = caller.ask("GET", f"/machines/{machine}").json()
    left["versions"] = len(caller.ask("GET", f"/machines/{machine}/versions").json())
    return left


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_machine_comes_through_its_moves_whichever_write_the_platform_dies_at(
    server: Server, tmp_path: Path, when: str
) -> None:
    made = httpx2.post(
        f"{server.endpoint.url}/v1/apps",
        json={"app_name": "demo"},
        headers=server.headers,
        timeout=_TIMEOUT_S,
    )
    made.raise_for_status()
    for writes in writes_to_die_at(when):
        ran = tmp_path / f"ran-{writes}"
        mortal = start_mortal(server, writes, when)
        caller = Caller(server, mortal)
        try:
            left = moved_about(caller, ran)
        finally:
            mortal.kill()
            mortal.wait()
        if not caller.died:
            server.restart()
        assert ran.read_text().split() == ["1", "2"], left
        assert left["cordoned"] is True
        assert left["config"]["env"] == {"N": "2"}
        assert left["versions"] == 1
        assert list((server.home / "machines").glob("*/*")) == []
        if not caller.died:
            break
    assert writes > _WRITES_MIN
