from __future__ import annotations

import json

import httpx2
import pytest

from ephemera import Client
from ephemera.cli.urls import urls
from ephemera.client.own.addresses import OwnAddresses
from ephemera.errors import NotFound
from ephemera.wire.models import Machine, MachineConfig
from ephemera.wire.own import AppAddresses

SERVING = Machine(
    config=MachineConfig.model_validate(
        {"image": "host", "services": [{"internal_port": 80, "ports": [{"port": 80}]}]}
    )
)
AT_WORK = Machine(config=MachineConfig(image="host"))


def client(url: str, *hosts: tuple[str, bool]) -> Client:
    """A client of an API whose app has host names, with certificates or without."""
    listed = [{"hostname": host, "configured": configured} for host, configured in hosts]

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=json.dumps({"certificates": listed}))

    return Client(url, "a-token", transport=httpx2.MockTransport(answer))


def test_on_fly_io_names_of_its_own_come_before_the_one_that_every_app_has() -> None:
    fly = client("https://api.machines.dev", ("shop.example.com", True), ("new.com", False))
    assert urls(fly, "shop", [SERVING]) == ["https://shop.example.com", "https://shop.fly.dev"]


def test_an_app_that_serves_nothing_has_none() -> None:
    assert urls(client("https://api.machines.dev"), "shop", [AT_WORK]) == ()


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> str:
    """A platform that serves an app with and without TLS."""
    there = ["https://shop.localhost:4443", "http://shop.localhost:4281"]
    found = AppAddresses(urls=there, private_url="", ports=[])
    monkeypatch.setattr(OwnAddresses, "of", lambda *_: found)
    return "http://127.0.0.1:4280"


def test_on_a_platform_plain_http_comes_first_and_names_of_its_own_last(platform: str) -> None:
    hosts = ("shop.test", True), ("shop.localhost", True), ("new.test", False)
    assert urls(client(platform, *hosts), "shop", [AT_WORK, SERVING]) == [
        "http://shop.localhost:4281",
        "https://shop.localhost:4443",
        "https://shop.test:4443",
    ]


def test_an_api_that_does_not_know_where_apps_are_served_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object) -> AppAddresses:
        raise NotFound("page not found", status=404)

    monkeypatch.setattr(OwnAddresses, "of", unknown)
    assert urls(client("http://api.example.com:4280"), "shop", [SERVING]) == ()
