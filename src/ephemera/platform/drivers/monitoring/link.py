"""The server's end of a link to one monitor."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import TypeVar, cast

from ephemera.errors import Unsupported
from ephemera.platform.drivers.base import Exit
from ephemera.platform.drivers.monitoring.frames import FIRST_QUESTIONS, Decoder, Message, encode

_ADDRESS_BYTES_MAX = 103
_LOOK_AGAIN_S = 0.01
_READ_BYTES = 64 * 1024


class LinkLost(Exception):
    """The link broke: the monitor was killed, or it ended and its last words were missed."""


class Link(asyncio.Protocol):
    """Speaks with one monitor.

    Args:
        printed: Called when the machine's log has grown.

    Attributes:
        ended: How the boot ended, as soon as the monitor says; None where the link broke before.
    """

    def __init__(self, printed: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Exit | None] = loop.create_future()
        self._greeting: asyncio.Future[Message | None] = loop.create_future()
        self._asked: dict[int, asyncio.Future[Message | None]] = {}
        self._ids = count(1)
        self._known: frozenset[str] = frozenset()
        self._printed = printed
        self._decoder = Decoder()
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        """Whether the monitor can still be asked something."""
        return self._transport is not None and not self.ended.done()

    async def greet(self, request: Message) -> Message:
        """Send the first request (`start`, `attach` or `end`) and return the first answer.

        Raises:
            LinkLost: there was none.
        """
        self._send(request)
        return await self.greeting()

    async def greeting(self) -> Message:
        """Return the first answer, where the first request is sent already.

        Raises:
            LinkLost: there was none.
        """
        greeting = await _answered(self._greeting)
        self._known = frozenset(greeting.get("knows", FIRST_QUESTIONS))
        return greeting

    async def ask(self, request: Message) -> Message:
        """Send a request that has an answer of its own, and return that.

        Raises:
            LinkLost: there was none. The request may have been fulfilled.
            Unsupported: the monitor is of an older version, which cannot do that.
        """
        if not self.is_open:
            raise LinkLost
        self.check_known(request["do"])
        number = next(self._ids)
        answer: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._send({**request, "id": number})
            return await _answered(answer)
        finally:
            del self._asked[number]

    def check_known(self, question: str) -> None:
        """Let a question pass that the monitor has an answer to.

        Raises:
            Unsupported: the monitor is of an older version, which has none.
        """
        if question not in self._known:
            raise Unsupported(
                f"'{question}' of a machine that an older version of Ephemera started",
                hint="restart the machine",
            )

    def demand_end(self) -> None:
        """Have everything of the boot killed and the boot buried; `ended` tells when."""
        with suppress(LinkLost):
            self._send({"do": "end"})

    def close(self) -> None:
        """Let go of the monitor, which goes on."""
        if self._transport is not None:
            self._transport.close()

    def _send(self, request: Message) -> None:
        if self._transport is None:
            raise LinkLost
        self._transport.write(encode(request))

    # called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        for message in self._decoder.feed(data):
            self._hear(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        if exc is not None and self._transport is not None:
            self._hear_last_words(self._transport)
        self._transport = None
        for answer in (self._greeting, *self._asked.values()):
            if not answer.done():
                answer.set_result(None)
        if not self.ended.done():
            self.ended.set_result(None)

    def _hear_last_words(self, transport: asyncio.Transport) -> None:
        """Hear what the monitor said before it went, which we noticed as we spoke to it.

        asyncio does not read it any more.
        """
        fd = transport.get_extra_info("socket").fileno()
        with suppress(OSError):  # there is nothing more
            while data := os.read(fd, _READ_BYTES):
                self.data_received(data)

    def _hear(self, message: Message) -> None:
        said = message["say"]
        if said == "output":
            self._printed()
        elif said == "done":
            answer = self._asked.get(message["id"])
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif not self._greeting.done():
            self._greeting.set_result(message)
        if said == "exited" and not self.ended.done():
            self._printed()
            self.ended.set_result(Exit(**message["exit"]))


async def _answered(answer: asyncio.Future[Message | None]) -> Message:
    said = await answer
    if said is None:
        raise LinkLost
    return said


L = TypeVar("L", bound=Link)


async def connect(path: str, make: Callable[[], L]) -> L | None:
    """Return a link to the monitor that listens at `path`; None where none does.

    One that has not taken in yet whoever came before is waited for.

    Args:
        make: Makes the link.
    """
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        with _short(path) as address:
            # by ourselves: where there is no room, asyncio takes us for connected
            while not _is_taken_in(sock, address):  # noqa: ASYNC110 - nobody tells that there is
                await asyncio.sleep(_LOOK_AGAIN_S)
        _, link = await asyncio.get_running_loop().create_unix_connection(make, sock=sock)
    except (FileNotFoundError, ConnectionError):
        sock.close()
        return None
    except BaseException:
        sock.close()
        raise
    return link


def _is_taken_in(sock: socket.socket, address: str) -> bool:
    """Connect where there is room among those who wait to be accepted; whether there was."""
    try:
        sock.connect(address)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _short(path: str) -> Iterator[str]:
    """Give a path to a socket that fits into an address, which holds 103 bytes on macOS."""
    if len(os.fsencode(path)) <= _ADDRESS_BYTES_MAX:
        yield path
    elif sys.platform == "linux":
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
        finally:
            os.close(folder)
    else:
        with tempfile.TemporaryDirectory(prefix="eph", dir="/tmp") as folder:
            link = os.path.join(folder, "s")
            os.symlink(path, link)
            yield link
