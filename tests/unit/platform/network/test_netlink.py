"""What the kernel tells of links, as far as it can be told without one."""

from __future__ import annotations

import socket
from typing import cast

from ephemera.platform.network import netlink

_MULTI, _INTERRUPTED = 0x2, 0x10
_DONE = 3


class _Kernel:
    """Answers a question about links with the next list of names; all but the last are torn."""

    def __init__(self, *lists: list[str]) -> None:
        self._lists = list(lists)

    def send(self, _: bytes) -> None:
        """Hear a question."""

    def recv(self, _: int) -> bytes:
        flags = _MULTI | (_INTERRUPTED if len(self._lists) > 1 else 0)
        links = [_link(name, flags) for name in self._lists.pop(0)]
        return b"".join([*links, _message(_DONE, flags, bytes(4))])


def _link(name: str, flags: int) -> bytes:
    about = netlink._LINK.pack(0, 0, 1, 0, 0) + netlink.text(netlink.NAME, name)
    return _message(netlink.NEWLINK, flags, about)


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return netlink._HEADER.pack(netlink._HEADER.size + len(body), kind, flags, 0, 0) + body


def test_a_list_that_changed_while_it_was_told_is_asked_for_again() -> None:
    kernel = cast("socket.socket", _Kernel(["lo"], ["lo", "veth"], ["lo", "eph0"]))
    assert set(netlink.named(kernel)) == {"lo", "eph0"}
