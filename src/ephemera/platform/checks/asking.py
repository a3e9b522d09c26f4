"""Asking a machine once whether it answers: by a connection, or by a request of HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx2

from ephemera.platform.configs import HealthCheck

#: How much of an answer is read and shown.
OUTPUT_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    passing: bool
    output: str


class Asker:
    """Asks machines. Makes its clients when they are needed: most platforms check nothing."""

    async def ask(self, check: HealthCheck, address: str) -> Finding:
        """Return whether the program at `address` answers as the check wants, and what it said.

        Args:
            check: Its `timeout_s` is kept to, whatever the program does.
        """
        try:
            async with asyncio.timeout(check.timeout_s):
                if check.is_http:
                    return await self._request(check, address)
                return await _connect(check, address)
        except TimeoutError:
            return Finding(False, f"no answer within {check.timeout_s:g} s")
        except (OSError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            return Finding(False, str(error) or type(error).__name__)

    async def close(self) -> None:
        """Close what was opened."""
        for name in ("_verifying", "_trusting"):
            if name in self.__dict__:
                await self.__dict__[name].aclose()

    async def _request(self, check: HealthCheck, address: str) -> Finding:
        scheme = "https" if check.is_https else "http"
        host = f"[{address}]" if ":" in address else address
        names = {"sni_hostname": check.tls_server_name} if check.tls_server_name else {}
        verified = check.is_https and not check.tls_skip_verify
        async with (self._verifying if verified else self._trusting).stream(
            check.method,
            f"{scheme}://{host}:{check.port}{check.path}",
            headers=list(check.headers),
            extensions=names,
        ) as response:
            said = await _beginning(response)
        text = said.decode(errors="replace")
        status = f"{response.status_code} {response.reason_phrase}".strip()
        return Finding(response.is_success, f"{status}\n{text}" if text else status)

    @cached_property
    def _verifying(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(**_ALONE)

    @cached_property
    def _trusting(self) -> httpx2.AsyncClient:
        """For plain http, and for checks that ask for no verification."""
        return httpx2.AsyncClient(verify=False, **_ALONE)


#: Each request on a connection of its own, straight to the machine and nowhere else.
_ALONE: dict[str, Any] = {
    "trust_env": False,
    "timeout": None,
    "limits": httpx2.Limits(max_keepalive_connections=0, max_connections=None),
}


async def _connect(check: HealthCheck, address: str) -> Finding:
    _, writer = await asyncio.open_connection(address, check.port)
    writer.close()
    return Finding(True, "connected")


async def _beginning(response: httpx2.Response) -> bytes:
    read = bytearray()
    async for chunk in response.aiter_raw(OUTPUT_BYTES_MAX):
        read += chunk
        if len(read) >= OUTPUT_BYTES_MAX:
            break
    return bytes(read[:OUTPUT_BYTES_MAX])
