"""`.../metadata`: a machine's labels. Writing them makes no new version and needs no lease."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import refusals, requests
from ephemera.platform.bodies import PutMetadata, PutMetadataKey
from ephemera.platform.configs.names import check_metadata
from ephemera.platform.machines.owner import Owner
from ephemera.platform.routes.scope import living_machine_of, machine_of


async def get_metadata(request: Request) -> Response:
    """Show all of it."""
    return JSONResponse(_metadata(machine_of(request)))


async def put_metadata(request: Request) -> Response:
    """Replace all of it."""
    await _write(request, keep=False)
    return Response(status_code=204)


async def patch_metadata(request: Request) -> Response:
    """Replace some of it."""
    await _write(request, keep=True)
    return Response(status_code=204)


async def get_key(request: Request) -> Response:
    """Show one value."""
    metadata, key = _metadata(machine_of(request)), request.path_params["key"]
    if key not in metadata:
        raise refusals.metadata_key_not_found(key)
    return JSONResponse({"value": metadata[key]})


async def put_key(request: Request) -> Response:
    """Write one value."""
    body = await requests.model(request, PutMetadataKey)
    owner = living_machine_of(request)
    _put(owner, _metadata(owner) | {request.path_params["key"]: body.value})
    return Response(status_code=204)


async def delete_key(request: Request) -> Response:
    """Remove one key. Repeating is safe."""
    owner = living_machine_of(request)
    metadata = _metadata(owner)
    if metadata.pop(request.path_params["key"], None) is not None:
        owner.put_metadata(metadata)
    return Response(status_code=204)


async def _write(request: Request, *, keep: bool) -> None:
    body = await requests.model(request, PutMetadata)
    owner = living_machine_of(request)
    current = owner.record.instance_id
    if body.machine_version not in (None, "", current):
        raise refusals.version_mismatch(current)
    merged = (_metadata(owner) if keep else {}) | body.metadata
    _put(owner, {key: value for key, value in merged.items() if value})


def _metadata(owner: Owner) -> dict[str, str]:
    return dict(owner.record.config.get("metadata") or {})


def _put(owner: Owner, metadata: dict[str, str]) -> None:
    """Write it down, if it is something that can be."""
    check_metadata("metadata", metadata)
    owner.put_metadata(metadata)


_METADATA = "/v1/apps/{app_name}/machines/{machine_id}/metadata"
ROUTES = [
    Route(_METADATA, get_metadata, methods=["GET"]),
    Route(_METADATA, put_metadata, methods=["PUT"]),
    Route(_METADATA, patch_metadata, methods=["PATCH"]),
    Route(_METADATA + "/{key}", get_key, methods=["GET"]),
    Route(_METADATA + "/{key}", put_key, methods=["POST"]),
    Route(_METADATA + "/{key}", delete_key, methods=["DELETE"]),
]
