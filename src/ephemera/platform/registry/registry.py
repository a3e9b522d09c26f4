"""The registry of one platform: what is pushed to it is the app's that a repository is named after.

Belongs to one event loop. What is asked of the disk there is short; threads do what is long.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from ephemera.errors import ImageUnavailable
from ephemera.oci.reference import Reference
from ephemera.platform import refusals as platform_refusals
from ephemera.platform.apps.registry import Apps
from ephemera.platform.records import AppRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.registry import collection, documents, durable, names, refusals
from ephemera.platform.registry.collection import Collected
from ephemera.platform.registry.holdings import Holdings
from ephemera.platform.registry.own import OwnName
from ephemera.platform.registry.pool import Pool
from ephemera.platform.registry.promises import Promises
from ephemera.platform.registry.source import OwnRepository
from ephemera.platform.registry.uploads import Upload, Uploads


class Registry:
    """Images that are pushed to a platform.

    Args:
        folder: Its own; made where it does not exist.
        url: Of the platform.
    """

    def __init__(self, folder: Path, apps: Apps, url: str, clock: Callable[[], float]) -> None:
        self.name = OwnName(url)
        self.uploads = Uploads(folder / "unfinished", clock)
        self._folder = folder
        self._apps_folder = folder / "apps"
        self._apps = apps
        self._pool = Pool(folder / "pool")
        self._promises = Promises(clock)

    def open(self) -> None:
        """Remove what was not finished, and what nobody has. Repeating is safe."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._pool.folder.mkdir(exist_ok=True)
        self.uploads.open()
        self._apps_folder.mkdir(exist_ok=True)
        known = {app.id for app in self._apps.all()}
        for stray in self._apps_folder.iterdir():
            if stray.name not in known:
                shutil.rmtree(stray)
        self._pool.sweep()

    def of(self, app: AppRecord) -> Holdings:
        """Return what an app has."""
        return Holdings(self._apps_folder / app.id, self._pool)

    # pushing

    def blob(self, app: AppRecord, digest: str) -> Path | None:
        """Return the file of a blob, which stays for a while: a client will not send it again."""
        path = self.of(app).blob(digest)
        if path:
            self._promises.make(app.id, digest)
        return path

    def mount(self, app: AppRecord, digest: str, other: AppRecord) -> bool:
        """Have a blob of another app; return whether it has it. Repeating is safe.

        Raises:
            RegistryRefusal: the disk does not take its name.
        """
        if self.of(other).blob(digest) is None:
            return False
        with _room():
            self.of(app).share_blob(digest)
        self._promises.make(app.id, digest)
        return True

    async def append(self, upload: Upload, pieces: AsyncIterator[bytes]) -> None:
        """Add to an upload. If it is cut short, what came is kept.

        Raises:
            RegistryRefusal: somebody else adds to it, or the disk does not take it; then the
                upload is over.
            Exception: whatever `pieces` raises.
        """
        try:
            await self.uploads.append(upload, pieces)
        except OSError as error:
            self.uploads.drop(upload)
            raise _no_room(error) from error

    async def finish(self, app: AppRecord, upload: Upload, digest: str) -> None:
        """Make a blob of an upload. Returns once the disk has it.

        Raises:
            RegistryRefusal: what came has another digest, the disk does not take it, the app was
                deleted meanwhile, or somebody else finishes it. The upload is over in any case.
        """
        self.uploads.claim(upload)
        try:
            if upload.digest != digest:
                raise refusals.digest_invalid(
                    f"what was sent has the digest {upload.digest}, not {digest}"
                )
            with _room():
                await upload.seal()
                self._check_lives(app)
                self.of(app).add_blob(digest, upload.path)
                self._promises.make(app.id, digest)
                await self._flush(app, upload.repository)
        finally:
            upload.path.unlink(missing_ok=True)

    async def put_manifest(
        self, app: AppRecord, repository: str, reference: str, body: bytes, media_type: str
    ) -> str:
        """Keep a manifest or an index, and return its digest. Returns once the disk has it.

        Args:
            reference: The tag that is to mean it, or its digest.
            media_type: What the client says that it is; may be empty.

        Raises:
            RegistryRefusal: it is not a manifest, what it refers to is not here, its digest is
                another one, the disk does not take it, or the app was deleted meanwhile.
        """
        document = documents.read(body, media_type)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if names.is_digest(reference) and reference != digest:
            raise refusals.digest_invalid(f"the manifest has the digest {digest}, not {reference}")
        with _room():
            async with self._drafts(body, digest.encode()) as (manifest, tag):
                self._check_lives(app)
                self._check_complete(app, document)
                self.of(app).add_manifest(digest, manifest)
                self._promises.keep(app.id, (*document.blobs, *document.manifests))
                if names.is_digest(reference):
                    self._promises.make(app.id, digest)  # to an index that is still to come
                else:
                    self.of(app).tag(repository, reference, tag)
            await self._flush(app, repository)
        return digest

    @asynccontextmanager
    async def _drafts(self, *contents: bytes) -> AsyncIterator[list[Path]]:
        """Have files that the disk has taken, and that are gone afterwards if nobody took them."""
        drafts = [self.uploads.fresh() for _ in contents]
        try:
            for draft, content in zip(drafts, contents, strict=True):
                await asyncio.to_thread(durable.write, draft, content)
            yield drafts
        finally:
            for draft in drafts:
                draft.unlink(missing_ok=True)

    def _check_lives(self, app: AppRecord) -> None:
        if app.id not in self._apps:
            raise refusals.no_such_app(app.name)

    def _check_complete(self, app: AppRecord, document: documents.Document) -> None:
        holdings = self.of(app)
        missing = (one for one in document.blobs if holdings.blob(one) is None)
        none = (one for one in document.manifests if not holdings.has_manifest(one))
        for digest in (*missing, *none):
            raise refusals.manifest_incomplete(digest)

    async def _flush(self, app: AppRecord, repository: str) -> None:
        await asyncio.to_thread(durable.flush_all, self.of(app).folders(repository))

    # machines

    def owns(self, host: str) -> bool:
        """Whether the host of a reference is this platform."""
        return self.name.owns(host)

    def settled(self, reference: Reference) -> Reference:
        """Return a reference under the one name of the registry that stays, if it is of it."""
        return self.name.settled(reference)

    def repository(self, reference: Reference) -> OwnRepository:
        """Return where an image of the platform's own registry is read from."""
        app = self._app_of(reference)
        return OwnRepository(reference, self.of(app) if app else None)

    def check_use(self, app: AppRecord, image: str) -> None:
        """Return if a machine of an app may have an image: its own, or its organisation's.

        Raises:
            Refusal: it is of this platform, and of no app of the organisation.
        """
        try:
            reference = self.name.reference(image)
        except ImageUnavailable as error:
            raise platform_refusals.invalid(f"config.image: {error.message}") from None
        if reference is None:
            return
        other = self._app_of(reference)
        if other is None or other.org_slug != app.org_slug:
            name = reference.repository.partition("/")[0]
            raise platform_refusals.invalid(
                f"config.image '{image}': organisation '{app.org_slug}' has no app '{name}'"
            )

    def check_sight(self, image: str, may_touch: Callable[[str], bool]) -> None:
        """Return if who asks for an image may look into it: a machine of it would show all.

        Args:
            may_touch: Whether they may see an app, from its id.

        Raises:
            Refusal: it is of this platform, and of an app that is not for them.
        """
        reference = self.name.mentioned(image)
        other = self._app_of(reference) if reference else None
        if other is not None and not may_touch(other.id):
            raise platform_refusals.invalid(
                f"config.image '{image}': the token is not for app '{other.name}'"
            )

    def _app_of(self, reference: Reference) -> AppRecord | None:
        try:
            return self._apps.named(reference.repository.partition("/")[0])
        except Refusal:
            return None

    # removing

    async def prune(self, images: Iterable[str]) -> Collected:
        """Remove what no machine, no release and nobody who pushes needs.

        Args:
            images: What machines and releases have, of any registry.
        """
        mentioned = [one for image in images if (one := self.name.mentioned(image))]
        tags: list[str] = []
        freed = 0
        for app in self._apps.all():
            if app.id not in self._apps:
                continue  # it leaves: all that it has is being removed
            used = [one for one in mentioned if one.repository.partition("/")[0] == app.name]
            found = collection.collect(self.of(app), used, self._promises.of(app.id))
            tags += found.tags
            freed += found.freed_bytes
            await asyncio.sleep(0)  # others may go on meanwhile
        return Collected(tuple(tags), freed + self._pool.sweep())

    async def drop_app(self, app: AppRecord) -> None:
        """Remove all that an app has. Repeating is safe."""
        self.uploads.drop_app(app.id)
        folder = self._apps_folder / app.id
        if folder.exists():
            await asyncio.to_thread(shutil.rmtree, folder)
        self._pool.sweep()


@contextmanager
def _room() -> Iterator[None]:
    """Say it in the registry's form where the disk does not take something."""
    try:
        yield
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> refusals.RegistryRefusal:
    return refusals.no_room((error.strerror or str(error)).lower())
