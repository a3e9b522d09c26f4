"""The driver itself: what the platform asks, answered through monitors.

It keeps nothing that could be lost. Every answer comes from a monitor or from the boot's folder,
so another server, or this one started anew, gets the same.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from ephemera.errors import ImageUnavailable, Unsupported
from ephemera.platform.drivers.base import (
    BootSpec,
    Capabilities,
    Memory,
    Printed,
    ProcessStat,
    Say,
    Terminal,
)
from ephemera.platform.drivers.monitoring.asking import files
from ephemera.platform.drivers.monitoring.driver import MonitoredDriver
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.kernel import LINUX
from ephemera.platform.drivers.process.environment import environment

_IMAGE = "host"


def _server_user() -> frozenset[str]:
    """Return whom the server runs as, by number and, where it has one, by name."""
    uid = os.geteuid()
    try:
        return frozenset({str(uid), pwd.getpwuid(uid).pw_name})
    except KeyError:
        return frozenset({str(uid)})


class ProcessDriver(MonitoredDriver):
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
        private_network=False,
        suspends=LINUX,
        mounts=True,
        processes=LINUX,
        users=_server_user(),
    )

    def __init__(self, home: Path) -> None:
        super().__init__(home, "ephemera.platform.drivers.process.zygote")

    async def open(self, printed: Printed) -> None:
        """Make the folder of the machines and start the zygote.

        Args:
            printed: Called with a machine's id when its log has grown.

        Raises:
            DriverError: this computer cannot run this driver; the message says why.
        """
        self._make_folder()
        await self._nursery.open()
        self._monitors.open(printed)

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
        boot, handle = self._boot_of(spec), f"{spec.machine_id}/{spec.boot}"
        async with boot.attaching:
            if boot.link is None or not boot.link.is_open:
                await self._begin(boot, _start_request(spec, boot.folder), say)
        return handle

    async def terminal(
        self, handle: str, command: Sequence[str], *, rows: int, columns: int
    ) -> Terminal:
        """Never asked, see `capabilities.consoles`."""
        raise _no_such_ability(f"a terminal of {rows} x {columns} for {command} in '{handle}'")

    async def look(
        self, spec: BootSpec, command: Sequence[str], *, rows: int, columns: int
    ) -> Terminal:
        """Never asked, see `capabilities.remains`."""
        raise _no_such_ability(f"a look into '{spec.machine_id}' of {rows} x {columns}: {command}")

    def export(self, spec: BootSpec) -> AsyncIterator[bytes]:
        """Never asked, see `capabilities.remains`."""
        raise _no_such_ability(f"an export of '{spec.machine_id}'")

    async def ps(self, handle: str) -> Sequence[ProcessStat]:
        """Return the processes of the boot; none where it has ended.

        Raises:
            Unsupported: elsewhere than on Linux nobody knows which they are.
        """
        if not LINUX:
            raise Unsupported("the process driver lists processes on Linux only")
        return await super().ps(handle)

    async def memory(self, handle: str) -> Memory:
        """Never asked, see `capabilities.balloons`."""
        raise _no_such_ability(f"a say in the memory of '{handle}'")

    async def set_memory_limit(self, handle: str, limit_mb: int) -> None:
        """Never asked, see `capabilities.balloons`."""
        raise _no_such_ability(f"a limit of {limit_mb} MB for '{handle}'")

    async def reclaim_memory(self, handle: str, amount_mb: int) -> int:
        """Never asked, see `capabilities.balloons`."""
        raise _no_such_ability(f"{amount_mb} MB to take from '{handle}'")


def _no_such_ability(what: str) -> Unsupported:
    return Unsupported(f"{what}: the process driver has none")


def _start_request(spec: BootSpec, folder: BootFolder) -> Message:
    return {
        "do": "start",
        "machine": folder.machine,
        "boot": folder.boot,
        "command": list(spec.command),
        "env": environment(os.environ, spec.env, folder.files),
        "files": files(spec.files),
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
