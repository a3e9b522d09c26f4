"""A registry without a platform around it: a folder, apps, and time that stands still."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import cast

from ephemera.platform.apps.registry import Apps
from ephemera.platform.records import AppRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.registry.registry import Registry
from tests.images import Blob, Built

HOUR_S = 3600.0


class _Apps(dict[str, AppRecord]):
    """Apps by their ids, as far as the registry asks for them."""

    def __init__(self, living: Mapping[str, AppRecord]) -> None:
        super().__init__(living)
        self._leaving: list[AppRecord] = []

    def leave(self, app_id: str) -> None:
        """Have one be among those that leave."""
        self._leaving.append(self.pop(app_id))

    def all(self) -> list[AppRecord]:
        return [*self.values(), *self._leaving]

    def named(self, name: str) -> AppRecord:
        for app in self.values():
            if app.name == name:
                return app
        raise Refusal(404, "app not found")


class RegistryWorld:
    """One registry, with the apps `shop` and `other` of one organisation, `foreign` of another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 1_700_000_000.0
        orgs = {"shop": "personal", "other": "personal", "foreign": "others"}
        self.apps = _Apps({f"id-{name}": _app(name, org) for name, org in orgs.items()})
        self.app = self.apps["id-shop"]
        self.registry = self.opened()

    def opened(self) -> Registry:
        """Return the registry as a server has it that has just started."""
        apps = cast("Apps", self.apps)
        self.registry = Registry(self.folder, apps, "http://127.0.0.1:4280", lambda: self.now)
        self.registry.open()
        return self.registry

    async def send(self, blob: Blob, app: AppRecord | None = None) -> None:
        """Push a blob to an app, `shop` if it is not told."""
        app = app or self.app
        upload = self.registry.uploads.begin(app.id, app.name)
        await self.registry.append(upload, _pieces(blob.data))
        await self.registry.finish(app, upload, blob.digest)

    async def push(self, image: Built, tag: str = "", app: AppRecord | None = None) -> None:
        """Push an image or an index to an app; without a tag by its digest."""
        app = app or self.app
        for child in image.children:
            await self.push(child, app=app)
        for blob in image.blobs:
            await self.send(blob, app)
        manifest = image.manifest
        await self.registry.put_manifest(
            app, app.name, tag or image.digest, manifest.data, manifest.media_type
        )

    def has(self, image: Built) -> bool:
        """Whether an app has an image with all of its blobs, each as it was."""
        holdings = self.registry.of(self.app)
        blobs = [holdings.blob(blob.digest) for blob in image.blobs]
        whole = all(path and _digest(path) in path.name for path in blobs)
        return whole and holdings.manifest(image.digest) == image.manifest.data

    def files(self) -> list[str]:
        """Return what there is on the disk, but for folders."""
        return sorted(
            str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()
        )


def _app(name: str, org_slug: str) -> AppRecord:
    return AppRecord(f"id-{name}", name, org_slug, "", 0.0)


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 65536):
        yield data[at : at + 65536]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
