"""Where machines find their app without a name."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from ephemera.platform.proxy import doors
from ephemera.platform.proxy.doors import Doors, address
from ephemera.platform.proxy.fleet import Fleet
from ephemera.platform.records import AppRecord

OLD = AppRecord("app_old", "old", "personal", "", 1.0)
NEW = AppRecord("app_new", "new", "personal", "", 2.0)
PLAIN = "http://127.0.0.1:4281"


def urls(plain: str = PLAIN, *, private: bool = False) -> list[str]:
    def say(*_: Any) -> None: ...

    found = Doors(Fleet(), lambda: [OLD, NEW], plain, lambda: private, say)
    return [found.url(OLD), found.url(NEW)]


@pytest.fixture(autouse=True)
def _on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(doors, "left_its_network", lambda: "")


def test_each_app_has_an_address_of_its_own_on_this_computer() -> None:
    one, two = urls()
    assert one == f"http://{address('app_old')}:4281" != two
    assert address("app_old") == address("app_old")
    assert IPv4Address("127.128.0.1") <= IPv4Address(address("app_old"))
    assert IPv4Address(address("app_old")).is_loopback


def test_of_two_apps_with_one_address_the_older_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "address", lambda _: "127.200.0.1")
    assert urls() == ["http://127.200.0.1:4281", ""]


def test_there_is_none_where_machines_have_networks_or_the_proxy_is_elsewhere() -> None:
    assert urls(private=True) == urls("") == urls("http://192.0.2.1:80") == ["", ""]


def test_there_is_none_where_the_system_has_one_such_address_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert urls() == ["", ""]


def test_only_the_apps_that_offer_something_and_have_an_address_are_listened_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = {"app_old": "127.200.0.1", "app_same": "127.200.0.1", "app_new": "127.200.0.2"}
    monkeypatch.setattr(doors, "address", at.__getitem__)
    listened: list[str] = []

    class Noted(Doors):
        async def _listen(self, app: AppRecord, serve: Any) -> None:
            listened.append(app.id)

    class Offering(Fleet):
        def apps(self) -> list[str]:
            return ["app_old", "app_same"]

    same = replace(OLD, id="app_same")
    found = Noted(Offering(), lambda: [OLD, same, NEW], PLAIN, lambda: False, lambda *_: None)
    found.serve = lambda _: asyncio.Protocol
    asyncio.run(found.update())
    assert listened == ["app_old"]
