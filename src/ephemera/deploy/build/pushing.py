"""Puts what an image consists of into one repository of a registry.

```
 HEAD  blobs/<digest>                     there? then nothing is sent
 POST  blobs/uploads/?mount=&from=        the registry has it in another repository: nothing is sent
 PUT   <where it says>?digest=<digest>    the blob; the registry proves its digest
 PUT   manifests/<tag>                    when all blobs are there
```

All of it may be repeated: a blob is known by its digest, and a tag is written whole.

Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx2

from ephemera.deploy.build.document import Document
from ephemera.errors import BuildError, ImageUnavailable
from ephemera.oci import trust
from ephemera.oci.patience import Patience, RegistryAway, Tries
from ephemera.oci.reference import Reference
from ephemera.oci.registries import Way

#: Gives the bytes of a blob, from its beginning each time that it is called.
Content = Callable[[], AsyncIterable[bytes]]
T = TypeVar("T")

#: The registry is there, and cannot answer now.
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_NO_ROOM, _TOO_LARGE = 507, 413
#: Of a registry's words in a message, in characters.
_SHOWN_MAX = 300
#: Its answers to pushes are short.
_ANSWER_MAX_BYTES = 64 * 1024


class _Again(Exception):
    """It did not work, and may work if it is tried again."""

    def __init__(self, reason: str, pause_s: float = 0.0) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: httpx2.Headers
    body: bytes


class Pushing:
    """Pushes to one repository.

    Args:
        way: How it is reached, for `pull,push`.
        reference: The image that is pushed.
    """

    def __init__(self, way: Way, reference: Reference, patience: Patience | None = None) -> None:
        self._http, self._base, self._entrance = way
        self._reference = reference
        self._patience = patience or Patience()

    async def has(self, digest: str) -> bool:
        """Return whether the repository has a blob.

        Raises:
            BuildError: we are not let in, or the registry does not answer.
        """

        async def ask() -> bool:
            answer = await self._sent("HEAD", self._url(f"blobs/{digest}"))
            # One that keeps blobs elsewhere sends on to where they are.
            return self._checked(answer, {200, 307, 302, 404}).status != 404

        return await self._tried(ask)

    async def blob(self, digest: str, size: int, content: Content, mount_from: str = "") -> bool:
        """Put a blob, and return whether it had to be sent.

        Args:
            size: In bytes.
            mount_from: Another repository of the registry that may have it.

        Raises:
            BuildError: it is not taken, or the registry does not answer.
        """

        async def put() -> bool:
            place = await self._begun(digest, mount_from)
            if place is None:
                return False
            url = place.copy_merge_params({"digest": digest})
            headers = {"content-type": "application/octet-stream", "content-length": str(size)}
            self._checked(await self._sent("PUT", url, headers, content), {201})
            return True

        return await self._tried(put)

    async def manifest(self, document: Document) -> None:
        """Put the manifest under the reference's tag.

        Raises:
            BuildError: it is not taken, or the registry does not answer.
        """

        async def once() -> AsyncIterable[bytes]:
            yield document.body

        async def put() -> None:
            headers = {
                "content-type": document.media_type,
                "content-length": str(len(document.body)),
            }
            url = self._url(f"manifests/{self._reference.asked}")
            self._checked(await self._sent("PUT", url, headers, lambda: once()), {201})

        await self._tried(put)

    async def _begun(self, digest: str, mount_from: str) -> httpx2.URL | None:
        """Return where a blob is to be put; None where the registry found it elsewhere."""
        url = self._url("blobs/uploads/")
        if mount_from:
            url = url.copy_merge_params({"mount": digest, "from": mount_from})
        answer = self._checked(await self._sent("POST", url), {201, 202})
        if answer.status == 201:
            return None
        return self._place(answer.headers.get("location", ""))

    def _place(self, location: str) -> httpx2.URL:
        try:
            place = self._base.join(location)
        except httpx2.InvalidURL as error:
            raise self._refused("it says to send to nowhere") from error
        is_safe = place.scheme in (self._base.scheme, "https")
        if not location or not is_safe or not trust.can_be_called(place.host, place.port):
            raise self._refused("it says to send to nowhere safe")
        return place

    def _url(self, path: str) -> httpx2.URL:
        return self._base.join(f"/v2/{self._reference.repository}/{path}")

    async def _tried(self, action: Callable[[], Awaitable[T]]) -> T:
        """Do it until it works, or was tried often enough."""
        tries = Tries(self._patience)
        while True:
            try:
                return await action()
            except _Again as again:
                reason, pause_s, untrusted = str(again), again.pause_s, False
            except httpx2.TransportError as error:
                reason, pause_s = str(error) or type(error).__name__, 0.0
                untrusted = trust.is_untrusted(error)
            host = self._reference.host
            message = f"the registry {host} cannot be reached: {reason}"
            if untrusted:
                raise BuildError(message, hint=trust.how_to_trust(host))
            try:
                await tries.failed(message, pause_s=pause_s)
            except RegistryAway as away:
                raise BuildError(str(away), hint=away.hint) from None

    async def _sent(
        self,
        method: str,
        url: httpx2.URL,
        headers: Mapping[str, str] | None = None,
        content: Content | None = None,
    ) -> _Answer:
        """Send a request; once more where the registry asks who we are."""
        answer = await self._sent_once(method, url, headers, content)
        if answer.status != 401:
            return answer
        try:
            await self._entrance.answer(answer.headers.get_list("www-authenticate"))
        except ImageUnavailable as error:
            raise self._not_let_in("") from error
        return await self._sent_once(method, url, headers, content)

    async def _sent_once(
        self,
        method: str,
        url: httpx2.URL,
        headers: Mapping[str, str] | None,
        content: Content | None,
    ) -> _Answer:
        shown = {"accept-encoding": "identity", **(headers or {})}
        is_there = (url.scheme, url.host, url.port) == (
            self._base.scheme,
            self._base.host,
            self._base.port,
        )
        if self._entrance.authorization and is_there:
            shown["authorization"] = self._entrance.authorization
        request = self._http.build_request(
            method, url, headers=shown, content=content() if content else None
        )
        response = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > _ANSWER_MAX_BYTES:
                    break
            return _Answer(response.status_code, response.headers, bytes(body))
        finally:
            await response.aclose()

    def _checked(self, answer: _Answer, wanted: set[int]) -> _Answer:
        """Return an answer that is one of those that are wanted.

        Raises:
            _Again: another one may come later.
            BuildError: it is a no.
        """
        status, said = answer.status, _said(answer.body)
        if status in wanted:
            return answer
        if status in _LATER:
            raise _Again(f"it answers {status}{said}", _retry_after_s(answer.headers))
        if status in (401, 403):
            raise self._not_let_in(said)
        if status == 404:
            app = self._reference.repository
            raise BuildError(
                f"the registry {self._reference.host} has no app '{app}'",
                hint=f"create it: ephemera apps create {app}",
            )
        if status == _NO_ROOM:
            raise self._refused(f"it has no room left{said}")
        if status == _TOO_LARGE:
            raise self._refused(f"a layer is too large for it{said}")
        raise self._refused(f"it answers {status}{said}")

    def _not_let_in(self, said: str) -> BuildError:
        return BuildError(
            f"the registry {self._reference.host} does not take our API token"
            f" for app '{self._reference.repository}'{said}",
            hint="look at FLY_API_TOKEN, or at the token file of the platform;"
            " it must be a token that may deploy this app",
        )

    def _refused(self, why: str) -> BuildError:
        return BuildError(
            f"the registry {self._reference.host} does not take {self._reference}: {why}",
            hint="try again, or look at the log of the registry",
        )


def _said(body: bytes) -> str:
    """Return what a registry says about a no, to be put behind a message."""
    try:
        errors = json.loads(body)["errors"]
        said = "; ".join(str(one.get("message") or one.get("code")) for one in errors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    short = said[:_SHOWN_MAX]
    return f" ({short if short.isprintable() else ascii(short)})" if short else ""


def _retry_after_s(headers: Mapping[str, str]) -> float:
    said = headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else 0.0
