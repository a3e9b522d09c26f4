"""Each machine that lives has a range of users that no other has."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ephemera.platform.drivers.container import ranges
from tests import needs

pytestmark = needs.linux

#: Takes a range, says which, and holds it until its input ends.
_HOLDS = """
import sys
from ephemera.platform.drivers.container import ranges
ranges.COUNT = int(sys.argv[2])
try:
    print(ranges.take(sys.argv[1])[0], flush=True)
except OSError as error:
    print(error, flush=True)
sys.stdin.read()
"""


def holder(lock: Path, count: int) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-c", _HOLDS, str(lock), str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_range_is_taken_once_and_given_back_by_whoever_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "users"
    (one, first), (other, second) = holder(lock, 2), holder(lock, 2)
    surplus, said = holder(lock, 2)
    assert {int(first), int(second)} == {ranges.FIRST, ranges.FIRST + ranges.IDS}
    assert "all 2 ranges of users are taken" in said
    end(one)
    again, third = holder(lock, 2)
    assert third == first
    for left in (other, surplus, again):
        end(left)


#: Takes a range, and has a process of its own be the first one of a machine.
_MACHINE = """
import subprocess, sys
from ephemera.platform.drivers.container import ranges
from ephemera.platform.drivers.monitoring import kernel
ranges.COUNT = 2
root, _ = ranges.take(sys.argv[1])
first = subprocess.Popen(["sleep", "1000"], stdout=subprocess.DEVNULL)
ranges.note(sys.argv[1], root, first.pid, kernel.start_of_child(first.pid))
print(root, first.pid, flush=True)
sys.stdin.read()
"""


def test_the_range_of_a_machine_that_outlives_its_monitor_is_taken(tmp_path: Path) -> None:
    lock = tmp_path / "users"
    command = [sys.executable, "-c", _MACHINE, str(lock)]
    monitor = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert monitor.stdout
    lived_in, pid = map(int, monitor.stdout.readline().split())
    first = os.pidfd_open(pid)
    end(monitor)
    (one, free), (other, said) = holder(lock, 2), holder(lock, 2)
    end(one)
    end(other)
    assert int(free) != lived_in
    assert "all 2 ranges of users are taken" in said
    signal.pidfd_send_signal(first, signal.SIGKILL)
    select.select([first], [], [])
    os.close(first)
    (one, _), (other, said) = holder(lock, 2), holder(lock, 2)
    assert said.isdigit()
    end(one)
    end(other)


def test_no_range_has_users_that_systemd_has() -> None:
    ours = range(ranges.FIRST, ranges.FIRST + ranges.COUNT * ranges.IDS)
    containers, foreign = range(0x80000, 0x6FFF0000 + 0x10000), range(0x7FFE0000, 0x7FFF0000)
    assert containers.stop <= ours.start
    assert ours.stop <= foreign.start


@pytest.mark.parametrize("uid", [0, 7, ranges.IDS - 1])
def test_the_range_of_a_file_is_that_of_any_of_its_users(
    uid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(st_uid=ranges.FIRST + 3 * ranges.IDS + uid)
    monkeypatch.setattr(ranges, "os", SimpleNamespace(stat=lambda _: found))
    assert ranges.root_of("/any") == ranges.FIRST + 3 * ranges.IDS
