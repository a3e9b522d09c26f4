"""A terminal of a machine at one end, a WebSocket at the other.

```
 client ── binary: what is typed ──────────────────►┌───────┐── write, resize ──►┌──────────┐
        ── text: {"resize": [rows, columns]} ──────►│ relay │                    │ terminal │
        ◄── binary: what is printed ────────────────└───────┘◄──── read ─────────└──────────┘
        ◄── text: {"exit": code}, and then it is closed
```

Nothing more is read from the terminal than the client takes, so a slow one holds up the command,
as a slow screen would. A client that goes away has hung up.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from ephemera.errors import DriverError
from ephemera.platform.drivers.base import Terminal

_log = logging.getLogger(__name__)

ROWS_MAX = COLUMNS_MAX = 9_999

#: Close codes of WebSockets, RFC 6455: it is done, what was sent makes no sense, it broke here.
_DONE, _SENSELESS, _BROKEN = 1000, 1008, 1011


class _Senseless(Exception):
    """The client sent something that is no control frame."""


async def relay(socket: WebSocket, terminal: Terminal) -> None:
    """Pass bytes both ways until the command ends or the client is gone; then nothing runs on.

    Args:
        socket: Not accepted yet.
    """
    try:
        await socket.accept()
        await _both_ways(socket, terminal)
    except WebSocketDisconnect:
        pass  # the client has hung up, and so do we
    finally:
        await terminal.close()


async def _both_ways(socket: WebSocket, terminal: Terminal) -> None:
    typing = asyncio.create_task(_pass_in(socket, terminal))
    printing = asyncio.create_task(_pass_out(socket, terminal))
    try:
        await asyncio.wait([typing, printing], return_when=asyncio.FIRST_COMPLETED)
        ended = printing if printing.done() else typing
        await socket.close(*_last_words(ended))
    finally:
        typing.cancel()
        printing.cancel()
        await asyncio.wait([typing, printing])


def _last_words(ended: asyncio.Task[None]) -> tuple[int, str]:
    """Return why it is over, as a code and a reason of at most 123 bytes.

    Raises:
        WebSocketDisconnect: the client knows, it has hung up.
    """
    try:
        ended.result()
    except _Senseless as error:
        return _SENSELESS, str(error)
    except DriverError as error:
        _log.error("a terminal broke", exc_info=error)
        return _BROKEN, error.message.encode()[:123].decode(errors="ignore")
    return _DONE, ""


async def _pass_out(socket: WebSocket, terminal: Terminal) -> None:
    while printed := await terminal.read():
        await socket.send_bytes(printed)
    await socket.send_json({"exit": await terminal.wait()})


async def _pass_in(socket: WebSocket, terminal: Terminal) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        if message.get("bytes") is not None:
            terminal.write(message["bytes"])
        else:
            terminal.resize(*_size(message["text"]))


def _size(text: str) -> tuple[int, int]:
    """Return the rows and columns of a control frame.

    Raises:
        _Senseless: it has none.
    """
    try:
        control: Any = json.loads(text)
    except (ValueError, RecursionError):
        control = None
    match control:
        case {"resize": [int(rows), int(columns)]} if is_size(rows, columns):
            return rows, columns
    raise _Senseless('a text frame is {"resize": [rows, columns]}')


def is_size(rows: int, columns: int) -> bool:
    """Whether a terminal can be of this size."""
    return 0 < rows <= ROWS_MAX and 0 < columns <= COLUMNS_MAX
