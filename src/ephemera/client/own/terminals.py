"""A terminal in a machine, over a WebSocket.

Apart from the rest and imported late, for the library it needs.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.asyncio.client import connect as connect_web_socket
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from ephemera.client.call import Call
from ephemera.client.messages import Answer
from ephemera.client.place import Place
from ephemera.client.refusals import refusal
from ephemera.client.settings import Address
from ephemera.errors import NoAnswer, Unreachable

#: A platform on this computer answers within milliseconds; making a machine's copy may take longer.
_OPEN_TIMEOUT_S = 60.0
#: How long the server may take to say goodbye.
_CLOSE_TIMEOUT_S = 2.0
#: Far more than a server sends at once.
_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
#: Of what is typed: a server refuses more than a mebibyte in one message.
_TYPED_BYTES_MAX = 64 * 1024
#: The close code of a server that is going away, RFC 6455 and the registry of codes.
_GOING = (1001, 1012)


async def connect(place: Place, call: Call[Any]) -> Terminal:
    """Return the terminal that a call asks for.

    Raises:
        ApiError: the API said no.
        Unreachable: no connection could be made.
    """
    address = await asyncio.to_thread(place.find)
    try:
        return Terminal(await _opened(address, call, local=place.local), call.doing)
    except InvalidStatus as error:
        response = error.response
        headers = {name.lower(): value for name, value in response.headers.raw_items()}
        answer = Answer(response.status_code, headers, bytes(response.body or b""))
        raise refusal(call.doing, answer) from None
    except (OSError, TimeoutError, WebSocketException) as error:
        raise Unreachable(
            f"{call.doing}: {error or type(error).__name__}, at {address.shown}",
            hint="is the API up, and its address right?",
        ) from error


async def _opened(address: Address, call: Call[Any], *, local: bool) -> ClientConnection:
    options: dict[str, Any] = {
        "additional_headers": {"authorization": address.authorization}
        if address.authorization
        else {},
        "compression": None,
        "open_timeout": _OPEN_TIMEOUT_S,
        "close_timeout": _CLOSE_TIMEOUT_S,
        "ping_interval": None,  # the server asks whether we are there
        "max_size": _MESSAGE_BYTES_MAX,
    }
    url = f"{address.url}{call.path}?{urlencode(call.query)}".replace("http", "ws", 1)
    if address.socket:
        return await unix_connect(address.socket, uri=url, **options)
    return await connect_web_socket(url, proxy=None if local else True, **options)


class Terminal:
    """A command that runs with a terminal in a machine. Made by `OwnMachines.terminal`.

    Attributes:
        exit_code: Of the command, once it has ended; 128 + n where signal n ended it, -1 where
            nobody saw the end.
    """

    def __init__(self, socket: ClientConnection, doing: str) -> None:
        self.exit_code: int | None = None
        self._socket = socket
        self._doing = doing

    async def read(self) -> bytes:
        """Return what it printed next; empty once it has ended and all is read.

        Raises:
            NoAnswer: the connection broke, or the server stopped; the command is killed.
        """
        while self.exit_code is None:
            try:
                message = await self._socket.recv()
            except ConnectionClosed as error:
                raise self._broken(error) from error
            if isinstance(message, bytes):
                return message
            self.exit_code = int(json.loads(message)["exit"])
        return b""

    async def write(self, data: bytes) -> None:
        """Type something; returns when there is room for more. Without effect after the end."""
        for begin in range(0, len(data), _TYPED_BYTES_MAX):
            await self._send(data[begin : begin + _TYPED_BYTES_MAX])

    async def resize(self, rows: int, columns: int) -> None:
        """Tell it how large the other terminal is now: 1 to 9,999 each."""
        await self._send(json.dumps({"resize": [rows, columns]}))

    async def close(self) -> None:
        """Hang up: what still runs is killed. Repeating is safe."""
        await self._socket.close()

    async def _send(self, message: bytes | str) -> None:
        try:
            await self._socket.send(message)
        except ConnectionClosed:
            return  # whoever reads is told why

    def _broken(self, error: ConnectionClosed) -> NoAnswer:
        code = error.rcvd.code if error.rcvd else None
        if code in _GOING:
            why = "the server is stopping"
        else:
            why = (error.rcvd.reason if error.rcvd else "") or "the connection broke"
        return NoAnswer(f"{self._doing}: {why}", hint="the command in the terminal was killed")
