"""What a machine has to do with volumes: it may have one, for as long as it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ephemera.errors import Unsupported
from ephemera.platform.drivers.base import GuestMount
from ephemera.platform.edge import regions
from ephemera.platform.records import AppRecord, MachineRecord
from ephemera.platform.volumes import disks, refusals
from ephemera.platform.volumes.attachments import mounted
from ephemera.platform.volumes.folders import Folders
from ephemera.platform.volumes.records import VolumeRecord
from ephemera.platform.volumes.states import LEAVING, State
from ephemera.platform.volumes.store import VolumeStore


class Mounting:
    """Says which volumes machines can have, and where the data of those is that they have.

    Who has which volume is written with the machine, see `attachments.py`.

    Args:
        has_disks: Whether machines can have volumes that are disks.
    """

    def __init__(
        self,
        store: VolumeStore,
        folders: Folders,
        available: Sequence[str],
        has_disks: Callable[[], bool],
    ) -> None:
        self._store = store
        self._folders = folders
        self._available = available
        self._has_disks = has_disks

    def place(self, app: AppRecord, config: Mapping[str, Any], expression: str) -> str:
        """Return the region of a new machine: that of its volume, where it has one.

        Args:
            config: Checked and complete.
            expression: The region that was asked for, as `regions.choose` takes it.

        Raises:
            Refusal: the volume is not there, not free, not ready, in another region or a disk
                that cannot be mounted, or the platform has none of these regions.
        """
        volume_id = mounted(config)
        if volume_id is None:
            return regions.choose(expression, self._available)
        volume = self._free(app, volume_id)
        if volume.region not in regions.matching(expression, self._available):
            raise refusals.wrong_region(volume.id, volume.region)
        if not self._can_mount(volume_id):
            raise refusals.is_disk(volume_id)
        return volume.region

    def check_unchanged(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Let a new config of a machine pass that has the volume of the one before.

        Raises:
            Refusal: it has another, or none.
        """
        if mounted(before) != mounted(after):
            raise refusals.volume_fixed()

    def mounts(self, machine: MachineRecord) -> list[GuestMount]:
        """Return what a boot of a machine finds its volume by.

        Raises:
            Unsupported: it is a disk, which the driver cannot mount.
        """
        return [
            GuestMount(mount["path"], mount["volume"], self._source(mount["volume"]))
            for mount in machine.config.get("mounts") or ()
        ]

    def _source(self, volume_id: str) -> str:
        if not self._can_mount(volume_id):
            raise Unsupported(refusals.disk_unmountable(volume_id))
        return str(self._folders.data(volume_id))

    def _can_mount(self, volume_id: str) -> bool:
        return self._has_disks() or not disks.is_disk(self._folders.data(volume_id))

    def _free(self, app: AppRecord, volume_id: str) -> VolumeRecord:
        volume = self._store.volume(volume_id)
        if volume is None or volume.app_id != app.id or volume.state in LEAVING:
            raise refusals.mount_not_found()
        if volume.attached_machine_id:
            raise refusals.bound(volume.attached_machine_id)
        if volume.state is not State.CREATED:
            raise refusals.wrong_state("mount", volume.state)
        return volume
