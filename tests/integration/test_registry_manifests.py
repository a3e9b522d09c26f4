"""The platform's own registry over HTTP: manifests, tags, and what stays of them."""

from __future__ import annotations

import hashlib

import httpx2
import pytest

from ephemera.testing.machines_api import AppUnderTest
from ephemera.testing.serving import Server
from tests import images
from tests.pushing import begun, new_blob, said, small_image
from tests.pushing import blobs as blobs
from tests.registry import push


@pytest.mark.parametrize("docker", [False, True])
def test_an_image_is_pushed_and_had_by_tag_and_by_digest(
    blobs: httpx2.Client, app: AppUnderTest, *, docker: bool
) -> None:
    image = images.build(images.layer(images.file("it", b"1"), docker=docker), docker=docker)
    push(blobs, app.name, image, "v1")
    for reference in ("v1", image.digest):
        url = f"/v2/{app.name}/manifests/{reference}"
        for answer in (blobs.get(url), blobs.head(url)):
            assert answer.headers["docker-content-digest"] == image.digest
            assert answer.headers["content-type"] == image.manifest.media_type
            assert int(answer.headers["content-length"]) == len(image.manifest.data)
        assert blobs.get(url).content == image.manifest.data
    assert blobs.get(f"/v2/{app.name}/tags/list").json() == {"name": app.name, "tags": ["v1"]}


def test_an_index_is_pushed_after_its_images(blobs: httpx2.Client, app: AppUnderTest) -> None:
    index = images.index(small_image(), small_image())
    put = {"content-type": index.manifest.media_type}
    url = f"/v2/{app.name}/manifests/all"
    answer = blobs.put(url, content=index.manifest.data, headers=put)
    assert index.children[0].digest in said(answer, 400, "MANIFEST_BLOB_UNKNOWN")
    push(blobs, app.name, index, "all")
    assert blobs.get(url).headers["content-type"] == images.OCI_INDEX
    assert blobs.get(f"/v2/{app.name}/tags/list").json()["tags"] == ["all"]


def test_a_tag_moves_on(blobs: httpx2.Client, app: AppUnderTest) -> None:
    first, second = small_image(), small_image()
    for image in (first, second):
        push(blobs, app.name, image, "latest")
    assert blobs.get(f"/v2/{app.name}/manifests/latest").content == second.manifest.data
    assert blobs.get(f"/v2/{app.name}/manifests/{first.digest}").content == first.manifest.data


def test_a_manifest_whose_blobs_are_not_here_is_refused(
    blobs: httpx2.Client, app: AppUnderTest
) -> None:
    image = small_image()
    url = f"/v2/{app.name}/manifests/latest"
    answer = blobs.put(
        url, content=image.manifest.data, headers={"content-type": image.manifest.media_type}
    )
    assert image.blobs[0].digest in said(answer, 400, "MANIFEST_BLOB_UNKNOWN")
    said(blobs.get(url), 404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", images.OCI_MANIFEST),
        (b"[]", images.OCI_MANIFEST),
        (b'{"schemaVersion": 1}', images.OCI_MANIFEST),
        (b'{"schemaVersion": 2}', images.OCI_MANIFEST),
        (b'{"schemaVersion": 2, "manifests": []}', images.OCI_MANIFEST),
        (b'{"schemaVersion": 2, "manifests": [], "mediaType": "text/plain"}', ""),
        (b'{"schemaVersion": 2, "manifests": [{"digest": "../x", "size": 1}]}', ""),
        (b"[" * 100_000, ""),
    ],
)
def test_what_is_not_a_manifest_is_refused(
    blobs: httpx2.Client, app: AppUnderTest, body: bytes, media_type: str
) -> None:
    headers = {"content-type": media_type} if media_type else {}
    answer = blobs.put(f"/v2/{app.name}/manifests/x", content=body, headers=headers)
    assert said(answer, 400, "MANIFEST_INVALID")


def test_a_manifest_under_a_wrong_digest_or_too_long_is_refused(
    blobs: httpx2.Client, app: AppUnderTest
) -> None:
    image, other = small_image(), small_image()
    push(blobs, app.name, image, "v1")
    answer = blobs.put(f"/v2/{app.name}/manifests/{other.digest}", content=image.manifest.data)
    said(answer, 400, "DIGEST_INVALID")
    answer = blobs.put(f"/v2/{app.name}/manifests/v2", content=b" " * (4 * 1024 * 1024 + 1))
    said(answer, 413, "SIZE_INVALID")


def test_tags_are_listed_in_pages(blobs: httpx2.Client, app: AppUnderTest) -> None:
    image = small_image()
    for tag in ("c", "a", "b"):
        push(blobs, app.name, image, tag)
    answer = blobs.get(f"/v2/{app.name}/tags/list?n=2")
    assert answer.json()["tags"] == ["a", "b"]
    assert answer.headers["link"] == f'</v2/{app.name}/tags/list?n=2&last=b>; rel="next"'
    last = blobs.get(f"/v2/{app.name}/tags/list?n=2&last=b")
    assert (last.json()["tags"], last.headers.get("link")) == (["c"], None)


def test_a_tag_is_removed_without_its_image_and_an_image_with_its_tags(
    blobs: httpx2.Client, app: AppUnderTest
) -> None:
    image = small_image()
    for tag in ("a", "b", "c"):
        push(blobs, app.name, image, tag)
    url = f"/v2/{app.name}/manifests"
    assert blobs.delete(f"{url}/a").status_code == 202
    assert blobs.get(f"/v2/{app.name}/tags/list").json()["tags"] == ["b", "c"]
    assert blobs.delete(f"{url}/{image.digest}").status_code == 202
    assert blobs.get(f"/v2/{app.name}/tags/list").json()["tags"] == []
    for reference in ("a", "b", image.digest):
        said(blobs.delete(f"{url}/{reference}"), 404, "MANIFEST_UNKNOWN")


# what stays


def test_what_was_pushed_is_there_when_the_server_was_killed(
    blobs: httpx2.Client, app: AppUnderTest, server: Server
) -> None:
    image, blob = small_image(), new_blob()
    push(blobs, app.name, image, "v1")
    at = begun(blobs, app.name)
    blobs.patch(at, content=blob.data)
    server.kill()
    server.restart()
    assert blobs.get(f"/v2/{app.name}/manifests/v1").content == image.manifest.data
    said(blobs.get(at), 404, "BLOB_UPLOAD_UNKNOWN")
    assert list((server.home / "registry/unfinished").iterdir()) == []


def test_a_deleted_app_leaves_nothing_and_a_new_one_of_its_name_has_nothing(
    blobs: httpx2.Client, http: httpx2.Client, server: Server
) -> None:
    http.post("/v1/apps", json={"name": "short-lived"}).raise_for_status()
    image = small_image()
    push(blobs, "short-lived", image, "v1")
    at = begun(blobs, "short-lived")
    http.delete("/v1/apps/short-lived?force=true").raise_for_status()
    said(blobs.get("/v2/short-lived/manifests/v1"), 404, "NAME_UNKNOWN")
    http.post("/v1/apps", json={"name": "short-lived"}).raise_for_status()
    said(blobs.get("/v2/short-lived/manifests/v1"), 404, "MANIFEST_UNKNOWN")
    said(blobs.get(at), 404, "BLOB_UPLOAD_UNKNOWN")
    kept = {path.name for path in (server.home / "registry/pool").iterdir()}
    assert hashlib.sha256(image.manifest.data).hexdigest() not in kept
