"""Visits to what a boot left, or has: a shell in a copy of its file system, or an archive of it.

Spares do either, see `remains`; a visit is no boot, and goes with whoever asked for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ephemera.errors import BootFailed
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.link import LinkLost
from ephemera.platform.drivers.monitoring.monitors import Monitors
from ephemera.platform.drivers.monitoring.terminals import MonitorTerminal, opened

#: Who may look into one machine at a time: each has a copy, up to half a gigabyte of memory.
_LOOKS_MAX = 4


class _Look:
    """The place of somebody who looks into a machine, or is about to."""

    terminal: MonitorTerminal | None = None


class Visits:
    """The visits of one server."""

    def __init__(self, monitors: Monitors) -> None:
        self._monitors = monitors
        self._looks: dict[str, set[_Look]] = {}

    async def look(self, machine_id: str, request: Message) -> MonitorTerminal:
        """Run a command in a copy of what a boot left; `request` says which, and of which boot.

        Raises:
            BootFailed: it could not be started, or there is nothing left of the boot.
        """
        look = self._enter(machine_id)
        try:
            terminal = await self._opened(request)
        except BaseException:
            self._leave(machine_id, look)
            raise
        if look not in self._looks.get(machine_id, ()):
            await terminal.close()
            raise BootFailed(f"machine {machine_id} was destroyed meanwhile")
        look.terminal = terminal
        terminal.when_over(lambda: self._leave(machine_id, look))
        return terminal

    async def export(self, machine_id: str, request: Message) -> AsyncGenerator[bytes, None]:
        """Yield a tar archive of what a boot left or has; `request` says of which.

        Raises:
            BootFailed: there is nothing left of the boot, or it could not be read to the end.
        """
        try:
            link = await self._monitors.visit(request)
        except LinkLost as error:
            raise BootFailed("whoever was to pack it was killed") from error
        try:
            while data := await link.read():
                yield data
            done = await link.done
        finally:
            link.close()
        if done is None or done["exit_code"]:
            raise BootFailed(f"what is left of {machine_id} could not be read to the end")

    async def send_away(self, machine_id: str) -> None:
        """Hang up on everybody who looks into a machine. Repeating is safe."""
        for look in self._looks.pop(machine_id, ()):
            if look.terminal:
                await look.terminal.close()

    async def _opened(self, request: Message) -> MonitorTerminal:
        try:
            return await opened(await self._monitors.visit(request))
        except LinkLost as error:
            raise BootFailed("whoever was to look was killed") from error

    def _enter(self, machine_id: str) -> _Look:
        looks = self._looks.setdefault(machine_id, set())
        if len(looks) >= _LOOKS_MAX:
            raise BootFailed(
                f"{_LOOKS_MAX} others look into machine {machine_id} already",
                hint="leave one of those shells, or export the machine's files instead",
            )
        looks.add(look := _Look())
        return look

    def _leave(self, machine_id: str, look: _Look) -> None:
        looks = self._looks.get(machine_id, set())
        looks.discard(look)
        if not looks:
            self._looks.pop(machine_id, None)
