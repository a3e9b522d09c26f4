"""Faults of requests: errors, delays, and connections that end without an answer."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ephemera.platform.clock import Clock, sleep
from ephemera.platform.faults.menu import Asked, Menu
from ephemera.platform.faults.orders import Delay, Dropped, Error, LostAnswer
from ephemera.platform.upgrading import HttpProtocol

#: Where a request finds the way to end its connection, among the extensions of its scope.
_SEVER = "ephemera.sever"
#: What faults are asked for with must itself be free of them.
_SPARED = "/ephemera/testing/"


class SeverableProtocol(HttpProtocol):
    """Lets the application end a connection without an answer, which ASGI has no word for."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # it is a plain dict
        scope["extensions"] = {_SEVER: self.transport.abort}


class FaultsOverHttp:
    """Has the faults of the menu happen to requests."""

    def __init__(self, app: ASGIApp, menu: Menu, clock: Clock) -> None:
        self._app = app
        self._menu = menu
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or do not."""
        match self._effect(scope):
            case Error(answer=answer):
                said = JSONResponse(answer.body, answer.status, answer.headers)
                await said(scope, receive, send)
            case Delay(seconds=seconds):
                arrived = await _arrived(receive)
                await sleep(self._clock, seconds)
                await self._app(scope, arrived, send)
            case LostAnswer():
                try:
                    await self._app(scope, receive, _unheard)
                finally:
                    await _sever(scope, receive)
            case Dropped():
                await _sever(scope, receive)
            case _:
                await self._app(scope, receive, send)

    def _effect(self, scope: Scope) -> object:
        if scope["type"] != "http" or scope["path"].startswith(_SPARED):
            return None
        return self._menu.for_request(Asked(scope["method"], scope["path"]))


async def _arrived(receive: Receive) -> Receive:
    """Read the whole body, so that it is there even when the client has gone; return it again."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    messages.reverse()

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


async def _unheard(_: Message) -> None:
    """Swallow what is answered."""


async def _sever(scope: Scope, receive: Receive) -> None:
    """End the connection, and return once the server has noticed: it would answer else."""
    scope["extensions"][_SEVER]()
    while (await receive())["type"] != "http.disconnect":
        pass
