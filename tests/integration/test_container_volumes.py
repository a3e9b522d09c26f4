"""Volumes of machines that are containers: disks of a size, whatever happens to the machine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.platform.drivers.container import disks
from ephemera.testing.machines_api import SHELL, AppUnderTest, Subject, answered, refused
from ephemera.testing.serving import Server, serving
from tests import disk_content, needs

pytestmark = [
    *needs.containers,
    needs.ext4,
    needs.loop,
]

_GIB = 1024**3
_TIMEOUT_S = 30.0
_SLEEPS = ("sleep", "1000")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("platform"), driver="container") as served:
        yield served


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)  # the API has no wait for volumes


def _made(app: AppUnderTest, **body: Any) -> str:
    return str(app.post("/volumes", json={"name": "data", "size_gb": 1, **body})["id"])


def _machine(app: AppUnderTest, volume: str) -> str:
    return app.created_and("started", _SLEEPS, mounts=[{"volume": volume, "path": "/data"}])


def _run(app: AppUnderTest, machine: str, script: str) -> dict[str, Any]:
    body = {"command": ["sh", "-ec", script], "timeout": 60}
    done: dict[str, Any] = app.post(f"/machines/{machine}/exec", json=body)
    return done


def _image(server: Server, volume: str) -> str:
    return str(server.home / "volumes" / volume / "data.img")


def _destroy(app: AppUnderTest, machine: str) -> None:
    app.ask("DELETE", f"/machines/{machine}?force=true")
    app.reaches(machine, "destroyed")


def _size_gb(app: AppUnderTest, machine: str) -> float:
    """Return how large a machine sees its volume."""
    done = _run(app, machine, "stat -f -c '%b %S' /data")
    blocks, size = done["stdout"].split()
    return int(blocks) * int(size) / _GIB


def _status(app: AppUnderTest, volume: str) -> str:
    return str(app.get(f"/volumes/{volume}/snapshots")[0]["status"])


def test_a_machine_has_as_much_room_as_its_volume_is_large(app: AppUnderTest) -> None:
    volume = _made(app)
    machine = _machine(app, volume)
    assert _run(app, machine, "fallocate -l 900M /data/file")["exit_code"] == 0
    full = _run(app, machine, "fallocate -l 200M /data/more")
    assert full["exit_code"] != 0
    assert "No space left on device" in full["stderr"]
    shown = app.get(f"/volumes/{volume}")
    assert 0.85 * _GIB < shown["bytes_used"] < shown["bytes_total"] <= _GIB
    assert shown["blocks_avail"] <= shown["blocks_free"]


def test_root_of_a_machine_may_write_to_its_volume(app: AppUnderTest) -> None:
    machine = _machine(app, _made(app))
    done = _run(app, machine, "stat -c '%u:%g' /data; touch /data/file; stat -c '%u' /data/file")
    assert done["stdout"].split() == ["0:0", "0"]


def test_a_machine_sees_a_larger_volume_at_once_or_after_a_restart(app: AppUnderTest) -> None:
    volume = _made(app)
    machine = _machine(app, volume)
    _run(app, machine, "echo kept > /data/file")
    extended = answered(app.ask("PUT", f"/volumes/{volume}/extend", json={"size_gb": 2})).json()
    assert extended["volume"]["size_gb"] == 2
    assert (_size_gb(app, machine) < 1) == extended["needs_restart"]
    app.post(f"/machines/{machine}/stop")
    app.reaches(machine, "stopped")
    app.post(f"/machines/{machine}/start")
    app.reaches(machine, "started")
    assert 1.9 < _size_gb(app, machine) <= 2
    assert _run(app, machine, "cat /data/file")["stdout"] == "kept\n"


def test_a_snapshot_of_a_running_machine_holds_what_it_has_written(
    app: AppUnderTest, server: Server
) -> None:
    volume = _made(app)
    machine = _machine(app, volume)
    _run(app, machine, "echo before > /data/file")
    app.post(f"/volumes/{volume}/snapshots")
    _until(lambda: _status(app, volume) == "created")
    assert _run(app, machine, "echo after > /data/file")["exit_code"] == 0
    (snapshot,) = app.get(f"/volumes/{volume}/snapshots")
    image = Path(_image(server, volume)).parent / "snapshots" / f"{snapshot['id']}.img"
    assert disk_content.read(image, "file") == "before\n"
    restored = _made(app, snapshot_id=snapshot["id"], size_gb=2)
    _until(lambda: bool(app.get(f"/volumes/{restored}")["state"] == "created"))
    other = _machine(app, restored)
    assert _run(app, other, "cat /data/file")["stdout"] == "before\n"
    assert _size_gb(app, other) > 1.9


def test_a_machine_writes_on_when_the_server_is_killed_while_it_is_copied(
    app: AppUnderTest, server: Server
) -> None:
    volume = _made(app)
    machine = _machine(app, volume)
    _run(app, machine, "yes | head -c 300000000 > /data/file")
    app.post(f"/volumes/{volume}/snapshots")
    server.kill()
    server.restart()
    assert _run(app, machine, "echo on > /data/more; sync")["exit_code"] == 0
    _until(lambda: _status(app, volume) == "created")


def test_a_volume_is_free_again_when_its_monitor_was_killed(
    app: AppUnderTest, server: Server
) -> None:
    volume = _made(app)
    machine = _machine(app, volume)
    _run(app, machine, "echo kept > /data/file; sync")
    where = disks.mounted(_image(server, volume))
    assert where
    os.kill(int(where.split("/")[2]), signal.SIGKILL)
    _destroy(app, machine)
    _until(lambda: disks.is_idle(_image(server, volume)))
    assert _run(app, _machine(app, volume), "cat /data/file")["stdout"] == "kept\n"


def test_a_damaged_volume_is_said_in_the_machines_events(app: AppUnderTest, server: Server) -> None:
    volume = _made(app)
    with Path(_image(server, volume)).open("r+b") as file:
        file.seek(1024)
        file.write(os.urandom(1024))
    mounts = [{"volume": volume, "path": "/data"}]
    machine = app.created_and("failed", _SLEEPS, mounts=mounts)
    said = str(app.get(f"/machines/{machine}")["events"])
    assert f"the file system of volume {volume} is damaged" in said


def test_a_disk_is_refused_by_the_process_driver(tmp_path: Path) -> None:
    with serving(tmp_path / "home", driver="container") as server:
        subject = Subject(server.endpoint.url, server.token, programs=SHELL)
        with subject.connect() as http, AppUnderTest.made(subject, http) as app:
            volume = _made(app)
            server.stop()
            server.driver = "process"
            server.restart()
            config = app.config(_SLEEPS, mounts=[{"volume": volume, "path": "/data"}])
            why = refused(app.ask("POST", "/machines", json={"config": config}), 400)
            assert f"volume {volume} is a disk" in why
            assert app.get(f"/volumes/{volume}")["bytes_total"] <= _GIB
