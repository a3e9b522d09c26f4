from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest

from ephemera import Client
from ephemera.cli.urls import urls
from ephemera.home import Endpoint, write_endpoint
from ephemera.wire.models import Machine, MachineConfig

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
    assert urls(client("https://api.machines.dev"), "shop", [AT_WORK]) == []


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("EPHEMERA_HOME", str(tmp_path))
    url = "http://127.0.0.1:4280"
    proxies = "http://127.0.0.1:4281", "https://127.0.0.1:4443"
    write_endpoint(tmp_path, Endpoint(url, 1, "process", 0.0, "1", (), *proxies))
    return url


def test_on_a_platform_it_is_below_localhost_at_the_ports_of_the_proxy(served: str) -> None:
    found = urls(client(served, ("shop.test", True)), "shop", [AT_WORK, SERVING])
    assert found == [
        "http://shop.localhost:4281",
        "https://shop.localhost:4443",
        "https://shop.test:4443",
    ]


def test_where_the_proxy_of_another_computer_is_nobody_knows(served: str) -> None:
    assert urls(client("http://platform.example.com:4280"), "shop", [SERVING]) == []
    assert served
