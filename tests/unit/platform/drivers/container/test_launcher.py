"""What a machine may do to a process that is on its way to being one of its programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from signal import SIGCONT, SIGSTOP, Signals

import pytest

from ephemera.platform.drivers.container.launcher import Waiting
from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.program import NotStarted
from tests import needs
from tests.written_calls import Written

pytestmark = needs.linux

#: Longer than a test may take.
_LONG_S = 600.0


@pytest.fixture
def coming() -> Iterator[subprocess.Popen[bytes]]:
    """A process that never is a program."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("signals", [(SIGSTOP,), (SIGSTOP, SIGCONT)])
def test_who_is_stopped_on_the_way_is_not_waited_for(
    coming: subprocess.Popen[bytes], signals: tuple[Signals, ...]
) -> None:
    wait, wake = os.pipe()
    for one in signals:
        coming.send_signal(one)
        seen = os.WSTOPPED if one is SIGSTOP else os.WCONTINUED
        os.waitid(os.P_PID, coming.pid, seen | os.WNOWAIT)
    try:
        with pytest.raises(NotStarted, match="a process of the machine stopped who came"):
            Waiting(coming.pid, Written(), wake).program(_LONG_S)
    finally:
        os.close(wait)
    with pytest.raises(ProcessLookupError):
        os.kill(coming.pid, 0)


def test_who_waits_is_there_until_it_is_dead_or_was_killed(
    coming: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting(coming.pid, Written(), -1)
    assert waiting.is_there()
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "is_ending", lambda pid: pid == coming.pid)
        assert not waiting.is_there()
    coming.kill()
    coming.wait()
    assert not waiting.is_there()
