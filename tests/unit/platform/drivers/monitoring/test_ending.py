"""Processes that are killed, and those that are gone before anybody comes to it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.ending import (
    end_leftovers,
    kill_and_see_dead,
    send_signal,
)
from ephemera.platform.drivers.monitoring.kernel import Process
from tests import needs

pytestmark = needs.linux


@pytest.fixture
def program() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def _seen(pid: int) -> Process:
    found = kernel.process(pid)
    assert found is not None
    return found


def test_what_is_killed_is_seen_dead(program: subprocess.Popen[bytes]) -> None:
    kill_and_see_dead([_seen(program.pid)])
    assert program.poll() == -signal.SIGKILL


def test_a_number_that_only_a_session_has_still_is_nobody() -> None:
    leaves_one = ["sh", "-c", "sleep 1000 >/dev/null & echo $!; read end"]
    with subprocess.Popen(
        leaves_one, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as leader:
        assert leader.stdout is not None
        left, victim = int(leader.stdout.readline()), _seen(leader.pid)
        leader.kill()
    kill_and_see_dead([victim])
    send_signal([victim], signal.SIGTERM)
    assert os.getsid(left) == victim.pid
    os.kill(left, signal.SIGKILL)


@pytest.mark.parametrize("number", [errno.ESRCH, errno.EINVAL])
def test_a_process_that_is_being_reaped_is_gone(
    number: int, program: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pidfd_open", refuse)
    kill_and_see_dead([_seen(program.pid)])
    assert program.poll() is None


def test_that_no_descriptor_can_be_had_is_no_sign_of_its_end(
    program: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", refuse)
    with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
        kill_and_see_dead([_seen(program.pid)])


def test_a_process_may_die_before_it_is_killed(
    program: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = signal.pidfd_send_signal

    def die_first(pidfd: int, signum: int) -> None:
        program.kill()
        program.wait()
        send(pidfd, signum)

    monkeypatch.setattr(signal, "pidfd_send_signal", die_first)
    kill_and_see_dead([_seen(program.pid)])


def test_leftovers_that_one_count_does_not_see_are_killed_too(
    program: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = [[], [_seen(program.pid)]]
    monkeypatch.setattr(kernel, "processes", lambda: counts.pop(0) if counts else [])
    record = {"pid": program.pid, "start": _seen(program.pid).start, "host": kernel.HOST_BOOT}
    end_leftovers(record, b"NOBODY=HAS-THIS")
    assert program.poll() == -signal.SIGKILL
