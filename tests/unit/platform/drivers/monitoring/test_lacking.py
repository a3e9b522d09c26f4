"""A spare that could not make what a machine needs tries again when a machine is asked for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ephemera.platform.drivers.monitoring import frames, zygote
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message

#: A zygote of whose spares each finds that there is no memory, so many times.
_ZYGOTE = """
import errno, os, sys
from ephemera.platform.drivers.monitoring import zygote
from ephemera.platform.drivers.process.body import ProcessKind

class Short(ProcessKind):
    left = int(sys.argv[2])

    def prepare(self, streams):
        if self.left:
            self.left -= 1
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

zygote.main(lambda _: Short())
"""


@contextmanager
def _zygote(shortages: int) -> Iterator[socket.socket]:
    """Have a zygote, and yield the socket that its spares wait at."""
    ours, theirs = socket.socketpair()
    words = [sys.executable, "-c", _ZYGOTE, str(theirs.fileno()), str(shortages)]
    with ours, subprocess.Popen(words, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        frames.send(ours, {})
        assert ours.recv(1) == zygote.READY
        yield ours
        ours.close()
        assert process.wait() == 0


def _said(control: socket.socket, folder: BootFolder) -> list[Message]:
    """Start a boot that ends with 5, and return what its monitor says of it."""
    folder.make()
    with ExitStack() as stack:
        ours, theirs = map(stack.enter_context, socket.socketpair())
        socket.send_fds(control, [b"m"], [theirs.fileno()])
        theirs.close()
        start = {"do": "start", "machine": folder.machine, "boot": folder.boot, "log_folder": ""}
        nothing: Message = {"files": [], "mounts": [], "beside": []}
        program = {"command": ["sh", "-c", "exit 5"], "env": {"PATH": os.defpath}}
        frames.send(ours, {**start, **nothing, **program, "instance": "m1", "region": "local"})
        said: list[Message] = list(iter(lambda: frames.receive(ours), None))
    # that nobody can print any more may be noticed before the end, or with it
    return [one for one in said if one["say"] != "output"]


@pytest.mark.parametrize("shortages", [0, 1])
def test_what_was_lacking_once_is_no_hindrance(tmp_path: Path, shortages: int) -> None:
    with _zygote(shortages) as control:
        said = _said(control, BootFolder(str(tmp_path / "m1"), 1))
    assert [one["say"] for one in said] == ["started", "exited"]
    assert said[1]["exit"]["exit_code"] == 5


def test_what_lacks_still_is_said(tmp_path: Path) -> None:
    with _zygote(2) as control:
        (said,) = _said(control, BootFolder(str(tmp_path / "m1"), 1))
    assert said == {"say": "failed", "error": "no machine can be made: Cannot allocate memory"}
