"""The platform's own registry over HTTP, as the specification has it: who may, and blobs.

Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import secrets
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from ephemera.platform.registry.own import HOST
from ephemera.testing.machines_api import AppUnderTest
from ephemera.testing.serving import Server
from tests import images
from tests.pushing import begun, new_blob, said, small_image
from tests.pushing import blobs as blobs
from tests.registry import push, push_blob

_OCTETS = {"content-type": "application/octet-stream"}


# who may


def test_who_shows_nothing_is_asked_to_log_in(server: Server) -> None:
    answer = httpx2.get(f"{server.endpoint.url}/v2/")
    assert "auth token" in said(answer, 401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == 'Basic realm="ephemera"'


@pytest.mark.parametrize(
    "authorization", ["Basic !", "Basic eDp3cm9uZw==", "Basic", "Bearer wrong", "Digest x"]
)
def test_who_shows_something_else_is_too(server: Server, authorization: str) -> None:
    answer = httpx2.get(f"{server.endpoint.url}/v2/", headers={"authorization": authorization})
    said(answer, 401, "UNAUTHORIZED")


def test_a_token_is_shown_as_a_password_or_as_a_bearer(server: Server) -> None:
    url = f"{server.endpoint.url}/v2/"
    for answer in (
        httpx2.get(url, auth=("x", server.token)),
        httpx2.get(url, headers=server.headers),
    ):
        assert answer.status_code == 200
        assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


def test_a_password_lets_nobody_into_the_rest_of_the_api(server: Server) -> None:
    answer = httpx2.get(f"{server.endpoint.url}/v1/apps", auth=("x", server.token))
    assert answer.status_code == 401


def test_a_token_for_an_app_is_for_its_repositories_alone(
    blobs: httpx2.Client, http: httpx2.Client, app: AppUnderTest, server: Server
) -> None:
    http.post("/v1/apps", json={"name": "not-mine"})
    made = http.post(f"/v1/apps/{app.name}/deploy_token", json={"expiry": "1h"}).json()
    with httpx2.Client(base_url=server.endpoint.url, auth=("x", made["token"])) as mine:
        push(mine, f"{app.name}/web", small_image(), "latest")
        for method in ("GET", "PUT"):
            answer = mine.request(method, "/v2/not-mine/manifests/latest")
            assert "'not-mine'" in said(answer, 403, "DENIED")
        said(mine.post("/v2/not-mine/blobs/uploads/"), 403, "DENIED")


def test_a_repository_of_no_app_says_how_to_create_one(blobs: httpx2.Client) -> None:
    message = said(blobs.post("/v2/no-such-app/blobs/uploads/"), 404, "NAME_UNKNOWN")
    assert "`ephemera apps create no-such-app`" in message


@pytest.mark.parametrize(
    "name",
    [
        "%2e%2e/etc",
        "a%2f..%2fb",
        "A",
        "a//b",
        "a/",
        "-a",
        "a%00",
        "a/%2e%2e/b",
        "%C3%A9",
        "x" * 300,
    ],
)
def test_what_is_not_a_name_is_refused(blobs: httpx2.Client, name: str) -> None:
    url = blobs.base_url.copy_with(raw_path=f"/v2/{name}/manifests/latest".encode())
    said(blobs.get(url), 400, "NAME_INVALID")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("manifests/%2e%2e", 400, "MANIFEST_INVALID"),
        ("manifests/sha256:..", 400, "DIGEST_INVALID"),
        ("manifests/" + "t" * 129, 400, "MANIFEST_INVALID"),
        ("blobs/%2e%2e", 400, "DIGEST_INVALID"),
        ("blobs/sha256:" + "A" * 64, 400, "DIGEST_INVALID"),
        ("blobs/sha512:" + "a" * 128, 400, "DIGEST_INVALID"),
        ("blobs/uploads/%2e%2e", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("tags/list?n=many", 400, "PAGINATION_NUMBER_INVALID"),
        ("referrers/sha256:" + "a" * 64, 404, "UNSUPPORTED"),
        ("anything", 404, "UNSUPPORTED"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    blobs: httpx2.Client, app: AppUnderTest, path: str, status: int, code: str
) -> None:
    said(blobs.get(f"/v2/{app.name}/{path}"), status, code)


# blobs


def test_a_blob_is_sent_in_one_request(blobs: httpx2.Client, app: AppUnderTest) -> None:
    blob = new_blob()
    url = f"/v2/{app.name}/blobs/{blob.digest}"
    assert blobs.head(url).status_code == 404
    uploads = f"/v2/{app.name}/blobs/uploads/?digest={blob.digest}"
    made = blobs.post(uploads, content=blob.data, headers=_OCTETS)
    assert (made.status_code, made.headers["location"]) == (201, url)
    assert made.headers["docker-content-digest"] == blob.digest
    asked = blobs.head(url)
    assert (asked.status_code, asked.headers["content-length"]) == (200, "1000")
    assert blobs.get(url).content == blob.data


def test_a_blob_is_sent_in_pieces_and_every_answer_says_how_far_it_is(
    blobs: httpx2.Client, app: AppUnderTest
) -> None:
    blob = new_blob(3000)
    at = begun(blobs, app.name)
    for start in (0, 1000):
        piece = {"content-range": f"{start}-{start + 999}", **_OCTETS}
        answer = blobs.patch(at, content=blob.data[start : start + 1000], headers=piece)
        assert (answer.status_code, answer.headers["range"]) == (202, f"0-{start + 999}")
    status = blobs.get(at)
    assert (status.status_code, status.headers["range"]) == (204, "0-1999")
    made = blobs.put(f"{at}?digest={blob.digest}", content=blob.data[2000:], headers=_OCTETS)
    assert made.status_code == 201
    assert blobs.get(made.headers["location"]).content == blob.data
    said(blobs.get(at), 404, "BLOB_UPLOAD_UNKNOWN")


def test_a_blob_is_sent_as_a_stream_of_unknown_length(
    blobs: httpx2.Client, app: AppUnderTest
) -> None:
    blob = new_blob(3 * 1024 * 1024 + 7)
    pieces = (blob.data[at : at + 100_000] for at in range(0, len(blob.data), 100_000))
    at = begun(blobs, app.name)
    assert blobs.patch(at, content=pieces, headers=_OCTETS).status_code == 202
    made = blobs.put(f"{at}?digest={blob.digest}")
    assert made.status_code == 201
    assert blobs.get(made.headers["location"]).content == blob.data


@pytest.mark.parametrize("said_range", ["1000-1999", "0-10", "500-400", "many", ""])
def test_a_piece_that_does_not_follow_is_refused_and_the_upload_goes_on(
    blobs: httpx2.Client, app: AppUnderTest, said_range: str
) -> None:
    blob = new_blob()
    at = begun(blobs, app.name)
    blobs.patch(at, content=blob.data[:500], headers=_OCTETS)
    wrong = {"content-range": said_range, **_OCTETS}
    answer = blobs.patch(at, content=b"x" * 500, headers=wrong)
    assert "500 bytes are here" in said(answer, 416, "BLOB_UPLOAD_INVALID")
    assert answer.headers["range"] == "0-499"
    assert blobs.put(f"{at}?digest={blob.digest}", content=blob.data[500:]).status_code == 201


def test_a_wrong_digest_makes_no_blob(blobs: httpx2.Client, app: AppUnderTest) -> None:
    promised, sent = new_blob(), new_blob()
    at = begun(blobs, app.name)
    message = said(
        blobs.put(f"{at}?digest={promised.digest}", content=sent.data), 400, "DIGEST_INVALID"
    )
    assert promised.digest in message
    assert sent.digest in message
    said(blobs.get(at), 404, "BLOB_UPLOAD_UNKNOWN")
    for blob in (promised, sent):
        said(blobs.get(f"/v2/{app.name}/blobs/{blob.digest}"), 404, "BLOB_UNKNOWN")


def test_an_upload_may_be_cancelled(blobs: httpx2.Client, app: AppUnderTest) -> None:
    at = begun(blobs, app.name)
    assert blobs.delete(at).status_code == 204
    said(blobs.patch(at, content=b"x"), 404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_belongs_to_its_repository(blobs: httpx2.Client, app: AppUnderTest) -> None:
    at = begun(blobs, app.name).replace(f"/v2/{app.name}/", f"/v2/{app.name}/other/")
    said(blobs.patch(at, content=b"x"), 404, "BLOB_UPLOAD_UNKNOWN")


def test_what_came_of_an_upload_that_was_cut_short_is_kept(
    blobs: httpx2.Client, app: AppUnderTest, server: Server
) -> None:
    blob = new_blob(200_000)
    at = begun(blobs, app.name)
    host = server.endpoint.url.removeprefix("http://")
    head = (
        f"PATCH {at} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {server.token}\r\n"
        "content-length: 200000\r\n\r\n"
    )
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port))) as connection:
        connection.sendall(head.encode() + blob.data[:150_000])
    # The next request may come while the server still reads the one that was cut short.
    here = 0
    while (answer := blobs.get(at)).status_code == 204 and here < 150_000:
        here = int(answer.headers["range"].partition("-")[2]) + 1
    rest = {"content-range": "150000-199999", **_OCTETS}
    while (answer := blobs.patch(at, content=blob.data[150_000:], headers=rest)).status_code == 409:
        pass
    assert answer.status_code == 202
    assert blobs.put(f"{at}?digest={blob.digest}").status_code == 201


def test_a_blob_is_read_in_part(blobs: httpx2.Client, app: AppUnderTest) -> None:
    blob = new_blob()
    push_blob(blobs, app.name, blob)
    url = f"/v2/{app.name}/blobs/{blob.digest}"
    part = blobs.get(url, headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, blob.data[100:200])
    assert blobs.get(url, headers={"range": "bytes=990-"}).content == blob.data[990:]
    assert blobs.get(url, headers={"range": "bytes=1000-"}).status_code == 416


def test_a_blob_is_removed(blobs: httpx2.Client, app: AppUnderTest) -> None:
    blob = new_blob()
    push_blob(blobs, app.name, blob)
    url = f"/v2/{app.name}/blobs/{blob.digest}"
    assert blobs.delete(url).status_code == 202
    said(blobs.get(url), 404, "BLOB_UNKNOWN")
    said(blobs.delete(url), 404, "BLOB_UNKNOWN")


def test_a_blob_of_another_app_is_mounted_by_who_may_see_it(
    blobs: httpx2.Client, http: httpx2.Client, app: AppUnderTest, server: Server
) -> None:
    http.post("/v1/apps", json={"name": "lender"})
    blob, other = new_blob(), new_blob()
    for one in (blob, other):
        push_blob(blobs, "lender", one)
    uploads = f"/v2/{app.name}/blobs/uploads/?from=lender&mount="
    assert blobs.post(uploads + blob.digest).status_code == 201
    assert blobs.get(f"/v2/{app.name}/blobs/{blob.digest}").content == blob.data
    assert blobs.post(uploads + new_blob().digest).status_code == 202
    made = http.post(f"/v1/apps/{app.name}/deploy_token", json={"expiry": "1h"}).json()
    with httpx2.Client(base_url=server.endpoint.url, auth=("x", made["token"])) as borrower:
        said(borrower.get(f"/v2/{app.name}/blobs/{other.digest}"), 404, "BLOB_UNKNOWN")
        assert borrower.post(uploads + other.digest).status_code == 202


def test_an_image_of_another_app_is_run_by_who_may_see_it(
    http: httpx2.Client, app: AppUnderTest, server: Server
) -> None:
    http.post("/v1/apps", json={"name": "painter"})
    machines, config = f"/v1/apps/{app.name}/machines", {"image": f"{HOST}/painter:v1"}
    token = http.post(f"/v1/apps/{app.name}/deploy_token", json={"expiry": "1h"}).json()["token"]
    shown = {"authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=server.endpoint.url, headers=shown) as deployer:
        own = {"image": "host", "init": {"exec": ["true"]}}
        made = deployer.post(machines, json={"config": own}).json()
        for at in (machines, f"{machines}/{made['id']}"):
            answer = deployer.post(at, json={"config": config})
            assert (answer.status_code, "not for app 'painter'" in answer.text) == (400, True)
            assert "not for app" not in http.post(at, json={"config": config}).text


def test_two_pushes_of_one_image_at_once_are_one_image(
    blobs: httpx2.Client, app: AppUnderTest
) -> None:
    image = images.build(images.layer(images.file("it", secrets.token_bytes(2_000_000))))
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(push, blobs, app.name, image, f"t{n}") for n in (1, 2)]:
            done.result()
    assert blobs.get(f"/v2/{app.name}/tags/list").json()["tags"] == ["t1", "t2"]
    for blob in image.blobs:
        assert blobs.get(f"/v2/{app.name}/blobs/{blob.digest}").content == blob.data


def test_two_requests_cannot_finish_one_upload(blobs: httpx2.Client, app: AppUnderTest) -> None:
    blob = new_blob(2_000_000)
    at = begun(blobs, app.name)
    blobs.patch(at, content=blob.data)
    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(blobs.put, f"{at}?digest={blob.digest}") for _ in range(2)]
        assert 201 in [end.result().status_code for end in ends]
    assert blobs.get(f"/v2/{app.name}/blobs/{blob.digest}").content == blob.data
