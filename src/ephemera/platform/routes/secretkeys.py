"""`/v1/apps/{app}/secretkeys`: keys that the platform keeps and uses for an app."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import refusals, requests
from ephemera.platform.routes.scope import app_of, platform_of
from ephemera.platform.routes.secrets import app_at_version
from ephemera.platform.secrets import views
from ephemera.platform.secrets.bodies import Decrypt, Encrypt, SetKey, Sign, Verify
from ephemera.wire.golang import to_base64


async def list_keys(request: Request) -> Response:
    """List the secret keys of an app, or those of some types."""
    app = app_at_version(request)
    types = [one for one in request.query_params.get("types", "").split(",") if one]
    keys = platform_of(request).secret_keys.all(app.id, types)
    return JSONResponse({"secret_keys": [views.key(one) for one in keys]})


async def get_key(request: Request) -> Response:
    """Show a secret key."""
    app = app_at_version(request)
    return JSONResponse(views.key(platform_of(request).secret_keys.one(app.id, _name(request))))


async def set_key(request: Request) -> Response:
    """Keep a key that the caller has made."""
    body = await requests.model(request, SetKey, values_max=requests.BODY_BYTES_MAX)
    if not body.value:
        raise refusals.invalid("value is required")
    keys, app = platform_of(request).secret_keys, app_of(request)
    key = keys.put(app.id, _name(request), body.type, body.value)
    return JSONResponse(views.key(key) | views.versioned(key.version), 201)


async def generate_key(request: Request) -> Response:
    """Make a key."""
    body = await requests.model(request, SetKey, values_max=requests.BODY_BYTES_MAX)
    if body.value:
        raise refusals.invalid("value is given, and a generated key has its own")
    key = platform_of(request).secret_keys.generate(app_of(request).id, _name(request), body.type)
    return JSONResponse(views.key(key) | views.versioned(key.version), 201)


async def delete_key(request: Request) -> Response:
    """Forget a key."""
    version = platform_of(request).secret_keys.remove(app_of(request).id, _name(request))
    return JSONResponse(views.versioned(version))


async def encrypt(request: Request) -> Response:
    """Encrypt with a key."""
    body = await requests.model(request, Encrypt, values_max=requests.BODY_BYTES_MAX)
    keys, app = platform_of(request).secret_keys, app_at_version(request)
    made = keys.encrypt(app.id, _name(request), body.plaintext, body.associated_data or b"")
    return JSONResponse({"ciphertext": to_base64(made)})


async def decrypt(request: Request) -> Response:
    """Decrypt with a key."""
    body = await requests.model(request, Decrypt, values_max=requests.BODY_BYTES_MAX)
    keys, app = platform_of(request).secret_keys, app_at_version(request)
    found = keys.decrypt(app.id, _name(request), body.ciphertext, body.associated_data or b"")
    return JSONResponse({"plaintext": to_base64(found)})


async def sign(request: Request) -> Response:
    """Sign with a key."""
    body = await requests.model(request, Sign, values_max=requests.BODY_BYTES_MAX)
    keys, app = platform_of(request).secret_keys, app_at_version(request)
    return JSONResponse({"signature": to_base64(keys.sign(app.id, _name(request), body.plaintext))})


async def verify(request: Request) -> Response:
    """Verify a signature with a key; nothing is answered where it is right."""
    body = await requests.model(request, Verify, values_max=requests.BODY_BYTES_MAX)
    keys, app = platform_of(request).secret_keys, app_at_version(request)
    keys.verify(app.id, _name(request), body.plaintext, body.signature)
    return Response(status_code=204)


def _name(request: Request) -> str:
    name: str = request.path_params["secret_name"]
    return name


_KEYS = "/v1/apps/{app_name}/secretkeys"
_KEY = _KEYS + "/{secret_name}"
ROUTES = [
    Route(_KEYS, list_keys, methods=["GET"]),
    Route(_KEY, get_key, methods=["GET"]),
    Route(_KEY, set_key, methods=["POST"]),
    Route(_KEY, delete_key, methods=["DELETE"]),
    Route(_KEY + "/generate", generate_key, methods=["POST"]),
    Route(_KEY + "/encrypt", encrypt, methods=["POST"]),
    Route(_KEY + "/decrypt", decrypt, methods=["POST"]),
    Route(_KEY + "/sign", sign, methods=["POST"]),
    Route(_KEY + "/verify", verify, methods=["POST"]),
]
