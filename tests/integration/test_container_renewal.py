"""Monitors that are spares again: one that has had a boot is as one that was just forked."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.platform.drivers.base import GuestFile
from ephemera.platform.drivers.container.driver import ContainerDriver
from tests import needs
from tests.container_world import World, forked_by, kill, leaving_nothing, quiet, until, zygote_of

pytestmark = needs.containers

_BOOTS = 8
#: Lines of a process's status.
_RIGHTS = r"^(?:Sig|Cap|Uid|Gid|Umask|NoNew|Seccomp).*"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with leaving_nothing(tmp_path / "home") as world:
        yield world


def test_a_monitor_has_one_boot_after_the_other_and_keeps_nothing(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            before = [await _monitor_of_a_boot(world, driver, number) for number in range(_BOOTS)]
            assert len(set(before)) < _BOOTS
            await until(lambda: all(map(_is_ready, _spares(driver))))
            assert _spares(driver) & set(before)
            await until(lambda: _are_alike(driver), lambda: "\n".join(_states(driver)))

    asyncio.run(check())


@pytest.mark.parametrize("runtime", ["own", "crun"])
def test_no_machine_sees_what_else_is_in_the_environment_of_who_starts_it(
    world: World, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPHEMERA_RUNTIME", runtime)

    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sleep", "1000"), quiet)
            said = await driver.exec(handle, ["cat", "/proc/self/environ"], timeout=20)
            assert b"PATH=" in said.stdout
            assert b"LIBCONTAINER" not in said.stdout
            main = await driver.exec(handle, ["cat", "/proc/2/environ"], timeout=20)
            assert b"PATH=" in main.stdout
            assert b"LIBCONTAINER" not in main.stdout

    asyncio.run(check())


def test_a_monitor_outlives_its_zygote_and_then_ends(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sleep", "1000"), quiet)
            monitor = world.monitor()
            kill(zygote_of(driver))
            await driver.signal(handle, 9)
            await driver.wait(handle)
            await until(lambda: not Path(f"/proc/{monitor}").exists())

    asyncio.run(check())


async def _monitor_of_a_boot(world: World, driver: ContainerDriver, number: int) -> int:
    """Run a boot with all that a monitor opens for one, and return the pid of that.

    It is a spare again then, or it is gone.
    """
    name = f"m{number}"
    files = [GuestFile("/etc/kept", b"secret", 0o600)]
    handle = await driver.start(world.spec("sleep", "1000", machine_id=name, files=files), quiet)
    monitor = world.monitor(name)
    assert (await driver.exec(handle, ["cat", "/etc/kept"], timeout=20)).stdout == b"secret"
    await driver.signal(handle, 9)
    await driver.wait(handle)
    await until(lambda: _comm(monitor) != "eph-monitor")
    return monitor


def _spares(driver: ContainerDriver) -> set[int]:
    return {
        one for one in forked_by(zygote_of(driver)) if _comm(one) in ("eph-spare", "eph-monitor")
    }


def _is_ready(pid: int) -> bool:
    """Whether a spare waits for a boot, and a process in its machine to be the program."""
    return _comm(pid) == "eph-spare" and list(map(_comm, _children(pid))) == ["init", "caller"]


def _are_alike(driver: ContainerDriver) -> bool:
    try:
        return len(_states(driver)) == 1
    except (FileNotFoundError, ProcessLookupError):
        return False  # one of them has closed something, or has ended, while it was looked at


def _states(driver: ContainerDriver) -> set[str]:
    """Return what spares have, each once; a few milliseconds before they wait they have less."""
    return {json.dumps(_state(one)) for one in _spares(driver)}


def _state(pid: int) -> dict[str, Any]:
    """Return what a process has, without the numbers that no two have in common."""
    folder = Path(f"/proc/{pid}")
    mounts = [line.split() for line in (folder / "mountinfo").read_text().splitlines()]
    status = (folder / "status").read_text()
    return {
        "descriptors": sorted(_nameless(one.readlink()) for one in (folder / "fd").iterdir()),
        "mounts": sorted(f"{one[4]} {one[-3]}" for one in mounts),
        "cgroups": (folder / "cgroup").read_text(),
        "folder": str((folder / "cwd").readlink()),
        "signals and rights": re.findall(
            r"^(?:Sig|Cap|Uid|Gid|Umask|NoNew|Seccomp).*", status, re.MULTILINE
        ),
        "children": [_comm(one) for one in _children(pid)],
    }


def _nameless(target: Path) -> str:
    return re.sub(r"\d+", "", str(target))


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
