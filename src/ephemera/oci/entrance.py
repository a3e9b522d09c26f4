"""Getting into a registry: from its challenge and our credentials to an `Authorization`.

Source: https://distribution.github.io/distribution/spec/auth/token/ and `.../auth/oauth/`
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import httpx2

from ephemera.errors import ImageUnavailable
from ephemera.oci import challenges
from ephemera.oci.challenges import Challenge
from ephemera.oci.credentials import Credentials
from ephemera.oci.trust import can_be_called, is_loopback

_CLIENT_ID = "ephemera"
#: An answer that holds a token; more than that is none.
_ANSWER_MAX_BYTES = 256 * 1024


class Entrance:
    """The way into one repository.

    Args:
        actions: What is to be done there: `pull`, or `pull,push`.

    Attributes:
        authorization: The header to send; empty while nothing was asked for.
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        host: str,
        repository: str,
        credentials: Credentials,
        actions: str = "pull",
    ) -> None:
        self._http = http
        self._host = host
        self._scope = f"repository:{repository}:{actions}"
        self._credentials = credentials
        self.authorization = ""

    async def answer(self, headers: Sequence[str]) -> None:
        """Answer the challenges of a 401: from now on `authorization` is what was asked for.

        Raises:
            ImageUnavailable: there is no way in with what we have.
            httpx2.TransportError: who gives out tokens does not answer.
        """
        offered = [one for header in headers for one in challenges.parse(header)]
        bearer = next((one for one in offered if one.scheme == "bearer"), None)
        if bearer:
            self.authorization = f"Bearer {await self._token(bearer)}"
        elif any(one.scheme == "basic" for one in offered) and self._credentials.user:
            self.authorization = self._basic()
        else:
            raise self.refused()

    def refused(self) -> ImageUnavailable:
        """Return the error for a registry that does not let us in."""
        if not self._credentials:
            return ImageUnavailable(
                f"the registry {self._host} asks who we are, and nobody has logged in",
                hint=f"log in: `docker login {self._host}`; or there is no such image",
            )
        return ImageUnavailable(
            f"the registry {self._host} does not take the login of"
            f" '{self._credentials.user or 'a token'}' for this image",
            hint=f"log in again: `docker login {self._host}`; or there is no such image",
        )

    def _basic(self) -> str:
        pair = f"{self._credentials.user}:{self._credentials.password}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    async def _token(self, challenge: Challenge) -> str:
        realm = self._realm(challenge)
        asked = {"service": challenge.parameters.get("service", ""), "scope": self._scope}
        headers = {"accept-encoding": "identity"}
        if self._credentials.identity_token:
            form = {
                **asked,
                "grant_type": "refresh_token",
                "client_id": _CLIENT_ID,
                "refresh_token": self._credentials.identity_token,
            }
            request = self._http.build_request("POST", realm, data=form, headers=headers)
        else:
            if self._credentials.user:
                headers["authorization"] = self._basic()
            url = realm.copy_merge_params(asked)
            request = self._http.build_request("GET", url, headers=headers)
        response = await self._http.send(request, stream=True)
        try:
            return self._given(response.status_code, await self._body(response))
        finally:
            await response.aclose()

    async def _body(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > _ANSWER_MAX_BYTES:
                raise self.refused()
        return bytes(body)

    def _realm(self, challenge: Challenge) -> httpx2.URL:
        """Return where tokens are given out, if a password may be sent there."""
        realm = challenge.parameters.get("realm", "")
        try:
            url = httpx2.URL(realm)
        except httpx2.InvalidURL as error:
            raise self._no_way_in(realm) from error
        safe = url.scheme == "https" or (is_loopback(self._host) and is_loopback(url.host))
        if not safe or not can_be_called(url.host, url.port):
            raise self._no_way_in(realm)
        return url

    def _no_way_in(self, realm: str) -> ImageUnavailable:
        return ImageUnavailable(
            f"the registry {self._host} sends us for a token to '{realm[:200]}', which is not safe",
            hint="tokens are asked for in TLS only",
        )

    def _given(self, status: int, body: bytes) -> str:
        if status >= 500 or status == 429:
            raise httpx2.RemoteProtocolError(f"no token now: HTTP {status}")
        if status != 200:
            raise self.refused()
        try:
            answer = json.loads(body)
            token = answer.get("token") or answer.get("access_token")
        except (ValueError, AttributeError, RecursionError):
            token = None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise ImageUnavailable(
                f"who gives out tokens for {self._host} sent something else",
                hint="try again, or tell who runs the registry",
            )
        return token
