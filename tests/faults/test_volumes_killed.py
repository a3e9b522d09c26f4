"""The platform is killed with SIGKILL before and after each write in the lives of volumes.

What must hold each time, once the platform serves again: what was answered is there, a volume that
can be mounted has all of its data, a volume names a machine that is there, and nothing is on the
disk that no volume or snapshot owns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephemera.testing.machines_api import AppUnderTest, Subject
from ephemera.testing.serving import Server, serving
from tests.faults.mortality import dying_at, writes_to_die_at

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

_TIMEOUT_S = 30.0
#: Three volumes, a snapshot and a machine, each made, two of them filled, two of them destroyed.
_WRITES_MIN = 12
_FILES = {f"folder{number % 7}/file{number}": f"content {number}" for number in range(50)}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "home", driver="mock") as server:
        yield server


class Life:
    """One app, its volumes, and what the platform has answered about them so far."""

    def __init__(self, server: Server, app: AppUnderTest) -> None:
        self.root = server.home / "volumes"
        self.app = app
        #: The first volume, which is written to; all others are made from it.
        self.source = ""
        #: What was answered to be there, and not to be there any more.
        self.made: set[str] = set()
        self.destroyed: set[str] = set()

    def live(self) -> None:
        """Go through everything that volumes can go through.

        Raises:
            TransportError: the platform has died.
        """
        source = self.source = self._create()
        self._write(source)
        snapshot = self.app.post(f"/volumes/{source}/snapshots")["Msg"]["backup"]["id"]
        self._until_status(f"/volumes/{source}/snapshots", "status")
        restored = self._create(snapshot_id=snapshot)
        fork = self._create(source_volume_id=source)
        for volume in (restored, fork):
            self._until_status(f"/volumes/{volume}", "state")
        config = self.app.config(["run"], mounts=[{"volume": fork, "path": "/data"}])
        body = {"config": config, "skip_launch": True}
        machine = self.app.post("/machines", json=body)["id"]
        self.app.ask("DELETE", f"/machines/{machine}?force=true")
        self.app.reaches(machine, "destroyed")
        for volume in (restored, source):
            self.made.remove(volume)  # from now on until there is an answer it may be either
            assert self.app.ask("DELETE", f"/volumes/{volume}").is_success
            self.destroyed.add(volume)

    def check(self) -> None:
        """Check all of it on a platform that lives."""
        until(lambda: {one["state"] for one in self.app.get("/volumes")} <= {"created"})
        listed = {one["id"]: one for one in self.app.get("/volumes")}
        assert self.made <= listed.keys()
        assert not self.destroyed & listed.keys()
        if self.source:
            for volume in listed.keys() - {self.source}:
                assert self._read(volume) == _FILES, volume
        until(lambda: self._strays(listed) == [])
        machines = {one["id"] for one in self.app.get("/machines")}
        attached = {one.get("attached_machine_id") for one in listed.values()} - {None}
        assert attached <= machines

    def _create(self, **body: Any) -> str:
        volume = str(self.app.post("/volumes", json={"name": "data", **body})["id"])
        self.made.add(volume)
        return volume

    def _until_status(self, path: str, field: str) -> None:
        def is_created() -> bool:
            found = self.app.get(path)
            return bool((found[0] if isinstance(found, list) else found)[field] == "created")

        until(is_created)

    def _write(self, volume: str) -> None:
        for path, text in _FILES.items():
            file = self.root / volume / "data" / path
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)

    def _read(self, volume: str) -> dict[str, str]:
        data = self.root / volume / "data"
        files = [path for path in data.rglob("*") if path.is_file()]
        return {str(path.relative_to(data)): path.read_text() for path in files}

    def _strays(self, listed: dict[str, Any]) -> list[Path]:
        """Return the folders of data that no volume of any state owns, and unfinished copies."""
        data = [one for one in self.root.glob("*/data") if one.parent.name not in listed]
        mine = [one for one in data if one.parent.name in self.destroyed]
        return [*mine, *self.root.glob("*/new-*"), *self.root.glob("*/snapshots/new-*")]


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)  # the API has no wait for volumes


@pytest.mark.parametrize("when", ["before", "after"])
def test_volumes_are_whole_wherever_the_platform_is_killed(server: Server, when: str) -> None:
    for writes in writes_to_die_at(when):
        subject = Subject(server.endpoint.url, server.token)
        with subject.connect() as http, AppUnderTest.made(subject, http) as app:
            life = Life(server, app)
            with dying_at(writes, when, server) as mortal:
                try:
                    life.live()
                except httpx2.TransportError:
                    mortal.wait(_TIMEOUT_S)
                died = mortal.poll() is not None
            server.restart()
            life.check()
        if not died:
            break
    assert writes > _WRITES_MIN
