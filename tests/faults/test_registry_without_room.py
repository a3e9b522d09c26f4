"""A push for which the disk has no room is refused, and leaves nothing."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera.platform.registry.refusals import RegistryRefusal
from tests import images, needs
from tests.images import Blob
from tests.registry_world import RegistryWorld

pytestmark = [pytest.mark.root, needs.root]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RegistryWorld]:
    """A registry on a disk of a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
    yield RegistryWorld(disk / "registry")
    subprocess.run(["umount", "--lazy", disk], check=True)


def filled(disk: Path) -> Path:
    """Leave no room on a disk; return the file to be removed."""
    fill = disk / "fill"
    subprocess.run(["sh", "-c", f"cat /dev/zero >{fill}"], stderr=subprocess.DEVNULL, check=False)
    return fill


def test_a_blob_that_is_too_large_is_refused_and_there_is_room_again(world: RegistryWorld) -> None:
    with pytest.raises(RegistryRefusal, match=r"no space left .* `ephemera images prune`") as full:
        asyncio.run(world.send(Blob("", secrets.token_bytes(3_000_000))))
    assert full.value.status == 507
    assert world.files() == []
    asyncio.run(world.send(Blob("", secrets.token_bytes(500_000))))


def test_a_manifest_for_which_there_is_no_room_is_refused(world: RegistryWorld) -> None:
    image = images.build(images.layer(images.file("it", b"1")))

    async def scene() -> None:
        for blob in image.blobs:
            await world.send(blob)
        fill = filled(world.folder.parent)
        before = world.files()
        with pytest.raises(RegistryRefusal, match="no space left"):
            await world.push(image, "v1")
        assert world.files() == before
        fill.unlink()
        await world.push(image, "v1")

    asyncio.run(scene())
    assert world.has(image)
