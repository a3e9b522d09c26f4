"""The zygote: a small process that does nothing but fork monitors, some ahead of need.

```
server ──a byte and a link──► spare ──becomes──► monitor
zygote ──fork──► spare            "taken" ──► zygote ──fork──► the next spare
```

Starting a Python process takes 11 ms and more, forking one that has imported everything half of
one, and taking one that was forked before nothing. The spare itself waits at the server's
socket, where each byte brings one end of a socket pair, the link. Spare and zygote end with
their server, monitors do not. Losing a zygote loses nothing: the server starts another.

Standard library only, and nothing may be imported after a fork: the pages that the monitors
share with the zygote are what makes them small.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

import ephemera.platform.drivers.monitoring.monitor as monitor
from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.body import Kind

#: What the server waits for before it sends the first link.
READY = b"r"
#: What a spare says when it has become a monitor, and when there is no server any more.
_TAKEN, _OVER = b"t", b"o"
#: How long after the end of a spare that was not taken the next is forked: no faster than a
#: computer can bear where none of them lives.
_AGAIN_S = 0.01


def main(kind: Kind) -> None:
    """Keep a spare ready until the server is gone."""
    kernel.name_process("eph-zygote")
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    _prepare()
    control.sendall(READY)
    _leave_standard_error()
    heard: list[int] = []
    waiting = select.poll()
    waiting.register(control, 0)  # which tells only that nobody is at its other end any more
    while True:
        while len(heard) < kind.spares:
            heard.append(_fork_spare(control, kind, heard))
            waiting.register(heard[-1], select.POLLIN)
        for one, _ in waiting.poll():
            if one == control.fileno():
                return
            said = os.read(one, 1)
            waiting.unregister(one)
            heard.remove(one)
            os.close(one)
            if said == _OVER:
                return
            if not said:  # it was killed, and so may the next one be
                select.select([], [], [], _AGAIN_S)


def _fork_spare(control: socket.socket, kind: Kind, others: Sequence[int]) -> int:
    """Fork a spare, and return what it is heard through.

    Args:
        others: What other spares are heard through.
    """
    hear, say = os.pipe()
    if os.fork() == 0:
        for one in (hear, *others):
            os.close(one)
        _be_spare(control, say, kind)
    os.close(say)
    return hear


def _be_spare(control: socket.socket, say: int, kind: Kind) -> None:
    """Wait for a link and be the monitor that it asks for. Does not return."""
    kernel.name_process("eph-spare")
    ready = monitor.prepare(kind)
    data, links, _, _ = socket.recv_fds(control, 1, 1)
    if not data:
        with suppress(BrokenPipeError):  # another has said so
            os.write(say, _OVER)
        kind.discard(ready.prepared)
        os._exit(0)
    control.close()
    os.write(say, _TAKEN)
    os.close(say)
    link = socket.socket(fileno=links[0])
    link.set_inheritable(False)
    kernel.name_process("eph-monitor")
    monitor.main(link, ready, kind)


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
