"""Images are pulled from a real registry, once, and kept by what is in them."""

from __future__ import annotations

import asyncio
import math
import re
import time
from pathlib import Path

import pytest

from ephemera.errors import ImageUnavailable
from ephemera.platform.images import Images, StoredImage, progress
from ephemera.platform.images import images as images_module
from ephemera.wire.ids import new_machine_name
from tests import images, needs
from tests.images import file
from tests.pulling import TIMEOUT_S, Heard, Pulls
from tests.registry import Registry, running_registry

pytestmark = [pytest.mark.root, needs.root, needs.registry, needs.zstd]


@pytest.fixture
def pulls(tmp_path: Path) -> Pulls:
    return Pulls(tmp_path / "images")


@pytest.fixture
def name() -> str:
    """A repository that no other test has."""
    return new_machine_name()


@pytest.fixture(autouse=True)
def _no_pull_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of how far a pull is, and nobody loses patience, on a slow computer too."""
    monkeypatch.setattr(progress, "_EVERY_S", math.inf)
    monkeypatch.setattr(images_module, "_CHECK_TIMEOUT_S", TIMEOUT_S)


@pytest.fixture
def every_tag_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question about a tag goes to the registry."""
    monkeypatch.setattr(images_module, "_TAG_MAX_AGE_S", 0.0)


def a_minute_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the clock ahead by as long as a tag is believed."""
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)


def blob_requests(registry: Registry, name: str, blob: images.Blob) -> int:
    """Return how often a blob of a repository was asked for, which it was."""
    return registry.requests("GET", f"/{name}/blobs/{blob.digest}", expected=1)


def build(*contents: bytes) -> images.Built:
    """Return an image of one layer for each content of the file `it`."""
    return images.build(*(images.layer(file("it", content)) for content in contents))


def test_an_image_is_there_once_it_is_prepared(registry: Registry, pulls: Pulls, name: str) -> None:
    built = images.busybox(entrypoint=["/bin/echo"], cmd=["hello"], WorkingDir="/tmp")
    reference = registry.push(name, built)
    image, heard = pulls.prepare(reference)
    assert image.reference == reference
    assert image.digest == built.digest
    assert image.config.entrypoint == ("/bin/echo",)
    assert image.config.cmd == ("hello",)
    assert image.config.workdir == "/tmp"
    assert (pulls.layers(image)[0] / "bin/busybox").read_bytes() == images.BUSYBOX.read_bytes()
    assert heard[0] == f"Pulling container image {reference}"
    said = rf"Successfully prepared image {re.escape(reference)} \((\d+ms|[\d.]+s)\)"
    assert re.fullmatch(said, heard[1])
    assert len(heard) == 2


def test_an_image_that_is_there_is_had_without_a_word_and_at_once(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    reference = registry.push(name, build(b"1"))
    first, _ = pulls.prepare(reference)
    asked = registry.requests("HEAD", name)
    again, heard = pulls.prepare(reference)
    assert (again, heard) == (first, [])
    assert registry.requests("HEAD", name) == asked


def test_all_spellings_of_a_reference_are_one(registry: Registry, pulls: Pulls, name: str) -> None:
    registry.push(name, build(b"1"))
    image, _ = pulls.prepare(f"{registry.address}/{name}")
    assert image.reference == f"{registry.address}/{name}:latest"
    assert pulls.prepare(f"{registry.address}/{name}:latest") == (image, [])


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize("docker", [False, True])
def test_layers_may_be_packed_in_each_way_and_of_either_kind(
    compression: str, docker: bool, registry: Registry, pulls: Pulls, name: str
) -> None:
    layer = images.layer(file("it", b"1"), compression=compression, docker=docker)
    image, _ = pulls.prepare(registry.push(name, images.build(layer, docker=docker)))
    assert (pulls.layers(image)[0] / "it").read_bytes() == b"1"


def test_layers_are_in_their_order_and_named_for_what_they_are(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    contents = [b"%d" % number for number in range(7)]
    image, _ = pulls.prepare(registry.push(name, build(*contents)))
    assert [(path / "it").read_bytes() for path in pulls.layers(image)] == contents
    diff_ids = [images.layer(file("it", content)).diff_id for content in contents]
    for layer, diff_id in zip(image.layers, diff_ids, strict=True):
        assert diff_id.removeprefix("sha256:").startswith(layer)
        assert len(layer) >= 12


def test_a_layer_that_an_image_has_twice_is_used_once_where_it_is_highest(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    image, _ = pulls.prepare(registry.push(name, build(b"a", b"b", b"a", b"c")))
    assert [(path / "it").read_bytes() for path in pulls.layers(image)] == [b"b", b"a", b"c"]


def test_a_layer_may_hide_all_that_is_below_it(registry: Registry, pulls: Pulls, name: str) -> None:
    hides = images.layer(file(".wh..wh..opq"), file("it", b"b"))
    below, above = (images.layer(file("it", content)) for content in (b"a", b"c"))
    image, _ = pulls.prepare(registry.push(name, images.build(below, hides, above)))
    assert [(path / "it").read_bytes() for path in pulls.layers(image)] == [b"b", b"c"]


def test_layers_that_another_image_has_are_not_sent_again(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    pulls.prepare(registry.push(name, build(b"base", b"one")))
    registry.push(name, other := build(b"base", b"two"), "other")
    pulls.prepare(f"{registry.address}/{name}:other")
    assert [blob_requests(registry, name, blob) for blob in other.blobs[1:]] == [1, 1]


# which image


@pytest.mark.parametrize("docker", [False, True])
def test_of_an_index_the_one_for_this_computer_is_taken(
    docker: bool, registry: Registry, pulls: Pulls, name: str
) -> None:
    ours = images.build(images.layer(file("it", b"ours"), docker=docker), docker=docker)
    other = images.build(
        images.layer(file("it", b"theirs"), docker=docker), docker=docker, architecture="mips"
    )
    image, _ = pulls.prepare(registry.push(name, images.index(other, ours, docker=docker)))
    assert image.digest == ours.digest
    assert (pulls.layers(image)[0] / "it").read_bytes() == b"ours"


def test_where_there_is_none_for_this_computer_it_says_which_there_are(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    layer = images.layer(file("it", b"1"))
    both = [images.build(layer, architecture=other) for other in ("mips", "sparc")]
    reference = registry.push(name, images.index(*both))
    with pytest.raises(ImageUnavailable, match=f"linux/{images.HERE}.*linux/mips, linux/sparc"):
        pulls.prepare(reference)
    reference = registry.push(name, both[0], "single")
    with pytest.raises(ImageUnavailable, match="is for linux/mips, and this computer is linux/"):
        pulls.prepare(reference)


@pytest.mark.parametrize("tag", [":latest", ""])
def test_an_image_can_be_meant_by_its_digest(
    tag: str, registry: Registry, pulls: Pulls, name: str
) -> None:
    old = build(b"old")
    registry.push(name, old)
    registry.push(name, build(b"new"))
    image, _ = pulls.prepare(f"{registry.address}/{name}{tag}@{old.digest}")
    assert (pulls.layers(image)[0] / "it").read_bytes() == b"old"
    registry_asked = registry.requests("", name)
    assert pulls.prepare(f"{registry.address}/{name}{tag}@{old.digest}")[0] == image
    assert registry.requests("", name) == registry_asked


def test_an_index_can_be_meant_by_its_digest(registry: Registry, pulls: Pulls, name: str) -> None:
    ours = build(b"ours")
    index = images.index(ours)
    registry.push(name, index)
    image, _ = pulls.prepare(f"{registry.address}/{name}@{index.digest}")
    assert image.digest == ours.digest
    assert pulls.prepare(f"{registry.address}/{name}@{index.digest}") == (image, [])


def test_a_digest_that_is_given_decides_whatever_the_tag_means_now(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    old = build(b"old")
    reference = registry.push(name, old)
    registry.push(name, build(b"new"))
    pulls.prepare(reference)
    image, heard = pulls.prepare(reference, digest=old.digest)
    assert image.digest == old.digest
    assert heard[0] == f"Pulling container image {registry.address}/{name}@{old.digest}"
    assert pulls.prepare(reference, digest=old.digest) == (image, [])


@pytest.mark.parametrize(
    ("what", "said"),
    [("none:latest", "there is no image"), ("{name}:none", "there is no image")],
)
def test_what_is_not_there_is_named(
    what: str, said: str, registry: Registry, pulls: Pulls, name: str
) -> None:
    registry.push(name, build(b"1"))
    reference = f"{registry.address}/{what.format(name=name)}"
    with pytest.raises(ImageUnavailable, match=said) as refused:
        pulls.prepare(reference)
    assert reference in refused.value.message
    assert refused.value.hint


# tags that move


@pytest.mark.usefixtures("every_tag_is_old")
def test_a_tag_that_has_moved_is_pulled_anew_and_its_old_image_stays(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    reference = registry.push(name, build(b"old"))
    old, _ = pulls.prepare(reference)
    assert pulls.prepare(reference) == (old, [])
    registry.push(name, build(b"new"))
    new, heard = pulls.prepare(reference)
    assert (pulls.layers(new)[0] / "it").read_bytes() == b"new"
    assert len(heard) == 2
    assert pulls.prepare(reference, digest=old.digest)[0].digest == old.digest


def test_a_tag_is_believed_for_a_minute_and_not_longer(
    registry: Registry, pulls: Pulls, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = registry.push(name, build(b"old"))
    old, _ = pulls.prepare(reference)
    registry.push(name, build(b"new"))
    assert pulls.prepare(reference) == (old, [])
    a_minute_later(monkeypatch)
    assert pulls.prepare(reference)[0].digest != old.digest


def test_pull_asks_again_at_once(registry: Registry, pulls: Pulls, name: str) -> None:
    reference = registry.push(name, build(b"old"))

    async def scene(kept: Images) -> None:
        old = await kept.pull(reference, Heard())
        registry.push(name, build(b"new"))
        assert await kept.prepare(reference, Heard()) == old
        new = await kept.pull(reference, Heard())
        assert new.digest != old.digest
        assert await kept.prepare(reference, Heard()) == new

    pulls.run(scene)


@pytest.mark.usefixtures("every_tag_is_old")
def test_where_the_registry_is_gone_the_image_that_is_here_is_used(
    pulls: Pulls, tmp_path: Path
) -> None:
    with running_registry(tmp_path / "registry") as registry:
        reference = registry.push("it", build(b"1"))
        image, _ = pulls.prepare(reference)
        registry.stop()
        again, heard = pulls.prepare(reference)
        assert again == image
        assert len(heard) == 1
        assert heard[0].startswith("warning: ")
        assert "cannot be reached" in heard[0]
        assert heard[0].endswith(f"using the image {reference} that is here")
        with pytest.raises(ImageUnavailable, match="cannot be reached"):
            pulls.run(lambda kept: kept.pull(reference, Heard()))


def test_a_registry_that_is_gone_is_not_asked_again_for_each_machine(
    pulls: Pulls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_registry(tmp_path / "registry") as registry:
        reference = registry.push("it", build(b"1"))

        async def scene(kept: Images) -> None:
            await kept.prepare(reference, Heard())
            registry.stop()
            a_minute_later(monkeypatch)
            lines = Heard()
            for _ in range(3):
                await kept.prepare(reference, lines)
            assert len(lines) == 1

        pulls.run(scene)


# many at once


def test_many_who_ask_at_once_have_it_pulled_once_and_all_hear_of_it(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    built = build(b"1", b"2")
    reference = registry.push(name, built)

    async def scene(kept: Images) -> None:
        heard = [Heard() for _ in range(10)]
        found = await asyncio.gather(*(kept.prepare(reference, one) for one in heard))
        assert len(set(found)) == 1
        assert all(len(one) == 2 for one in heard)

    pulls.run(scene)
    for blob in built.blobs:
        assert blob_requests(registry, name, blob) == 1


def test_two_images_that_share_a_layer_have_it_pulled_once(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    one, two = build(b"base", b"one"), build(b"base", b"two")
    references = [registry.push(name, one, "one"), registry.push(name, two, "two")]

    async def scene(kept: Images) -> None:
        await asyncio.gather(*(kept.prepare(reference, Heard()) for reference in references))

    pulls.run(scene)
    assert blob_requests(registry, name, one.blobs[1]) == 1


def test_one_who_is_cancelled_leaves_the_pull_to_the_others(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    built = images.build(images.layer(file("it", bytes(30_000_000)), compression=""))
    reference = registry.push(name, built)

    async def scene(kept: Images) -> None:
        first = asyncio.create_task(kept.prepare(reference, begun := Begun()))
        await begun.event.wait()
        second = asyncio.create_task(kept.prepare(reference, heard := Heard()))
        await asyncio.sleep(0)
        first.cancel()
        image = await second
        assert image.digest == built.digest
        assert first.cancelled()
        assert heard[0].startswith("Pulling")

    pulls.run(scene)
    assert blob_requests(registry, name, built.blobs[1]) == 1


def test_when_all_are_cancelled_the_pull_ends_and_leaves_nothing(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    built = images.build(images.layer(file("it", bytes(30_000_000)), compression=""))
    reference = registry.push(name, built)

    async def scene(kept: Images) -> None:
        for _ in range(2):
            alone = asyncio.create_task(kept.prepare(reference, begun := Begun()))
            await begun.event.wait()
            alone.cancel()
            await asyncio.wait([alone])
        image = await kept.prepare(reference, Heard())
        assert image.digest == built.digest

    pulls.run(scene)
    assert len(pulls.left()) == 2


class Begun:
    """Hears that a pull has begun."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def __call__(self, level: str, message: str) -> None:
        self.event.set()


# keeping and removing


def test_what_is_here_is_listed_with_its_size(registry: Registry, pulls: Pulls, name: str) -> None:
    reference = registry.push(name, build(b"12345", b"123"))
    registry.push(name, build(b"12345", b"123"), "same")

    async def scene(kept: Images) -> None:
        assert list(kept.list()) == []
        image = await kept.prepare(reference, Heard())
        same = await kept.prepare(reference.replace("latest", "same"), Heard())
        assert same.digest == image.digest
        found = kept.list()
        assert [one.image.reference for one in found] == [image.reference, same.reference]
        assert [one.size_bytes for one in found] == [8, 8]
        assert all(time.time() - one.pulled_at < 60 for one in found)

    pulls.run(scene)


def test_prune_removes_what_nobody_uses_and_keeps_shared_layers(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    used = registry.push(name, build(b"base", b"used"), "used")
    unused = registry.push(name, build(b"base", b"unused!"), "unused")

    async def scene(kept: Images) -> None:
        image = await kept.prepare(used, Heard())
        other = await kept.prepare(unused, Heard())
        pruned = await kept.prune({image.digest})
        assert pruned.images == (other,)
        assert (pruned.layers, pruned.freed_bytes) == (1, 7)
        assert [one.image for one in kept.list()] == [image]
        assert (await kept.prune({image.digest})).layers == 0
        assert all(path.is_dir() for path in pulls.layers(image))
        assert (await kept.prepare(unused, Heard())) == other
        assert all(path.is_dir() for path in pulls.layers(other))
        assert (await kept.prune(set())).layers == 3

    pulls.run(scene)
    assert pulls.left() == []


def test_prune_takes_no_layer_from_a_pull_that_is_under_way(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    big = images.layer(file("big", bytes(30_000_000)), compression="")
    base = images.layer(file("it", b"base"))
    small_one = registry.push(name, images.build(base), "small")
    big_one = registry.push(name, images.build(base, big), "big")

    async def scene(kept: Images) -> None:
        await kept.prepare(small_one, Heard())
        pull = asyncio.create_task(kept.prepare(big_one, Heard()))
        while not any((pulls.folder / "unfinished").iterdir()):
            assert not pull.done()
            await asyncio.sleep(0)
        assert (await kept.prune(set())).layers == 0
        image = await pull
        assert all(path.is_dir() for path in pulls.layers(image))

    pulls.run(scene)


def test_what_is_here_is_known_after_a_restart(registry: Registry, pulls: Pulls, name: str) -> None:
    image, _ = pulls.prepare(registry.push(name, build(b"1")))
    listed = pulls.run(_listed)
    assert [one.image for one in listed] == [image]


async def _listed(kept: Images) -> list[StoredImage]:
    return list(kept.list())
