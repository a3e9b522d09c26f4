"""Asking a machine once whether it answers: by a connection, or by a request of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ephemera.platform.configs import HealthCheck
from ephemera.platform.dialing import SocketTo, any_socket, dial

if TYPE_CHECKING:
    from ephemera.platform.checks.requesting import Requester

#: How much of an answer is read and shown.
OUTPUT_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    passing: bool
    output: str


class Asker:
    """Asks machines. Makes its clients when they are needed: most platforms check nothing.

    Args:
        socket_to: Returns by which socket an address is reached.
    """

    def __init__(self, socket_to: SocketTo = any_socket) -> None:
        self._socket_to = socket_to
        self._requester: Requester | None = None

    async def ask(self, check: HealthCheck, hosts: Sequence[str]) -> Finding:
        """Return whether the program of a machine answers as the check wants, and what it said.

        Args:
            check: Its `timeout_s` is kept to, whatever the program does.
            hosts: The addresses at which the program may listen.
        """
        try:
            async with asyncio.timeout(check.timeout_s):
                if check.is_http:
                    return await self._requests().ask(check, hosts)
                return await self._connect(check, hosts)
        except TimeoutError:
            return Finding(False, f"no answer within {check.timeout_s:g} s")
        except OSError as error:
            return Finding(False, str(error) or type(error).__name__)

    async def _connect(self, check: HealthCheck, hosts: Sequence[str]) -> Finding:
        _, sock = await dial(hosts, check.port, self._socket_to)
        sock.close()
        return Finding(True, "connected")

    def _requests(self) -> Requester:
        """Return what asks by HTTP. Imported late, for the library it needs."""
        from ephemera.platform.checks.requesting import Requester

        if self._requester is None:
            self._requester = Requester(self._socket_to)
        return self._requester
