"""`/ephemera/images`: the container images on this computer. Ours, and for the owner only.

A pull is answered line by line, as it goes on: JSON objects, of which the last has the image or
the error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ephemera.errors import ImageUnavailable
from ephemera.platform import refusals, requests
from ephemera.platform.images import Image, Images, Pruned
from ephemera.platform.images import StoredImage as Stored
from ephemera.platform.images.keeping import KeepsImages, keeper
from ephemera.platform.routes.scope import owner_only, platform_of
from ephemera.wire.own import ImageList, PrunedImages, PullImage, PullNews, StoredImage

#: While nothing comes, an empty line shows that somebody is still there.
_STILL_HERE_S = 10.0


async def list_images(request: Request) -> Response:
    """List the images, oldest first."""
    listed = [_shown(one) for one in _keeper(request).images.list()]
    return JSONResponse(ImageList(images=listed).model_dump(mode="json"))


async def pull(request: Request) -> Response:
    """Have an image as its registry has it now, and say how far that is."""
    images = _keeper(request).images
    body = await requests.model(request, PullImage)
    return StreamingResponse(_pulled(images, body.reference), media_type="application/x-ndjson")


async def prune(request: Request) -> Response:
    """Remove the images that no machine has, also from the platform's own registry."""
    owner_only(request)
    platform = platform_of(request)
    driver = keeper(platform.driver)
    pruned = await driver.images.prune(driver.used_images()) if driver else Pruned((), 0, 0)
    collected = await platform.registry.prune(platform.machines.images_named())
    said = PrunedImages(
        images=[_named(image) for image in pruned.images],
        layers=pruned.layers,
        freed_bytes=pruned.freed_bytes + collected.freed_bytes,
        tags=list(collected.tags),
    )
    return JSONResponse(said.model_dump(mode="json"))


def _keeper(request: Request) -> KeepsImages:
    """Return the driver, for the owner of the platform.

    Raises:
        Refusal: the token is for less (403), or the driver has no images (400).
    """
    owner_only(request)
    driver = platform_of(request).driver
    found = keeper(driver)
    if found is None:
        raise refusals.unsupported(
            f"images: the driver '{driver.name}' has none, use 'container' instead"
        )
    return found


async def _pulled(images: Images, reference: str) -> AsyncIterator[str]:
    """Yield the lines about a pull, which ends when nobody reads them any more."""
    news: asyncio.Queue[PullNews | None] = asyncio.Queue()

    def say(level: str, message: str) -> None:
        news.put_nowait(PullNews(level=level, message=message))

    pull = asyncio.create_task(images.pull(reference, say))
    pull.add_done_callback(lambda _: news.put_nowait(None))
    try:
        async for one in _until_none(news):
            yield (one.model_dump_json(exclude_defaults=True) if one else "") + "\n"
        yield _end(images, pull).model_dump_json(exclude_defaults=True) + "\n"
    finally:
        pull.cancel()


async def _until_none(news: asyncio.Queue[PullNews | None]) -> AsyncIterator[PullNews | None]:
    """Yield what there is of news until they end; None now and then while there are none."""
    while True:
        try:
            async with asyncio.timeout(_STILL_HERE_S):
                one = await news.get()
        except TimeoutError:
            yield None
            continue
        if one is None:
            return
        yield one


def _end(images: Images, pull: asyncio.Task[Image]) -> PullNews:
    """Return what a pull has resulted in."""
    if pull.cancelled():
        return PullNews(error="the platform is being stopped", hint="try again when it is back")
    try:
        image = pull.result()
    except ImageUnavailable as error:
        return PullNews(error=error.message, hint=error.hint)
    found = next((_shown(one) for one in images.list() if one.image == image), None)
    if found is None:
        return PullNews(
            error=f"image {image.reference} was pulled, and somebody has removed it just now",
            hint="pull it again",
        )
    return PullNews(image=found)


def _shown(one: Stored) -> StoredImage:
    return StoredImage(
        reference=one.image.reference,
        digest=one.image.digest,
        layers=len(one.image.layers),
        size_bytes=one.size_bytes,
        pulled_at=_moment(one.pulled_at),
        checked_at=_moment(one.checked_at),
    )


def _named(image: Image) -> str:
    """Return a name that still means this image when its tag has moved on."""
    return f"{image.reference.partition('@')[0]}@{image.digest}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


ROUTES = [
    Route("/ephemera/images", list_images, methods=["GET"]),
    Route("/ephemera/images/pull", pull, methods=["POST"]),
    Route("/ephemera/images/prune", prune, methods=["POST"]),
]
