"""Fly.io, played by a platform of ours of which only what Fly.io has can be seen.

```
 the client ─► hosts of Fly.io ─► stand-in ─► the platform
                                    │ asked for what only we have: written down as wrong
                                    │ too often: 429, as Fly.io does
                                    │ a fault that a test wants: that
                                    └ answers: without what Fly.io does not send
```

Time that the client waits by itself, for limits or between two tries, passes at once: `Time`.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from ephemera.client import far, links
from ephemera.client.attempt import Pace
from ephemera.client.limits import EXCEPTIONS, USUAL, action_of
from ephemera.client.messages import Send
from ephemera.client.place import Place
from ephemera.deploy.release import leasing, patience, watching
from ephemera.platform.limits import Buckets, Rate
from ephemera.testing.clock import PlatformClock
from ephemera.testing.serving import Server
from tests.fly.rules import Rules


@dataclass
class Fault:
    """What goes wrong with some requests.

    Attributes:
        operation: Of which it is: `GET /v1/apps/{app_name}`.
        status: What is answered.
        left: How often it happens, one request after the other.
        applied: Whether the platform does what was asked nevertheless.
    """

    operation: str
    status: int
    text: str
    left: int = 1
    applied: bool = False

    def strikes(self, operation: str) -> bool:
        """Return whether it happens to the next request of an operation, which counts."""
        if operation != self.operation or not self.left:
            return False
        self.left -= 1
        return True


class Time:
    """A clock that stands still but for what somebody sleeps, who does not. For any thread.

    So nothing depends on how fast this computer is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now_s = 1000.0

    def now(self) -> float:
        with self._lock:
            return self._now_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now_s += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)


@dataclass
class StandIn:
    """Plays Fly.io.

    Attributes:
        asked: The operations that were asked for, in turn: `GET /v1/apps/{app_name}`.
        wrong: What was asked that Fly.io is not known to understand.
        limited: How many requests came too early.
    """

    server: Server
    time: Time
    faults: Sequence[Fault] = ()
    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    limited: int = 0

    def __post_init__(self) -> None:
        self._rules = Rules()
        self._buckets = Buckets(self.time.now)
        self._base = urlsplit(self.server.endpoint.url)

    def refused(self, request: httpx2.Request) -> httpx2.Response | None:
        """Return the answer to a request that does not get as far as the platform."""
        name = self._rules.name(request)
        self.asked.append(name)
        if problems := self._rules.problems(request):
            self.wrong += problems
            return httpx2.Response(404, json={"error": "not found"}, request=request)
        return self._too_early(request) or self._fault(request, name, applied=False)

    @contextmanager
    def failing(self, *faults: Fault) -> Iterator[None]:
        """Have some requests go wrong."""
        self.faults = faults
        try:
            yield
        finally:
            self.faults = ()

    def passed_on(self, request: httpx2.Request) -> httpx2.Request:
        """Return what the platform is asked."""
        url = request.url.copy_with(
            scheme=self._base.scheme, host=self._base.hostname, port=self._base.port
        )
        headers = {**request.headers, **self.server.headers, "host": self._base.netloc}
        headers = {key.lower(): value for key, value in headers.items()}
        return httpx2.Request(
            request.method,
            url,
            headers=headers,
            content=request.content,
            extensions=request.extensions,
        )

    def dressed(self, request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        """Return an answer of the platform as Fly.io would give it."""
        lost = self._fault(request, self._rules.name(request), applied=True)
        if lost is not None:
            return lost
        headers = {"fly-request-id": "01M045VN0AF0QTQ5Z8FSV7XP62-dfw"}
        if "json" not in answer.headers.get("content-type", ""):
            return httpx2.Response(
                answer.status_code, headers=headers, content=answer.content, request=request
            )
        known = self._rules.known_part(request, answer.status_code, json.loads(answer.content))
        if answer.is_success and request.url.path.endswith("/wait"):
            known = {"ok": True}  # newer answers have more, older ones and the documentation not
        return httpx2.Response(answer.status_code, headers=headers, json=known, request=request)

    def _fault(
        self, request: httpx2.Request, name: str, *, applied: bool
    ) -> httpx2.Response | None:
        for fault in self.faults:
            if fault.applied == applied and fault.strikes(name):
                return error(request, fault.status, fault.text)
        return None

    def _too_early(self, request: httpx2.Request) -> httpx2.Response | None:
        if not request.url.path.startswith("/v1/"):
            return None
        key = action_of(Send(request.method, request.url.path))
        rate = EXCEPTIONS.get(key[0], USUAL)
        wait = self._buckets.take(key, Rate(rate.per_second, rate.burst))
        if not wait:
            return None
        self.limited += 1
        return error(request, 429, "resource_exhausted: rate limit exceeded")


def error(request: httpx2.Request, status: int, text: str, **headers: str) -> httpx2.Response:
    """Return a refusal in Fly.io's form."""
    return httpx2.Response(status, json={"error": text}, headers=headers, request=request)


class _Carrier(httpx2.BaseTransport):
    def __init__(self, standin: StandIn) -> None:
        self._standin = standin
        self._http = httpx2.HTTPTransport(verify=far._TRUSTS_NOBODY)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        refused = self._standin.refused(request)
        if refused is not None:
            return refused
        answer = self._http.handle_request(self._standin.passed_on(request))
        answer.read()
        return self._standin.dressed(request, answer)

    def close(self) -> None:
        self._http.close()


class _AsyncCarrier(httpx2.AsyncBaseTransport):
    def __init__(self, standin: StandIn) -> None:
        self._standin = standin
        self._http = httpx2.AsyncHTTPTransport(verify=far._TRUSTS_NOBODY)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        refused = self._standin.refused(request)
        if refused is not None:
            return refused
        answer = await self._http.handle_async_request(self._standin.passed_on(request))
        await answer.aread()
        return self._standin.dressed(request, answer)

    async def aclose(self) -> None:
        await self._http.aclose()


def _as_slept(platform: PlatformClock, clock: Time) -> SimpleNamespace:
    """Return what stands for the module `time` where one waits for a lease to end."""

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        platform.move(seconds)

    return SimpleNamespace(**{**vars(time), "sleep": sleep})


@contextmanager
def in_the_place_of_fly(server: Server) -> Iterator[StandIn]:
    """Have every client of this process that goes to Fly.io meet a stand-in."""
    clock = Time()
    leases = _as_slept(PlatformClock(server.endpoint.url, server.token), clock)
    standin = StandIn(server, clock)

    elsewhere = far._mounts

    def mounts(place: Place, kind: Any) -> Any:
        if not place.fly:
            return elsewhere(place, kind)
        through = _Carrier if kind is httpx2.HTTPTransport else _AsyncCarrier
        return {"all://": through(standin)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(far, "_mounts", mounts)
        # or each client would load the certificates of this computer, for nobody
        patch.setattr(Place, "plain", True)
        patch.setattr(links, "Pace", partial(Pace, clock=clock.now))
        patch.setattr(links, "time", SimpleNamespace(sleep=clock.sleep))
        hurried = SimpleNamespace(sleep=clock.sleep_async, to_thread=asyncio.to_thread)
        patch.setattr(links, "asyncio", hurried)
        patch.setattr(leasing, "time", leases)
        patch.setattr(patience, "time", SimpleNamespace(sleep=clock.sleep))
        patch.setattr(watching, "time", SimpleNamespace(sleep=clock.sleep, monotonic=clock.now))
        patch.setenv("FLY_API_TOKEN", server.token)
        yield standin
