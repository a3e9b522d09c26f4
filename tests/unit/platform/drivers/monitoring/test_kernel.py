from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ephemera.platform.drivers.monitoring import kernel, usage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

#: Nine of ten are found before they have been told anything, where nobody waits for it.
_TRIES = 20


@contextmanager
def _begun() -> Iterator[int]:
    """Start a program as monitors do, which go on before it has begun."""
    pid = os.posix_spawn("/bin/sleep", ["sleep", "1000"], {"MINE": "1"})
    try:
        yield pid
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_a_process_has_its_environment_however_soon_it_is_looked_for() -> None:
    for _ in range(_TRIES):
        with _begun() as pid:
            assert kernel.environment_holds(pid, b"MINE=1")


def test_a_process_is_listed_with_its_command_however_soon_it_is_looked_for() -> None:
    for _ in range(_TRIES):
        with _begun() as pid:
            found = kernel.process(pid)
            assert found is not None
            assert [one["command"] for one in usage.listing([found])] == ["sleep 1000"]


def test_one_that_is_dead_or_was_told_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel, "_EXECUTED_WITHIN_S", 1e9)
    with subprocess.Popen(["true"]) as dead:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
        assert kernel.told(dead.pid, "cmdline") == b""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={}) as plain:
        assert kernel.told(plain.pid, "cmdline") == b"cat\0"
        assert kernel.told(plain.pid, "environ") == b""
    for daemon in (one for one in kernel.processes() if one.parent == 2):
        assert kernel.told(daemon.pid, "cmdline") == b""


def test_who_was_killed_is_ending_before_it_has_had_a_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not kernel.is_ending(os.getpid())
    before, name, after = kernel.said(f"/proc/{os.getpid()}/stat").rpartition(b") ")
    fields = after.split(b" ")
    fields[31 - 3] = b"256"  # the signals that wait for it, as proc(5) numbers its fields
    monkeypatch.setattr(kernel, "said", lambda _: before + name + b" ".join(fields))
    assert kernel.is_ending(os.getpid())
