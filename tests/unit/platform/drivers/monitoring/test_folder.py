from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from ephemera.platform.drivers.monitoring.folder import BootFolder, boots, is_machine_id

EXIT = {"exit_code": 0}


@pytest.fixture
def folder(tmp_path: Path) -> BootFolder:
    folder = BootFolder(str(tmp_path / "m1"), 1)
    folder.make()
    return folder


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "-rf", "a\n", "x" * 65, "ä"])
def test_what_cannot_safely_name_a_folder_is_no_machine_id(text: str) -> None:
    assert not is_machine_id(text)


def test_boots_are_known_by_whatever_they_left(folder: BootFolder) -> None:
    for name in ("10.sock", "2.exit", "notes", "0.lock", "2.lock"):
        Path(folder.machine, name).touch()
    assert boots(folder.machine) == [1, 2, 10]
    assert boots("/no/such/machine") == []


def test_making_a_boot_again_keeps_its_record(folder: BootFolder) -> None:
    Path(folder.lock).write_text("record")
    folder.make()
    assert Path(folder.lock).read_text() == "record"


def test_an_exit_that_was_torn_by_a_crash_of_the_computer_is_none(folder: BootFolder) -> None:
    Path(folder.exit).write_text("")
    assert folder.read_exit() is None


def test_only_a_boot_that_ended_can_be_buried(folder: BootFolder) -> None:
    assert not folder.bury_ended()
    folder.write_exit(EXIT)
    assert folder.bury_ended()
    assert folder.is_buried()
    assert folder.read_exit() == EXIT
    assert folder.bury_ended()


def test_a_boot_whose_monitor_is_still_there_is_not_buried(folder: BootFolder) -> None:
    folder.write_exit(EXIT)
    monitor = os.open(folder.lock, os.O_RDWR)
    fcntl.flock(monitor, fcntl.LOCK_EX)
    assert not folder.bury_ended()
    os.close(monitor)
    assert folder.bury_ended()


def test_an_exit_takes_the_room_that_was_reserved_for_it(tmp_path: Path) -> None:
    folder = BootFolder(str(tmp_path), 1)
    folder.reserve_exit()
    assert folder.read_exit() is None
    room = Path(f"{folder.exit}.new").stat().st_ino
    longest = {"exit_code": -1, "error": "e" * 500, "exited_at": 1795792885.2861342}
    folder.write_exit(longest)
    assert folder.read_exit() == longest
    assert Path(folder.exit).stat().st_ino == room
    assert folder.leavings() == [folder.exit]
