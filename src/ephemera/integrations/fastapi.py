"""Jobs in FastAPI, and in Starlette, which it is made of: `init_app(app)`, once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ephemera.jobs import webside
from ephemera.jobs.reports import body_of

__all__ = ["init_app"]


def init_app(app: Starlette, prefix: str = webside.DEFAULT_PREFIX) -> None:
    """Take the reports of jobs below `prefix`, and supervise jobs while the application lives.

    Args:
        app: A FastAPI or Starlette application.
        prefix: Begins with a slash. The routes are for machines, which prove who they are; leave
            them out of logins of your own.
    """
    path = f"{prefix}{webside.REPORTS_PATH}/{{store}}/{{attempt}}"
    app.router.routes.insert(0, Route(path, _report, methods=["POST"]))
    app.router.lifespan_context = _supervised(app.router.lifespan_context)
    webside.mounted(prefix)


def _supervised(lifespan: Any) -> Any:
    """Return a lifespan that has ours around the application's own."""

    @asynccontextmanager
    async def both(app: Any) -> AsyncIterator[Mapping[str, Any] | None]:
        await run_in_threadpool(webside.supervise)
        async with lifespan(app) as state:
            yield state

    return both


async def _report(request: Request) -> Response:
    store, attempt = request.path_params["store"], request.path_params["attempt"]
    authorization = request.headers.get("authorization", "")
    status = await run_in_threadpool(webside.refusal, store, attempt, authorization)
    if status is None:
        body = await body_of(request.stream())
        status = await run_in_threadpool(webside.note, attempt, body)
    return Response(status_code=status)
