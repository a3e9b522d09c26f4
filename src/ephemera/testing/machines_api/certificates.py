"""The certificates of host names: uploaded, shown, listed, removed, refused."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from ephemera.testing.authority import Authority
from ephemera.testing.machines_api.subject import (
    AppUnderTest,
    Contract,
    Subject,
    answered,
    refused,
)

_CERTIFICATES = "/certificates"
_CUSTOM = "/certificates/custom"


def _fresh_host() -> str:
    return f"contract-{secrets.token_hex(6)}.example.com"


def _upload(app: AppUnderTest, hostname: str, issued: Any) -> httpx2.Response:
    return app.ask("POST", _CUSTOM, json={"hostname": hostname, **issued})


class CertificatesContract(Contract):
    """`.../certificates`, with an authority that nobody trusts."""

    @pytest.fixture(scope="class")
    @classmethod
    def authority(cls) -> Authority:
        """Who signs what the tests upload."""
        return Authority()

    @pytest.fixture
    def host(self, app: AppUnderTest, authority: Authority) -> Iterator[str]:
        """A host name of the app that has a certificate."""
        name = _fresh_host()
        answered(_upload(app, name, authority.issue(name)))
        yield name
        app.ask("DELETE", f"{_CERTIFICATES}/{name}")

    def test_a_new_app_has_no_certificates(self, app: AppUnderTest) -> None:
        page = app.get(_CERTIFICATES)
        assert not page["certificates"]
        assert page["total_count"] == 0

    def test_an_uploaded_certificate_is_shown_without_its_key(
        self, app: AppUnderTest, authority: Authority
    ) -> None:
        name = _fresh_host()
        issued = authority.issue(name)
        answer = _upload(app, name, issued)
        assert answer.status_code == 201, answer.text
        shown = answer.json()
        assert shown["hostname"] == name
        assert shown["acme_requested"] is False
        (entry,) = shown["certificates"]
        assert entry["source"] == "custom"
        assert entry["issuer"]
        assert entry["expires_at"]
        assert [one["type"] for one in entry["issued"]] == ["ecdsa"]
        assert shown["dns_requirements"]
        read = app.ask("GET", f"{_CERTIFICATES}/{name}")
        assert read.json()["certificates"] == shown["certificates"]
        for text in (answer.text, read.text, app.ask("GET", _CERTIFICATES).text):
            assert "PRIVATE KEY" not in text

    def test_a_certificate_may_be_replaced_by_a_newer_one(
        self, app: AppUnderTest, host: str, authority: Authority
    ) -> None:
        before = app.get(f"{_CERTIFICATES}/{host}")
        assert _upload(app, host, authority.issue(host, "www." + host)).status_code == 201
        assert app.get(_CERTIFICATES)["total_count"] == 1
        after = app.get(f"{_CERTIFICATES}/{host}")["certificates"][0]
        assert after["created_at"] >= before["certificates"][0]["created_at"]

    def test_a_host_name_is_the_same_in_any_case_of_letters(
        self, app: AppUnderTest, host: str, authority: Authority
    ) -> None:
        assert app.get(f"{_CERTIFICATES}/{host.upper()}")["hostname"] == host
        answered(_upload(app, host.upper(), authority.issue(host)))
        assert app.get(_CERTIFICATES)["total_count"] == 1

    def test_a_certificate_with_a_star_is_kept(
        self, app: AppUnderTest, authority: Authority
    ) -> None:
        name = f"*.{_fresh_host()}"
        answered(_upload(app, name, authority.issue(name)))
        assert app.get(f"{_CERTIFICATES}/{name}")["hostname"] == name

    def test_host_names_are_listed_page_by_page(
        self, app: AppUnderTest, authority: Authority
    ) -> None:
        names = sorted(f"{letter}.{_fresh_host()}" for letter in "abc")
        for name in names:
            answered(_upload(app, name, authority.issue(name)))
        found: list[str] = []
        cursor = ""
        while len(found) < 9:
            page = app.get(_CERTIFICATES, params={"limit": 1, "cursor": cursor})
            assert page["total_count"] == 3
            found += [one["hostname"] for one in page["certificates"]]
            cursor = page.get("next_cursor") or ""
            if not cursor:
                break
        assert sorted(found) == names

    def test_a_list_is_filtered_by_a_part_of_the_name(
        self, app: AppUnderTest, host: str, authority: Authority
    ) -> None:
        other = _fresh_host()
        answered(_upload(app, other, authority.issue(other)))
        page = app.get(_CERTIFICATES, params={"filter": host[4:20]})
        assert [one["hostname"] for one in page["certificates"]] == [host]
        assert page["total_count"] == 1
        assert page["certificates"][0]["has_custom_certificate"] is True
        assert page["certificates"][0]["has_fly_certificate"] is False
        assert not app.get(_CERTIFICATES, params={"filter": "%"})["certificates"]

    def test_a_check_tells_the_records_of_the_name(self, app: AppUnderTest, host: str) -> None:
        checked = app.post(f"{_CERTIFICATES}/{host}/check")
        assert checked["hostname"] == host
        assert isinstance(checked["dns_records"], dict)
        assert isinstance(checked["validation"]["dns_configured"], bool)

    def test_a_removed_certificate_leaves_the_name_and_a_warning(
        self, app: AppUnderTest, host: str
    ) -> None:
        removed = answered(app.ask("DELETE", f"{_CERTIFICATES}/{host}/custom")).json()
        assert removed["hostname"] == host
        assert not removed["certificates"]
        assert removed["configured"] is False
        refused(app.ask("DELETE", f"{_CERTIFICATES}/{host}/custom"), 404, 422)

    def test_removing_what_no_authority_issued_changes_nothing(
        self, app: AppUnderTest, host: str
    ) -> None:
        for _ in range(2):
            shown = answered(app.ask("DELETE", f"{_CERTIFICATES}/{host}/acme")).json()
            assert [one["source"] for one in shown["certificates"]] == ["custom"]

    def test_a_removed_name_is_gone(self, app: AppUnderTest, host: str) -> None:
        assert app.ask("DELETE", f"{_CERTIFICATES}/{host}").status_code == 204
        for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/check"), ("DELETE", "/acme")]:
            refused(app.ask(method, f"{_CERTIFICATES}/{host}{path}"), 404)
        assert app.get(_CERTIFICATES)["total_count"] == 0

    def test_a_name_of_another_app_is_neither_taken_nor_seen(
        self, app: AppUnderTest, host: str, authority: Authority
    ) -> None:
        with AppUnderTest.made(app.subject, app.http) as other:
            why = refused(_upload(other, host, authority.issue(host)), 409, 422)
            assert app.name not in why
            refused(other.ask("GET", f"{_CERTIFICATES}/{host}"), 404)
            refused(other.ask("DELETE", f"{_CERTIFICATES}/{host}"), 404)
            assert other.get(_CERTIFICATES)["total_count"] == 0
        assert app.get(f"{_CERTIFICATES}/{host}")["hostname"] == host

    def test_a_token_of_another_app_neither_sees_nor_changes_certificates(
        self, app: AppUnderTest, machines_api: Subject, host: str, authority: Authority
    ) -> None:
        with AppUnderTest.made(app.subject, app.http) as other:
            token = other.post("/deploy_token", json={"expiry": "1h"})["token"]
            with machines_api.connect(authorization=token) as http:
                url = f"/v1/apps/{app.name}/certificates"
                refused(http.get(url), 403)
                body = {"hostname": host, **authority.issue(host)}
                refused(http.post(f"{url}/custom", json=body), 403)
                for method, path in [("GET", ""), ("DELETE", ""), ("DELETE", "/custom")]:
                    refused(http.request(method, f"{url}/{host}{path}"), 403)
        assert app.get(f"{_CERTIFICATES}/{host}")["certificates"]

    def test_a_name_is_free_when_its_app_is_deleted(
        self, app: AppUnderTest, authority: Authority
    ) -> None:
        name = _fresh_host()
        with AppUnderTest.made(app.subject, app.http) as other:
            answered(_upload(other, name, authority.issue(name)))
        assert _upload(app, name, authority.issue(name)).status_code == 201

    def test_a_certificate_that_is_not_good_for_the_name_is_refused(
        self, app: AppUnderTest, authority: Authority
    ) -> None:
        name = _fresh_host()
        issued, other = authority.issue(name), authority.issue(_fresh_host())
        mixed = {"fullchain": issued["fullchain"], "private_key": other["private_key"]}
        for wrong in (other, mixed, {**issued, "private_key": "x"}, {**issued, "fullchain": "x"}):
            why = refused(_upload(app, name, wrong), 400, 422)
            assert "PRIVATE" not in why
        refused(app.ask("GET", f"{_CERTIFICATES}/{name}"), 404)

    @pytest.mark.parametrize(
        "hostname",
        ["", "localhost", "1.2.3.4", "a b.example", "../x", "a\u0000.example", "x" * 300, "*.*.a"],
    )
    def test_a_certificate_for_what_is_no_host_name_is_refused(
        self, app: AppUnderTest, authority: Authority, hostname: str
    ) -> None:
        issued = authority.issue("shop.example.com")
        refused(_upload(app, hostname, issued), 400, 422)
        assert app.get(_CERTIFICATES)["total_count"] == 0

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"hostname": "a.example"},
            {"hostname": 7, "fullchain": "", "private_key": ""},
            {"hostname": "a.example", "fullchain": None, "private_key": ""},
            {"hostname": "a.example", "fullchain": [], "private_key": {}},
        ],
    )
    def test_a_body_that_is_wrong_is_refused(self, app: AppUnderTest, body: dict[str, Any]) -> None:
        refused(app.ask("POST", _CUSTOM, json=body), 400, 422)

    @pytest.mark.parametrize(
        "query",
        [
            *("limit=0", "limit=501", "limit=x"),
            *("cursor=x", "cursor=WzFd", "cursor=%00", "cursor=WyJcdWQ4MDAiXQ"),
        ],
    )
    def test_a_query_that_cannot_be_understood_is_refused(
        self, app: AppUnderTest, query: str
    ) -> None:
        why = refused(app.ask("GET", f"{_CERTIFICATES}?{query}"), 400, 422)
        assert query.partition("=")[0] in why

    @pytest.mark.parametrize("path", ["/no-such.example.com", "/..%2F", "/%00", "/a%20b/check"])
    def test_a_name_that_never_was_is_not_found(self, app: AppUnderTest, path: str) -> None:
        method = "POST" if path.endswith("check") else "GET"
        refused(app.ask(method, _CERTIFICATES + path), 400, 404, 422)


class NoAuthorityContract(Contract):
    """What is so only where no authority can reach the platform."""

    def test_a_certificate_of_an_authority_is_refused_with_what_to_do(
        self, app: AppUnderTest
    ) -> None:
        answer = app.ask("POST", "/certificates/acme", json={"hostname": "shop.example.com"})
        why = refused(answer, 422)
        assert "ACME certificates are not available" in why
        assert "custom" in why

    def test_a_name_below_localhost_leads_to_this_computer(self, app: AppUnderTest) -> None:
        name = f"{app.name}.localhost"
        answered(_upload(app, name, Authority().issue(name)))
        checked = app.post(f"{_CERTIFICATES}/{name}/check")
        assert checked["dns_records"]["a"] == ["127.0.0.1"]
        assert checked["dns_records"]["aaaa"] == ["::1"]
        assert checked["validation"]["dns_configured"] is True
        assert checked["validation_errors"] == []

    def test_of_other_names_it_is_said_that_nobody_was_asked(self, app: AppUnderTest) -> None:
        name = _fresh_host()
        answered(_upload(app, name, Authority().issue(name)))
        checked = app.post(f"{_CERTIFICATES}/{name}/check")
        assert [one["code"] for one in checked["validation_errors"]] == ["dns_not_checked"]
        assert checked["dns_records"]["resolved_addresses"] == []
