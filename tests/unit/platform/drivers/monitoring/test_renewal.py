from __future__ import annotations

import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ephemera.platform.drivers.monitoring import renewal
from ephemera.platform.drivers.monitoring.renewal import Usual
from tests import needs

pytestmark = needs.proc


def _in_a_fork(check: Callable[[], bool]) -> bool:
    """Return what a process says that has its own descriptors and memory."""
    pid = os.fork()
    if pid == 0:
        told = False
        try:
            told = check()
        finally:  # whatever it raises: there must not be two test sessions
            os._exit(0 if told else 1)
    return os.waitpid(pid, 0)[1] == 0


def test_descriptors_are_closed_but_for_those_that_are_kept() -> None:
    def check() -> bool:
        kept, _ = os.pipe()
        usual = Usual(kept)
        left = [socket.socket(), *os.pipe()]
        told = usual.restored()
        os.fstat(kept)
        return told and len(left) == 3 and not usual._others()

    assert _in_a_fork(check)


def test_a_child_that_lives_is_the_end_of_it() -> None:
    def check() -> bool:
        usual = Usual()
        child = subprocess.Popen(["sleep", "1000"])
        told = usual.restored()
        child.kill()
        return not told

    assert _in_a_fork(check)


def test_memory_that_a_boot_left_is_the_end_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "_PAGES_MORE_MAX", 64)

    def check() -> bool:
        usual = Usual()
        first = usual.restored()
        # not of the allocator, which may have so much at hand of what tests before have used
        left = mmap.mmap(-1, 32 << 20)
        for page in range(0, len(left), mmap.PAGESIZE):
            left[page] = 1
        return first and not usual.restored() and len(left) > 0

    assert _in_a_fork(check)


def test_it_ends_after_many_boots_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "_BOOTS_MAX", 2)

    def check() -> bool:
        usual = Usual()
        return usual.restored() and not usual.restored()

    assert _in_a_fork(check)


def test_nothing_of_a_boot_is_called_any_more() -> None:
    def check() -> bool:
        usual = Usual()
        sys.excepthook = lambda *_: None
        signal.signal(signal.SIGCHLD, lambda *_: None)
        told = usual.restored()
        is_ignored = signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
        return (
            told and is_ignored and sys.excepthook is sys.__excepthook__ and Path.cwd() == Path("/")
        )

    assert _in_a_fork(check)
