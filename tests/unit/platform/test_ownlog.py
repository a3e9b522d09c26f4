"""In processes of their own: it is about standard streams, and those here are pytest's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LARGE = 17 * 1024 * 1024
TURN = """
import sys, pathlib
from ephemera.platform import ownlog
print("before", flush=True)
turned = ownlog.turn_over(pathlib.Path(sys.argv[1]))
print(f"turned {turned}", flush=True)
"""


def _say(log: Path, into: Path) -> None:
    """Have a process say something into a file, and look whether its log is large."""
    with into.open("ab") as file:
        command = [sys.executable, "-c", TURN, str(log)]
        subprocess.run(command, check=True, stdout=file, stderr=file, timeout=60)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LARGE)


def _last_line(path: Path) -> str:
    return path.read_bytes().splitlines()[-1].strip(b"\0").decode()


def test_a_large_log_is_put_aside_and_the_next_begins(tmp_path: Path) -> None:
    log = tmp_path / "platform.log"
    _sparse(log)
    _say(log, log)
    assert log.read_text() == "turned 1\n"
    assert log.stat().st_mode & 0o777 == 0o600
    assert _last_line(tmp_path / "platform.log.1") == "before"
    _sparse(log)
    _say(log, log)
    assert log.read_text() == "turned 1\n"
    assert {one.name for one in tmp_path.iterdir()} == {"platform.log", "platform.log.1"}


def test_a_small_log_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "platform.log"
    _say(log, log)
    assert log.read_text() == "before\nturned 0\n"
    assert list(tmp_path.iterdir()) == [log]


def test_a_large_log_of_another_process_is_not_touched(tmp_path: Path) -> None:
    log, terminal = tmp_path / "platform.log", tmp_path / "terminal"
    _say(log, terminal)  # there is none yet
    _sparse(log)
    _say(log, terminal)
    assert terminal.read_text() == "before\nturned 0\n" * 2
    assert log.stat().st_size == LARGE


def test_a_log_that_cannot_be_moved_goes_on_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "platform.log"
    (tmp_path / "platform.log.1" / "in the way").mkdir(parents=True)
    _sparse(log)
    _say(log, log)
    assert _last_line(log) == "turned 0"
    assert b"no other can be begun" in log.read_bytes()
