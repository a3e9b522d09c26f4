"""The zygote: a small process that does nothing but fork monitors, some ahead of need.

```
server ──a byte and a link──► spare ──becomes──► monitor ──its boot has ended──► spare
zygote ──fork──► spare            "taken" ──► zygote        "back" ──► zygote
```

Starting a Python process takes 11 ms and more, forking one that has imported everything half of
one, and taking one that was forked before nothing. The spare itself waits at the server's
socket, where each byte brings one end of a socket pair, the link. Spare and zygote end with
their server, monitors do not. Losing a zygote loses nothing: the server starts another.

A monitor whose boot has ended, and that has given up all of it (`renewal`), may be a spare again:
most of what a fork costs are the pages that it writes to for the first time. It has let go of the
server's socket while it was a monitor, and gets it from the zygote again. While many boots come
and go, more spares wait than are forked ahead; one that has waited in vain asks whether it may.

Standard library only, and nothing may be imported after a fork: the pages that the monitors
share with the zygote are what makes them small.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import ephemera.platform.drivers.monitoring.monitor as monitor
from ephemera.platform.drivers.monitoring import frames, kernel, renewal
from ephemera.platform.drivers.monitoring.body import Kind
from ephemera.platform.drivers.monitoring.frames import Message

#: What the server waits for before it sends the first link.
READY = b"r"
#: What a spare says when it has become a monitor, when nobody has asked it for a while, and when
#: there is no server any more; and what a monitor says that may be a spare again. Of the second and
#: the last the zygote says the same if that is wanted.
_TAKEN, _IDLE, _OVER, _BACK = b"t", b"i", b"o", b"b"
#: How long after the end of a spare that was not taken the next is forked: no faster than a
#: computer can bear where none of them lives.
_AGAIN_S = 0.01
#: Monitors that may come back. Each takes a descriptor, and a fork closes all of them.
_TAKEN_MAX = 64
#: So many spares may wait when monitors come back, if no more are forked ahead: about as many as
#: boots that go on at once, as each that does not wait then is a fork soon.
_CROWD = 24
#: How long one waits before it asks whether it is one too many.
_PATIENCE_S = 10


def main(make: Callable[[Message], Kind]) -> None:
    """Keep a spare ready until the server is gone.

    Args:
        make: Makes ready what monitors share, as the server tells it; returns what they are.
    """
    kernel.name_process("eph-zygote")
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    told = frames.receive(control)
    if told is None:
        return  # the server is gone already
    kind = make(told)
    # of the socket itself, so that it holds for every process that has it
    control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _PATIENCE_S, 0))
    _prepare()
    control.sendall(READY)
    _leave_standard_error()
    brood = _Brood(control, kind)
    while brood.tend():
        continue


class _Brood:
    """The spares, and the monitors that may be spares again, each with a line to the zygote."""

    def __init__(self, control: socket.socket, kind: Kind) -> None:
        self._control = control
        self._kind = kind
        self._spares: dict[int, socket.socket] = {}
        #: The monitors, those that were taken first at the front.
        self._monitors: dict[int, socket.socket] = {}
        self._poll = select.poll()
        self._poll.register(control, 0)  # tells only that nobody is at its other end any more

    def tend(self) -> bool:
        """Fork spares that lack, and hear what the others say next; whether there is a server."""
        while len(self._spares) < self._kind.spares:
            self._fork()
        heard = [fd for fd, _ in self._poll.poll()]
        return self._control.fileno() not in heard and all(map(self._hear, heard))

    def _fork(self) -> None:
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            # by their numbers: whatever object is touched has its page copied
            for one in (ours.fileno(), *self._spares, *self._monitors):
                os.close(one)
            _be_spare(self._control, theirs, self._kind)
        theirs.close()
        self._spares[ours.fileno()] = ours
        self._poll.register(ours, select.POLLIN)

    def _hear(self, fd: int) -> bool:
        is_spare = fd in self._spares
        line = self._spares.get(fd) or self._monitors.get(fd)
        if line is None:
            return True  # it was dropped meanwhile
        try:
            said = line.recv(1)
        except ConnectionResetError:
            said = b""
        if said == _TAKEN:
            self._monitors[fd] = self._spares.pop(fd)
            if len(self._monitors) > _TAKEN_MAX:
                self._drop(next(iter(self._monitors)))
        elif said == _IDLE and len(self._spares) <= self._kind.spares:
            self._keep(fd)
        elif said == _BACK and len(self._spares) < max(_CROWD, self._kind.spares):
            self._take_back(fd)
        else:
            self._drop(fd)
        if is_spare and not said:  # it was killed, and so may the next one be
            select.select([], [], [], _AGAIN_S)
        return said != _OVER

    def _keep(self, fd: int) -> None:
        with suppress(OSError):  # it was killed, which is heard next
            self._spares[fd].send(_IDLE)

    def _take_back(self, fd: int) -> None:
        with suppress(OSError):  # it was killed, which is heard next
            socket.send_fds(self._monitors[fd], [_BACK], [self._control.fileno()])
        self._spares[fd] = self._monitors.pop(fd)

    def _drop(self, fd: int) -> None:
        line = self._spares.pop(fd, None) or self._monitors.pop(fd)
        self._poll.unregister(line)
        line.close()


def _be_spare(control: socket.socket, line: socket.socket, kind: Kind) -> NoReturn:
    """Wait for a link and be the monitor that it asks for, as often as that can be."""
    monitor.lead()
    usual = renewal.Usual(line.fileno(), *kind.kept)
    while True:
        kernel.name_process("eph-spare")
        ready = monitor.prepare(kind)
        link = _await_link(control, line)
        if link is None:
            kind.discard(ready.prepared)
            os._exit(0)
        control.close()
        kernel.name_process("eph-monitor")
        if ready.lacking:  # that was so when it began to wait
            ready = monitor.prepare(kind)
        is_over = monitor.main(link, ready, kind) and kind.renew(ready.prepared)
        del link, ready
        again = _come_back(line) if is_over and usual.restored() else None
        if again is None:
            kind.discard(None)
            os._exit(0)
        control = again


def _await_link(control: socket.socket, line: socket.socket) -> socket.socket | None:
    """Return the link of a boot, and tell the zygote; None where there is nothing to wait for."""
    while True:
        try:
            data, links, _, _ = socket.recv_fds(control, 1, 1)
        except BlockingIOError:  # nobody has asked for a monitor for a while
            if _is_wanted(line):
                continue
            return None
        with suppress(BrokenPipeError):  # the zygote was killed, or another has said it is over
            line.send(_TAKEN if data else _OVER)
        if not data:
            return None
        link = socket.socket(fileno=links[0])
        link.set_inheritable(False)
        return link


def _is_wanted(line: socket.socket) -> bool:
    """Ask whether to wait on. Not where there is no zygote, so that the server misses it."""
    try:
        line.send(_IDLE)
        return line.recv(1) == _IDLE
    except OSError:
        return False


def _come_back(line: socket.socket) -> socket.socket | None:
    """Ask to be a spare again, and return the server's socket; None where there is no need."""
    try:
        line.send(_BACK)
        _, found, _, _ = socket.recv_fds(line, 1, 1)
    except OSError:  # there is no zygote any more
        return None
    if not found:
        return None
    control = socket.socket(fileno=found[0])
    control.set_inheritable(False)
    return control


def _prepare() -> None:
    """Set what every monitor inherits: signals as a monitor wants them, a frozen heap.

    What a killed monitor leaves comes to the zygote, which has the kernel reap it at once; the
    first process of the computer may take seconds for that, or never do it.
    """
    kernel.adopt_orphans()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)  # SIGCHLD: the kernel reaps
    gc.collect()
    gc.disable()
    gc.freeze()


def _leave_standard_error() -> None:
    """Let go of the server's pipe: monitors outlive the server and must not keep it open."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 2)
    os.close(nowhere)
