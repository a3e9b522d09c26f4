"""Volumes are as large as they are said to be, where they are disks. A folder has no size.

Whoever mounts a disk has its file system be as large as its file. So a volume is extended by its
file, at once and whatever is killed after that; having a machine see it that runs is the rest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ephemera.platform.logs import Logs
from ephemera.platform.volumes import bodies, disks, refusals
from ephemera.platform.volumes.bodies import CreateVolume
from ephemera.platform.volumes.folders import Folders
from ephemera.platform.volumes.records import GIB, VolumeRecord


class Sizing:
    """Has the data of volumes be of the size of the volumes.

    Args:
        has_disks: Whether new volumes are disks; else they are folders.
    """

    def __init__(self, folders: Folders, logs: Logs, has_disks: Callable[[], bool]) -> None:
        self._folders = folders
        self._logs = logs
        self._has_disks = has_disks

    @asynccontextmanager
    async def blank(self, body: CreateVolume) -> AsyncIterator[Path | None]:
        """Make the disk that a new volume is to be, which takes time; None where it is to be none.

        It is gone after the block, unless a volume was made of it.

        Raises:
            Refusal: the body is wrong, or there is no room on this computer.
        """
        body.check()
        if body.snapshot_id or body.source_volume_id or not self._has_disks():
            yield None
            return
        try:
            disk = await self._folders.blank((body.size_gb or bodies.SIZE_GB) * GIB)
        except OSError as error:
            raise refusals.no_capacity(error.strerror or str(error)) from error
        try:
            yield disk
        finally:
            disk.unlink(missing_ok=True)

    def enlarge(self, volume: VolumeRecord) -> None:
        """Have a disk's file be as large as its volume. Repeating is safe."""
        data = self._folders.data(volume.id)
        if disks.is_disk(data):
            disks.enlarge(data, volume.bytes_total)

    async def settle(self, volume: VolumeRecord) -> bool:
        """Have a disk's file system be as large as its file, and return whether it is.

        It is not where its machine must be started again first. Repeating is safe.
        """
        data = self._folders.data(volume.id)
        if not disks.is_disk(data):
            return True
        try:
            return await disks.grow(data)
        except OSError as error:
            said = f"Volume {volume.id} cannot be made larger: {error.strerror or error}"
            self._logs.say(volume.app_id, "", volume.region, said, level="error")
            return False

    def thaw(self, volume: VolumeRecord) -> None:
        """Let a machine write again whose disk was held by somebody who was killed."""
        data = self._folders.data(volume.id)
        if disks.is_disk(data) and volume.attached_machine_id:
            disks.thaw(data)
