"""The monitors of a driver's boots: finds the one of a boot, or makes one, and asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import TypeVar

from ephemera.errors import BootFailed, DriverError
from ephemera.platform.drivers.base import Printed
from ephemera.platform.drivers.monitoring import folder as folders
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.link import Link, LinkLost, connect
from ephemera.platform.drivers.monitoring.nursery import Nursery
from ephemera.platform.drivers.monitoring.terminals import StreamLink

T = TypeVar("T")

#: A monitor that is lost before it has answered was killed. Once may be an accident; this often
#: it is something that kills whatever we start, and trying on would never end.
_TRIES = 8


class Boot:
    """What this server knows of one boot: where it is, and a link while there is one."""

    def __init__(self, machine_id: str, folder: BootFolder) -> None:
        self.machine_id = machine_id
        self.folder = folder
        self.link: Link | None = None
        self.attaching = asyncio.Lock()

    def request(self, what: str) -> Message:
        """Return the request to do this with the boot."""
        return {"do": what, "machine": self.folder.machine, "boot": self.folder.boot}


class Monitors:
    """Every boot that this server has met, and how to reach its monitor.

    Args:
        machines: The folder of the machines.
        nursery: Where a monitor comes from for a boot that has none.
    """

    def __init__(self, machines: Path, nursery: Nursery) -> None:
        self._machines = machines
        self._nursery = nursery
        self._printed: Printed = lambda _: None  # nobody follows a log yet
        self._is_open = False
        self._boots: dict[str, Boot] = {}

    def open(self, printed: Printed) -> None:
        """Begin to reach monitors; `printed` is called with a machine's id when its log grew."""
        self._printed = printed
        self._is_open = True

    def close(self) -> None:
        """Let go of all of them, which go on."""
        self._is_open = False
        for boot in self._boots.values():
            if boot.link is not None:
                boot.link.close()
        self._boots.clear()

    def boot(self, handle: str) -> Boot | None:
        """Return the boot that a handle names; None where it names none."""
        if handle in self._boots:
            return self._boots[handle]
        machine_id, _, number = handle.partition("/")
        if not folders.is_machine_id(machine_id) or not number.isdecimal():
            return None
        folder = BootFolder(str(self._machines / machine_id), int(number))
        return self._boots.setdefault(handle, Boot(machine_id, folder))

    def forget_earlier(self, boot: Boot) -> None:
        """Forget the boots of a machine before this one, which have ended.

        A machine may be started again and again for months.
        """
        number = boot.folder.boot - 1
        while earlier := self._boots.pop(f"{boot.machine_id}/{number}", None):
            if earlier.link is not None:
                earlier.link.close()
            number -= 1

    async def end(self, handle: str) -> None:
        """Have nothing of a boot alive, and the boot buried."""
        boot = self.boot(handle)
        assert boot is not None
        if boot.folder.is_buried():
            await self._see_ended(boot)
        while not boot.folder.is_buried() and not boot.folder.bury_ended():
            async with boot.attaching:
                if boot.link is not None and boot.link.is_open:
                    boot.link.demand_end()
                else:
                    await self.attach(boot, boot.request("end"))
                link = boot.link
            if link is not None:
                await asyncio.shield(link.ended)
        self._boots.pop(handle, None)

    async def _see_ended(self, boot: Boot) -> None:
        """Have nothing alive of a boot that another server had buried, and then was killed."""
        link = await connect(boot.folder.socket, lambda: Link(lambda: None))
        if link is not None:
            link.demand_end()
            await _heard(link, link.ended)

    async def ask(self, handle: str, request: Message) -> Message:
        """Ask the monitor of a boot.

        Raises:
            LinkLost: the boot has ended, or is unknown.
        """
        boot = self.boot(handle)
        link = None
        if boot is not None and boot.folder.read_exit() is None:
            link = await self.link(boot)
        if link is None:
            raise LinkLost
        return await link.ask(request)

    async def link(self, boot: Boot) -> Link | None:
        """Return a link to the monitor of a boot; None where the boot is gone."""
        async with boot.attaching:
            if boot.link is None or not boot.link.is_open:
                await self.attach(boot, boot.request("attach"))
            return boot.link

    async def stream(self, handle: str, request: Message) -> StreamLink:
        """Ask the monitor of a boot for a stream, through a link that is for this alone.

        Raises:
            LinkLost: the boot has ended, or is unknown.
            Unsupported: the monitor is of an older version, which cannot do that.
        """
        boot = self.boot(handle)
        link = None
        if boot is not None and boot.folder.read_exit() is None:
            link = await connect(boot.folder.socket, lambda: StreamLink(lambda: None))
        if boot is None or link is None:
            raise LinkLost
        try:
            if (await link.greet(boot.request("attach")))["say"] != "started":
                raise LinkLost
            link.check_known(request["do"])
            link.send(request)
        except BaseException:
            link.close()
            raise
        return link

    async def visit(self, request: Message) -> StreamLink:
        """Have a new monitor do something that is no boot, and send a stream.

        Raises:
            LinkLost: it was killed.
            BootFailed: it cannot be done.
        """
        async with self._nursery.places:
            link = await self._nursery.monitor(lambda: StreamLink(lambda: None), request)
            answer = await _heard(link, link.greeting())
        if answer["say"] != "started":
            link.close()
            raise BootFailed(answer["error"])
        return link

    async def attach(self, boot: Boot, request: Message) -> Message:
        """Find the monitor of a boot, or make one, and return its answer to the request.

        Afterwards `boot.link` is the link to it, or None where the boot was destroyed.

        Raises:
            BootFailed: the monitor says that it cannot be done.
            DriverError: no monitor could be had.
        """
        boot.link = None
        for _ in range(_TRIES):
            if not self._is_open:
                raise DriverError("the driver is closed")
            try:
                link, answer = await self._reach(boot, request)
            except LinkLost:
                continue
            if answer["say"] in ("started", "exited"):
                boot.link = link
            else:
                link.close()
            if answer["say"] == "failed":
                raise BootFailed(answer["error"])
            if answer["say"] != "held":
                return answer
            # its holder listens, or is ending and does not any more: then wait for its end
            request = {**request, "patient": True}
        raise DriverError(
            f"{_TRIES} monitors for machine {boot.machine_id} were lost before they spoke"
        )

    async def _reach(self, boot: Boot, request: Message) -> tuple[Link, Message]:
        """Greet the monitor of a boot, the one that listens or else a new one.

        Raises:
            LinkLost: it did not answer.
            BootFailed: there is no room on the disk for the boot.
        """
        make = partial(Link, partial(self._printed, boot.machine_id))
        if not boot.folder.is_buried():
            found = await connect(boot.folder.socket, make)
            if found is not None:
                return found, await _heard(found, found.greet(request))
        async with self._nursery.places:
            if request["do"] == "start":
                _make(boot.folder)
            new = await self._nursery.monitor(make, request)
            return new, await _heard(new, new.greeting())


def _make(folder: BootFolder) -> None:
    try:
        folder.make()
    except OSError as error:
        raise BootFailed(f"{folder.machine} cannot be written to: {error.strerror}") from error


async def _heard(link: Link, answer: Awaitable[T]) -> T:
    """Return an answer that comes through a link, which is closed where there is none."""
    try:
        return await answer
    except BaseException:
        link.close()
        raise
