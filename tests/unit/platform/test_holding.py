"""A request is held for as long as somebody listens, and no longer."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from ephemera.platform.refusals import Refusal
from ephemera.platform.routes.holding import while_connected


def _request(*messages: Message) -> Request:
    """Return a request whose client sends these messages, and then nothing for ever."""
    left = list(messages)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return Request({"type": "http", "method": "GET", "headers": []}, receive)


_EMPTY: Message = {"type": "http.request", "body": b"", "more_body": False}
_GONE: Message = {"type": "http.disconnect"}


def test_work_that_is_done_at_once_is_answered_though_the_client_is_gone() -> None:
    async def work() -> int:
        return 3

    assert asyncio.run(while_connected(_request(_GONE), work())) == 3


def test_work_is_waited_for_while_the_client_listens() -> None:
    async def scene() -> None:
        done = asyncio.Event()

        async def work() -> int:
            await done.wait()
            return 3

        asyncio.get_running_loop().call_soon(done.set)
        assert await while_connected(_request(_EMPTY), work()) == 3

    asyncio.run(scene())


def test_work_is_cancelled_when_the_client_hangs_up() -> None:
    async def scene() -> None:
        cancelled = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        with pytest.raises(Refusal):
            await while_connected(_request(_EMPTY, _GONE), work())
        await asyncio.wait_for(cancelled.wait(), 40)

    asyncio.run(scene())


def test_what_the_work_raises_is_raised() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise Refusal(408, "too late")

    with pytest.raises(Refusal, match="too late"):
        asyncio.run(while_connected(_request(_EMPTY), work()))
