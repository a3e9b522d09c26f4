"""The driver itself: what the platform asks, answered through monitors.

It keeps nothing that could be lost. Every answer comes from a monitor or from the boot's folder,
so another server, or this one started anew, gets the same.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ephemera.errors import BootFailed, DriverError, ImageUnavailable
from ephemera.platform.drivers.base import BootSpec, Capabilities, Executed, Exit, Printed, Say
from ephemera.platform.drivers.process import folder as folders
from ephemera.platform.drivers.process.environment import environment
from ephemera.platform.drivers.process.folder import BootFolder
from ephemera.platform.drivers.process.frames import Message
from ephemera.platform.drivers.process.link import Link, LinkLost, connect
from ephemera.platform.drivers.process.nursery import Nursery

#: A monitor that is lost before it has answered was killed. Once may be an accident; this often
#: it is something that kills whatever we start, and trying on would never end.
_TRIES = 8
_IMAGE = "host"


class _Boot:
    """What this server knows of one boot: where it is, and a link while there is one."""

    def __init__(self, machine_id: str, folder: BootFolder) -> None:
        self.machine_id = machine_id
        self.folder = folder
        self.link: Link | None = None
        self.attaching = asyncio.Lock()

    def request(self, what: str) -> Message:
        """Return the request to do this with the boot."""
        return {"do": what, "machine": self.folder.machine, "boot": self.folder.boot}


class ProcessDriver:
    """Runs a machine as a program of this computer, with a monitor beside it.

    Image `host` only. Sizes are not enforced, there is no private network, and a machine sees
    the computer's own file system. Its files lie in a folder of its own, see `guest_files`; it
    starts in an empty folder, or in `EPHEMERA_WORKDIR` where its environment has that.

    Args:
        home: The state folder. Machines are kept below `machines/`.
    """

    name = "process"
    capabilities = Capabilities(
        images=frozenset({_IMAGE}),
        enforces_limits=False,
        private_network=False,
        suspends=False,
        mounts=False,
    )

    def __init__(self, home: Path) -> None:
        self._printed: Printed = lambda _: None  # nobody follows a log yet
        self._machines = home.absolute() / "machines"
        self._nursery = Nursery()
        self._is_open = False
        self._boots: dict[str, _Boot] = {}

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
        self._printed = printed
        await self._nursery.open()
        self._is_open = True

    async def close(self) -> None:
        """Let go of everything without touching a machine: they outlive the server.

        Whoever still waits gets a DriverError.
        """
        self._is_open = False
        self._nursery.close()
        for boot in self._boots.values():
            if boot.link is not None:
                boot.link.close()
        self._boots.clear()

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
        boot = self._boot(handle)
        assert boot is not None
        async with boot.attaching:
            if boot.link is not None and boot.link.is_open:
                return handle
            answer = await self._attach(boot, _start_request(spec, boot.folder))
        if answer["say"] == "gone":
            raise BootFailed(f"machine {spec.machine_id} was destroyed while it was started")
        if answer.get("late"):
            say("warning", "the machine's monitor was killed; what it left behind was ended")
        if spec.boot > 1:
            try:
                await asyncio.to_thread(_clear_earlier, boot.folder)
            except OSError as error:  # they go when the machine does
                say("warning", f"what earlier boots left cannot be removed yet: {error}")
        return handle

    async def wait(self, handle: str) -> Exit:
        """Return how the boot ended, once every process of it is dead.

        Raises:
            DriverError: no monitor could be had to find out.
        """
        boot = self._boot(handle)
        while boot is not None:
            found = boot.folder.read_exit()
            if found is not None:
                return Exit(**found)
            link = await self._link(boot)
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
            await self._ask(handle, {"do": "signal", "signum": signum, "everyone": everyone})
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
            answer = await self._ask(handle, request)
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

    async def destroy(self, machine_id: str) -> None:
        """Kill whatever of the machine lives, and remove what it left. Unknown is fine."""
        if not folders.is_machine_id(machine_id):
            return
        machine = self._machines / machine_id
        for number in folders.boots(str(machine)):
            await self._end(f"{machine_id}/{number}")
        if machine.exists():
            await asyncio.to_thread(_remove, machine)

    async def machines(self) -> set[str]:
        """Return the ids of all machines of which the driver holds anything."""
        return {one.name for one in self._machines.iterdir() if folders.is_machine_id(one.name)}

    def _boot(self, handle: str) -> _Boot | None:
        """Return the boot that a handle names; None where it names none."""
        if handle in self._boots:
            return self._boots[handle]
        machine_id, _, number = handle.partition("/")
        if not folders.is_machine_id(machine_id) or not number.isdecimal():
            return None
        folder = BootFolder(str(self._machines / machine_id), int(number))
        return self._boots.setdefault(handle, _Boot(machine_id, folder))

    async def _end(self, handle: str) -> None:
        boot = self._boot(handle)
        assert boot is not None
        while not boot.folder.is_buried() and not boot.folder.bury_ended():
            async with boot.attaching:
                if boot.link is not None and boot.link.is_open:
                    boot.link.demand_end()
                else:
                    await self._attach(boot, boot.request("end"))
                link = boot.link
            if link is not None:
                await asyncio.shield(link.ended)
        self._boots.pop(handle, None)

    async def _ask(self, handle: str, request: Message) -> Message:
        """Ask the monitor of a boot.

        Raises:
            LinkLost: the boot has ended, or is unknown.
        """
        boot = self._boot(handle)
        link = None
        if boot is not None and boot.folder.read_exit() is None:
            link = await self._link(boot)
        if link is None:
            raise LinkLost
        return await link.ask(request)

    async def _link(self, boot: _Boot) -> Link | None:
        """Return a link to the monitor of a boot; None where the boot is gone."""
        async with boot.attaching:
            if boot.link is None or not boot.link.is_open:
                await self._attach(boot, boot.request("attach"))
            return boot.link

    async def _attach(self, boot: _Boot, request: Message) -> Message:
        """Find the monitor of a boot, or make one, and return its answer to the request.

        Afterwards `boot.link` is the link to it, or None where the boot was destroyed.

        Raises:
            BootFailed: the monitor says that it cannot be done.
            DriverError: no monitor could be had.
        """
        boot.link = None
        for _ in range(_TRIES):
            if not self._is_open:
                raise DriverError("the process driver is closed")
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

    async def _reach(self, boot: _Boot, request: Message) -> tuple[Link, Message]:
        """Greet the monitor of a boot, the one that listens or else a new one.

        Raises:
            LinkLost: it did not answer.
            BootFailed: there is no room on the disk for the boot.
        """
        printed = partial(self._printed, boot.machine_id)
        if not boot.folder.is_buried():
            found = await connect(boot.folder.socket, printed)
            if found is not None:
                return found, await _greet(found, request)
        async with self._nursery.places:
            new = await self._nursery.monitor(printed)
            if request["do"] == "start":
                _make(boot.folder)  # while the zygote forks
            return new, await _greet(new, request)


def _make(folder: BootFolder) -> None:
    try:
        folder.make()
    except OSError as error:
        raise BootFailed(f"{folder.machine} cannot be written to: {error.strerror}") from error


async def _greet(link: Link, request: Message) -> Message:
    try:
        return await link.greet(request)
    except BaseException:
        link.close()
        raise


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
        "log_folder": spec.log_folder,
        "instance": spec.machine_id,
        "region": spec.region,
    }


def _clear_earlier(folder: BootFolder) -> None:
    """Remove what earlier boots of the machine left, once their monitors are gone."""
    for number in folders.boots(folder.machine):
        earlier = BootFolder(folder.machine, number)
        if number < folder.boot and earlier.bury_ended():
            for path in map(Path, earlier.leavings()):
                if path.is_dir():
                    _remove(path)
                else:
                    path.unlink(missing_ok=True)


def _remove(folder: Path) -> None:
    """Remove a folder and all below it, also folders that a program made unreadable."""
    try:
        shutil.rmtree(folder)
    except PermissionError:
        _make_readable(folder)
        shutil.rmtree(folder)


def _make_readable(folder: Path) -> None:
    folder.chmod(0o700)  # before looking inside
    for one in folder.iterdir():
        if one.is_dir() and not one.is_symlink():
            _make_readable(one)
