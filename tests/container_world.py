"""A container driver in a folder of its own, and eyes for what it leaves on this computer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from ephemera.platform import logfile
from ephemera.platform.drivers.base import BootSpec, Exit
from ephemera.platform.drivers.container.driver import ContainerDriver
from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.folder import BootFolder

#: Long enough for a slow computer, and never waited for where all is well.
TIMEOUT_S = 100.0
#: A network that no other test is in, and an address in it.
NETWORK, ADDRESS = "fdaa:7e:57::/48", "fdaa:7e:57:a7b::2"


def quiet(*_: str) -> None:
    """Hear what a driver says, and do nothing about it."""


class Traces:
    """What a platform may leave on this computer, beside the files in its home.

    Args:
        home: Its state folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._mounts_before = kernel.mounts()
        number = sha256(os.fsencode(home)).hexdigest()[:10]
        self._name, self._link = f"ephemera-{number}", f"eph{number}"

    def cgroups(self) -> list[str]:
        """Return the folders of its cgroups, the one that all others are below included."""
        mounted = Path("/sys/fs/cgroup")
        tops = (mounted / self._name, *mounted.glob(f"*/{self._name}"))  # version 2, and 1
        found = (one for top in tops if top.is_dir() for one in (top, *_folders(top)))
        return sorted(str(one) for one in found)

    def mounts(self) -> list[str]:
        """Return what is mounted for it where everybody sees it, and was not before."""
        now = [one for one in kernel.mounts() if str(self._home) in one or " /run/ephemera" in one]
        return [one for one in now if one not in self._mounts_before]

    def links(self) -> list[str]:
        """Return its end of the cable to its router, which is there for as long as that is."""
        return [name for _, name in socket.if_nameindex() if name == self._link]

    def rules(self) -> list[str]:
        """Return its table of rules by which machines get out."""
        listed = subprocess.run(
            ["nft", "list", "tables"], capture_output=True, text=True, check=True
        )
        return [one for one in listed.stdout.splitlines() if one.endswith(f"ephemera_{self._link}")]

    def processes(self) -> set[int]:
        """Return its living processes: zygotes, monitors, and all below them."""
        ours = {one.pid for one in kernel.processes() if self._is_ours(one.pid)}
        return ours | {one.pid for pid in ours for one in kernel.descendants(pid)}

    def seen(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            "cgroups": self.cgroups(),
            "links": self.links(),
            "rules": self.rules(),
            "mounts": self.mounts(),
            "processes": {pid: _shown(pid) for pid in self.processes()},
        }

    async def vanish(self, but: str = "") -> None:
        """Return when nothing of it is left, beside what has this name in `seen`.

        Raises:
            AssertionError: something is still there after a while.
        """
        await until(
            lambda: not any(found for what, found in self.seen().items() if what != but), self.seen
        )

    def _is_ours(self, pid: int) -> bool:
        """Whether a process is in one of its cgroups, or was told of its home."""
        try:
            inside = Path(f"/proc/{pid}/cgroup").read_text()
            told = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
        zygote = b"container.zygote" in told and os.fsencode(self._home) in told.split(b"\0")
        return zygote or f"/{self._name}/" in inside


def _folders(top: Path) -> list[Path]:
    try:
        return [one for one in top.iterdir() if one.is_dir()]
    except FileNotFoundError:
        return []


def _shown(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()[:80].decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def _whole_lines(path: str) -> list[str]:
    """Return the lines of a log, without one that is being written."""
    return Path(path).read_text().split("\n")[:-1]


async def until(is_so: Callable[[], bool], seen: Callable[[], Any] = lambda: "") -> None:
    """Return when something is so that nobody tells of.

    Raises:
        AssertionError: it never is; with what is seen instead.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TIMEOUT_S
    while not is_so():
        assert loop.time() < deadline, seen()
        await asyncio.sleep(0.01)


class World:
    """One home, its machines, and their log."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.traces = Traces(home)
        self._log = home / "logs"
        self._grown = asyncio.Event()

    def spec(self, *command: str, machine_id: str = "m1", **more: Any) -> BootSpec:
        """Return the first boot of a machine with image `host` and a network, or as said."""
        given = {"boot": 1, "image": "host", "env": {}, "network": NETWORK, "address": ADDRESS}
        return BootSpec(
            machine_id=machine_id, app_name="app", region="local", command=command,
            log_folder=str(self._log), **{**given, **more},
        )  # fmt: skip

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[ContainerDriver]:
        """Open a driver, as a server does when it is started."""
        driver = ContainerDriver(self.home)
        await driver.open(lambda _: self._grown.set())
        try:
            async with asyncio.timeout(TIMEOUT_S):
                yield driver
        finally:
            await driver.close()

    async def ended(self, driver: ContainerDriver, spec: BootSpec) -> Exit:
        """Run a boot to its end."""
        return await driver.wait(await driver.start(spec, quiet))

    def lines(self, machine_id: str = "") -> list[str]:
        """Return what machines have printed, or one of them, in order."""
        folder = str(self._log)
        said = [
            json.loads(line)
            for number in logfile.segments(folder)
            for line in _whole_lines(logfile.segment_path(folder, number))
        ]
        return [one["message"] for one in said if machine_id in ("", one["instance"])]

    async def printed(self, line: str) -> None:
        """Return when a machine of an open driver has printed this line."""
        while line not in self.lines():
            self._grown.clear()
            await self._grown.wait()

    async def clear(self) -> None:
        """Destroy every machine, so that a test that failed leaves nothing alive."""
        async with self.driver() as driver:
            for machine_id in await driver.machines():
                await driver.destroy(machine_id)

    def init(self, machine_id: str = "m1") -> int:
        """Return the first process of a machine, as its lock has it."""
        record = BootFolder(str(self.home / "machines" / machine_id), 1).read_record()
        assert record is not None
        return int(record["pid"])

    def monitor(self, machine_id: str = "m1") -> int:
        """Return the monitor of a machine, while that lives."""
        first = kernel.process(self.init(machine_id))
        assert first is not None
        return first.parent


def zygote_of(driver: ContainerDriver) -> int:
    """Return the pid of a driver's zygote."""
    zygote = driver._nursery._zygote
    assert zygote is not None
    return zygote.pid


def forked_by(zygote: int) -> set[int]:
    """Return the zygote's children: its spares, and the monitors."""
    return {one.pid for one in kernel.processes() if one.parent == zygote}


def kill(*pids: int) -> None:
    """Kill processes, those that are dead already too, and none so early that another sees it."""
    for signal_number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal_number)


@contextmanager
def leaving_nothing(home: Path) -> Iterator[World]:
    """Have a world of which nothing is left once a platform was started there and closed again.

    Raises:
        AssertionError: something is.
    """

    async def clear() -> None:
        await world.clear()
        await world.traces.vanish()

    world = World(home)
    yield world
    asyncio.run(clear())
