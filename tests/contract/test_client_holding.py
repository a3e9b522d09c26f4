"""Holding a lease: one suite for both clients, with a server that keeps one lease."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import httpx2
import pytest

from ephemera.client import AsyncClient, Client
from ephemera.client.attempt import Pace
from ephemera.client.calls import leases
from ephemera.errors import ConfigError, Conflict
from ephemera.wire.models import Lease

#: A test that waits longer than this has failed; nothing depends on it otherwise.
PATIENCE_S = 20


@dataclass
class Leasing:
    """A server that gives one lease, and does with its refreshes what a test wants."""

    seen: list[str] = field(default_factory=list)
    #: The statuses of the refreshes, in turn; 200 after those.
    refreshes: list[int] = field(default_factory=list)
    releases: int = 200
    #: What the refreshes are answered with; not "n1" where the lease had expired.
    fresh: str = "n1"
    refreshed: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        nonce = request.headers.get("fly-machine-lease-nonce")
        assert nonce in (None, "n1", self.fresh)
        what = "release" if request.method == "DELETE" else "refresh" if nonce else "acquire"
        self.seen.append(what if nonce in (None, "n1") else f"{what} {nonce}")
        if what == "refresh":
            status = self.refreshes.pop(0) if self.refreshes else 200
            if not self.refreshes:
                self.refreshed.set()
        else:
            status = self.releases if what == "release" else 201
        given = self.fresh if what == "refresh" else "n1"
        return httpx2.Response(status, json={"data": {"nonce": given}, "error": "no"})


Body = Callable[[Lease], None]
#: Of a lease that is not refreshed while a test lasts: that is due every third of it.
LONG_S = 3600


class Hold(Protocol):
    """Holds a lease of so many seconds while something is done."""

    def __call__(self, server: Leasing, body: Body, *, ttl: int = 1) -> None: ...


@pytest.fixture(params=["sync", "async"])
def hold(request: pytest.FixtureRequest) -> Hold:
    """What holds a lease while something is done."""

    def blocking(server: Leasing, body: Body, *, ttl: int = 1) -> None:
        transport = httpx2.MockTransport(server)
        with (
            Client("http://api.test", "t", transport=transport, pace=Pace(chance=float)) as client,
            client.leases.hold("demo", "m1", ttl=ttl) as lease,
        ):
            body(lease)

    def awaited(server: Leasing, body: Body, *, ttl: int = 1) -> None:
        async def go() -> None:
            transport = httpx2.MockTransport(server)
            pace = Pace(chance=float)
            async with (
                AsyncClient("http://api.test", "t", transport=transport, pace=pace) as client,
                client.leases.hold("demo", "m1", ttl=ttl) as lease,
            ):
                await asyncio.to_thread(body, lease)

        asyncio.run(go())

    return blocking if request.param == "sync" else awaited


def test_a_lease_is_taken_and_given_back(hold: Hold) -> None:
    server = Leasing()
    hold(server, lambda lease: server.seen.append(lease.nonce), ttl=LONG_S)
    assert server.seen == ["acquire", "n1", "release"]


def test_it_is_refreshed_meanwhile(hold: Hold) -> None:
    server = Leasing(refreshes=[200, 200])
    hold(server, lambda _: _wait(server))
    assert server.seen[:3] == ["acquire", "refresh", "refresh"]
    assert server.seen[-1] == "release"


def _wait(server: Leasing) -> None:
    assert server.refreshed.wait(PATIENCE_S)


def test_it_is_given_back_when_the_body_fails(hold: Hold) -> None:
    server = Leasing()

    def fail(_: Lease) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        hold(server, fail)
    assert server.seen[-1] == "release"


def test_a_refresh_that_fails_is_tried_again(hold: Hold) -> None:
    server = Leasing(refreshes=[500, 500, 200])
    hold(server, lambda _: _wait(server))
    assert server.seen.count("refresh") >= 3


@pytest.mark.parametrize("status", [404, 409])
def test_a_lease_that_is_lost_is_not_refreshed_any_more(hold: Hold, status: int) -> None:
    server = Leasing(refreshes=[status])
    hold(server, lambda _: _wait(server))
    assert server.seen == ["acquire", "refresh", "release"]


def test_a_new_lease_in_place_of_one_that_expired_is_given_back_at_once(hold: Hold) -> None:
    """The body has the nonce of the old one only, so it would stand in its own way."""
    server = Leasing(fresh="n2")
    hold(server, lambda _: _wait(server))
    assert sorted(server.seen) == ["acquire", "refresh", "release", "release n2"]


@pytest.mark.parametrize("status", [404, 409, 500])
def test_a_release_that_fails_is_left_to_time(hold: Hold, status: int) -> None:
    server = Leasing(releases=status)
    hold(server, lambda _: None, ttl=LONG_S)
    assert server.seen == ["acquire", "release"]


def test_a_lease_of_somebody_else_is_not_waited_for(hold: Hold) -> None:
    def held_by_another(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(409, json={"error": "lease currently held by ada"})

    with pytest.raises(Conflict, match="held by ada"):
        hold(held_by_another, lambda _: None)  # type: ignore[arg-type]  # a server all the same


def test_a_task_that_is_cancelled_twice_gives_it_back_too() -> None:
    server = Leasing()

    async def go() -> None:
        async def holding(client: AsyncClient) -> None:
            async with client.leases.hold("demo", "m1", ttl=LONG_S):
                held.set()
                await asyncio.Event().wait()

        held = asyncio.Event()
        async with AsyncClient(
            "http://api.test", "t", transport=httpx2.MockTransport(server)
        ) as client:
            task = asyncio.create_task(holding(client))
            await held.wait()
            task.cancel()
            await asyncio.sleep(0)  # it has been told of the first by now
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(go())
    assert server.seen == ["acquire", "release"]


def test_a_lease_without_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 seconds"):
        leases.hold("demo", "m1", ttl=0)
