"""Which spares go on waiting, and which monitors may be spares again, as the zygote decides it."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ephemera.platform.drivers.monitoring import zygote
from ephemera.platform.drivers.process.body import ProcessKind

_WANTED = ProcessKind.spares
_TOLD_S = 30


class _Brood:
    """A brood with lines to spares and monitors that the test plays; none of them is forked."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.server, control = self._pair()
        self._brood = zygote._Brood(control, ProcessKind())

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair()
        for one in pair:
            self._stack.callback(one.close)
            one.settimeout(_TOLD_S)
        return pair

    def spare(self) -> socket.socket:
        """Return the line of one more spare."""
        ours, theirs = self._pair()
        self._brood._spares[ours.fileno()] = ours
        self._brood._poll.register(ours, select.POLLIN)
        return theirs

    def says(self, line: socket.socket, word: bytes) -> bytes:
        """Say something through a line, and return the answer; nothing where that is its end."""
        line.send(word)
        assert self._brood.tend()
        return line.recv(1)

    def becomes_monitor(self, line: socket.socket) -> None:
        line.send(zygote._TAKEN)
        assert self._brood.tend()


@pytest.fixture
def brood() -> Iterator[_Brood]:
    with ExitStack() as stack:
        yield _Brood(stack)


def test_a_spare_that_nobody_asked_waits_on_if_there_are_no_more_than_are_wanted(
    brood: _Brood,
) -> None:
    spares = [brood.spare() for _ in range(_WANTED)]
    assert brood.says(spares[0], zygote._IDLE) == zygote._IDLE


def test_of_more_spares_than_are_wanted_those_end_that_nobody_asked(brood: _Brood) -> None:
    spares = [brood.spare() for _ in range(_WANTED + 2)]
    said = [brood.says(one, zygote._IDLE) for one in spares]
    assert said == [b"", b"", *(zygote._IDLE for _ in range(_WANTED))]


def test_monitors_may_be_spares_again_until_as_many_wait_as_boots_go_on_at_once(
    brood: _Brood,
) -> None:
    monitors = [brood.spare() for _ in range(zygote._CROWD + 1)]
    waiting = [brood.spare() for _ in range(_WANTED)]
    for one in monitors:
        brood.becomes_monitor(one)
    said = [brood.says(one, zygote._BACK) for one in monitors]
    may = zygote._CROWD - len(waiting)
    assert said == [zygote._BACK] * may + [b""] * (len(monitors) - may)


def test_whoever_asks_where_there_is_no_zygote_does_not_wait_on() -> None:
    zygotes, spares = socket.socketpair()
    zygotes.close()
    with spares:
        assert not zygote._is_wanted(spares)
