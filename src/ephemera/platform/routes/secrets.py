"""`/v1/apps/{app}/secrets`: the secrets of an app. Values are shown to those who ask for them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import requests
from ephemera.platform.records import AppRecord
from ephemera.platform.routes.scope import app_of, platform_of
from ephemera.platform.secrets import views
from ephemera.platform.secrets.bodies import SetSecret, SetSecrets

#: No counter of writes gets there.
_VERSION_MAX = 999_999_999


async def list_secrets(request: Request) -> Response:
    """List the secrets of an app."""
    app, secrets = app_at_version(request), platform_of(request).secrets
    value_of = secrets.value if requests.flag(request, "show_secrets") else None
    return JSONResponse(views.secrets(secrets.all(app.id), value_of))


async def set_secrets(request: Request) -> Response:
    """Set some secrets of an app and remove others."""
    body = await requests.model(request, SetSecrets)
    app, secrets = app_of(request), platform_of(request).secrets
    version = secrets.write(app.id, body.values)
    return JSONResponse(views.secrets(secrets.all(app.id)) | views.versioned(version))


async def get_secret(request: Request) -> Response:
    """Show a secret."""
    app, secrets = app_at_version(request), platform_of(request).secrets
    record = secrets.one(app.id, _name(request))
    shown = secrets.value(record) if requests.flag(request, "show_secrets") else None
    return JSONResponse(views.secret(record, shown))


async def set_secret(request: Request) -> Response:
    """Set a secret."""
    body = await requests.model(request, SetSecret)
    app, secrets = app_of(request), platform_of(request).secrets
    version = secrets.write(app.id, {_name(request): body.value})
    record = secrets.one(app.id, _name(request))
    return JSONResponse(views.secret(record) | views.versioned(version), 201)


async def delete_secret(request: Request) -> Response:
    """Remove a secret."""
    app, secrets = app_of(request), platform_of(request).secrets
    return JSONResponse(views.versioned(secrets.remove(app.id, _name(request))))


def app_at_version(request: Request) -> AppRecord:
    """Return the app in the path, whose secrets have reached the version that the query names.

    Raises:
        Refusal: there is none, it is not for the sender of the request, or `min_version` is not
            a version or not reached.
    """
    app = app_of(request)
    version = requests.integer(request, "min_version", 0, 0, _VERSION_MAX)
    platform_of(request).secrets.insist(app.id, version, "min_version")
    return app


def _name(request: Request) -> str:
    name: str = request.path_params["secret_name"]
    return name


_SECRETS = "/v1/apps/{app_name}/secrets"
_SECRET = _SECRETS + "/{secret_name}"
ROUTES = [
    Route(_SECRETS, list_secrets, methods=["GET"]),
    Route(_SECRETS, set_secrets, methods=["POST"]),
    Route(_SECRET, get_secret, methods=["GET"]),
    Route(_SECRET, set_secret, methods=["POST"]),
    Route(_SECRET, delete_secret, methods=["DELETE"]),
]
