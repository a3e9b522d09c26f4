"""`/v2/`: the platform's registry, by the OCI's distribution API. Uploads are in `uploads.py`.

A repository is named after an app, `APP` or `APP/MORE`: who may touch the app may push and pull.

Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ephemera.oci.manifests import DOCUMENT_MAX_BYTES
from ephemera.platform.records import AppRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.registry import documents, names, refusals
from ephemera.platform.registry.holdings import Holdings
from ephemera.platform.registry.registry import Registry
from ephemera.platform.routes.scope import platform_of, principal_of

#: By which clients know that they speak to a registry.
_VERSION = {"docker-distribution-api-version": "registry/2.0"}
#: Beyond which a number of tags makes no sense.
_PAGE_MAX = 99_999


@dataclass(frozen=True, slots=True)
class Repository:
    """What a request is about."""

    registry: Registry
    app: AppRecord
    name: str

    @property
    def holdings(self) -> Holdings:
        """What the app has."""
        return self.registry.of(self.app)


def repository_of(request: Request) -> Repository:
    """Return the repository in the path.

    Raises:
        RegistryRefusal: it is not one (400), there is no such app (404), or it is not for the
            sender of the request (403).
    """
    name = request.path_params["name"]
    return Repository(platform_of(request).registry, app_named(request, name), name)


def app_named(request: Request, repository: str) -> AppRecord:
    """Return whose repository it is, for those who may touch it.

    Raises:
        RegistryRefusal: as above.
    """
    name = names.app_of(repository)
    try:
        app = platform_of(request).apps.named(name)
    except Refusal:
        raise refusals.no_such_app(name) from None
    if not principal_of(request).may_touch(app.id):
        raise refusals.denied(name)
    return app


async def about(_: Request) -> Response:
    """Say that here is a registry, to those who are let in."""
    return JSONResponse({}, headers=_VERSION)


# blobs


async def get_blob(request: Request) -> Response:
    """Send a blob, whole or in part."""
    here, digest = repository_of(request), names.check_digest(request.path_params["digest"])
    path = here.registry.blob(here.app, digest)
    if path is None:
        raise refusals.blob_unknown(digest)
    headers = {"docker-content-digest": digest, "etag": f'"{digest}"'}
    return FileResponse(
        path, headers=headers, media_type="application/octet-stream", stat_result=path.stat()
    )


async def delete_blob(request: Request) -> Response:
    """Take a blob away."""
    here, digest = repository_of(request), names.check_digest(request.path_params["digest"])
    if here.holdings.blob(digest) is None:
        raise refusals.blob_unknown(digest)
    here.holdings.drop_blob(digest)
    return Response(status_code=202)


# manifests


async def get_manifest(request: Request) -> Response:
    """Send a manifest or an index."""
    here = repository_of(request)
    digest = _meant(here, request.path_params["reference"])
    body = here.holdings.manifest(digest)
    if body is None:
        raise refusals.manifest_unknown(here.name, request.path_params["reference"])
    headers = {"docker-content-digest": digest, "etag": f'"{digest}"'}
    return Response(body, headers=headers, media_type=documents.read(body).media_type)


async def put_manifest(request: Request) -> Response:
    """Keep a manifest or an index, under a tag or under its digest alone."""
    here, reference = repository_of(request), request.path_params["reference"]
    if names.is_digest(reference):
        names.check_digest(reference)
    else:
        names.check_tag(reference)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    body = await _document(request)
    digest = await here.registry.put_manifest(here.app, here.name, reference, body, media_type)
    headers = {
        "docker-content-digest": digest,
        "location": f"/v2/{here.name}/manifests/{digest}",
    }
    return Response(status_code=201, headers=headers)


async def delete_manifest(request: Request) -> Response:
    """Take a tag away, or a manifest with all tags that mean it."""
    here, reference = repository_of(request), request.path_params["reference"]
    digest = _meant(here, reference)
    if not digest or not here.holdings.has_manifest(digest):
        raise refusals.manifest_unknown(here.name, reference)
    if not names.is_digest(reference):
        here.holdings.untag(here.name, reference)
        return Response(status_code=202)
    for tag in here.holdings.tags():
        if tag.digest == digest:
            here.holdings.untag(tag.repository, tag.name)
    here.holdings.drop_manifest(digest)
    return Response(status_code=202)


def _meant(here: Repository, reference: str) -> str:
    """Return the digest that a reference means; empty where there is no such tag."""
    if names.is_digest(reference):
        return names.check_digest(reference)
    return here.holdings.tagged(here.name, names.check_tag(reference))


async def _document(request: Request) -> bytes:
    received = bytearray()
    try:
        async for piece in request.stream():
            received += piece
            if len(received) > DOCUMENT_MAX_BYTES:
                raise refusals.manifest_too_large(DOCUMENT_MAX_BYTES)
    except ClientDisconnect:
        raise refusals.manifest_invalid("the body ended before it was complete") from None
    return bytes(received)


# tags


async def list_tags(request: Request) -> Response:
    """List the tags of a repository in the order of their names, a page at a time if asked."""
    here = repository_of(request)
    asked = request.query_params.get("n")
    after = request.query_params.get("last", "")
    tags = [tag for tag in here.holdings.tags_of(here.name) if tag > after]
    page = tags[: _page_size(asked)] if asked is not None else tags
    headers = {}
    if len(page) < len(tags):
        query = urlencode({"n": asked, "last": page[-1]})
        headers["link"] = f'</v2/{here.name}/tags/list?{query}>; rel="next"'
    return JSONResponse({"name": here.name, "tags": page}, headers=headers)


def _page_size(asked: str) -> int:
    if not (asked.isascii() and asked.isdigit() and 0 < int(asked[:9]) <= _PAGE_MAX):
        raise refusals.page_invalid(asked)
    return int(asked[:9])


_MANIFEST = "/v2/{name:path}/manifests/{reference}"
_BLOB = "/v2/{name:path}/blobs/{digest}"

ROUTES = [
    Route("/v2/", about, methods=["GET"]),
    Route(_BLOB, get_blob, methods=["GET"]),
    Route(_BLOB, delete_blob, methods=["DELETE"]),
    Route(_MANIFEST, get_manifest, methods=["GET"]),
    Route(_MANIFEST, put_manifest, methods=["PUT"]),
    Route(_MANIFEST, delete_manifest, methods=["DELETE"]),
    Route("/v2/{name:path}/tags/list", list_tags, methods=["GET"]),
]
