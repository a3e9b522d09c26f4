"""Tokens of the embedded platform: what Fly.io leaves open, and what only a restart shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephemera.platform.app import ROUTES
from ephemera.testing.clock import PlatformClock
from ephemera.testing.machines_api import MOCK, AppUnderTest, Subject, answered, refused
from ephemera.testing.serving import serving

DRIVER = "mock"


@pytest.fixture
def token(app: AppUnderTest) -> str:
    return str(app.post("/deploy_token", json={"expiry": "48h"})["token"])


@pytest.fixture
def scoped(subject: Subject, token: str) -> Iterator[httpx2.Client]:
    with subject.connect(authorization=token) as http:
        yield http


def id_of(token: str) -> str:
    return token.split("_")[1]


def listed(http: httpx2.Client) -> list[dict[str, Any]]:
    tokens: list[dict[str, Any]] = answered(http.get("/ephemera/tokens")).json()["tokens"]
    return tokens


class TestListAndRevoke:
    def test_a_token_is_listed_without_what_is_secret_of_it(
        self, app: AppUnderTest, token: str
    ) -> None:
        (mine,) = [one for one in listed(app.http) if one["app_name"] == app.name]
        assert mine["id"] == id_of(token)
        assert mine["created_at"] < mine["expires_at"]
        assert set(mine) == {"id", "app_name", "created_at", "expires_at"}

    def test_a_revoked_token_lets_nobody_in_any_more(
        self, app: AppUnderTest, token: str, scoped: httpx2.Client
    ) -> None:
        answered(scoped.get(f"/v1/apps/{app.name}"))
        assert app.http.delete(f"/ephemera/tokens/{id_of(token)}").status_code == 204
        refused(scoped.get(f"/v1/apps/{app.name}"), 401)
        assert id_of(token) not in [one["id"] for one in listed(app.http)]
        refused(app.http.delete(f"/ephemera/tokens/{id_of(token)}"), 404)

    @pytest.mark.parametrize("token_id", ["0123456789abcdef", "owner", "%2e%2e", "%00", "x" * 500])
    def test_an_unknown_token_is_not_revoked(self, app: AppUnderTest, token_id: str) -> None:
        refused(app.http.delete(f"/ephemera/tokens/{token_id}"), 404)

    def test_the_tokens_of_a_deleted_app_are_not_listed(
        self, app: AppUnderTest, token: str
    ) -> None:
        answered(app.ask("DELETE", ""))
        assert id_of(token) not in [one["id"] for one in listed(app.http)]


class TestScope:
    def test_a_token_for_an_app_makes_no_others(
        self, app: AppUnderTest, token: str, scoped: httpx2.Client
    ) -> None:
        path = f"/v1/apps/{app.name}/deploy_token"
        assert refused(scoped.post(path, json={"expiry": "1h"}), 403) == "unauthorized"
        assert len([one for one in listed(app.http) if one["app_name"] == app.name]) == 1

    def test_a_token_for_an_app_may_delete_it(
        self, app: AppUnderTest, scoped: httpx2.Client
    ) -> None:
        assert scoped.delete(f"/v1/apps/{app.name}").status_code == 202
        refused(app.ask("GET", ""), 404)

    def test_two_tokens_may_do_what_either_may(
        self, app: AppUnderTest, subject: Subject, http: httpx2.Client, token: str
    ) -> None:
        with AppUnderTest.made(subject, http) as other:
            theirs = other.post("/deploy_token", json={})["token"].removeprefix("FlyV1 ")
            with subject.connect(authorization=f"{token},{theirs}") as both:
                for name in (app.name, other.name):
                    answered(both.get(f"/v1/apps/{name}"))
                tokens = answered(both.get("/v1/tokens/current")).json()["tokens"]
                assert [one["apps"] for one in tokens] == [[app.name], [other.name]]
                refused(both.post("/v1/apps", json={"name": "x", "org_slug": "personal"}), 403)

    def test_a_lease_says_by_which_token_it_is_held(
        self, app: AppUnderTest, token: str, scoped: httpx2.Client
    ) -> None:
        machine = app.ended()
        path = f"/v1/apps/{app.name}/machines/{machine}/lease"
        lease = answered(scoped.post(path, json={"ttl": 30})).json()["data"]
        assert lease["owner"] == f"{id_of(token)}@tokens.ephemera.local"
        scoped.delete(path, headers={"fly-machine-lease-nonce": lease["nonce"]})

    def test_no_endpoint_shows_or_does_anything_to_the_app_of_another(
        self, subject: Subject, http: httpx2.Client, app: AppUnderTest, scoped: httpx2.Client
    ) -> None:
        with AppUnderTest.made(subject, http) as theirs:
            machine = theirs.running()
            before = theirs.get("/machines")
            for method, path in _requests(theirs.name, machine):
                answer = scoped.request(method, path, json={} if method != "GET" else None)
                what = f"{method} {path}: {answer.status_code} {answer.text[:200]}"
                assert theirs.name not in answer.text, what
                assert machine not in answer.text, what
                if theirs.name in path:
                    # What is wrong with a body may be told before whose the app is.
                    assert answer.status_code in ((403,) if method == "GET" else (400, 403)), what
            assert theirs.get("/machines") == before

    def test_nobody_gets_anything_without_a_token_but_what_is_public(
        self, subject: Subject, app: AppUnderTest
    ) -> None:
        machine = app.ended()
        open_to_all = set()
        with subject.connect(authorization="") as http:
            for method, path in _requests(app.name, machine):
                answer = http.request(method, path)
                assert app.name not in answer.text
                assert machine not in answer.text
                if answer.status_code != 401:
                    open_to_all.add(f"{method} {path}")
        assert open_to_all == {
            "GET /",
            "GET /oidc/personal/.well-known/openid-configuration",
            "GET /oidc/personal/.well-known/jwks",
            "POST /v1/tokens/authenticate",
            "POST /v1/tokens/authorize",
        }

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/v1/apps"),
            ("GET", "/ephemera/status"),
            ("GET", "/ephemera/tokens"),
            ("DELETE", "/ephemera/tokens/0123456789abcdef"),
            ("GET", "/ephemera/testing/faults"),
            ("GET", "/ephemera/testing/clock"),
        ],
    )
    def test_what_is_for_the_owner_is_refused(
        self, scoped: httpx2.Client, method: str, path: str
    ) -> None:
        assert refused(scoped.request(method, path), 403) == "unauthorized"


def _requests(app_name: str, machine_id: str) -> Iterator[tuple[str, str]]:
    """Yield a request to every endpoint, about this app and machine where it is about any."""
    for route in ROUTES:
        path = route.path.replace("{app_name}", app_name).replace("{machine_id}", machine_id)
        path = path.replace("{org_slug}", "personal")
        for name in ("key", "secret_name", "volume_id", "hostname", "ip", "token_id"):
            path = path.replace("{" + name + "}", "nothing")
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield method, path


class TestTime:
    def test_a_token_is_worth_nothing_when_its_time_is_over(self, tmp_path: Path) -> None:
        with serving(tmp_path / "home", driver="mock") as server:
            subject = Subject(server.endpoint.url, server.token, programs=MOCK)
            with subject.connect() as http, AppUnderTest.made(subject, http) as app:
                token = app.post("/deploy_token", json={"expiry": "48h"})["token"]
                clock = PlatformClock(server.endpoint.url, server.token)
                with subject.connect(authorization=token) as scoped:
                    clock.move(48 * 3600 - 60)
                    answered(scoped.get(f"/v1/apps/{app.name}"))
                    clock.move(61)
                    refused(scoped.get(f"/v1/apps/{app.name}"), 401)
                assert listed(http) == []


class TestServerKilled:
    def test_what_was_made_and_what_was_revoked_stay_so(self, tmp_path: Path) -> None:
        with serving(tmp_path / "home", driver="mock") as server:
            subject = Subject(server.endpoint.url, server.token, programs=MOCK)
            with subject.connect() as http, AppUnderTest.made(subject, http) as app:
                kept = app.post("/deploy_token", json={})["token"]
                server.kill()
                server.restart()
                gone = app.post("/deploy_token", json={})["token"]
                app.http.delete(f"/ephemera/tokens/{id_of(gone)}")
                server.kill()
                server.restart()
                for token, status in ((kept, 200), (gone, 401)):
                    with subject.connect(authorization=token) as scoped:
                        assert scoped.get(f"/v1/apps/{app.name}").status_code == status

    def test_no_token_is_in_what_the_server_leaves_behind(self, tmp_path: Path) -> None:
        with serving(tmp_path / "home", driver="mock") as server:
            subject = Subject(server.endpoint.url, server.token, programs=MOCK)
            with subject.connect() as http, AppUnderTest.made(subject, http) as app:
                token = app.post("/deploy_token", json={})["token"].removeprefix("FlyV1 ")
                with subject.connect(authorization=token) as scoped:
                    scoped.get(f"/v1/apps/{app.name}")
                    scoped.post("/v1/tokens/authorize", json={"header": token, "access": 1})
                http.post("/v1/tokens/authenticate", json={"header": f"FlyV1 {token}"})
                secret = token.split("_", 2)[2].encode()
                server.kill()
                files = [path for path in server.home.rglob("*") if path.is_file()]
                assert len(files) > 3
                assert [path for path in files if secret in path.read_bytes()] == []
                server.restart()
