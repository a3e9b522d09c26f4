"""What is not what it should be, and what ends in the middle: a clear error, and nothing left."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera.errors import ImageUnavailable
from ephemera.oci.patience import Patience
from ephemera.platform.images import Images
from ephemera.wire.ids import new_machine_name
from tests import images, needs
from tests.images import Blob, Built, file
from tests.pulling import TIMEOUT_S, Heard, Pulls
from tests.registry import Registry, running_registry

pytestmark = [pytest.mark.root, needs.root, needs.registry]

#: Enough that it is still under way when something happens to it.
BIG = images.build(images.layer(file("big", os.urandom(20_000_000)), compression=""))


@pytest.fixture
def pulls(tmp_path: Path) -> Pulls:
    return Pulls(tmp_path / "images")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Registry]:
    """A registry of its own, to be damaged."""
    with running_registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def name() -> str:
    return new_machine_name()


def refused(pulls: Pulls, reference: str, said: str) -> ImageUnavailable:
    """Expect that an image cannot be had, and that nothing is left of it but other layers."""
    with pytest.raises(ImageUnavailable, match=said) as error:
        pulls.prepare(reference)
    assert error.value.hint
    assert not [one for one in pulls.left() if one.startswith(("manifests", "unfinished"))]
    return error.value


def with_manifest(built: Built, **changes: object) -> Built:
    """Return an image whose manifest says something else than is true."""
    manifest = json.loads(built.manifest.data) | changes
    return Built(Blob(built.manifest.media_type, json.dumps(manifest).encode()), built.blobs)


def layers_of(built: Built) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(built.manifest.data)["layers"]
    return found


# what a registry sends


def test_a_layer_with_a_wrong_digest(own: Registry, pulls: Pulls) -> None:
    built = images.build(images.layer(file("it", b"right"), compression=""))
    reference = own.push("it", built)
    other = images.archive(file("it", b"wrong"))
    place = own.blob_file(built.blobs[1].digest)
    assert len(other) == place.stat().st_size
    place.write_bytes(other)
    error = refused(pulls, reference, "is not what was promised: its digest is sha256:")
    assert built.blobs[1].digest in error.message


def test_a_layer_that_is_cut_off(own: Registry, pulls: Pulls) -> None:
    reference = own.push("it", BIG)
    place = own.blob_file(BIG.blobs[1].digest)
    with place.open("r+b") as blob:
        blob.truncate(5_000_000)
    refused(pulls, reference, f"5000000 bytes instead of {len(BIG.blobs[1].data)}")


def test_a_layer_that_is_too_long(own: Registry, pulls: Pulls) -> None:
    reference = own.push("it", BIG)
    with own.blob_file(BIG.blobs[1].digest).open("ab") as blob:
        blob.write(b"more")
    refused(pulls, reference, "more than")


@pytest.mark.parametrize(("number", "what"), [(0, "config"), (1, "layer")])
def test_a_blob_that_is_not_there(number: int, what: str, own: Registry, pulls: Pulls) -> None:
    built = images.build(images.layer(file("it", b"1")))
    reference = own.push("it", built)
    digest = built.blobs[number].digest
    own.blob_file(digest).unlink()
    refused(pulls, reference, f"is broken: its registry has not got {digest}")


def test_a_manifest_with_a_wrong_digest(own: Registry, pulls: Pulls) -> None:
    built = images.build(images.layer(file("it", b"1")))
    own.push("it", built)
    changed = built.manifest.data.replace(b'"schemaVersion":2', b'"schemaVersion": 2')
    own.blob_file(built.digest).write_bytes(changed)
    refused(pulls, f"{own.address}/it@{built.digest}", "is not the one that was asked for|answers")


def test_a_config_that_is_not_what_the_manifest_says(own: Registry, pulls: Pulls) -> None:
    built = images.build(images.layer(file("it", b"1")))
    reference = own.push("it", built)
    place = own.blob_file(built.blobs[0].digest)
    place.write_bytes(place.read_bytes().replace(b"linux", b"limux"))
    refused(pulls, reference, "the config of image .* is not the one that was asked for")


def test_a_config_that_is_huge(registry: Registry, pulls: Pulls, name: str) -> None:
    built = images.build(images.layer(file("it", b"1")), Labels={"x": "y" * 4_200_000})
    refused(pulls, registry.push(name, built), "the config of image .* is larger than 4194304")


def test_a_diff_id_that_is_not_that_of_the_layer(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    built = images.build(images.layer(file("it", b"1")))
    other = images.layer(file("it", b"2")).blob
    lying = with_manifest(built, layers=[other.descriptor()])
    registry.push_blob(name, other)
    refused(pulls, registry.push(name, lying), "is not what was promised: its diff id is sha256:")


def test_one_bad_layer_spoils_the_image_and_not_the_good_layers(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    good, bad = images.layer(file("it", b"1")), images.layer(file("../it", b"2"))
    reference = registry.push(name, images.build(good, bad))
    error = refused(pulls, reference, "leads out of the image")
    assert bad.blob.digest[:19] in error.message
    assert pulls.prepare(registry.push(name, images.build(good), "good"))[0].layers


def test_a_device_in_a_layer_is_named(registry: Registry, pulls: Pulls, name: str) -> None:
    layer = images.layer(images.entry("dev/null", b"3", devmajor=1, devminor=3))
    reference = registry.push(name, images.build(layer))
    refused(pulls, reference, "holds a device, 'dev/null', which no image may")


# what happens meanwhile


async def begun(pulls: Pulls, pull: asyncio.Task[object]) -> None:
    """Return when a layer is being unpacked."""
    while not any(path.stat().st_size for path in (pulls.folder / "unfinished").rglob("big")):
        assert not pull.done(), pull
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_registry_that_goes_away_in_the_middle(
    comes_back: bool, own: Registry, pulls: Pulls
) -> None:
    big = images.build(images.layer(file("big", os.urandom(60_000_000)), compression=""))
    reference = own.push("it", big)
    patience = Patience(
        tries=1000 if comes_back else 2, first_pause_s=0.1, longest_pause_s=0.2
    )  # a registry takes long to come back on a slow computer

    async def scene() -> None:
        async with asyncio.timeout(TIMEOUT_S), pulls.opened(patience) as kept:
            pull = asyncio.create_task(kept.prepare(reference, Heard()))
            await begun(pulls, pull)
            own.stop()
            if comes_back:
                await asyncio.to_thread(own.start)
            await pull

    if comes_back:
        asyncio.run(scene())
        # The rest was asked for, not all of it again.
        assert re.search(rf'GET [^"]*{big.blobs[1].digest}[^"]*" 206 ', own.log())
    else:
        with pytest.raises(ImageUnavailable, match="cannot be reached"):
            asyncio.run(scene())
        assert pulls.left() == []


def test_a_registry_that_is_not_there(pulls: Pulls, own: Registry) -> None:
    reference = own.push("it", BIG)
    own.stop()
    refused(pulls, reference, f"image {reference} cannot be pulled: .* cannot be reached")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 10 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=10m", "small", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_no_space_left(registry: Registry, small_disk: Path, name: str) -> None:
    pulls = Pulls(small_disk / "images")
    error = refused(pulls, registry.push(name, BIG), "no space left on device")
    assert "ephemera images prune" in error.hint
    small = registry.push(name, images.build(images.layer(file("it", bytes(5_000_000)))), "small")
    assert pulls.prepare(small)[0].layers


# kill -9

_PULL = """
import asyncio, sys
from pathlib import Path
from ephemera.platform.images import Images

async def main():
    images = Images(Path(sys.argv[1]))
    await images.open()
    await images.prepare(sys.argv[2], lambda *_: None)
    await images.close()

asyncio.run(main())
"""


_AT_SOME_MOMENT = [
    pytest.param(after, marks=pytest.mark.faults) for after in ("0.02", "0.1", "0.6")
]


@pytest.mark.parametrize("after", ["begun", "layer", "0.3", *_AT_SOME_MOMENT])
def test_a_server_that_is_killed_leaves_nothing_that_is_not_whole(
    after: str, own: Registry, pulls: Pulls
) -> None:
    first = images.layer(file("first", b"1"))
    big = images.build(first, images.layer(file("big", os.urandom(30_000_000))))
    reference = own.push("it", big)
    command = [sys.executable, "-c", _PULL, str(pulls.folder), reference]
    with subprocess.Popen(command) as server:
        wait_until(after, pulls, server)
        server.send_signal(signal.SIGKILL)
    pulls.run(whole_or_absent)
    gone(pulls.folder)
    image, _ = pulls.prepare(reference)
    assert (pulls.layers(image)[0] / "first").read_bytes() == b"1"
    assert (pulls.layers(image)[1] / "big").stat().st_size == 30_000_000
    assert len([one for one in pulls.left() if not one.startswith("unfinished")]) == 3


def wait_until(after: str, pulls: Pulls, server: subprocess.Popen[bytes]) -> None:
    """Return in the middle of a pull, at one moment or another."""
    patterns = {"begun": "unfinished/*/big", "layer": "layers/*"}
    deadline = time.monotonic() + TIMEOUT_S
    if after in patterns:
        while not list(pulls.folder.glob(patterns[after])) and server.poll() is None:
            assert time.monotonic() < deadline
    else:
        while not pulls.folder.exists():
            assert time.monotonic() < deadline
        time.sleep(float(after))  # a moment like any other


async def whole_or_absent(kept: Images) -> None:
    """Check that all layers that are here are of images that are."""
    known = {layer for one in kept.list() for layer in one.image.layers}
    there = {path.name for path in kept.folder.joinpath("layers").iterdir()}
    assert there == known


def gone(folder: Path) -> None:
    """Check that no process goes on with a pull whose server is dead."""
    deadline = time.monotonic() + TIMEOUT_S
    pattern = re.escape(str(folder))
    while subprocess.run(["pgrep", "-f", pattern], capture_output=True, check=False).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_image_that_the_disk_may_not_have_is_forgotten_after_a_crash_of_the_computer(
    registry: Registry, pulls: Pulls, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = registry.push(name, images.build(images.layer(file("it", b"1"))))

    async def never(_: Path) -> bool:
        return False

    with monkeypatch.context() as during:
        during.setattr("ephemera.platform.images.images.flush", never)
        pulls.prepare(reference)
    assert len(pulls.left()) == 2
    pulls.run(whole_or_absent)
    assert len(pulls.left()) == 2
    monkeypatch.setattr("ephemera.platform.images.records.boot_id", lambda: "another boot")
    pulls.run(whole_or_absent)
    assert pulls.left() == []
    pulls.prepare(reference)
    monkeypatch.undo()
    pulls.run(whole_or_absent)
    assert len(pulls.left()) == 2


def test_a_layer_of_no_image_goes_though_the_last_one_of_its_name_is_not_gone_yet(
    pulls: Pulls,
) -> None:
    """A server was killed while it pulled, and the next one while it removed what was left."""
    for left in ("layers/abc", "unfinished/stray-abc", "unfinished/removed-abc"):
        (pulls.folder / left / "folder").mkdir(parents=True)
    pulls.run(whole_or_absent)
    assert pulls.left() == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"image": 1}'])
def test_a_record_that_is_not_whole_is_forgotten(
    content: str, registry: Registry, pulls: Pulls, name: str
) -> None:
    reference = registry.push(name, images.build(images.layer(file("it", b"1"))))
    image, _ = pulls.prepare(reference)
    (record,) = (pulls.folder / "manifests").iterdir()
    record.write_text(content)
    assert pulls.prepare(reference)[0] == image
    (pulls.folder / "references.json").write_text(content)
    assert pulls.prepare(reference)[0] == image


def test_a_layer_that_somebody_removed_is_had_anew(
    registry: Registry, pulls: Pulls, name: str
) -> None:
    reference = registry.push(name, images.build(images.layer(file("it", b"1"))))
    image, _ = pulls.prepare(reference)
    subprocess.run(["rm", "-r", *pulls.layers(image)], check=True)
    pulls.prepare(reference)
    assert (pulls.layers(image)[0] / "it").read_bytes() == b"1"
