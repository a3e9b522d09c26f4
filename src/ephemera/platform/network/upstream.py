"""Asking those who answer names for this computer, on behalf of a machine."""

from __future__ import annotations

import asyncio
import secrets
import socket
from pathlib import Path

#: Where they are listed.
RESOLV_CONF = Path("/etc/resolv.conf")
#: As many as programs of this computer would ask.
_ASKED_MAX = 3
PORT = 53
#: How long each of them may take. A program asks again after 5 s.
_PATIENCE_S = 2.0
_ID_BYTES = 2


class NoAnswer(Exception):
    """Nobody answered."""


def servers() -> list[str]:
    """Return the addresses of those to ask, in their order; [] where there are none."""
    try:
        lines = RESOLV_CONF.read_text(errors="replace").splitlines()
    except OSError:
        return []
    named = (line.split() for line in lines)
    found = [words[1] for words in named if len(words) > 1 and words[0] == "nameserver"]
    return found[:_ASKED_MAX]


async def ask(question: bytes, *, tcp: bool = False) -> bytes:
    """Return an answer to a question, from the first that has one.

    Raises:
        NoAnswer: none has.
    """
    for server in servers():
        own_id = secrets.token_bytes(_ID_BYTES)  # so that nobody can guess what is waited for
        sent = own_id + question[_ID_BYTES:]
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await (_over_tcp if tcp else _over_udp)(server, PORT, sent)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            continue
        return question[:_ID_BYTES] + answer[_ID_BYTES:]
    raise NoAnswer


async def _over_udp(server: str, port: int, question: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, (server, port))  # the kernel drops what others send
        await loop.sock_sendall(sock, question)
        while True:
            answer = await loop.sock_recv(sock, 65535)
            if answer[:_ID_BYTES] == question[:_ID_BYTES]:
                return answer


async def _over_tcp(server: str, port: int, question: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server, port)
    try:
        writer.write(len(question).to_bytes(2, "big") + question)
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    finally:
        writer.close()
