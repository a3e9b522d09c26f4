"""Holding a request open for as long as somebody is there to hear the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from ephemera.platform.refusals import Refusal

_T = TypeVar("_T")

#: What nginx calls a request whose client closed the connection. Nobody ever reads it.
_NOBODY_LISTENS = 499


async def while_connected(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """Return what the work returns; where the client hangs up before, cancel the work.

    The body of the request must have been read, or be of no interest.

    Raises:
        Refusal: the client is gone. For the server's log only.
    """
    working = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    if working.done():  # most often: what is waited for is so already
        return working.result()
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait([working, gone], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Refusal(_NOBODY_LISTENS, "the client closed the connection")
    finally:
        working.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    """Return when the client has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
