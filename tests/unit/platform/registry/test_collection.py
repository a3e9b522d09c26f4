"""Which images stay when those that nobody needs are removed."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path

import pytest

from ephemera.platform.registry import durable
from ephemera.platform.registry.collection import TAGS_KEPT, Collected
from tests import images
from tests.images import Blob, Built
from tests.registry_world import HOUR_S, RegistryWorld


@pytest.fixture
def world(tmp_path: Path) -> RegistryWorld:
    return RegistryWorld(tmp_path / "registry")


def image(*layers: images.Layer) -> Built:
    return images.build(*layers, images.layer(images.file("it", secrets.token_bytes(100))))


async def push_releases(world: RegistryWorld, count: int) -> list[Built]:
    """Push images under the tags v0, v1, ..., the last one last."""
    pushed = [image() for _ in range(count)]
    for number, one in enumerate(pushed):
        await world.push(one, f"v{number}")
        path = world.folder / f"apps/id-shop/tags/shop/v{number}"
        os.utime(path, (number, number))
    return pushed


def prune(world: RegistryWorld, *used: str) -> Collected:
    return asyncio.run(world.registry.prune(used))


def test_the_last_tags_stay_and_what_only_older_ones_had_is_removed(world: RegistryWorld) -> None:
    pushed = asyncio.run(push_releases(world, TAGS_KEPT + 2))
    removed = prune(world)
    assert set(removed.tags) == {"registry.localhost/shop:v0", "registry.localhost/shop:v1"}
    gone = pushed[:2]
    sizes = [len(blob.data) for one in gone for blob in (one.manifest, *one.blobs)]
    assert removed.freed_bytes == sum(sizes)
    assert [world.has(one) for one in pushed] == [False] * 2 + [True] * TAGS_KEPT
    assert prune(world) == Collected()


def test_the_last_tags_are_those_that_were_given_last_also_in_one_moment(
    world: RegistryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system has the same time for all that is written within some milliseconds."""
    write = durable.write

    def write_in_that_moment(path: Path, content: bytes) -> None:
        write(path, content)
        os.utime(path, (1, 1))

    monkeypatch.setattr(durable, "write", write_in_that_moment)
    one = image()
    given = [f"v{number}" for number in range(TAGS_KEPT + 2)]

    async def scene() -> None:
        for tag in reversed(given):
            await world.push(one, tag)

    asyncio.run(scene())
    removed = {f"registry.localhost/shop:{tag}" for tag in given[-2:]}
    assert set(prune(world).tags) == removed


def test_what_an_app_has_that_leaves_is_left_to_who_removes_it(world: RegistryWorld) -> None:
    asyncio.run(push_releases(world, TAGS_KEPT + 2))
    files = world.files()
    world.apps.leave("id-shop")
    assert prune(world) == Collected()
    assert world.files() == files


@pytest.mark.parametrize(
    "used",
    [
        "registry.localhost/shop:v0",
        "localhost:4280/shop:v0",
        "registry.localhost/shop@DIGEST",
        "registry.localhost/shop:deleted@DIGEST",
    ],
)
def test_what_a_machine_has_stays(world: RegistryWorld, used: str) -> None:
    first = asyncio.run(push_releases(world, TAGS_KEPT + 2))[0]
    prune(world, used.replace("DIGEST", first.digest))
    assert world.has(first)


@pytest.mark.parametrize(
    "used", ["host", "shop:v0", "registry.localhost/other:v0", "localhost:4280/X"]
)
def test_what_is_in_another_place_does_not_count(world: RegistryWorld, used: str) -> None:
    first = asyncio.run(push_releases(world, TAGS_KEPT + 2))[0]
    prune(world, used)
    assert not world.has(first)


def test_a_layer_that_a_newer_image_has_stays(world: RegistryWorld) -> None:
    base = images.layer(images.file("base", secrets.token_bytes(100)))
    old, new = image(base), image(base)

    async def scene() -> None:
        await world.push(old, "latest")
        await world.push(new, "latest")

    asyncio.run(scene())
    world.now += 2 * HOUR_S
    prune(world)
    assert world.has(new)
    assert not world.has(old)


def test_an_index_keeps_its_images(world: RegistryWorld) -> None:
    index = images.index(image(), image())
    asyncio.run(world.push(index, "all"))
    world.now += 2 * HOUR_S
    prune(world)
    assert all(world.has(child) for child in index.children)


def test_a_push_that_is_under_way_is_left_alone_and_one_that_was_given_up_is_not(
    world: RegistryWorld,
) -> None:
    begun = image()

    async def scene() -> None:
        for blob in begun.blobs:
            await world.send(blob)

    asyncio.run(scene())
    assert prune(world) == Collected()
    asyncio.run(world.push(begun))  # by its digest: a part of an index that is to come
    assert prune(world) == Collected()
    assert world.has(begun)
    world.now += 2 * HOUR_S
    assert prune(world).freed_bytes > 0
    assert world.files() == []


def test_what_a_client_was_told_is_here_stays_for_it(world: RegistryWorld) -> None:
    old, new = image(), image()
    asyncio.run(world.push(old, "latest"))
    asyncio.run(world.push(new, "latest"))
    world.now += 2 * HOUR_S
    assert world.registry.blob(world.app, old.blobs[1].digest)
    prune(world)
    assert world.registry.of(world.app).blob(old.blobs[1].digest)
    assert world.registry.of(world.app).blob(old.blobs[0].digest) is None


def test_bytes_that_another_app_has_too_are_not_freed(world: RegistryWorld) -> None:
    one = image()
    other = world.apps["id-other"]

    async def scene() -> None:
        await world.push(one, "latest")
        await world.push(one, "latest", other)
        await world.registry.drop_app(world.app)

    asyncio.run(scene())
    assert not world.has(one)
    held = world.registry.of(other)
    assert all(held.blob(blob.digest) for blob in one.blobs)
    assert not any(path.startswith("apps/id-shop") for path in world.files())
    asyncio.run(world.registry.drop_app(other))
    assert world.files() == []


def test_what_an_app_that_is_unknown_had_is_removed_when_a_server_starts(
    world: RegistryWorld,
) -> None:
    asyncio.run(world.push(image(), "latest"))
    del world.apps[world.app.id]
    world.opened()
    assert world.files() == []


def test_uploads_that_nobody_goes_on_with_are_thrown_away(world: RegistryWorld) -> None:
    uploads = world.registry.uploads
    idle = uploads.begin(world.app.id, "shop")
    world.now += 2 * HOUR_S
    used = uploads.begin(world.app.id, "shop")
    assert not idle.path.exists()
    assert uploads.find(world.app.id, "shop", used.id) is used
    assert uploads.drop_idle() == 0
    world.now += 2 * HOUR_S
    assert uploads.drop_idle() == 1, "also where nobody begins another one"
    assert not used.path.exists()


def test_an_app_that_is_deleted_meanwhile_gets_nothing_any_more(world: RegistryWorld) -> None:
    blob = Blob("application/octet-stream", b"late")

    async def scene() -> None:
        upload = world.registry.uploads.begin(world.app.id, "shop")
        del world.apps[world.app.id]
        await world.registry.finish(world.app, upload, upload.digest)

    with pytest.raises(Exception, match="there is no app 'shop'"):
        asyncio.run(scene())
    assert world.registry.of(world.app).blob(blob.digest) is None
    assert world.files() == []
