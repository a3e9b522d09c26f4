"""Where runners report to: a small HTTP listener in the supervisor, or a web application.

`POST /reports/{store}/{attempt}` takes a report. The answers are made for the runner, which
sends the last report again and again until it is told that this is of no use:

```
204  it is safe here           400  not a report        401  not this attempt's token
404  another store listens     410  the outcome is written already    413  too large
```

A runner goes on after 404: the port may have been taken over by a stranger for a while.
`POST /poke` makes the supervisor look into the store at once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ephemera.jobs.clock import Clock
from ephemera.jobs.outcome import Report
from ephemera.jobs.records import Identity
from ephemera.jobs.store import Store
from ephemera.jobs.tokens import is_token_of

_log = logging.getLogger("ephemera.jobs")

#: A result may have 1 MB; the rest is room for an error with its traceback.
REPORT_MAX_BYTES = 2 * 1024 * 1024
#: Connections that may wait to be taken.
_BACKLOG = 2048
#: Where only this computer reaches us.
LOOPBACK = "127.0.0.1"
#: What a runner says while its task goes on.
_LIFE_SIGNS = frozenset({"started", "heartbeat"})
_LAST_WORDS = frozenset({"result", "error", "exit"})


def read_report(body: bytes | str) -> Report | None:
    """Return the report that a runner sent; None where it only says that it lives.

    Raises:
        ValueError: it is not a report.
    """
    said = json.loads(body)
    kind = said.get("kind") if isinstance(said, dict) else None
    if kind in _LIFE_SIGNS:
        return None
    if kind not in _LAST_WORDS:
        raise ValueError(f"{kind!r} is not a kind of report")
    code = said.get("exit_code")
    return Report(
        kind,
        value=said.get("value"),
        error_type=_text(said, "type"),
        message=_text(said, "message"),
        traceback=_text(said, "traceback"),
        exit_code=code if isinstance(code, int) else None,
        interrupted=_interrupted(said),
    )


def _text(said: dict[str, Any], key: str) -> str:
    value = said.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"'{key}' is not text")
    return value


def _interrupted(said: dict[str, Any]) -> Any:
    value = said.get("interrupted", "")
    if value not in ("", "stop", "deadline"):
        raise ValueError(f"'interrupted' is {value!r}")
    return value


def refused(identity: Identity, store_id: str, attempt_id: str, authorization: str) -> int | None:
    """Return the status to answer with before any body is read; None where it is to be read.

    Args:
        authorization: The header of that name; empty where there is none.
    """
    if store_id != identity.id:
        return 404
    scheme, _, offered = authorization.partition(" ")
    if scheme != "Bearer" or not is_token_of(identity.secret, attempt_id, offered):
        return 401
    return None


def take_report(store: Store, attempt_id: str, body: bytes | None, now: float) -> int:
    """Note the report of an attempt that proved itself, and return the status to answer with.

    Repeating is safe: the first last report stays.

    Args:
        body: None where it was too large to be read.
    """
    if body is None:
        return 413
    try:
        report = read_report(body)
    except ValueError as error:
        _log.warning("Attempt %s sent something that is no report: %s", attempt_id, error)
        return 400
    return 204 if store.note_report(attempt_id, report, at=now) else 410


def report_app(store: Store, clock: Clock, on_poke: Callable[[], None]) -> Starlette:
    """Return the listener as an ASGI application."""
    identity = store.identity()

    async def take(request: Request) -> Response:
        attempt_id = request.path_params["attempt"]
        authorization = request.headers.get("authorization", "")
        status = refused(identity, request.path_params["store"], attempt_id, authorization)
        if status is None:
            status = take_report(store, attempt_id, await body_of(request.stream()), clock.now())
        return Response(status_code=status)

    async def poke(_: Request) -> Response:
        on_poke()
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/reports/{store}/{attempt}", take, methods=["POST"]),
            Route("/poke", poke, methods=["POST"]),
        ]
    )


async def body_of(stream: AsyncIterator[bytes]) -> bytes | None:
    """Return the body of a request; None where it is too large."""
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > REPORT_MAX_BYTES:
            return None
    return bytes(body)


class _Server(uvicorn.Server):
    """A server that is a part of a program and leaves the program's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Capture none."""
        yield


@contextlib.asynccontextmanager
async def listening(app: Starlette, *, host: str = LOOPBACK, port: int = 0) -> AsyncIterator[str]:
    """Serve `app` on an address of this computer, and yield its URL.

    Args:
        port: The port to have if it is free; machines may still report to it.

    Raises:
        OSError: the address is not of this computer.
    """
    with _bind(host, port) as listener:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        config.load()
        server = _Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        try:
            shown = f"[{host}]" if ":" in host else host
            yield f"http://{shown}:{listener.getsockname()[1]}"
        finally:
            await server.shutdown(sockets=[listener])


def _bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens at a port: at another one where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in (port, 0) if port else (0,):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, wanted))
            # here, and not later: two that listen to nobody yet may both be bound to a port
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            if not wanted:
                raise
        else:
            return listener
    raise AssertionError("the last port that is tried is any")
