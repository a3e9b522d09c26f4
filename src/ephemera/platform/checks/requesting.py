"""Asking a machine by a request of HTTP."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import cached_property

import httpcore2

from ephemera.platform.checks.asking import OUTPUT_BYTES_MAX, Finding
from ephemera.platform.checks.connecting import Connecting
from ephemera.platform.configs import HealthCheck
from ephemera.platform.dialing import SocketTo

#: What a check sends beside `Host` and its own headers.
_ALWAYS = (("Accept", "*/*"), ("User-Agent", "ephemera-check"))
_FAILURES = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


class Requester:
    """Asks machines. Makes what TLS needs when a check wants it.

    Args:
        socket_to: Returns by which socket an address is reached.
    """

    def __init__(self, socket_to: SocketTo) -> None:
        self._socket_to = socket_to

    async def ask(self, check: HealthCheck, hosts: Sequence[str]) -> Finding:
        """Return what a machine answered. Waits for as long as it takes.

        Raises:
            OSError: there is no connection.
        """
        try:
            return await self._request(check, hosts)
        except _FAILURES as error:
            return Finding(False, str(error) or type(error).__name__)

    async def _request(self, check: HealthCheck, hosts: Sequence[str]) -> Finding:
        """Ask on a connection of its own, straight to the machine and nowhere else."""
        scheme = "https" if check.is_https else "http"
        host = f"[{hosts[0]}]" if ":" in hosts[0] else hosts[0]
        names = {"sni_hostname": check.tls_server_name} if check.tls_server_name else {}
        async with (
            httpcore2.AsyncConnectionPool(
                ssl_context=self._tls(check),
                network_backend=Connecting(hosts, self._socket_to),
            ) as pool,
            pool.stream(
                check.method,
                f"{scheme}://{host}:{check.port}{check.path}",
                headers=[*_ALWAYS, *check.headers],
                extensions=names,
            ) as response,
        ):
            said = await _beginning(response)
        text = said.decode(errors="replace")
        reason = response.extensions.get("reason_phrase", b"").decode(errors="replace")
        status = f"{response.status} {reason}".strip()
        return Finding(200 <= response.status < 300, f"{status}\n{text}" if text else status)

    def _tls(self, check: HealthCheck) -> ssl.SSLContext | None:
        if not check.is_https:
            return None
        return self._trusting if check.tls_skip_verify else self._verifying

    @cached_property
    def _verifying(self) -> ssl.SSLContext:
        return httpcore2.default_ssl_context()

    @cached_property
    def _trusting(self) -> ssl.SSLContext:
        """For checks that ask for no verification."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


async def _beginning(response: httpcore2.Response) -> bytes:
    read = bytearray()
    async for chunk in response.aiter_stream():
        read += chunk
        if len(read) >= OUTPUT_BYTES_MAX:
            break
    return bytes(read[:OUTPUT_BYTES_MAX])
