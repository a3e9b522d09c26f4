"""The addresses of an app: given, listed, taken away."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from ephemera.testing.machines_api.subject import (
    AppUnderTest,
    Contract,
    Subject,
    answered,
    refused,
)

_IPS = "/ip_assignments"


def _assigned(app: AppUnderTest, kind: str, **more: Any) -> dict[str, Any]:
    return dict(app.post(_IPS, json={"type": kind, **more}))


def _held(app: AppUnderTest) -> list[str]:
    return [one["ip"] for one in app.get(_IPS)["ips"] or ()]


class AddressesContract(Contract):
    """`.../ip_assignments`."""

    def test_a_new_app_has_no_address(self, app: AppUnderTest) -> None:
        assert _held(app) == []

    @pytest.mark.parametrize(("kind", "version"), [("shared_v4", 4), ("v6", 6), ("private_v6", 6)])
    def test_an_address_that_is_given_is_listed_as_it_was_answered(
        self, app: AppUnderTest, kind: str, version: int
    ) -> None:
        given = _assigned(app, kind)
        assert ip_address(given["ip"]).version == version
        assert given["created_at"]
        assert not given.get("egress")
        (listed,) = app.get(_IPS)["ips"]
        for field in ("ip", "region", "shared", "created_at"):
            assert listed.get(field) == given.get(field), field

    def test_a_shared_address_says_that_it_is(self, app: AppUnderTest) -> None:
        assert _assigned(app, "shared_v4")["shared"] is True

    def test_a_private_address_is_of_the_private_network(self, app: AppUnderTest) -> None:
        assert _assigned(app, "private_v6")["ip"].startswith("fdaa:")

    def test_an_app_has_one_shared_address_however_often_it_is_asked_for(
        self, app: AppUnderTest
    ) -> None:
        first = _assigned(app, "shared_v4")
        again = app.ask("POST", _IPS, json={"type": "shared_v4"})
        if again.is_success:
            assert again.json()["ip"] == first["ip"]
        assert _held(app) == [first["ip"]]

    def test_an_address_is_taken_away_once(self, app: AppUnderTest) -> None:
        ip = _assigned(app, "shared_v4")["ip"]
        assert app.ask("DELETE", f"{_IPS}/{ip}").status_code == 204
        assert _held(app) == []
        refused(app.ask("DELETE", f"{_IPS}/{ip}"), 404)

    def test_an_address_of_another_app_is_not_taken_away(self, app: AppUnderTest) -> None:
        ip = _assigned(app, "private_v6")["ip"]
        with AppUnderTest.made(app.subject, app.http) as other:
            refused(other.ask("DELETE", f"{_IPS}/{ip}"), 404)
            _assigned(other, "shared_v4")
        assert _held(app) == [ip]

    def test_a_token_of_another_app_neither_sees_nor_changes_addresses(
        self, app: AppUnderTest, machines_api: Subject
    ) -> None:
        ip = _assigned(app, "private_v6")["ip"]
        with AppUnderTest.made(app.subject, app.http) as other:
            token = other.post("/deploy_token", json={"expiry": "1h"})["token"]
            with machines_api.connect(authorization=token) as http:
                url = f"/v1/apps/{app.name}/ip_assignments"
                refused(http.get(url), 403)
                refused(http.post(url, json={"type": "v6"}), 403)
                refused(http.delete(f"{url}/{ip}"), 403)
        assert _held(app) == [ip]

    def test_a_service_name_is_kept(self, app: AppUnderTest) -> None:
        given = _assigned(app, "shared_v4", service_name="web")
        assert given["service_name"] == "web"
        assert app.get(_IPS)["ips"][0]["service_name"] == "web"

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"type": None},
            {"type": "v5"},
            {"type": 4},
            {"type": ["v4"]},
            {"type": "shared_v4", "region": "a b"},
            {"type": "shared_v4", "region": 7},
            {"type": "shared_v4", "service_name": "a\nb"},
            {"type": "shared_v4", "service_name": "x" * 1000},
            {"type": "private_v6", "network": "a/b"},
            {"type": "private_v6", "network": "\u0000"},
            {"type": "private_v6", "org_slug": "../x"},
        ],
    )
    def test_a_request_that_is_wrong_is_refused(
        self, app: AppUnderTest, body: dict[str, Any]
    ) -> None:
        refused(app.ask("POST", _IPS, json=body), 400, 404, 422)
        assert _held(app) == []

    @pytest.mark.parametrize("ip", ["x", "1.2.3", "1.2.3.4.5", "fe80::1%25eth0", "127.0.0.1%00"])
    def test_what_is_no_address_is_not_taken_away(self, app: AppUnderTest, ip: str) -> None:
        refused(app.ask("DELETE", f"{_IPS}/{ip}"), 400, 404, 422)

    @pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("DELETE", "/::1")])
    def test_an_app_that_never_was_has_no_addresses(
        self, app: AppUnderTest, method: str, path: str
    ) -> None:
        url = f"/v1/apps/{app.name}-not/ip_assignments{path}"
        body = {"type": "v6"} if method == "POST" else None
        refused(app.http.request(method, url, json=body), 404)


class LoopbackAddressesContract(Contract):
    """What is so only where addresses are those of one computer."""

    def test_each_dedicated_address_is_one_of_this_computer_that_no_other_app_has(
        self, app: AppUnderTest
    ) -> None:
        with AppUnderTest.made(app.subject, app.http) as other:
            given = [_assigned(one, "v4") for one in (app, app, other)]
        assert len({one["ip"] for one in given}) == 3
        assert all(ip_address(one["ip"]).is_loopback for one in given)
        assert not any(one["shared"] for one in given)

    @pytest.mark.parametrize("kind", ["egress_v4", "egress_v6", "egress_pair"])
    def test_an_address_to_reach_out_from_is_refused_by_name(
        self, app: AppUnderTest, kind: str
    ) -> None:
        assert kind in refused(app.ask("POST", _IPS, json={"type": kind}), 400)

    def test_an_app_has_so_many_addresses_and_no_more(self, app: AppUnderTest) -> None:
        for _ in range(32):
            _assigned(app, "v4")
        assert "32" in refused(app.ask("POST", _IPS, json={"type": "v4"}), 422)
        assert len(_held(app)) == 32

    def test_a_private_address_in_another_network_is_another_address(
        self, app: AppUnderTest
    ) -> None:
        own, there = _assigned(app, "private_v6"), _assigned(app, "private_v6", network="apart")
        assert own["ip"] != there["ip"]
        assert _held(app) == [own["ip"], there["ip"]]
        again = answered(app.ask("POST", _IPS, json={"type": "private_v6", "network": "apart"}))
        assert again.json() == there
