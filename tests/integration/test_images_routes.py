"""`/ephemera/images`, as the client and the command line use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest

from ephemera.client.own.images import OwnImages
from ephemera.errors import ImageUnavailable, Invalid
from ephemera.testing.serving import Server, serving
from ephemera.wire.ids import new_machine_name
from tests import images, needs
from tests.registry import Registry


def needs_containers(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs a platform with the container driver, and a registry."""
    for mark in (pytest.mark.root, pytest.mark.crun, needs.root, needs.crun, needs.registry):
        test = mark(test)
    return test


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A platform whose driver has images."""
    with serving(tmp_path_factory.mktemp("container"), driver="container") as served:
        yield served


@pytest.fixture
def kept(container: Server) -> Iterator[OwnImages]:
    with OwnImages(container.endpoint.url, container.token) as face:
        yield face


def pushed(registry: Registry, content: bytes = b"1") -> tuple[str, images.Built]:
    built = images.build(images.layer(images.file("it", content)))
    return registry.push(new_machine_name(), built), built


@needs_containers
def test_an_image_is_pulled_listed_and_pruned(kept: OwnImages, registry: Registry) -> None:
    reference, built = pushed(registry, b"12345")
    heard: list[tuple[str, str]] = []
    pulled = kept.pull(reference, lambda *line: heard.append(line))
    assert (pulled.reference, pulled.digest) == (reference, built.digest)
    assert (pulled.layers, pulled.size_bytes) == (1, 5)
    assert heard[0] == ("info", f"Pulling container image {reference}")
    assert heard[-1][1].startswith("Successfully prepared")
    assert pulled in kept.list()
    pruned = kept.prune()
    assert f"{reference}@{built.digest}" in pruned.images
    assert pruned.layers >= 1
    assert pruned.freed_bytes >= 5
    assert kept.list() == []


@needs_containers
@pytest.mark.parametrize("reference", ["127.0.0.1:1/none", "No Image"])
def test_what_cannot_be_pulled_is_an_error_with_a_way_on(kept: OwnImages, reference: str) -> None:
    with pytest.raises(ImageUnavailable) as refused:
        kept.pull(reference, lambda *_: None)
    assert refused.value.hint


@needs_containers
def test_an_image_that_a_machine_has_is_not_pruned(
    kept: OwnImages, container: Server, registry: Registry
) -> None:
    reference = registry.push(new_machine_name(), images.busybox())
    with httpx2.Client(base_url=container.endpoint.url, headers=container.headers) as http:
        http.post("/v1/apps", json={"name": "uses"}).raise_for_status()
        config = {"image": reference, "init": {"exec": ["/bin/true"]}, "restart": {"policy": "no"}}
        machines = "/v1/apps/uses/machines"
        made = http.post(machines, json={"config": config}).raise_for_status().json()
        http.get(f"{machines}/{made['id']}/wait?state=stopped").raise_for_status()
        assert reference not in str(kept.prune().images)
        assert [one.reference for one in kept.list()] == [reference]
        http.delete(f"{machines}/{made['id']}").raise_for_status()
        http.get(f"{machines}/{made['id']}/wait?state=destroyed").raise_for_status()
    assert reference in str(kept.prune().images)


def test_a_driver_without_images_says_so(server: Server) -> None:
    with OwnImages(server.endpoint.url, server.token) as face:
        with pytest.raises(Invalid, match=r"unsupported: images.*use 'container'"):
            face.list()
        with pytest.raises(Invalid, match="unsupported: images"):
            face.pull("busybox", lambda *_: None)


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/pull"), ("POST", "/prune")])
def test_images_are_for_the_owner_alone(
    method: str, path: str, server: Server, http: httpx2.Client
) -> None:
    http.post("/v1/apps", json={"name": "mine"})
    made = http.post("/v1/apps/mine/deploy_token", json={"expiry": "1h"}).raise_for_status()
    token = {"Authorization": f"Bearer {made.json()['token']}"}
    answer = httpx2.request(method, f"{server.endpoint.url}/ephemera/images{path}", headers=token)
    assert answer.status_code == 403
