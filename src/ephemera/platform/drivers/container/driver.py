"""The container driver itself: what the platform asks, answered through monitors.

It keeps nothing that could be lost. What a machine's image is, and where it is in the network, is
written into its folder before it is started; everything else comes from its monitor.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from ephemera.errors import BootFailed, DriverError
from ephemera.platform.drivers.base import (
    BootSpec,
    Capabilities,
    Memory,
    Printed,
    Say,
    Terminal,
)
from ephemera.platform.drivers.container import (
    checks,
    choosing,
    host,
    seccomp,
    shown,
    starting,
    survivors,
    syscalls,
)
from ephemera.platform.drivers.container.cgroups import Tree
from ephemera.platform.drivers.container.pins import Pins
from ephemera.platform.drivers.container.places import Places
from ephemera.platform.drivers.container.setup import Setup, cgroup_tree
from ephemera.platform.drivers.container.visits import Visits
from ephemera.platform.drivers.image_waits import ImageWaits
from ephemera.platform.drivers.monitoring import folder as folders
from ephemera.platform.drivers.monitoring.driver import MonitoredDriver
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.link import LinkLost
from ephemera.platform.drivers.monitoring.terminals import opened
from ephemera.platform.images import Image, Images
from ephemera.platform.network.router import Network

_log = logging.getLogger(__name__)

#: The image that is this computer's own file system.
HOST_IMAGE = "host"
_MB = 1 << 20
#: How long a monitor is waited for that adds up files.
_UNNAMED_S = 2.0


class ContainerDriver(MonitoredDriver):
    """Runs a machine as a container: image, file system, processes, limits and network of its own.

    Args:
        home: The state folder. Machines are kept below `machines/`, images below `images/`.
    """

    name = "container"

    def __init__(self, home: Path) -> None:
        super().__init__(home, "ephemera.platform.drivers.container.zygote")
        self._places = Places(str(home.absolute()), syscalls.in_user_namespace())
        self._name = "ephemera-" + sha256(os.fsencode(home.absolute())).hexdigest()[:10]
        self.images = Images(home.absolute() / "images")
        self.network = Network(home.absolute())
        self._pins = Pins(self._machines)
        self._tree = Tree(0, {})
        self._image_waits = ImageWaits()
        self._visits = Visits(self._monitors)
        #: What it can do here; known when it is open.
        self.capabilities = Capabilities(
            images=None,
            private_network=True,
            suspends=True,
            mounts=True,
            processes=True,
            balloons=True,
            terminals=True,
            users=None,
            consoles=True,
            remains=True,
        )

    async def open(self, printed: Printed) -> None:
        """Find out what this computer can do, and get network and zygote going.

        Args:
            printed: Called with a machine's id when its log has grown.

        Raises:
            DriverError: this computer cannot run this driver; the message says why.
        """
        self._make_folder()
        try:
            self._places.make()
        except OSError as error:
            raise DriverError(f"{error.filename} cannot be made: {error.strerror}") from error
        found = await asyncio.to_thread(host.probe, Path(self._places.home))
        checks.require(found)
        await self.images.open()
        await self.network.open(survivors.monitors(str(self._machines)))
        for lack in (*checks.limitations(found), *self.network.problems()):
            _log.warning("%s", lack)
        self._tree = cgroup_tree(self._name)
        survivors.end_strays(self._tree)
        setup = await asyncio.to_thread(self._setup, found)
        self._nursery.told = setup._asdict()
        self._nursery.descriptors = [setup.router]
        self.capabilities = replace(
            self.capabilities,
            suspends="freezer" in found.controllers,
            balloons="memory" in found.controllers,
            disks=found.disks,
        )
        try:
            await self._nursery.open()
        except DriverError:
            await self.close()
            raise
        self._monitors.open(printed)

    async def close(self) -> None:
        """Let go of everything without touching a machine: they outlive the server."""
        await super().close()
        self._tree.remove()
        living = await asyncio.to_thread(survivors.monitors, str(self._machines))
        await self.network.close(stays=bool(living))
        await self.images.close()

    async def start(self, spec: BootSpec, say: Say) -> str:
        """Start the boot, or find it where it was started before, and return its handle.

        Raises:
            ImageUnavailable: the image cannot be had; the message says why.
            StartCancelled: `cancel_start` was called before it was there.
            BootFailed: the machine could not be started; the message says why.
            DriverError: no monitor could be had.
        """
        boot, handle = self._boot_of(spec), f"{spec.machine_id}/{spec.boot}"
        async with boot.attaching:
            if boot.link is not None and boot.link.is_open:
                return handle
            if boot.folder.read_exit() is None:
                request = await self._request(spec, boot.folder, say)
            else:
                request = boot.request("attach")
            await self._begin(boot, request, say)
        return handle

    def cancel_start(self, machine_id: str) -> None:
        """Have a start of the machine that waits for its image fail now. Repeating is safe.

        The pull goes on as long as somebody else waits for it.
        """
        self._image_waits.cancel(machine_id)

    async def _request(self, spec: BootSpec, folder: BootFolder, say: Say) -> Message:
        """Return what the monitor is asked, once what it needs is there."""
        image = await self._image_waits.wait(spec.machine_id, self._image(spec, say))
        plug = None
        if spec.network:
            plug = await self.network.plug(
                spec.network, spec.address, spec.machine_id, outside=spec.outside
            )
        return starting.request(spec, folder, image, plug)

    async def _image(self, spec: BootSpec, say: Say) -> Image | None:
        """Return the image of a boot, the same for all boots of one version; None for `host`."""
        if spec.image == HOST_IMAGE:
            return None
        pinned = self._pins.read(spec.machine_id, spec.version, spec.image)
        image = await self.images.prepare(spec.image, say, digest=pinned)
        if not pinned:
            self._pins.write(spec.machine_id, spec.version, spec.image, image.digest)
        return image

    async def terminal(
        self, handle: str, command: Sequence[str], *, rows: int, columns: int
    ) -> Terminal:
        """Run a command beside the program, with a terminal.

        Raises:
            BootFailed: the command could not be started, or the boot has ended.
        """
        request = {"do": "terminal", "id": 0, "command": list(command)}
        try:
            link = await self._monitors.stream(
                handle, {**request, "rows": rows, "columns": columns}
            )
        except LinkLost as error:
            raise BootFailed(f"the machine of '{handle}' has ended") from error
        return await opened(link)

    async def look(
        self, spec: BootSpec, command: Sequence[str], *, rows: int, columns: int
    ) -> Terminal:
        """Run a command in a copy of the file system that a boot left when it ended.

        Raises:
            BootFailed: the command could not be started, or there is nothing left of the boot.
        """
        request = await self._visit(spec, "look")
        request |= {"command": list(command), "tty": True, "rows": rows, "columns": columns}
        return await self._visits.look(spec.machine_id, request)

    async def export(self, spec: BootSpec) -> AsyncGenerator[bytes, None]:
        """Yield the file system of a boot as a tar archive. The boot may be running.

        Raises:
            BootFailed: there is nothing left of the boot, or it could not be read to the end.
        """
        request = await self._visit(spec, "export")
        async with aclosing(self._visits.export(spec.machine_id, request)) as archive:
            async for data in archive:
                yield data

    async def _visit(self, spec: BootSpec, what: str) -> Message:
        image = await self._image(spec, lambda *_: None)
        return starting.visit(spec, self._boot_of(spec).folder, image, what)

    async def memory(self, handle: str) -> Memory:
        """Return how much memory the boot may use, and how much of that it does not."""
        found = await self._ask(handle, {"do": "memory"})
        return Memory(found["limit"] // _MB, found["available"] // _MB)

    async def set_memory_limit(self, handle: str, limit_mb: int) -> None:
        """Limit the memory of the boot until it ends.

        Raises:
            BootFailed: it uses more, and that cannot be had back.
        """
        await self._ask(handle, {"do": "limit", "limit_mb": limit_mb})

    async def reclaim_memory(self, handle: str, amount_mb: int) -> int:
        """Take memory back that the boot does not need, and return how much that was; MB."""
        found = await self._ask(handle, {"do": "reclaim", "amount_mb": amount_mb})
        return int(found["reclaimed"]) // _MB

    async def written(self, machine_ids: Collection[str]) -> Mapping[str, int]:
        """Return how much of this computer's disk each machine takes with what it wrote; bytes."""
        named = await super().written(machine_ids)
        others = await asyncio.gather(*map(self._unnamed_bytes, named))
        return {one: named[one] + more for one, more in zip(named, others, strict=True)}

    async def _unnamed_bytes(self, machine_id: str) -> int:
        """Return how much files take whose names are gone; 0 where nobody can tell."""
        newest = max(folders.boots(str(self._machines / machine_id)), default=0)
        try:
            async with asyncio.timeout(_UNNAMED_S):
                answer = await self._ask(f"{machine_id}/{newest}", {"do": "unnamed"})
        except (DriverError, TimeoutError):  # it has ended; its monitor is old, or does not answer
            return 0
        return int(answer["bytes"])

    async def destroy(self, machine_id: str) -> None:
        """Kill whatever of the machine lives, and remove what it left. Unknown is fine."""
        await self._visits.send_away(machine_id)
        await super().destroy(machine_id)
        self._pins.forget(machine_id)
        await self.network.unplug(machine_id)

    def used_images(self) -> set[str]:
        """Return the digests of the images that machines have."""
        return self._pins.digests()

    def image_digest(self, machine_id: str, version: str, image: str) -> str:
        """Return which image a version of a machine has; empty before its first boot."""
        return self._pins.read(machine_id, version, image)

    def _setup(self, found: host.Host) -> Setup:
        home = self._places.home
        compiled = seccomp.compiled() if found.seccomp else ""
        return Setup(
            home=home,
            name=self._name,
            crun=found.crun,
            own_ids=found.idmap,
            filter_compiled=compiled,
            filter_section=seccomp.section() if found.seccomp and not compiled else {},
            beside=shown.beside(self._places),
            hidden=shown.hidden(home),
            router=self.network.router_fd(),
            user_namespace=self._places.user_namespace,
            launches=choosing.launches(found, os.environ, filters=bool(compiled)),
        )
