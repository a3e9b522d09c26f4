"""Where machines find the supervisor, and who is asked about it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from ephemera.errors import NotFound, Unauthorized, Unreachable
from ephemera.jobs.reaching import Listeners, may_push
from ephemera.jobs.reports import report_app
from ephemera.jobs.settings import Settings
from ephemera.jobs.stores.memory import MemoryStore
from ephemera.testing.clock import FakeClock
from tests.unit.jobs.fake_api import FakeApi

#: Another address of this computer, as that of a router's uplink is; only Linux has it.
ELSEWHERE = "127.99.0.1"


def client(api: FakeApi, *, local: bool = True, fly: bool = False) -> Any:
    link = SimpleNamespace(run=api._run, place=SimpleNamespace(fly=fly))
    return SimpleNamespace(local=local, link=link)


class World:
    def __init__(self) -> None:
        self.api = FakeApi()
        self.clock = FakeClock()
        self.app = report_app(MemoryStore(), self.clock, lambda: None)

    def found(self, asked: Any = None, *more: Any) -> list[str | None]:
        """Return what is found each time that it is asked for, with time to forget between."""

        async def main() -> list[str | None]:
            async with AsyncExitStack() as stack:
                listeners = Listeners(self.app, self.clock, stack)
                urls: list[str | None] = [await listeners.open(0)]
                for one in (asked or client(self.api), *more):
                    urls.append(await listeners.for_machines(one))
                    self.clock.advance(60)
                return urls

        return asyncio.run(main())


def test_a_platform_whose_machines_are_on_this_computer_s_network_leaves_it_at_loopback() -> None:
    loopback, found = World().found()
    assert found == loopback


@pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="needs Linux")
def test_machines_with_a_network_find_us_where_the_platform_says_on_the_same_port() -> None:
    world = World()
    world.api.reached_at = ELSEWHERE

    async def main() -> None:
        async with AsyncExitStack() as stack:
            listeners = Listeners(world.app, world.clock, stack)
            loopback = await listeners.open(0)
            found = await listeners.for_machines(client(world.api))
            assert found == loopback.replace("127.0.0.1", ELSEWHERE)
            async with httpx2.AsyncClient(trust_env=False) as http:
                for url in (loopback, found):
                    assert (await http.post(f"{url}/poke")).status_code == 204
            assert await listeners.for_machines(client(world.api)) == found
            assert world.api.calls == ["reach"], "nobody is asked for each job"

    asyncio.run(main())


@pytest.mark.parametrize(
    "error", [NotFound("no such endpoint", status=404), Unauthorized("no", status=401)]
)
def test_whatever_else_is_on_this_computer_reaches_loopback(error: Exception) -> None:
    world = World()
    world.api.reach_errors = [error]
    loopback, found = world.found()
    assert found == loopback


def test_where_nobody_answers_reports_are_fetched_until_somebody_does() -> None:
    world = World()
    world.api.reach_errors = [Unreachable("nobody listens there")]
    loopback, first, second = world.found(None, client(world.api))
    assert (first, second) == (None, loopback)


def test_where_the_address_is_of_another_computer_reports_are_fetched() -> None:
    world = World()
    world.api.reached_at = "192.0.2.77"
    _, found = world.found()
    assert found is None


def test_a_machine_listens_at_its_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLY_PRIVATE_IP", "::1")  # a loopback address: no network of its own
    world = World()
    loopback, found = world.found(client(world.api, local=False))
    assert found == loopback
    monkeypatch.setenv("FLY_PRIVATE_IP", "fdaa:1:2:a7b::1")
    assert world.found(client(world.api, local=False))[1] is None, "it is not of this computer"
    assert world.api.calls == []


@pytest.mark.parametrize(
    ("mode", "local", "expected"),
    [("auto", True, True), ("auto", False, False), ("push", False, True), ("pull", True, False)],
)
def test_machines_report_by_themselves_where_they_may(
    mode: Any, local: bool, expected: bool
) -> None:
    settings = Settings(store="", report=mode)
    assert may_push(client(FakeApi(), local=local), settings) is expected


def test_a_supervisor_in_a_machine_is_reported_to_by_machines_of_its_own_app(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLY_PRIVATE_IP", "fdaa:1:2:a7b::1")
    monkeypatch.setenv("FLY_APP_NAME", "shop")
    monkeypatch.setenv("EPHEMERA_API_SOCKET", "/.fly/api")
    ours = client(FakeApi(), local=False)
    assert may_push(ours, Settings(store="", app="shop"))
    assert not may_push(ours, Settings(store="", app="other")), "it has another network"
    assert not may_push(client(FakeApi(), local=False, fly=True), Settings(store="", app="shop"))
    monkeypatch.setenv("FLY_PRIVATE_IP", "127.0.0.1")
    assert not may_push(ours, Settings(store="", app="shop"))


def test_an_ipv6_address_is_in_brackets() -> None:
    from ephemera.jobs.reports import listening

    async def main() -> None:
        app = World().app
        async with listening(app, host="::1") as url:
            assert urlsplit(url).hostname == "::1"
            async with httpx2.AsyncClient(trust_env=False) as http:
                assert (await http.post(f"{url}/poke")).status_code == 204

    asyncio.run(main())
