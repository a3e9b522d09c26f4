"""Connecting to programs that do not listen: a connection that meets itself is none."""

from __future__ import annotations

import asyncio
import socket

import pytest

from ephemera.platform.dialing import dial
from ephemera.platform.proxy.listening import listens
from tests.ports import free_port

HERE = "127.0.0.1"


def bound(port: int) -> socket.socket:
    """Return a socket that connects from a port, as one may be given by chance."""
    made = socket.socket()
    made.setblocking(False)
    made.bind((HERE, port))
    return made


def test_a_port_that_nobody_listens_on_takes_no_connection_from_itself() -> None:
    port = free_port()
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(dial([HERE], port, lambda _: bound(port)))
    bound(port).close()  # and a program may have it at once


def test_a_program_is_not_said_to_listen_where_only_the_question_is() -> None:
    port = free_port()
    assert asyncio.run(listens([HERE], port, lambda _: bound(port))) == ""
