from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpcore2
import pytest

from ephemera.client.connecting import AsyncConnecting


async def _connected(path: Path, timeout: float | None = None) -> httpcore2.AsyncNetworkStream:
    return await AsyncConnecting().connect_unix_socket(str(path), timeout)


def test_a_server_that_has_others_to_accept_first_is_waited_for(tmp_path: Path) -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            listener.listen(0)
            first = await _connected(tmp_path / "s")
            with pytest.raises(httpcore2.ConnectTimeout):
                await _connected(tmp_path / "s", timeout=0.01)
            second = asyncio.ensure_future(_connected(tmp_path / "s"))
            for answers in (first, second):
                ours, _ = await loop.run_in_executor(None, listener.accept)
                with ours:
                    stream = await answers if isinstance(answers, asyncio.Future) else answers
                    ours.sendall(b"hello")
                    assert await stream.read(100) == b"hello"
                    await stream.aclose()

    asyncio.run(check())


def test_where_nobody_listens_there_is_no_connection(tmp_path: Path) -> None:
    with pytest.raises(httpcore2.ConnectError):
        asyncio.run(_connected(tmp_path / "never"))
