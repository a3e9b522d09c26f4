"""A request's place at a machine, and what the engine is told of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ephemera.platform.dialing import SocketTo
from ephemera.platform.proxy.fleet import Post
from ephemera.platform.states import State
from ephemera.wire.services import HttpOptions


@dataclass(frozen=True, slots=True)
class Way:
    """What an app offers at one port: the `Entrance` of the engine."""

    app_id: str
    force_https: bool
    per_connection: bool
    http_options: HttpOptions


class Place:
    """A seat that is held: the `Seat` of the engine.

    Args:
        addresses: Where the service may listen, the likeliest first.
        headers: What the machine is told beside.
        release: Gives it back.
    """

    __slots__ = ("_boot", "_release", "_socket_to", "addresses", "headers", "post")

    def __init__(
        self,
        post: Post,
        addresses: Sequence[tuple[str, int]],
        headers: Sequence[tuple[str, str]],
        socket_to: SocketTo,
        release: Callable[[], None],
    ) -> None:
        self.post = post
        self.addresses = addresses
        self.headers = headers
        self._boot = post.record.boot
        self._socket_to = socket_to
        self._release: Callable[[], None] | None = release

    @property
    def app_id(self) -> str:
        """The app of the machine."""
        return self.post.record.app_id

    @property
    def machine_id(self) -> str:
        """Which machine."""
        return self.post.record.id

    @property
    def region(self) -> str:
        """Where the machine is."""
        return self.post.record.region

    @property
    def http_options(self) -> HttpOptions:
        """Of the port of this machine's service."""
        return self.post.opening.http_options

    def socket(self, host: str) -> socket.socket | None:
        """Return a fresh socket by which one of the addresses is reached; None where any is."""
        return self._socket_to(host)

    def holds(self) -> bool:
        """Return whether the machine still is one to send requests to."""
        record = self.post.record
        up = record.state is State.STARTED and record.boot == self._boot
        return up and not record.cordoned and self._release is not None

    def release(self) -> None:
        """Give it back. Repeating is safe."""
        release, self._release = self._release, None
        if release:
            release()
