"""The driver itself: what the platform asks, answered through monitors.

It keeps nothing that could be lost. Every answer comes from a monitor or from the boot's folder,
so another server, or this one started anew, gets the same.
"""

from __future__ import annotations

import asyncio
import base64
import os
import pwd
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

from ephemera.errors import BootFailed, DriverError, ImageUnavailable, Unsupported
from ephemera.platform.drivers.base import (
    BootSpec,
    Capabilities,
    Executed,
    Exit,
    Memory,
    Printed,
    ProcessStat,
    Say,
    Socket,
    Terminal,
)
from ephemera.platform.drivers.monitoring import folder as folders
from ephemera.platform.drivers.monitoring.clearing import clear_earlier, remove
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.kernel import LINUX
from ephemera.platform.drivers.monitoring.link import LinkLost
from ephemera.platform.drivers.monitoring.monitors import Monitors
from ephemera.platform.drivers.monitoring.nursery import Nursery
from ephemera.platform.drivers.process.environment import environment

_IMAGE = "host"


def _server_user() -> frozenset[str]:
    """Return whom the server runs as, by number and, where it has one, by name."""
    uid = os.geteuid()
    try:
        return frozenset({str(uid), pwd.getpwuid(uid).pw_name})
    except KeyError:
        return frozenset({str(uid)})


class ProcessDriver:
    """Runs a machine as a program of this computer, with a monitor beside it.

    Image `host` only. Sizes are not enforced, there is no private network, and a machine sees
    the computer's own file system. Its files and volumes lie in a folder of its own, see
    `guest_files`; it starts in an empty folder, or in `EPHEMERA_WORKDIR` where its environment has
    that.

    Args:
        home: The state folder. Machines are kept below `machines/`.
    """

    name = "process"
    capabilities = Capabilities(
        images=frozenset({_IMAGE}),
        enforces_limits=False,
        private_network=False,
        suspends=LINUX,
        mounts=True,
        processes=LINUX,
        users=_server_user(),
    )

    def __init__(self, home: Path) -> None:
        self._machines = home.absolute() / "machines"
        self._nursery = Nursery(
            "ephemera.platform.drivers.process.zygote", f"the {self.name} driver"
        )
        self._monitors = Monitors(self._machines, self._nursery)

    async def open(self, printed: Printed) -> None:
        """Make the folder of the machines and start the zygote.

        Args:
            printed: Called with a machine's id when its log has grown.

        Raises:
            DriverError: this computer cannot run this driver; the message says why.
        """
        try:
            self._machines.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise DriverError(f"{self._machines} cannot be made: {error.strerror}") from error
        await self._nursery.open()
        self._monitors.open(printed)

    async def close(self) -> None:
        """Let go of everything without touching a machine: they outlive the server.

        Whoever still waits gets a DriverError.
        """
        self._monitors.close()
        self._nursery.close()

    async def start(self, spec: BootSpec, say: Say) -> str:
        """Start the boot, or find it where it was started before, and return its handle.

        Raises:
            ImageUnavailable: the image is not `host`.
            BootFailed: the program could not be executed; the message says why.
            DriverError: no monitor could be had.
        """
        if spec.image != _IMAGE:
            raise ImageUnavailable(
                f"the process driver cannot run the image '{spec.image}'",
                hint=f"it runs programs of this computer only: use the image '{_IMAGE}'",
            )
        if not folders.is_machine_id(spec.machine_id) or spec.boot < 1:
            raise BootFailed(f"'{spec.machine_id}' boot {spec.boot} cannot name a folder")
        handle = f"{spec.machine_id}/{spec.boot}"
        boot = self._monitors.boot(handle)
        assert boot is not None
        async with boot.attaching:
            if boot.link is not None and boot.link.is_open:
                return handle
            answer = await self._monitors.attach(boot, _start_request(spec, boot.folder))
        if answer["say"] == "gone":
            raise BootFailed(f"machine {spec.machine_id} was destroyed while it was started")
        if answer.get("late"):
            say("warning", "the machine's monitor was killed; what it left behind was ended")
        if spec.boot > 1:
            try:
                await asyncio.to_thread(clear_earlier, boot.folder)
            except OSError as error:  # they go when the machine does
                say("warning", f"what earlier boots left cannot be removed yet: {error}")
        return handle

    async def wait(self, handle: str) -> Exit:
        """Return how the boot ended, once every process of it is dead.

        Raises:
            DriverError: no monitor could be had to find out.
        """
        boot = self._monitors.boot(handle)
        while boot is not None:
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
        try:
            answer = await self._monitors.ask(handle, request)
        except LinkLost as error:
            raise BootFailed(f"the machine of '{handle}' has ended") from error
        if "error" in answer:
            raise BootFailed(answer["error"])
        return Executed(
            exit_code=answer["exit_code"],
            exit_signal=answer["exit_signal"],
            stdout=base64.b64decode(answer["stdout"]),
            stderr=base64.b64decode(answer["stderr"]),
            timed_out=answer["timed_out"],
        )

    async def terminal(
        self, handle: str, command: Sequence[str], *, rows: int, columns: int
    ) -> Terminal:
        """Never asked, see `capabilities.consoles`."""
        raise _no_such_ability(f"a terminal of {rows} x {columns} for {command} in '{handle}'")

    async def look(
        self, handle: str, command: Sequence[str], *, rows: int, columns: int
    ) -> Terminal:
        """Never asked, see `capabilities.remains`."""
        raise _no_such_ability(f"a look of {rows} x {columns} with {command} into '{handle}'")

    def export(self, handle: str) -> AsyncIterator[bytes]:
        """Never asked, see `capabilities.remains`."""
        raise _no_such_ability(f"an export of '{handle}'")

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
        """Return the processes of the boot; none where it has ended.

        Raises:
            Unsupported: elsewhere than on Linux nobody knows which they are.
        """
        if not LINUX:
            raise Unsupported("the process driver lists processes on Linux only")
        try:
            answer = await self._monitors.ask(handle, {"do": "ps"})
        except LinkLost:
            return []
        return [_process(one) for one in answer["processes"]]

    async def memory(self, handle: str) -> Memory:
        """Never asked, see `capabilities.balloons`."""
        raise _no_such_ability(f"a say in the memory of '{handle}'")

    async def set_memory_limit(self, handle: str, limit_mb: int) -> None:
        """Never asked, see `capabilities.balloons`."""
        raise _no_such_ability(f"a limit of {limit_mb} MB for '{handle}'")

    async def reclaim_memory(self, handle: str, amount_mb: int) -> int:
        """Never asked, see `capabilities.balloons`."""
        raise _no_such_ability(f"{amount_mb} MB to take from '{handle}'")

    async def destroy(self, machine_id: str) -> None:
        """Kill whatever of the machine lives, and remove what it left. Unknown is fine."""
        if not folders.is_machine_id(machine_id):
            return
        machine = self._machines / machine_id
        for number in folders.boots(str(machine)):
            await self._monitors.end(f"{machine_id}/{number}")
        if machine.exists():
            await asyncio.to_thread(remove, machine)

    async def machines(self) -> set[str]:
        """Return the ids of all machines of which the driver holds anything."""
        return {one.name for one in self._machines.iterdir() if folders.is_machine_id(one.name)}


def _no_such_ability(what: str) -> Unsupported:
    return Unsupported(f"{what}: the process driver has none")


def _process(told: Message) -> ProcessStat:
    sockets = [Socket(**one) for one in told["listen_sockets"]]
    return ProcessStat(**{**told, "listen_sockets": sockets})


def _start_request(spec: BootSpec, folder: BootFolder) -> Message:
    files = [
        {
            "guest_path": file.guest_path,
            "content": base64.b64encode(file.content).decode(),
            "mode": file.mode,
        }
        for file in spec.files
    ]
    return {
        "do": "start",
        "machine": folder.machine,
        "boot": folder.boot,
        "command": list(spec.command),
        "env": environment(os.environ, spec.env, folder.files),
        "files": files,
        "mounts": [{"path": one.path, "source": one.source} for one in spec.mounts],
        "beside": [
            {
                "command": list(one.command),
                "env": environment(os.environ, one.env, folder.files),
            }
            for one in spec.beside
        ],
        "log_folder": spec.log_folder,
        "instance": spec.machine_id,
        "region": spec.region,
    }
