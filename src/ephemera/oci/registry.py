"""One repository of a registry: what is asked of it, and what is not believed without proof.

Every document and blob is known by its digest before it is asked for, tags excepted; what comes
is compared with that by whoever reads it to the end. Dropped transfers go on where they stopped.

Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx2

from ephemera.errors import ImageUnavailable
from ephemera.oci import trust
from ephemera.oci.entrance import Entrance
from ephemera.oci.manifests import ACCEPTED, DOCUMENT_MAX_BYTES, Descriptor, Document
from ephemera.oci.patience import Patience, RegistryAway, Tries
from ephemera.oci.reference import Reference

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Registries send to a store, and stores to the nearest copy.
_REDIRECTS_MAX = 5
#: The registry is there, and cannot answer now.
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


class Repository:
    """Answers about one repository. Made for one pull or one question."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        base: httpx2.URL,
        reference: Reference,
        entrance: Entrance,
        patience: Patience,
    ) -> None:
        self._http = http
        self._base = base
        self._reference = reference
        self._entrance = entrance
        self._patience = patience

    async def digest_of(self, tag: str) -> str:
        """Return the digest that a tag means now; empty where the registry does not say.

        Raises:
            ImageUnavailable: there is no such tag, or we are not let in.
            RegistryAway: it does not answer.
        """
        headers = {"accept": ACCEPTED}
        async with self._answer("HEAD", f"manifests/{tag}", headers) as response:
            return str(response.headers.get("docker-content-digest", ""))

    async def document(self, asked: str) -> Document:
        """Return a manifest or an index by a tag or a digest.

        Raises:
            ImageUnavailable: there is none, we are not let in, or it is not what it should be.
            RegistryAway: it does not answer.
        """
        body, headers = await self._whole(f"manifests/{asked}", "manifest", DOCUMENT_MAX_BYTES)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        expected = asked if ":" in asked else headers.get("docker-content-digest", digest)
        if expected.startswith("sha256:") and expected != digest:
            raise self._not_as_said("manifest", expected, digest)
        return Document(digest, body)

    async def config(self, wanted: Descriptor) -> bytes:
        """Return the config of an image.

        Raises:
            ImageUnavailable: there is none, or it is not what the manifest says.
            RegistryAway: it does not answer.
        """
        if wanted.size > DOCUMENT_MAX_BYTES:
            raise self._too_large("config", DOCUMENT_MAX_BYTES)
        body, _ = await self._whole(f"blobs/{wanted.digest}", "config", wanted.size)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        if digest != wanted.digest:
            raise self._not_as_said("config", wanted.digest, digest)
        return body

    async def blob(self, wanted: Descriptor) -> AsyncIterator[bytes]:
        """Yield a layer as it is sent, in pieces: exactly as many bytes as the manifest says.

        Raises:
            ImageUnavailable: the registry has not got it, or more or less of it.
            RegistryAway: it has stopped to answer.
        """
        tries, at = Tries(self._patience), 0
        while at < wanted.size:
            try:
                async for piece in self._blob_from(wanted, at):
                    at += len(piece)
                    if at > wanted.size:
                        raise self._wrong_size(wanted, f"more than {wanted.size}")
                    tries.progressed()
                    yield piece
                reason = f"it sent only {at} of {wanted.size} bytes"
            except httpx2.TransportError as error:
                reason = _why(error)
            if at < wanted.size:
                await tries.failed(self._away(reason))

    async def _blob_from(self, wanted: Descriptor, at: int) -> AsyncIterator[bytes]:
        headers = {"range": f"bytes={at}-"} if at else {}
        async with self._answer("GET", f"blobs/{wanted.digest}", headers) as response:
            if response.status_code == 416:
                raise self._wrong_size(wanted, str(at))
            # One that does not know ranges begins from the beginning.
            skip = at if response.status_code == 200 else 0
            async for piece in response.aiter_raw():
                if skip >= len(piece):
                    skip -= len(piece)
                    continue
                yield piece[skip:] if skip else piece
                skip = 0

    async def _whole(self, path: str, what: str, limit: int) -> tuple[bytes, Mapping[str, str]]:
        """Return the body of an answer of limited size, and its headers."""
        tries = Tries(self._patience)
        while True:
            try:
                async with self._answer("GET", path, {"accept": ACCEPTED}) as response:
                    body = bytearray()
                    async for piece in response.aiter_raw():
                        body += piece
                        if len(body) > limit:
                            raise self._too_large(what, limit)
                    return bytes(body), response.headers
            except httpx2.TransportError as error:
                await tries.failed(self._away(_why(error)))

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx2.Response]:
        """Have an answer that says yes, by whatever ways in and detours there are."""
        tries = Tries(self._patience)
        while True:
            try:
                response = await self._sent(method, path, headers)
            except httpx2.TransportError as error:
                if trust.is_untrusted(error):
                    host = self._reference.host
                    raise RegistryAway(self._away(_why(error)), trust.how_to_trust(host)) from error
                await tries.failed(self._away(_why(error)))
                continue
            try:
                if response.status_code not in _LATER:
                    self._check(response, path)
                    yield response
                    return
            finally:
                await response.aclose()
            said = f"it answers {response.status_code} {response.reason_phrase}"
            await tries.failed(self._away(said), pause_s=_retry_after_s(response))

    async def _sent(self, method: str, path: str, headers: Mapping[str, str]) -> httpx2.Response:
        url = self._base.join(f"/v2/{self._reference.repository}/{path}")
        response = await self._followed(method, url, headers)
        if response.status_code == 401:
            await response.aclose()
            await self._entrance.answer(response.headers.get_list("www-authenticate"))
            response = await self._followed(method, url, headers)
        return response

    async def _followed(
        self, method: str, url: httpx2.URL, headers: Mapping[str, str]
    ) -> httpx2.Response:
        """Send a request, and again to where it is sent on. Only the registry sees who we are."""
        for _ in range(_REDIRECTS_MAX + 1):
            shown = {"accept-encoding": "identity", **headers}
            if self._entrance.authorization and _origin(url) == _origin(self._base):
                shown["authorization"] = self._entrance.authorization
            request = self._http.build_request(method, url, headers=shown)
            response = await self._http.send(request, stream=True, follow_redirects=False)
            if response.status_code not in _REDIRECTS:
                return response
            await response.aclose()
            url = self._sent_on(url, response.headers.get("location", ""))
        raise self._unusable("it sends us round in circles")

    def _sent_on(self, url: httpx2.URL, location: str) -> httpx2.URL:
        try:
            onward = url.join(location)
        except httpx2.InvalidURL as error:
            raise self._unusable("it sends us to nowhere") from error
        if not trust.can_be_called(onward.host, onward.port):
            raise self._unusable("it sends us to nowhere")
        if onward.scheme not in (url.scheme, "https"):
            raise self._unusable(f"it sends us from {url.scheme} to {onward.scheme}")
        return onward

    def _check(self, response: httpx2.Response, path: str) -> None:
        status = response.status_code
        if status in (200, 206, 416):
            return
        if status in (401, 403):
            raise self._entrance.refused()
        if status == 404:
            raise self._missing(path)
        raise self._unusable(f"it answers {status} {response.reason_phrase}")

    # what can be wrong

    def _missing(self, path: str) -> ImageUnavailable:
        kind, _, which = path.partition("/")
        if kind == "manifests":
            return ImageUnavailable(
                f"there is no image {self._reference} at its registry",
                hint="look at its name and its tag; a private one may need `docker login`",
            )
        return ImageUnavailable(
            f"image {self._reference} is broken: its registry has not got {which}",
            hint="push it again",
        )

    def _not_as_said(self, what: str, expected: str, got: str) -> ImageUnavailable:
        return ImageUnavailable(
            f"the {what} of image {self._reference} is not the one that was asked for:"
            f" its digest is {got}, not {expected}",
            hint="push the image again, or tell who runs the registry",
        )

    def _wrong_size(self, wanted: Descriptor, got: str) -> ImageUnavailable:
        return ImageUnavailable(
            f"a layer of image {self._reference} is not as large as its manifest says:"
            f" {got} bytes instead of {wanted.size}, {wanted.digest}",
            hint="push the image again, or tell who runs the registry",
        )

    def _too_large(self, what: str, limit: int) -> ImageUnavailable:
        return ImageUnavailable(
            f"the {what} of image {self._reference} is larger than {limit} bytes",
            hint="it is not that of a container image, or not what it says it is",
        )

    def _unusable(self, why: str) -> ImageUnavailable:
        return ImageUnavailable(
            f"the registry {self._reference.host} cannot be used: {why}",
            hint=f"look at whether {self._reference.host} is a container registry",
        )

    def _away(self, why: str) -> str:
        return f"the registry {self._reference.host} cannot be reached: {why}"


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


def _retry_after_s(response: httpx2.Response) -> float:
    said = response.headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else 0.0
