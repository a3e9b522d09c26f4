"""Images that were pushed to the platform itself: run by its machines, copied by other tools."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.client.own.images import OwnImages
from ephemera.testing.machines_api import AppUnderTest, Subject
from ephemera.testing.serving import Server, serving
from tests import images, needs
from tests.images import Built
from tests.pushing import small_image
from tests.registry import push


def needs_containers(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs a platform with the container driver."""
    for mark in (pytest.mark.root, pytest.mark.crun, needs.root, needs.crun, needs.busybox):
        test = mark(test)
    return test


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("container"), driver="container") as served:
        yield served


@pytest.fixture
def shop(container: Server) -> Iterator[AppUnderTest]:
    """An app whose machines are containers."""
    subject = Subject(container.endpoint.url, container.token)
    with subject.connect() as http, AppUnderTest.made(subject, http) as made:
        yield made


def greeter(greeting: str) -> Built:
    return images.busybox(cmd=["echo", greeting])


def ended(app: AppUnderTest, image: str) -> dict[str, Any]:
    """Return a machine of an image once it has run, or could not."""
    config = {"image": image, "restart": {"policy": "no"}}
    made = app.post("/machines", json={"config": config})
    app.ask(
        "GET", f"/machines/{made['id']}/wait?state=stopped,failed&timeout=60"
    ).raise_for_status()
    return dict(app.get(f"/machines/{made['id']}"))


def lines(app: AppUnderTest, machine: dict[str, Any]) -> list[str]:
    """Return what a machine printed, and what was said about it."""
    said = app.http.get(f"/api/v1/apps/{app.name}/logs?instance={machine['id']}")
    return [one["attributes"]["message"] for one in said.raise_for_status().json()["data"]]


@needs_containers
def test_a_machine_runs_what_was_pushed_under_every_name_of_it(
    shop: AppUnderTest, container: Server
) -> None:
    image = greeter("fresh from the shop")
    push(shop.http, shop.name, image, "v1")
    port = container.endpoint.url.rpartition(":")[2]
    for host, which in (
        ("registry.localhost", ":v1"),
        (f"localhost:{port}", ":v1"),
        ("registry.localhost", f"@{image.digest}"),
    ):
        machine = ended(shop, f"{host}/{shop.name}{which}")
        said = lines(shop, machine)
        assert "fresh from the shop" in said
        tag = which[1:] if which == ":v1" else ""
        assert machine["image_ref"] == {
            "registry": host, "repository": shop.name, "tag": tag, "digest": image.digest,
        }  # fmt: skip
        settled = f"registry.localhost/{shop.name}{which}"
        assert f"Pulling container image {settled}" in said or host != "registry.localhost"
        assert container.endpoint.url not in str(said)


@needs_containers
def test_a_tag_that_moved_on_is_known_at_once_and_older_machines_stay_as_they_were(
    shop: AppUnderTest,
) -> None:
    image = f"registry.localhost/{shop.name}:latest"
    machines = []
    for greeting in ("one", "two"):
        push(shop.http, shop.name, greeter(greeting), "latest")
        machines.append(ended(shop, image))
        assert greeting in lines(shop, machines[-1])
    first = machines[0]
    shop.post(f"/machines/{first['id']}/start")
    shop.ask("GET", f"/machines/{first['id']}/wait?state=stopped&timeout=60").raise_for_status()
    assert lines(shop, first).count("one") == 2


@needs_containers
@pytest.mark.parametrize("which", [":none", "/web:v1", f"@sha256:{'a' * 64}"])
def test_an_image_that_was_never_pushed_says_so(shop: AppUnderTest, which: str) -> None:
    machine = ended(shop, f"registry.localhost/{shop.name}{which}")
    assert machine["state"] == "failed"
    assert "on this platform" in " ".join(lines(shop, machine))


@needs_containers
def test_an_image_of_a_deleted_app_is_nobodys(shop: AppUnderTest) -> None:
    shop.http.post("/v1/apps", json={"name": "gone"}).raise_for_status()
    image = greeter("gone")
    push(shop.http, "gone", image, "v1")
    references = (f"registry.localhost/gone@{image.digest}", "registry.localhost/gone:v1")
    for reference in references:
        assert ended(shop, reference)["state"] == "stopped"
    shop.http.delete("/v1/apps/gone").raise_for_status()
    shop.http.post("/v1/apps", json={"name": "gone"}).raise_for_status()
    for reference in references:
        assert ended(shop, reference)["state"] == "failed"
    shop.http.delete("/v1/apps/gone").raise_for_status()


def test_pruning_keeps_the_last_tags_of_an_app(server: Server, app: AppUnderTest) -> None:
    for number in range(12):
        push(app.http, app.name, small_image(), f"v{number}")
    with OwnImages(server.endpoint.url, server.token) as face:
        pruned = face.prune()
    old = {f"registry.localhost/{app.name}:v{number}" for number in range(2)}
    assert set(pruned.tags) == old
    assert pruned.freed_bytes > 0
    left = app.http.get(f"/v2/{app.name}/tags/list").json()["tags"]
    assert len(left) == 10


@needs.skopeo
@pytest.mark.parametrize("docker", [False, True])
def test_skopeo_copies_an_image_there_and_back(
    app: AppUnderTest, server: Server, tmp_path: Path, *, docker: bool
) -> None:
    layer = images.layer(images.file("it", b"1"), docker=docker)
    image = images.build(layer, docker=docker)
    source = f"dir:{folder_of(image, tmp_path / 'there')}"
    place = f"docker://{server.endpoint.url.removeprefix('http://')}/{app.name}/web:v1"
    skopeo("copy", "--dest-tls-verify=false", f"--dest-creds=x:{server.token}", source, place)
    back = tmp_path / "back"
    skopeo("copy", "--src-tls-verify=false", f"--src-creds=x:{server.token}", place, f"dir:{back}")
    assert (back / "manifest.json").read_bytes() == image.manifest.data
    for blob in image.blobs:
        assert (back / blob.digest.removeprefix("sha256:")).read_bytes() == blob.data
    shown = skopeo("inspect", "--tls-verify=false", f"--creds=x:{server.token}", place)
    assert json.loads(shown)["Digest"] == image.digest


@needs.skopeo
def test_skopeo_is_told_why_it_may_not(server: Server, app: AppUnderTest, tmp_path: Path) -> None:
    source = f"dir:{folder_of(small_image(), tmp_path / 'there')}"
    host = server.endpoint.url.removeprefix("http://")
    for creds, name, why in (
        ("x:wrong", app.name, "unauthorized"),
        (f"x:{server.token}", "no-such-app", "ephemera apps create no-such-app"),
    ):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            skopeo(
                "copy", "--dest-tls-verify=false", f"--dest-creds={creds}", source,
                f"docker://{host}/{name}:v1",
            )  # fmt: skip
        assert why in refused.value.stderr


def folder_of(image: Built, folder: Path) -> Path:
    """Write an image in the form that skopeo calls `dir`."""
    folder.mkdir()
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    (folder / "manifest.json").write_bytes(image.manifest.data)
    for blob in image.blobs:
        (folder / blob.digest.removeprefix("sha256:")).write_bytes(blob.data)
    return folder


def skopeo(*arguments: str) -> str:
    """Run skopeo, as a user who has no settings for it, and return what it prints."""
    program = ["skopeo", "--insecure-policy", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout
