"""Tokens: for one app and nothing else, looked at, and good or not for an access."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from ephemera.testing.machines_api.subject import (
    AppUnderTest,
    Contract,
    Subject,
    answered,
    refused,
)

#: A token that nobody ever made, in a form that Fly's own have.
_GARBLED = "fm2_lJPECAAAAAAAAyJRxBDMY2FuIG5vdCBiZSByZWFk"


def _deploy_token(app: AppUnderTest, **body: Any) -> str:
    """Return a token for the app, with its scheme in front."""
    return str(app.post("/deploy_token", json={"expiry": "1h", **body})["token"])


class _TokensContract(Contract):
    @pytest.fixture
    def token(self, app: AppUnderTest) -> str:
        """A token that is for `app` alone."""
        return _deploy_token(app)

    @pytest.fixture
    def scoped(self, machines_api: Subject, token: str) -> Iterator[httpx2.Client]:
        """A client that shows this token and no other."""
        with machines_api.connect(authorization=token) as http:
            yield http

    @pytest.fixture
    def other(self, machines_api: Subject, http: httpx2.Client) -> Iterator[AppUnderTest]:
        """Another app, which the token is not for."""
        with AppUnderTest.made(machines_api, http) as other:
            yield other


class DeployTokensContract(_TokensContract):
    """`POST /v1/apps/{app}/deploy_token`, and what can be done with what it answers."""

    @pytest.mark.parametrize("body", [{}, {"expiry": ""}, {"expiry": "48h"}, {"expiry": "1h30m0s"}])
    def test_one_is_made_for_as_long_as_it_is_asked_for(
        self, app: AppUnderTest, machines_api: Subject, body: dict[str, str]
    ) -> None:
        token = app.post("/deploy_token", json=body)["token"]
        with machines_api.connect(authorization=token) as http:
            assert answered(http.get(f"/v1/apps/{app.name}")).json()["name"] == app.name

    @pytest.mark.parametrize(
        "body",
        [
            {"expiry": "tomorrow"},
            {"expiry": "-1h"},
            {"expiry": "0s"},
            {"expiry": "9999999999h"},
            {"expiry": 48},
            {"expiry": ["1h"]},
            {"expiry": "1h\x00"},
            [],
            "1h",
        ],
    )
    def test_a_time_that_is_none_is_refused(self, app: AppUnderTest, body: Any) -> None:
        refused(app.ask("POST", "/deploy_token", json=body), 400, 422)

    def test_no_two_are_the_same(self, app: AppUnderTest) -> None:
        assert _deploy_token(app) != _deploy_token(app)

    def test_there_is_none_for_an_unknown_app(self, app: AppUnderTest) -> None:
        path = f"/v1/apps/contract-{secrets.token_hex(6)}/deploy_token"
        refused(app.http.post(path, json={"expiry": "1h"}), 404)

    @pytest.mark.parametrize("scheme", ["Bearer {}", "FlyV1 {}", "Bearer FlyV1 {}", "bearer {}"])
    def test_it_is_taken_in_every_scheme_that_clients_send(
        self, app: AppUnderTest, machines_api: Subject, token: str, scheme: str
    ) -> None:
        header = scheme.format(token.removeprefix("FlyV1 "))
        with machines_api.connect(authorization=header) as http:
            answered(http.get(f"/v1/apps/{app.name}"))

    @pytest.mark.parametrize("form", ["{token},{garbled}", "{garbled},{token}", "{token}, {token}"])
    def test_one_that_is_good_among_several_is_enough(
        self, app: AppUnderTest, machines_api: Subject, token: str, form: str
    ) -> None:
        shown = form.format(token=token.removeprefix("FlyV1 "), garbled=_GARBLED)
        with machines_api.connect(authorization=f"FlyV1 {shown}") as http:
            answered(http.get(f"/v1/apps/{app.name}"))

    def test_a_token_with_something_changed_is_no_token(
        self, app: AppUnderTest, machines_api: Subject, token: str
    ) -> None:
        first = token.split(",")[0]
        for changed in (first + "x", first[:-2], first.replace("_", "-"), first.upper()):
            with machines_api.connect(authorization=changed) as http:
                refused(http.get(f"/v1/apps/{app.name}"), 401)

    def test_everything_of_its_app_can_be_done_with_it(
        self, app: AppUnderTest, scoped: httpx2.Client
    ) -> None:
        path = f"/v1/apps/{app.name}/machines"
        body = {"config": app.config(app.subject.programs.exits(0))}
        machine = answered(scoped.post(path, json=body)).json()["id"]
        app.reaches(machine, "stopped")
        answered(scoped.get(f"{path}/{machine}"))
        answered(scoped.post(f"{path}/{machine}/metadata/k", json={"value": "v"}))
        answered(scoped.delete(f"{path}/{machine}"))
        app.reaches(machine, "destroyed")

    def test_only_its_app_is_listed(
        self, app: AppUnderTest, other: AppUnderTest, scoped: httpx2.Client
    ) -> None:
        answer = scoped.get("/v1/apps", params={"org_slug": app.subject.org})
        assert other.name not in answer.text
        assert answer.status_code in (401, 403) or app.name in answer.text

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", ""),
            ("DELETE", "?force=true"),
            ("GET", "/machines"),
            ("POST", "/machines"),
            ("GET", "/machines/{machine}"),
            ("POST", "/machines/{machine}"),
            ("DELETE", "/machines/{machine}?force=true"),
            ("POST", "/machines/{machine}/start"),
            ("POST", "/machines/{machine}/stop"),
            ("POST", "/machines/{machine}/lease"),
            ("PUT", "/machines/{machine}/metadata"),
            ("GET", "/secrets"),
            ("POST", "/secrets"),
            ("GET", "/volumes"),
            ("POST", "/deploy_token"),
        ],
    )
    def test_nothing_can_be_done_to_another_app(
        self, other: AppUnderTest, scoped: httpx2.Client, method: str, path: str
    ) -> None:
        machine = other.ended()
        bodies = {
            "/machines": {"config": other.config(other.subject.programs.exits(0))},
            "/machines/{machine}": {"config": other.config(other.subject.programs.exits(1))},
            "/machines/{machine}/metadata": {"metadata": {"k": "v"}},
            "/secrets": {"values": {"K": "v"}},
            "/deploy_token": {"expiry": "1h"},
        }
        before = other.get("/machines")
        url = f"/v1/apps/{other.name}{path.format(machine=machine)}"
        answer = scoped.request(method, url, json=None if method == "GET" else bodies.get(path))
        refused(answer, 401, 403, 404)
        assert machine not in answer.text
        assert other.get("/machines") == before

    def test_no_app_can_be_made_with_it(self, app: AppUnderTest, scoped: httpx2.Client) -> None:
        body = {"app_name": f"contract-{secrets.token_hex(6)}", "org_slug": app.subject.org}
        refused(scoped.post("/v1/apps", json=body), 401, 403)
        refused(app.http.get(f"/v1/apps/{body['app_name']}"), 404)

    def test_it_is_worth_nothing_when_its_app_is_gone_even_where_the_name_comes_again(
        self, app: AppUnderTest, scoped: httpx2.Client
    ) -> None:
        answered(app.ask("DELETE", ""))
        refused(scoped.get(f"/v1/apps/{app.name}"), 401, 403, 404)
        answered(app.http.post("/v1/apps", json={"name": app.name, "org_slug": app.subject.org}))
        refused(scoped.get(f"/v1/apps/{app.name}"), 401, 403)


class TokensContract(_TokensContract):
    """What can be asked about tokens."""

    def test_whoever_asks_is_told_what_the_token_is(
        self, machines_api: Subject, http: httpx2.Client
    ) -> None:
        tokens = answered(http.get("/v1/tokens/current")).json()["tokens"]
        assert machines_api.org in [one["org_slug"] for one in tokens]
        assert machines_api.token not in str(tokens)

    def test_a_token_for_an_app_says_so(self, app: AppUnderTest, scoped: httpx2.Client) -> None:
        answer = answered(scoped.get("/v1/tokens/current"))
        tokens = answer.json()["tokens"]
        assert [one["apps"] for one in tokens] == [[app.name]]
        assert [one["org_slug"] for one in tokens] == [app.subject.org]
        assert tokens[0]["token_id"]
        assert not tokens[0].get("restricted_to_machine")

    def test_nobody_is_told_without_a_token(self, machines_api: Subject) -> None:
        with machines_api.connect(authorization="") as http:
            refused(http.get("/v1/tokens/current"), 401)

    def test_good_tokens_are_told_from_others(self, http: httpx2.Client, token: str) -> None:
        header = f"{token},{_GARBLED}"
        answer = answered(http.post("/v1/tokens/authenticate", json={"header": header}))
        assert len(answer.json()) == 1
        assert answer.json()[0]["permission_token"]
        assert isinstance(answer.json()[0]["caveats"], list)

    def test_the_header_that_is_asked_about_lets_in_by_itself(
        self, machines_api: Subject, token: str
    ) -> None:
        with machines_api.connect(authorization="") as http:
            answer = http.post("/v1/tokens/authenticate", json={"header": token})
            assert answer.is_success or refused(answer, 401)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"header": ""},
            {"header": "Basic dXNlcjpwYXNz"},
            {"header": "FlyV1 " + _GARBLED},
            {"header": "Bearer"},
            {"header": ",,,"},
            {"header": 7},
            {"header": None},
            {"header": ["FlyV1 x"]},
            {"header": "FlyV1 \x00"},
            {"header": "FlyV1 " + "x," * 5000},
            [],
        ],
    )
    @pytest.mark.parametrize("path", ["authenticate", "authorize"])
    def test_a_header_with_no_good_token_is_refused(
        self, http: httpx2.Client, path: str, body: Any
    ) -> None:
        if isinstance(body, dict):
            body = {"access": {"org_slug": "personal", "action": "r"}, **body}
        refused(http.post(f"/v1/tokens/{path}", json=body), 400, 401)

    def test_an_access_to_its_app_is_good(
        self, http: httpx2.Client, app: AppUnderTest, token: str
    ) -> None:
        answer = _authorize(http, token, app_name=app.name, action="rw")
        said = answered(answer).json()
        assert set(said["access"]["action"]) == {"r", "w"}
        assert said["access"]["appid"] > 0
        assert said["verified_token"]["permission_token"]

    @pytest.mark.parametrize("action", ["r", "rwcdC", "*", 1, 31, 0, ""])
    def test_actions_are_taken_as_letters_and_as_a_number(
        self, http: httpx2.Client, app: AppUnderTest, token: str, action: str | int
    ) -> None:
        answer = _authorize(http, token, app_name=app.name, action=action)
        assert answer.is_success or (isinstance(action, int) and refused(answer, 400))

    def test_a_machine_of_its_app_is_found_by_its_id(
        self, http: httpx2.Client, app: AppUnderTest, token: str
    ) -> None:
        machine = app.ended()
        for part in ({}, {"app_name": app.name}, {"machine_feature": "oidc"}, {"command": ["ls"]}):
            answer = _authorize(http, token, machine_id=machine, action="C", **part)
            assert answered(answer).json()["access"]["machine"] == machine

    def test_a_volume_of_its_app_is_found_by_its_id(
        self, http: httpx2.Client, app: AppUnderTest, token: str
    ) -> None:
        volume = app.post("/volumes", json={"name": "data", "size_gb": 1})["id"]
        for part in ({}, {"app_name": app.name}):
            answer = _authorize(http, token, volume_id=volume, action="rw", **part)
            assert answered(answer).json()["access"]["volume"] == volume

    def test_another_app_is_none_of_it(
        self, http: httpx2.Client, other: AppUnderTest, token: str
    ) -> None:
        machine = other.ended()
        for access in ({"app_name": other.name}, {"machine_id": machine}):
            refused(_authorize(http, token, action="r", **access), 400, 403)

    def test_whose_a_machine_is_is_not_told_to_others(
        self, http: httpx2.Client, other: AppUnderTest, token: str
    ) -> None:
        access = {"machine_id": other.ended(), "org_slug": "elsewhere", "action": "r"}
        said = refused(_authorize(http, token, **access), 400, 403, 404)
        assert other.name not in said

    def test_more_than_looking_at_its_organisation_is_none_of_it(
        self, http: httpx2.Client, app: AppUnderTest, token: str
    ) -> None:
        org = app.subject.org
        answered(_authorize(http, token, org_slug=org, action="r"))
        refused(_authorize(http, token, org_slug=org, action="c"), 400, 403)

    def test_the_whole_token_is_good_for_all(
        self, machines_api: Subject, http: httpx2.Client, app: AppUnderTest
    ) -> None:
        header = f"Bearer {machines_api.token}"
        for access in ({"app_name": app.name}, {"org_slug": machines_api.org}):
            answered(_authorize(http, header, action="rwcdC", **access))

    @pytest.mark.parametrize(
        "access",
        [
            {},
            {"action": "r"},
            {"action": "x", "app_name": "APP"},
            {"action": 64, "app_name": "APP"},
            {"action": -1, "app_name": "APP"},
            {"action": True, "app_name": "APP"},
            {"action": ["r"], "app_name": "APP"},
            {"app_name": 7},
            {"app_feature": "images"},
            {"org_feature": "wg"},
            {"org_feature": "wg", "org_slug": "personal", "app_name": "APP"},
            {"machine_feature": "oidc", "app_name": "APP"},
            {"command": ["ls"], "app_name": "APP"},
            {"machine_id": "0123456789abcd", "volume_id": "vol_1", "app_name": "APP"},
            {"machine_id": "0123456789abcd", "command": ["ls"], "machine_feature": "oidc"},
            {"machine_id": "../../etc/passwd"},
            {"machine_id": "0123456789abcd\x00", "app_name": "APP"},
            {"volume_id": "vol_nobodys"},
            {"app_name": "no-such-app-anywhere"},
            {"app_name": "APP", "org_slug": "no-such-org-anywhere"},
            None,
            "rw",
        ],
    )
    def test_an_access_that_makes_no_sense_is_refused(
        self, http: httpx2.Client, app: AppUnderTest, token: str, access: Any
    ) -> None:
        if isinstance(access, dict):
            access = {key: app.name if it == "APP" else it for key, it in access.items()}
        body = {"header": token, "access": access}
        refused(http.post("/v1/tokens/authorize", json=body), 400, 403, 404, 422)

    def test_an_identity_token_is_for_machines_alone(self, http: httpx2.Client) -> None:
        refused(http.post("/v1/tokens/oidc"), 400, 403)
        refused(http.post("/v1/tokens/oidc", json={"aud": "sts.example"}), 400, 403)

    @pytest.mark.parametrize("body", [{"aud": 7}, {"aws_principal_tags": "yes"}, [], "aud"])
    def test_an_identity_token_of_a_wrong_type_is_refused(
        self, http: httpx2.Client, body: Any
    ) -> None:
        refused(http.post("/v1/tokens/oidc", json=body), 400, 403)

    def test_a_kms_token_is_text_or_is_refused(self, http: httpx2.Client) -> None:
        answer = http.post("/v1/tokens/kms")
        assert answer.is_success or refused(answer, 400, 403)


def _authorize(http: httpx2.Client, header: str, **access: Any) -> httpx2.Response:
    return http.post("/v1/tokens/authorize", json={"header": header, "access": access})
