"""The only I/O of the client: what the exchange yields is done here, once with and once without
`await`.

A request goes one of two ways, `near` or `far`. The exceptions of the HTTP libraries end there; the
exchange makes our own errors of what they mean.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ephemera.client.attempt import Pace, Steps, error_of
from ephemera.client.call import Call, Stream
from ephemera.client.exchange import Following, exchange, follow, limited
from ephemera.client.holding import Holding, held, held_async
from ephemera.client.limits import Limiter
from ephemera.client.messages import Answer, Found, Lost, Pause, Send
from ephemera.client.near import AsyncNear, Near
from ephemera.client.newborn import Newborns, patient
from ephemera.client.outgoing import Unanswered
from ephemera.client.place import Place
from ephemera.client.settings import Address
from ephemera.errors import ConfigError
from ephemera.wire.models import Lease

if TYPE_CHECKING:
    import httpx2

    from ephemera.client.far import AsyncFar, Far

T = TypeVar("T")
P = TypeVar("P")


class Link:
    """Carries calls out, for `Client`. Safe to use from any thread."""

    def __init__(
        self,
        place: Place,
        transport: httpx2.BaseTransport | None,
        pace: Pace | None = None,
        limits: bool | None = None,
    ) -> None:
        self.place = place
        self._steps = _Planner(place, pace, limits)
        self._way = _way(place, transport)
        self._is_closed = False

    def locate(self) -> str:
        """Return the base URL, starting the embedded platform if need be."""
        return self.place.find().shown

    def run(self, call: Call[T]) -> T:
        """Return what a call results in."""
        steps = self._steps.of(call)
        reply: Answer | Lost | None = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # generators type it as Any
            reply = self._do(step)

    def stream(self, stream: Stream[P, T]) -> Iterator[T]:
        """Yield the items of a stream."""
        reply: Answer | Lost | None = None
        with closing(self._steps.of_stream(stream)) as steps:
            while (step := _next(steps, reply)) is not None:
                if isinstance(step, Found):
                    yield step.item
                    reply = None
                else:
                    reply = self._do(step)

    @contextmanager
    def download(self, call: Call[Any]) -> Iterator[Iterator[bytes]]:
        """Open an answer that is too long to be held in memory, to be read block by block.

        It is asked for once.

        Raises:
            ApiError: the API said no.
            Unreachable, NoAnswer: no answer came; the latter also where it broke off.
        """
        _check_open(self._is_closed)
        address, step = self.place.find(), call.send()
        try:
            with self._way.open(address, step) as answer:
                if isinstance(answer, Answer):
                    raise error_of(call, answer, doubtful=False)
                yield answer
        except Unanswered as error:
            lost = error.lost
            raise error_of(call, lost, doubtful=lost.sent) from lost.cause

    def hold(self, holding: Holding) -> AbstractContextManager[Lease]:
        """Hold a lease for the length of a `with`."""
        return held(holding, self.run)

    def close(self) -> None:
        """Close all connections. Repeating is safe."""
        self._is_closed = True
        self._way.close()

    def _do(self, step: Send | Pause) -> Answer | Lost | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        _check_open(self._is_closed)
        address = self.place.find()
        try:
            return self._way.ask(address, step)
        except Unanswered as error:
            lost = error.lost
        if not lost.sent:
            self.place.find_again(address)
        return lost


class AsyncLink:
    """Carries calls out, for `AsyncClient`. Belongs to the event loop that uses it first."""

    def __init__(
        self,
        place: Place,
        transport: httpx2.AsyncBaseTransport | None,
        pace: Pace | None = None,
        limits: bool | None = None,
    ) -> None:
        self.place = place
        self._steps = _Planner(place, pace, limits)
        self._way = _async_way(place, transport)
        self._is_closed = False

    async def locate(self) -> str:
        """Return the base URL, starting the embedded platform if need be."""
        return (await self._find()).shown

    async def run(self, call: Call[T]) -> T:
        """Return what a call results in."""
        steps = self._steps.of(call)
        reply: Answer | Lost | None = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # generators type it as Any
            reply = await self._do(step)

    async def stream(self, stream: Stream[P, T]) -> AsyncIterator[T]:
        """Yield the items of a stream."""
        reply: Answer | Lost | None = None
        with closing(self._steps.of_stream(stream)) as steps:
            while (step := _next(steps, reply)) is not None:
                if isinstance(step, Found):
                    yield step.item
                    reply = None
                else:
                    reply = await self._do(step)

    def hold(self, holding: Holding) -> AbstractAsyncContextManager[Lease]:
        """Hold a lease for the length of an `async with`."""
        return held_async(holding, self.run)

    async def close(self) -> None:
        """Close all connections. Repeating is safe."""
        self._is_closed = True
        await self._way.close()

    async def _find(self) -> Address:
        address = self.place.address
        if address is None:
            # Starting a platform would hold the event loop for a second.
            address = await asyncio.to_thread(self.place.find)
        return address

    async def _do(self, step: Send | Pause) -> Answer | Lost | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        _check_open(self._is_closed)
        address = await self._find()
        try:
            return await self._way.ask(address, step)
        except Unanswered as error:
            lost = error.lost
        if not lost.sent and self.place.embedded:
            await asyncio.to_thread(self.place.find_again, address)
        return lost


class _Planner:
    """Makes the steps of calls, at the pace and within the limits of one client."""

    def __init__(self, place: Place, pace: Pace | None, limits: bool | None) -> None:
        self._pace = pace or Pace()
        self._limiter = Limiter() if (place.fly if limits is None else limits) else None
        self._newborns = Newborns() if place.fly else None

    def of(self, call: Call[T]) -> Steps[T]:
        return self._limited(exchange(call, self._pace))

    def of_stream(self, stream: Stream[P, T]) -> Following[T]:
        return self._limited(follow(stream, self._pace))

    def _limited(self, steps: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        if self._newborns:
            steps = patient(steps, self._newborns, self._pace)
        return limited(steps, self._limiter, self._pace) if self._limiter else steps


def _next(steps: Following[T], reply: Answer | Lost | None) -> Send | Pause | Found[T] | None:
    """Return the next step of a stream, None at its end."""
    try:
        return steps.send(reply)
    except StopIteration:
        return None


def _way(place: Place, transport: httpx2.BaseTransport | None) -> Near | Far:
    if transport is None and place.near:
        return Near(place.socket)
    from ephemera.client.far import Far

    return Far(place, transport)


def _async_way(place: Place, transport: httpx2.AsyncBaseTransport | None) -> AsyncNear | AsyncFar:
    if transport is None and place.near:
        return AsyncNear(place.socket)
    from ephemera.client.far import AsyncFar

    return AsyncFar(place, transport)


def _check_open(is_closed: bool) -> None:
    if is_closed:
        raise ConfigError("the client is closed", hint="make another one")
