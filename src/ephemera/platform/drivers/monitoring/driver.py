"""What drivers have in common whose boots have monitors: they ask, and monitors answer.

Nothing is kept here that could be lost. Every answer comes from a monitor or from the boot's
folder, so another server, or this one started anew, gets the same.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ephemera.errors import BootFailed, DriverError
from ephemera.platform.drivers.base import BootSpec, Executed, Exit, ProcessStat, Say, Socket
from ephemera.platform.drivers.monitoring import folder as folders
from ephemera.platform.drivers.monitoring import sizes
from ephemera.platform.drivers.monitoring.clearing import clear_earlier
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.link import LinkLost
from ephemera.platform.drivers.monitoring.monitors import Boot, Monitors
from ephemera.platform.drivers.monitoring.nursery import Nursery
from ephemera.platform.spreading import spread
from ephemera.platform.tools import remove_now


class MonitoredDriver:
    """The part of a driver that is the same whatever its monitors run.

    Args:
        home: The state folder. Machines are kept below `machines/`.
        zygote: The module that has the `main` of the zygote.
    """

    name = ""

    def __init__(self, home: Path, zygote: str) -> None:
        self._machines = home.absolute() / "machines"
        self._nursery = Nursery(zygote, home, f"the {self.name} driver")
        self._monitors = Monitors(self._machines, self._nursery)

    def _make_folder(self) -> None:
        try:
            self._machines.mkdir(parents=True, exist_ok=True, mode=0o700)
            spread(self._machines)
        except OSError as error:
            raise DriverError(f"{self._machines} cannot be made: {error.strerror}") from error

    async def close(self) -> None:
        """Let go of everything without touching a machine: they outlive the server.

        Whoever still waits gets a DriverError.
        """
        self._monitors.close()
        self._nursery.close()

    def _boot_of(self, spec: BootSpec) -> Boot:
        """Return the boot that a spec is of.

        Raises:
            BootFailed: its name cannot be that of a folder.
        """
        if not folders.is_machine_id(spec.machine_id) or spec.boot < 1:
            raise BootFailed(f"'{spec.machine_id}' boot {spec.boot} cannot name a folder")
        boot = self._monitors.boot(f"{spec.machine_id}/{spec.boot}")
        assert boot is not None
        return boot

    async def _begin(self, boot: Boot, request: Message, say: Say) -> None:
        """Have a monitor start a boot, or find that it was started, and clear up after others.

        Raises:
            BootFailed: it cannot be started, or was destroyed meanwhile.
            DriverError: no monitor could be had.
        """
        answer = await self._monitors.attach(boot, request)
        if answer["say"] == "gone":
            raise BootFailed(f"machine {boot.machine_id} was destroyed while it was started")
        if answer.get("late"):
            say("warning", "the machine's monitor was killed; what it left behind was ended")
        if boot.folder.boot > 1:
            self._monitors.forget_earlier(boot)
            try:
                await asyncio.to_thread(clear_earlier, boot.folder)
            except OSError as error:  # they go when the machine does
                say("warning", f"what earlier boots left cannot be removed yet: {error}")

    def cancel_start(self, machine_id: str) -> None:
        """Let a start be: asking a monitor takes milliseconds."""

    async def wait(self, handle: str) -> Exit:
        """Return how the boot ended, once every process of it is dead.

        Raises:
            DriverError: no monitor could be had to find out.
        """
        boot = self._monitors.boot(handle)
        while boot is not None:
            if boot.link is None or not boot.link.is_open:  # else its monitor tells
                found = boot.folder.read_exit()
                if found is not None:
                    return Exit(**found)
            link = await self._monitors.link(boot)
            if link is None:
                break
            ended = await asyncio.shield(link.ended)
            if ended is not None:
                return ended
        return Exit(exit_code=-1, error=f"nothing is left of '{handle}': it was destroyed")

    def ended(self, handle: str) -> Exit | None:
        """Return how the boot ended where its monitor has told; else None, and `wait` finds out."""
        boot = self._monitors.boot(handle)
        link = boot.link if boot else None
        return link.ended.result() if link and link.ended.done() else None

    async def signal(self, handle: str, signum: int, *, everyone: bool = False) -> None:
        """Send a signal to the main program, or to every process of the boot.

        A boot that has ended is not an error: `wait` tells how.
        """
        try:
            await self._monitors.ask(
                handle, {"do": "signal", "signum": signum, "everyone": everyone}
            )
        except LinkLost:
            return  # it has ended

    async def exec(
        self, handle: str, command: Sequence[str], *, stdin: bytes = b"", timeout: float
    ) -> Executed:
        """Run a command beside the program, with its environment and working folder.

        Of each of its outputs 1 MiB is kept. It is over when its own process is; what that
        leaves in the background belongs to the machine.

        Args:
            timeout: Seconds; then the command is killed and `timed_out` is set.

        Raises:
            BootFailed: the command could not be started, or the boot has ended.
        """
        request = {
            "do": "exec",
            "command": list(command),
            "stdin": base64.b64encode(stdin).decode(),
            "timeout": timeout,
        }
        answer = await self._ask(handle, request)
        return Executed(
            exit_code=answer["exit_code"],
            exit_signal=answer["exit_signal"],
            stdout=base64.b64decode(answer["stdout"]),
            stderr=base64.b64decode(answer["stderr"]),
            timed_out=answer["timed_out"],
        )

    async def _ask(self, handle: str, request: Message) -> Message:
        """Ask the monitor of a boot that runs.

        Raises:
            BootFailed: it cannot be done, or the boot has ended.
        """
        try:
            answer = await self._monitors.ask(handle, request)
        except LinkLost as error:
            raise BootFailed(f"the machine of '{handle}' has ended") from error
        if "error" in answer:
            raise BootFailed(answer["error"])
        return answer

    async def suspend(self, handle: str) -> None:
        """Stop every process of the boot where it is. A boot that has ended is not an error.

        Raises:
            BootFailed: one of them cannot be stopped; all of them run on.
        """
        with suppress(LinkLost):  # it has ended
            answer = await self._monitors.ask(handle, {"do": "suspend"})
            if "error" in answer:
                raise BootFailed(f"the machine cannot be suspended: {answer['error']}")

    async def resume(self, handle: str) -> None:
        """Let a frozen boot go on. One that is not frozen, or has ended, is not an error."""
        with suppress(LinkLost):
            await self._monitors.ask(handle, {"do": "resume"})

    async def ps(self, handle: str) -> Sequence[ProcessStat]:
        """Return the processes of the boot; none where it has ended."""
        try:
            answer = await self._monitors.ask(handle, {"do": "ps"})
        except LinkLost:
            return []
        return [_process(one) for one in answer["processes"]]

    async def written(self, machine_ids: Collection[str]) -> Mapping[str, int]:
        """Return how much of this computer's disk each machine takes with what it wrote; bytes."""
        ids = [one for one in machine_ids if folders.is_machine_id(one)]
        return await sizes.of_folders(self._machines, ids)

    async def destroy(self, machine_id: str) -> None:
        """Kill whatever of the machine lives, and remove what it left. Unknown is fine."""
        if not folders.is_machine_id(machine_id):
            return
        machine = self._machines / machine_id
        for number in folders.boots(str(machine)):
            await self._monitors.end(f"{machine_id}/{number}")
        if machine.exists():
            await asyncio.to_thread(remove_now, machine)

    async def machines(self) -> set[str]:
        """Return the ids of all machines of which the driver holds anything."""
        return {one.name for one in self._machines.iterdir() if folders.is_machine_id(one.name)}


def _process(told: Message) -> ProcessStat:
    sockets = [Socket(**one) for one in told["listen_sockets"]]
    return ProcessStat(**{**told, "listen_sockets": sockets})
