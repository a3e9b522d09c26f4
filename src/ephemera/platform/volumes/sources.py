"""Where the data of a new volume comes from: a snapshot, or another volume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ephemera.platform.volumes import refusals
from ephemera.platform.volumes.bodies import CreateVolume
from ephemera.platform.volumes.folders import Folders
from ephemera.platform.volumes.records import GIB, VolumeRecord
from ephemera.platform.volumes.states import LEAVING, State, Status
from ephemera.platform.volumes.store import VolumeStore


@dataclass(frozen=True, slots=True)
class Source:
    """Something that holds data, which stays while a volume is filled from it."""

    id: str
    #: What the new volume has to hold at least.
    size_gb: int
    #: What the volume is while it is filled.
    state: State


class Sources:
    """Finds what volumes are made from."""

    def __init__(self, store: VolumeStore, folders: Folders) -> None:
        self._store = store
        self._folders = folders

    def asked(self, body: CreateVolume, may_touch: Callable[[str], bool]) -> Source | None:
        """Return what a new volume is to be made from; None for nothing.

        Args:
            may_touch: Whether the caller may see an app, from its id.

        Raises:
            Refusal: there is no such thing, or not for this caller, or it holds nothing yet.
        """
        if body.snapshot_id:
            return self._snapshot(body.snapshot_id, may_touch)
        if body.source_volume_id:
            return self._volume(body.source_volume_id, may_touch)
        return None

    def folder(self, volume: VolumeRecord) -> Path | None:
        """Return where the data of a volume that is being filled is; None if it is gone."""
        source_id = volume.source_id or ""
        if volume.state is State.HYDRATING:
            return self._folders.data(source_id)
        snapshot = self._store.snapshot(source_id)
        return self._folders.snapshot(snapshot.volume_id, source_id) if snapshot else None

    def _snapshot(self, snapshot_id: str, may_touch: Callable[[str], bool]) -> Source:
        found = self._store.snapshot(snapshot_id)
        if found is None or not may_touch(found.app_id):
            raise refusals.source_not_found("snapshot_id", snapshot_id)
        if found.status is not Status.CREATED:
            raise refusals.snapshot_unfinished(found.id, found.status)
        return Source(found.id, found.volume_size // GIB, State.RESTORING)

    def _volume(self, volume_id: str, may_touch: Callable[[str], bool]) -> Source:
        found = self._store.volume(volume_id)
        if found is None or not may_touch(found.app_id) or found.state in LEAVING:
            raise refusals.source_not_found("source_volume_id", volume_id)
        if found.state is not State.CREATED:
            raise refusals.wrong_state("fork", found.state)
        return Source(found.id, found.size_gb, State.HYDRATING)
