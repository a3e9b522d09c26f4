"""`/v2/.../blobs/uploads/`: blobs on their way to the platform's registry.

```
 POST ?digest=             the blob is the body                        ──► 201
 POST ?mount= &from=       another repository has it                   ──► 201, or an upload
 POST ──► 202 ──► PATCH, as often as wanted ──► PUT ?digest=, with the rest ──► 201
```

Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
"""

from __future__ import annotations

import re

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ephemera.platform.records import AppRecord
from ephemera.platform.registry import names, refusals
from ephemera.platform.registry.refusals import RegistryRefusal
from ephemera.platform.registry.uploads import Upload
from ephemera.platform.routes.registry import Repository, app_named, repository_of

_RANGE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")


async def begin(request: Request) -> Response:
    """Begin an upload, or have the blob at once: from the body, or from another repository."""
    here, query = repository_of(request), request.query_params
    if query.get("mount") and _mounted(request, here, names.check_digest(query["mount"])):
        return _blob_made(here, query["mount"])
    digest = names.check_digest(query["digest"]) if "digest" in query else ""
    upload = here.registry.uploads.begin(here.app.id, here.name)
    if not digest:
        return _shown(here, upload, 202)
    try:
        await _receive(request, here, upload)
    except BaseException:
        here.registry.uploads.drop(upload)  # nobody knows its id
        raise
    await here.registry.finish(here.app, upload, digest)
    return _blob_made(here, digest)


async def send(request: Request) -> Response:
    """Add the body to an upload."""
    here, upload = _upload_of(request)
    _check_range(request, here, upload)
    await _receive(request, here, upload)
    return _shown(here, upload, 202)


async def finish(request: Request) -> Response:
    """Add the body, which may be empty, to an upload, and make a blob of it."""
    here, upload = _upload_of(request)
    digest = names.check_digest(request.query_params.get("digest", ""))
    _check_range(request, here, upload)
    await _receive(request, here, upload)
    await here.registry.finish(here.app, upload, digest)
    return _blob_made(here, digest)


async def show(request: Request) -> Response:
    """Say how much of an upload is here."""
    here, upload = _upload_of(request)
    return _shown(here, upload, 204)


async def cancel(request: Request) -> Response:
    """Throw away what came of an upload."""
    here, upload = _upload_of(request)
    here.registry.uploads.drop(upload)
    return Response(status_code=204)


def _mounted(request: Request, here: Repository, digest: str) -> bool:
    """Have a blob of another repository, if that is one which the sender may look into."""
    if here.registry.blob(here.app, digest):
        return True
    source = request.query_params.get("from", "")
    try:
        other: AppRecord = app_named(request, source)
    except RegistryRefusal:
        return False  # then it is sent
    return here.registry.mount(here.app, digest, other)


def _upload_of(request: Request) -> tuple[Repository, Upload]:
    here = repository_of(request)
    upload_id = request.path_params["upload_id"]
    return here, here.registry.uploads.find(here.app.id, here.name, upload_id)


async def _receive(request: Request, here: Repository, upload: Upload) -> None:
    try:
        await here.registry.append(upload, request.stream())
    except ClientDisconnect:
        raise refusals.upload_cut_short() from None


def _check_range(request: Request, here: Repository, upload: Upload) -> None:
    """See that a piece which says where it begins does so where the last one ended."""
    said = request.headers.get("content-range")
    if said is None:
        return
    found = _RANGE.fullmatch(said.removeprefix("bytes ").partition("/")[0].strip())
    if found is None or int(found[1]) != upload.size_bytes or int(found[2]) < int(found[1]):
        raise refusals.range_invalid(said, upload.size_bytes, _headers(here, upload))


def _headers(here: Repository, upload: Upload) -> dict[str, str]:
    return {
        "location": f"/v2/{here.name}/blobs/uploads/{upload.id}",
        # Of nothing this is 0-0 too: the form has no other word for it.
        "range": f"0-{max(0, upload.size_bytes - 1)}",
        "docker-upload-uuid": upload.id,
    }


def _shown(here: Repository, upload: Upload, status: int) -> Response:
    return Response(status_code=status, headers=_headers(here, upload))


def _blob_made(here: Repository, digest: str) -> Response:
    headers = {"docker-content-digest": digest, "location": f"/v2/{here.name}/blobs/{digest}"}
    return Response(status_code=201, headers=headers)


_UPLOADS = "/v2/{name:path}/blobs/uploads/"
_UPLOAD = "/v2/{name:path}/blobs/uploads/{upload_id}"

ROUTES = [
    Route(_UPLOADS, begin, methods=["POST"]),
    Route(_UPLOAD, send, methods=["PATCH"]),
    Route(_UPLOAD, finish, methods=["PUT"]),
    Route(_UPLOAD, show, methods=["GET"]),
    Route(_UPLOAD, cancel, methods=["DELETE"]),
]
