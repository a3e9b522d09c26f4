"""As little of an HTTP client as will do, so that it is the server that is measured."""

from __future__ import annotations

import asyncio
from typing import Self
from urllib.parse import urlsplit


class Connection:
    """One connection to a platform, on which one request follows another."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._head = f"host: {parts.netloc}\r\nauthorization: Bearer {token}\r\n"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    def close(self) -> None:
        """Let go, answered or not. One that was never opened is fine."""
        if hasattr(self, "_writer"):
            self._writer.close()

    def send(self, method: str, path: str) -> None:
        """Send a request without a body, and do not look at the answer."""
        length = "content-length: 0\r\n" if method == "POST" else ""
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{self._head}{length}\r\n".encode())

    async def get(self, path: str) -> bytes:
        """Return the body that is answered.

        Raises:
            RuntimeError: the answer is no success.
        """
        self.send("GET", path)
        return await self._answer()

    async def post(self, path: str) -> bytes:
        """Return the body that is answered; see `get`."""
        self.send("POST", path)
        return await self._answer()

    async def _answer(self) -> bytes:
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, length = int(head[9:12]), head.lower().partition(b"content-length:")[2]
        body = await self._reader.readexactly(int(length.split(b"\r\n")[0]))
        if not 200 <= status < 300:
            raise RuntimeError(f"{status}: {body[:200]!r}")
        return body
