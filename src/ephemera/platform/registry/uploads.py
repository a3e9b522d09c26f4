"""What is being sent to the registry: piece by piece to the disk, its digest known at the end.

An upload is lost when the server ends, or nothing comes for an hour: clients begin another one.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from io import BufferedWriter
from pathlib import Path

from ephemera.platform.registry import durable, refusals

#: Written at once, by a thread: a disk may be slow, and nobody else is to wait for it.
_WRITTEN_BYTES = 1024 * 1024
_IDLE_MAX_S = 3600.0


class Upload:
    """One blob that is on its way. Made by `Uploads.begin`."""

    def __init__(self, upload_id: str, app_id: str, repository: str, path: Path) -> None:
        self.id = upload_id
        self.app_id = app_id
        self.repository = repository
        self.path = path
        #: Of what is here.
        self.size_bytes = 0
        #: When somebody last had to do with it, by the clock of `Uploads`.
        self.touched_at = 0.0
        self._hash = hashlib.sha256()
        self.sending = False

    @property
    def digest(self) -> str:
        """Of what is here."""
        return f"sha256:{self._hash.hexdigest()}"

    async def append(self, pieces: AsyncIterator[bytes]) -> None:
        """Add what comes to what is here. If it is cut short, what came is kept.

        Raises:
            RegistryRefusal: somebody else is adding to it.
            OSError: the disk does not take it; the upload cannot be used any more.
            Exception: whatever `pieces` raises.
        """
        if self.sending:
            raise refusals.upload_busy()
        self.sending = True
        try:
            with self.path.open("ab") as file:
                await self._write_all(file, pieces)
        finally:
            self.sending = False

    async def seal(self) -> None:
        """Have the disk take it."""
        await asyncio.to_thread(durable.flush, self.path)

    async def _write_all(self, file: BufferedWriter, pieces: AsyncIterator[bytes]) -> None:
        waiting = bytearray()
        try:
            async for piece in pieces:
                waiting += piece
                if len(waiting) >= _WRITTEN_BYTES:
                    whole, waiting = waiting, bytearray()
                    await asyncio.to_thread(self._write, file, whole)
        finally:
            await asyncio.to_thread(self._write, file, waiting)

    def _write(self, file: BufferedWriter, data: bytearray) -> None:
        self._hash.update(data)
        file.write(data)
        self.size_bytes += len(data)


class Uploads:
    """All uploads of one server.

    Args:
        folder: For what is not finished; whatever is in it when a server starts is nobody's.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._by_id: dict[str, Upload] = {}

    def open(self) -> None:
        """Remove what a server before this one did not finish. Repeating is safe."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.iterdir():
            path.unlink()

    def begin(self, app_id: str, repository: str) -> Upload:
        """Return a new upload, with nothing in it yet."""
        self.drop_idle()
        upload = Upload(secrets.token_hex(16), app_id, repository, self.fresh())
        upload.path.touch()
        upload.touched_at = self._clock()
        self._by_id[upload.id] = upload
        return upload

    def find(self, app_id: str, repository: str, upload_id: str) -> Upload:
        """Return an upload that is under way.

        Raises:
            RegistryRefusal: the repository has none with this id.
        """
        upload = self._by_id.get(upload_id)
        if upload is None or (upload.app_id, upload.repository) != (app_id, repository):
            raise refusals.upload_unknown()
        upload.touched_at = self._clock()
        return upload

    async def append(self, upload: Upload, pieces: AsyncIterator[bytes]) -> None:
        """Add what comes to an upload, see there."""
        try:
            await upload.append(pieces)
        finally:
            upload.touched_at = self._clock()

    def claim(self, upload: Upload) -> None:
        """Take an upload away from all others. Its file is the caller's from now on.

        Raises:
            RegistryRefusal: somebody else has done so.
        """
        if self._by_id.pop(upload.id, None) is None:
            raise refusals.upload_unknown()

    def drop(self, upload: Upload) -> None:
        """Forget an upload, and what came of it. Repeating is safe."""
        self._by_id.pop(upload.id, None)
        upload.path.unlink(missing_ok=True)

    def drop_app(self, app_id: str) -> None:
        """Forget the uploads of an app. Repeating is safe."""
        for upload in [one for one in self._by_id.values() if one.app_id == app_id]:
            self.drop(upload)

    def drop_idle(self) -> int:
        """Forget those to which nothing came for an hour; return how many."""
        before = self._clock() - _IDLE_MAX_S
        idle = [one for one in self._by_id.values() if one.touched_at < before and not one.sending]
        for upload in idle:
            self.drop(upload)
        return len(idle)

    def fresh(self) -> Path:
        """Return the name of a file that is not there yet."""
        return self._folder / secrets.token_hex(16)
