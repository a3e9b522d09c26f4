"""`.../terminal` and `.../look`: commands with a terminal, over WebSockets. Ours.

What cannot be is refused as everywhere, with a status and a JSON body, before there is a
WebSocket.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from ephemera.errors import BootFailed
from ephemera.platform import refusals, requests
from ephemera.platform.routes.scope import machine_of
from ephemera.platform.terminals import COLUMNS_MAX, ROWS_MAX, relay

_ROWS, _COLUMNS = 24, 80


async def open_terminal(socket: WebSocket) -> None:
    """Run a command beside the program of a machine that is started."""
    inside = machine_of(socket).inside
    command, (rows, columns) = _command(socket), _size(socket)
    try:
        terminal = await inside.terminal(command, rows=rows, columns=columns)
    except BootFailed as error:
        raise refusals.invalid(error.message) from error
    await relay(socket, terminal)


async def look(socket: WebSocket) -> None:
    """Run a command in a copy of what the program of a machine left when it ended."""
    remains = machine_of(socket).remains
    command, (rows, columns) = _command(socket), _size(socket)
    try:
        terminal = await remains.look(command, rows=rows, columns=columns)
    except BootFailed as error:
        raise refusals.invalid(error.message) from error
    await relay(socket, terminal)


async def needs_web_socket(request: Request) -> Response:
    """Say so to those who come without."""
    machine_of(request)
    raise refusals.upgrade_required()


def _command(connection: HTTPConnection) -> Sequence[str]:
    command = connection.query_params.getlist("command")
    if not command or not command[0]:
        raise refusals.invalid("command is required, once for each word")
    if any("\0" in word for word in command):
        raise refusals.invalid("command holds a NUL character")
    return command


def _size(connection: HTTPConnection) -> tuple[int, int]:
    rows = requests.integer(connection, "rows", _ROWS, 1, ROWS_MAX)
    return rows, requests.integer(connection, "columns", _COLUMNS, 1, COLUMNS_MAX)


_MACHINE = "/ephemera/apps/{app_name}/machines/{machine_id}"
ROUTES = [
    Route(_MACHINE + "/terminal", needs_web_socket, methods=["GET"]),
    Route(_MACHINE + "/look", needs_web_socket, methods=["GET"]),
]
SOCKETS = [
    WebSocketRoute(_MACHINE + "/terminal", open_terminal),
    WebSocketRoute(_MACHINE + "/look", look),
]
