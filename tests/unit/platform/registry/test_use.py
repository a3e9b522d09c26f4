"""Which images of the platform's own registry a machine may have, and how they are read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ephemera.errors import ImageUnavailable
from ephemera.oci import reference as references
from ephemera.oci.manifests import Descriptor
from ephemera.platform.access.basic import as_bearer
from ephemera.platform.records import MachineRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.registry import needs
from ephemera.platform.registry.own import OwnName
from ephemera.platform.states import State
from tests import images
from tests.registry_world import RegistryWorld

NAME = OwnName("http://127.0.0.1:4280")


@pytest.fixture
def world(tmp_path: Path) -> RegistryWorld:
    return RegistryWorld(tmp_path / "registry")


@pytest.mark.parametrize(
    "host", ["registry.localhost", "localhost:4280", "127.0.0.1:4280", "registry.localhost:4280"]
)
def test_the_registry_has_several_names_and_settles_for_one(host: str) -> None:
    found = NAME.reference(f"{host}/shop/web:v1")
    assert str(found) == "registry.localhost/shop/web:v1"


@pytest.mark.parametrize(
    "image", ["host", "shop", "localhost/shop", "localhost:5000/shop", "registry.fly.io/shop:v1"]
)
def test_other_registries_are_others(image: str) -> None:
    assert NAME.reference(image) is None


@pytest.mark.parametrize(
    "image", ["host", "busybox", "registry.localhost/other:v1", "localhost:4280/shop"]
)
def test_a_machine_may_have_images_of_its_organisation(world: RegistryWorld, image: str) -> None:
    world.registry.check_use(world.app, image)


@pytest.mark.parametrize("name", ["foreign", "nobodys", "foreign/web"])
def test_a_machine_may_have_no_others(world: RegistryWorld, name: str) -> None:
    owner = name.partition("/")[0]
    with pytest.raises(Refusal, match=f"organisation 'personal' has no app '{owner}'"):
        world.registry.check_use(world.app, f"registry.localhost/{name}:v1")


def test_a_machine_may_not_have_what_is_not_a_reference(world: RegistryWorld) -> None:
    with pytest.raises(Refusal, match=r"invalid_argument: config\.image"):
        world.registry.check_use(world.app, "registry.localhost/shop@sha512:" + "a" * 128)


def test_an_image_is_read_by_tag_and_by_digest(world: RegistryWorld) -> None:
    image = images.build(images.layer(images.file("it", b"1")))

    async def scene() -> None:
        await world.push(image, "v1")
        source = world.registry.repository(references.parse("registry.localhost/shop:v1"))
        for asked in ("v1", image.digest):
            assert (await source.document(asked)).body == image.manifest.data
            assert await source.digest_of(asked) == image.digest
        config, layer = (Descriptor.model_validate(one.descriptor()) for one in image.blobs)
        assert await source.config(config) == image.blobs[0].data
        assert b"".join([piece async for piece in source.blob(layer)]) == image.blobs[1].data

    asyncio.run(scene())


@pytest.mark.parametrize("image", ["shop:none", "nobodys:v1", "shop@sha256:" + "a" * 64])
def test_what_is_not_there_says_what_to_do(world: RegistryWorld, image: str) -> None:
    wanted = references.parse(f"registry.localhost/{image}")
    with pytest.raises(ImageUnavailable, match=r"there is no image .* on this platform") as refused:
        asyncio.run(world.registry.repository(wanted).document(wanted.asked))
    assert "ephemera deploy" in str(refused.value.hint)


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{}")])
def test_a_config_that_was_damaged_is_noticed(world: RegistryWorld, harm: Any) -> None:
    image = images.build(images.layer(images.file("it", b"1")))
    config = image.blobs[0]

    async def scene() -> None:
        await world.push(image, "v1")
        path = world.registry.of(world.app).blob(config.digest)
        harm(path)
        source = world.registry.repository(references.parse("registry.localhost/shop:v1"))
        await source.config(Descriptor.model_validate(config.descriptor()))

    with pytest.raises(ImageUnavailable, match="is broken"):
        asyncio.run(scene())


def machine(config: dict[str, Any]) -> MachineRecord:
    return MachineRecord(
        "m", "a", "n", State.STOPPED, 1, "local", "v", {"image": "host", **config},
        launch=False, boot=0, handle="", stop_signal=None, stop_by=None, restarts=[],
        log_from="", created_at=0, updated_at=0,
    )  # fmt: skip


def test_a_machine_needs_its_image_and_those_of_the_releases_it_tells_of() -> None:
    releases = json.dumps([{"version": 2, "image": "b"}, {"version": 1, "image": "a"}])
    found = needs.images(machine({"metadata": {"ephemera_releases": releases}}))
    assert list(found) == ["host", "b", "a"]


@pytest.mark.parametrize("written", ["", "{", "[1]", "null", "7", '{"image": 1}'])
def test_metadata_that_says_something_else_is_no_reason_to_fail(written: str) -> None:
    assert list(needs.images(machine({"metadata": {"ephemera_releases": written}}))) == ["host"]


@pytest.mark.parametrize(
    ("header", "as_read"),
    [
        ("Basic eDp0b2tlbg==", "Bearer token"),
        ("basic eDphOmI=", "Bearer a:b"),
        ("Basic !", ""),
        ("Basic //8=", ""),
        ("Bearer token", "Bearer token"),
        ("", ""),
    ],
)
def test_a_password_is_read_as_a_token(header: str, as_read: str) -> None:
    assert as_bearer(header) == as_read
