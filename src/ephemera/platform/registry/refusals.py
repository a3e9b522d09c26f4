"""Every "no" of the registry, in the form and with the codes that its clients know.

Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ephemera.platform.refusals import Refusal

#: What asks clients to log in with a name and a password.
_CHALLENGE = {
    "www-authenticate": 'Basic realm="ephemera"',
    "docker-distribution-api-version": "registry/2.0",
}
#: The code for what the platform refuses with a status, before the registry has been asked.
_CODES = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NAME_UNKNOWN", 405: "UNSUPPORTED"}
_LOG_IN = "log in as user x, with a token as password: `ephemera auth token` prints one"


class RegistryRefusal(Refusal):
    """The registry's answer is no.

    Args:
        status: The HTTP status.
        code: The specification's word for it.
        message: What went wrong, and what to do, for people.
        headers: What the answer says beside its body.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, message, code=code)
        self._headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        return {"errors": [{"code": self.code, "message": self.error}]}

    def headers(self) -> dict[str, str]:
        """Return what the answer says beside its body."""
        return self._headers


def in_form(refusal: Refusal) -> RegistryRefusal:
    """Return a refusal of any part of the platform as one of the registry."""
    if isinstance(refusal, RegistryRefusal):
        return refusal
    if refusal.status == 401:
        return RegistryRefusal(401, "UNAUTHORIZED", _LOG_IN, _CHALLENGE)
    code = _CODES.get(refusal.status, "UNKNOWN")
    return RegistryRefusal(refusal.status, code, refusal.error, refusal.headers())


def name_invalid(name: str) -> RegistryRefusal:
    """Not the name of a repository."""
    return RegistryRefusal(
        400,
        "NAME_INVALID",
        f"{name[:80]!r} is not the name of a repository: it is that of an app, and perhaps"
        " more after a slash, in lower case",
    )


def no_such_app(name: str) -> RegistryRefusal:
    """Repositories are of apps, and there is none of this name."""
    return RegistryRefusal(
        404,
        "NAME_UNKNOWN",
        f"there is no app '{name[:80]}': create it with `ephemera apps create {name[:80]}`",
    )


def denied(name: str) -> RegistryRefusal:
    """The token is for other apps."""
    return RegistryRefusal(403, "DENIED", f"the token is not for app '{name[:80]}'")


def digest_invalid(why: str) -> RegistryRefusal:
    """Not a digest, or not that of what was sent."""
    return RegistryRefusal(400, "DIGEST_INVALID", why)


def blob_unknown(digest: str) -> RegistryRefusal:
    """The app has no such blob."""
    return RegistryRefusal(404, "BLOB_UNKNOWN", f"there is no blob {digest[:80]}")


def upload_unknown() -> RegistryRefusal:
    """No such upload, or not any more."""
    return RegistryRefusal(
        404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload, or not any more: begin another one"
    )


def upload_busy() -> RegistryRefusal:
    """Two requests send to one upload."""
    return RegistryRefusal(409, "BLOB_UPLOAD_INVALID", "another request is sending to this upload")


def upload_cut_short() -> RegistryRefusal:
    """The client went away; nobody may hear this."""
    return RegistryRefusal(
        400, "BLOB_UPLOAD_INVALID", "the body ended before it was complete: send the rest"
    )


def range_invalid(said: str, size_bytes: int, headers: Mapping[str, str]) -> RegistryRefusal:
    """A piece of an upload that does not begin where the last one ended."""
    return RegistryRefusal(
        416,
        "BLOB_UPLOAD_INVALID",
        f"content-range {said[:80]!r} does not fit: {size_bytes} bytes are here",
        headers,
    )


def manifest_unknown(name: str, reference: str) -> RegistryRefusal:
    """The repository has no such manifest."""
    return RegistryRefusal(
        404, "MANIFEST_UNKNOWN", f"there is no manifest {reference[:140]!r} in {name[:80]}"
    )


def manifest_invalid(why: str) -> RegistryRefusal:
    """Not a manifest."""
    return RegistryRefusal(400, "MANIFEST_INVALID", why)


def manifest_too_large(most: int) -> RegistryRefusal:
    """Longer than manifests may be."""
    return RegistryRefusal(413, "SIZE_INVALID", f"the manifest is longer than {most} bytes")


def manifest_incomplete(digest: str) -> RegistryRefusal:
    """A manifest refers to what is not here."""
    return RegistryRefusal(
        400, "MANIFEST_BLOB_UNKNOWN", f"the manifest refers to {digest}: push that first"
    )


def tag_invalid(tag: str) -> RegistryRefusal:
    """Not a tag."""
    return RegistryRefusal(400, "MANIFEST_INVALID", f"{tag[:140]!r} is not a tag or a digest")


def page_invalid(said: str) -> RegistryRefusal:
    """Not a number of tags."""
    return RegistryRefusal(
        400, "PAGINATION_NUMBER_INVALID", f"n={said[:40]!r} is not a number from 1 to 99999"
    )


def no_room(why: str) -> RegistryRefusal:
    """The disk does not take it."""
    return RegistryRefusal(
        507,
        "UNKNOWN",
        f"the platform cannot keep it: {why}; `ephemera images prune` makes room",
    )
