"""A driver whose machines are a script: for tests of everything above drivers.

It keeps every promise of `drivers/base.py` without starting a process. What a machine does is
its command, in the words of `drivers/script.py`. Its mounts are true folders; it can suspend,
run several programs and limit memory, all of which is play. Terminals, in a machine or in what it
left, know the words of `drivers/played_terminal.py`.

`exec` knows `exit`, `print` (to its standard output), `run` (which ends by its timeout), `cat`
(prints its standard input), and `write` and `read`; anything else is not found.

What it holds lives as long as the object: to play a restart of the server, close it and open it
again, from another event loop if need be.
"""

from __future__ import annotations

import asyncio
import io
import json
import signal
import tarfile
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from ephemera.errors import BootFailed
from ephemera.platform import logfile
from ephemera.platform.drivers import script
from ephemera.platform.drivers.base import (
    BootSpec,
    Capabilities,
    Executed,
    Exit,
    Memory,
    Printed,
    ProcessStat,
    Say,
    Terminal,
)
from ephemera.platform.drivers.image_waits import ImageWaits
from ephemera.platform.drivers.played_terminal import PlayedTerminal
from ephemera.platform.drivers.script import Boot


class MockDriver:
    """Plays machines in memory, by the script in `drivers/script.py`.

    Attributes:
        specs: Every boot that was started, by its handle; kept after it was destroyed.
        written_bytes: What machines are said to have written, by their ids.
        signals: Every signal that was sent to a living boot: handle, number, everyone.
    """

    name = "mock"
    capabilities = Capabilities(
        images=None,
        private_network=False,
        suspends=True,
        mounts=True,
        processes=True,
        balloons=True,
        terminals=True,
        users=None,
        consoles=True,
        remains=True,
    )

    def __init__(self) -> None:
        self.specs: dict[str, BootSpec] = {}
        self.written_bytes: dict[str, int] = {}
        self.signals: list[tuple[str, int, bool]] = []
        self._boots: dict[str, Boot] = {}
        self._printed: Printed | None = None
        self._image_waits = ImageWaits()

    async def open(self, printed: Printed) -> None:
        """Get ready; machines of an earlier opening are still there."""
        self._printed = printed

    async def close(self) -> None:
        """Let go of everything without touching a machine."""
        self._printed = None

    async def start(self, spec: BootSpec, say: Say) -> str:
        """Start the boot, or find it where it was started before, and return its handle.

        Raises:
            ImageUnavailable: the script says so.
            BootFailed: the script says so, or does not know the command.
            StartCancelled: `cancel_start` was called.
        """
        handle = f"{spec.machine_id}/{spec.boot}"
        if handle in self._boots:
            return handle
        script.check(spec)
        await self._image_waits.wait(spec.machine_id, script.image(spec))
        boot = Boot(spec)
        self._boots[handle] = boot
        self.specs[handle] = spec
        say("info", f"playing '{spec.command[0]}'")
        for command in script.commands(spec):
            self._print(spec, list(boot.play(command)))
        return handle

    def cancel_start(self, machine_id: str) -> None:
        """Have a start of the machine that waits for its image fail now."""
        self._image_waits.cancel(machine_id)

    async def wait(self, handle: str) -> Exit:
        """Return how the boot ended, once it has."""
        boot = self._boots.get(handle)
        if boot is None:
            return Exit(-1, error=f"nothing is left of '{handle}': it was destroyed")
        return await boot.ended()

    def ended(self, handle: str) -> Exit | None:
        """Return how the boot ended; None while it runs, and for one that is unknown."""
        boot = self._boots.get(handle)
        return boot.exit if boot else None

    async def signal(self, handle: str, signum: int, *, everyone: bool = False) -> None:
        """Send a signal. A boot that has ended is not an error."""
        boot = self._living(handle)
        if boot is not None:
            self.signals.append((handle, signum, everyone))
            boot.take_signal(signum)

    async def exec(
        self, handle: str, command: Sequence[str], *, stdin: bytes = b"", timeout: float
    ) -> Executed:
        """Play a command beside the program.

        Raises:
            BootFailed: the script does not know the command, the boot is suspended, or it has
                ended.
        """
        boot = self._awake(handle)
        word, arguments = script.split(command)
        if word == "exit":
            return Executed(script.exit_code(arguments), 0, b"", b"")
        if word == "print":
            return Executed(0, 0, "".join(f"{line}\n" for line in arguments).encode(), b"")
        if word == "cat":
            return Executed(0, 0, stdin, b"")
        if word in ("read", "write"):
            code, said = boot.touch(word, arguments)
            return Executed(code, 0, said.encode(), b"")
        if word == "run":
            with suppress(TimeoutError):
                await asyncio.wait_for(boot.ended(), timeout)
            return Executed(128 + signal.SIGKILL, signal.SIGKILL, b"", b"", boot.exit is None)
        raise script.not_found(word)

    async def terminal(
        self, handle: str, command: Sequence[str], *, rows: int, columns: int
    ) -> Terminal:
        """Play a command with a terminal, until it or the machine ends.

        Raises:
            BootFailed: there is no such command, the boot is suspended, or it has ended.
        """
        boot = self._awake(handle)
        played = PlayedTerminal(boot.spec.env, boot.files, command, rows, columns)
        boot.terminals.append(played)
        return played

    async def look(
        self, spec: BootSpec, command: Sequence[str], *, rows: int, columns: int
    ) -> Terminal:
        """Play a command with a terminal on a copy of what a boot left.

        Raises:
            BootFailed: there is no such command, or the boot is not one that ended.
        """
        handle = f"{spec.machine_id}/{spec.boot}"
        boot = self._left(handle)
        if boot.exit is None:
            raise BootFailed(f"the machine of '{handle}' has not ended")
        played = PlayedTerminal(boot.spec.env, dict(boot.files), command, rows, columns)
        boot.looks.append(played)
        return played

    async def export(self, spec: BootSpec) -> AsyncIterator[bytes]:
        """Yield the files of a boot as a tar archive, a block at a time.

        Raises:
            BootFailed: it was destroyed.
        """
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path, content in self._left(f"{spec.machine_id}/{spec.boot}").files.items():
                member = tarfile.TarInfo(path.removeprefix("/"))
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        packed.seek(0)
        while block := packed.read(tarfile.RECORDSIZE):
            yield block

    async def suspend(self, handle: str) -> None:
        """Freeze the boot. One that has ended is not an error.

        Raises:
            BootFailed: the script says that it cannot be frozen.
        """
        boot = self._living(handle)
        if boot is not None:
            boot.freeze()

    async def resume(self, handle: str) -> None:
        """Let a frozen boot go on. One that is not frozen, or has ended, is not an error."""
        boot = self._living(handle)
        if boot is not None:
            boot.thaw()

    async def ps(self, handle: str) -> Sequence[ProcessStat]:
        """Return one process for each program and terminal; none where the boot has ended."""
        boot = self._living(handle)
        return boot.processes() if boot is not None else []

    async def memory(self, handle: str) -> Memory:
        """Return how much memory the boot may use, and how much of that it does not."""
        boot = self._living(handle)
        return boot.memory() if boot is not None else Memory(0, 0)

    async def set_memory_limit(self, handle: str, limit_mb: int) -> None:
        """Limit the memory of the boot until it ends."""
        boot = self._living(handle)
        if boot is not None:
            boot.limit_mb = limit_mb

    async def reclaim_memory(self, handle: str, amount_mb: int) -> int:
        """Return how much could be taken back: no more than what is free; MB."""
        return min(amount_mb, (await self.memory(handle)).available_mb)

    async def written(self, machine_ids: Collection[str]) -> Mapping[str, int]:
        """Return what machines are said to have written; bytes."""
        return {one: count for one, count in self.written_bytes.items() if one in machine_ids}

    async def destroy(self, machine_id: str) -> None:
        """Kill whatever of the machine lives, and forget it. Unknown is fine."""
        for handle in [one for one in self._boots if one.startswith(f"{machine_id}/")]:
            boot = self._boots.pop(handle)
            boot.end(128 + signal.SIGKILL, signum=signal.SIGKILL)
            for look in boot.looks:
                look.end(128 + signal.SIGKILL)

    async def machines(self) -> set[str]:
        """Return the ids of all machines of which the driver holds anything."""
        return {boot.spec.machine_id for boot in self._boots.values()}

    def _left(self, handle: str) -> Boot:
        boot = self._boots.get(handle)
        if boot is None:
            raise BootFailed(f"nothing is left of '{handle}': it was destroyed")
        return boot

    def _awake(self, handle: str) -> Boot:
        boot = self._living(handle)
        if boot is None:
            raise BootFailed(f"the machine of '{handle}' has ended")
        if boot.is_frozen:
            raise BootFailed(f"the machine of '{handle}' is suspended")
        return boot

    def _living(self, handle: str) -> Boot | None:
        boot = self._boots.get(handle)
        return boot if boot is not None and boot.exit is None else None

    def _print(self, spec: BootSpec, lines: Sequence[str]) -> None:
        if not lines:
            return
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        entry = {
            "timestamp": now,
            "provider": "app",
            "instance": spec.machine_id,
            "region": spec.region,
            "level": "info",
        }
        said = "".join(json.dumps({**entry, "message": line}) + "\n" for line in lines)
        logfile.append(spec.log_folder, said.encode())
        if self._printed is not None:
            self._printed(spec.machine_id)
