"""What one app has in the registry: blobs, manifests, and tags of its repositories.

Blobs and manifests are the app's, whichever of its repositories they were pushed to: who may see
one of these may see the others.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from ephemera.platform.registry import names
from ephemera.platform.registry.pool import Pool


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag, and what it means."""

    repository: str
    name: str
    #: Of a manifest or an index.
    digest: str
    #: When it was given last; nanoseconds since 1970.
    tagged_at_ns: int


class Holdings:
    """One app's. Nothing is in memory; nothing needs to be there.

    Names are checked by the caller, see `names`.

    Args:
        folder: Its own; there once something is in it.
    """

    def __init__(self, folder: Path, pool: Pool) -> None:
        self._folder = folder
        self._pool = pool
        self._blobs = folder / "blobs"
        self._manifests = folder / "manifests"
        self._tags = folder / "tags"

    # blobs

    def blob(self, digest: str) -> Path | None:
        """Return the file of a blob, if the app has it."""
        path = _of(self._blobs, digest)
        return path if path.exists() else None

    def blobs(self) -> set[str]:
        """Return the digests of all blobs."""
        return _digests_in(self._blobs)

    def add_blob(self, digest: str, fresh: Path) -> None:
        """Take a file that is whole, and whose digest was verified. Repeating is safe."""
        self._pool.add(fresh, digest, _of(self._blobs, digest))

    def share_blob(self, digest: str) -> None:
        """Have a blob that another app has. Repeating is safe."""
        self._pool.share(digest, _of(self._blobs, digest))

    def drop_blob(self, digest: str) -> int:
        """Take a blob away; return how many bytes that frees. Repeating is safe."""
        return self._pool.drop(digest, _of(self._blobs, digest))

    # manifests

    def manifest(self, digest: str) -> bytes | None:
        """Return a manifest or an index, if the app has it."""
        try:
            return _of(self._manifests, digest).read_bytes()
        except FileNotFoundError:
            return None

    def has_manifest(self, digest: str) -> bool:
        """Whether the app has a manifest or an index."""
        return _of(self._manifests, digest).exists()

    def manifests(self) -> set[str]:
        """Return the digests of all manifests."""
        return _digests_in(self._manifests)

    def add_manifest(self, digest: str, fresh: Path) -> None:
        """Take a file that is whole; what it refers to is here. Repeating is safe."""
        self._pool.add(fresh, digest, _of(self._manifests, digest))

    def drop_manifest(self, digest: str) -> int:
        """Take a manifest away; return how many bytes that frees. Repeating is safe."""
        return self._pool.drop(digest, _of(self._manifests, digest))

    # tags

    def tagged(self, repository: str, tag: str) -> str:
        """Return the digest that a tag means; empty where there is no such tag."""
        try:
            return self._tag(repository, tag).read_text()
        except FileNotFoundError:
            return ""

    def tag(self, repository: str, tag: str, fresh: Path) -> None:
        """Have a tag mean the digest in a file, and nothing else from now on."""
        path = self._tag(repository, tag)
        path.parent.mkdir(parents=True, exist_ok=True)
        now = time.time_ns()
        os.utime(fresh, ns=(now, now))  # by itself, the file system has one for some milliseconds
        fresh.replace(path)

    def untag(self, repository: str, tag: str) -> None:
        """Take a tag away. Repeating is safe."""
        self._tag(repository, tag).unlink(missing_ok=True)

    def tags(self) -> list[Tag]:
        """Return the tags of all repositories of the app."""
        return [
            Tag(
                names.repository_in(path.parent.name),
                path.name,
                path.read_text(),
                path.stat().st_mtime_ns,
            )
            for path in self._tags.glob("*/*")
        ]

    def tags_of(self, repository: str) -> list[str]:
        """Return the tags of one repository, in the order of their names."""
        return sorted(path.name for path in (self._tags / names.folder_of(repository)).glob("*"))

    def folders(self, repository: str) -> list[Path]:
        """Return the folders of which the disk has to have taken what was added."""
        within = [self._blobs, self._manifests, self._tags / names.folder_of(repository)]
        return [self._pool.folder, *within, self._tags, self._folder, self._folder.parent]

    def _tag(self, repository: str, tag: str) -> Path:
        return self._tags / names.folder_of(repository) / tag


def _of(folder: Path, digest: str) -> Path:
    return folder / digest.removeprefix("sha256:")


def _digests_in(folder: Path) -> set[str]:
    return {f"sha256:{path.name}" for path in folder.glob("*")}
