from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from ephemera.platform.drivers.monitoring import clearing
from ephemera.platform.drivers.monitoring.clearing import clear_earlier
from ephemera.platform.drivers.monitoring.folder import BootFolder, boots


@pytest.fixture
def ended(tmp_path: Path) -> BootFolder:
    """The first boot of a machine that has a second one."""
    machine = str(tmp_path / "m1")
    first = BootFolder(machine, 1)
    for boot in (first, BootFolder(machine, 2)):
        boot.make()
    first.write_exit({"exit_code": 0})
    return first


def _second(first: BootFolder) -> BootFolder:
    return first._replace(boot=2)


def _held(boot: BootFolder) -> int:
    """Return the lock of a boot, held as its monitor does until it is closed."""
    lock = os.open(boot.lock, os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def test_what_earlier_boots_left_goes_and_nothing_of_this_one(ended: BootFolder) -> None:
    Path(ended.root, "deep", "folder").mkdir(parents=True)
    Path(_second(ended).root, "deep").mkdir(parents=True)
    clear_earlier(_second(ended))
    assert boots(ended.machine) == [2]
    assert {one.name for one in Path(ended.machine).iterdir()} == {"2.lock", "2.root"}


def test_a_monitor_that_has_told_of_the_end_and_holds_its_lock_still_is_waited_for(
    ended: BootFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "_PATIENCE_S", 60.0)
    monitor = _held(ended)
    clears = threading.Thread(target=clear_earlier, args=(_second(ended),))
    clears.start()
    assert boots(ended.machine) == [1, 2]
    os.close(monitor)
    clears.join(60)
    assert boots(ended.machine) == [2]


def test_a_monitor_that_does_not_let_go_keeps_what_its_boot_left(
    ended: BootFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "_PATIENCE_S", 0.0)
    monitor = _held(ended)
    clear_earlier(_second(ended))
    assert boots(ended.machine) == [1, 2]
    os.close(monitor)


def test_a_boot_of_which_nobody_knows_how_it_ended_is_kept(ended: BootFolder) -> None:
    Path(ended.exit).unlink()
    clear_earlier(_second(ended))
    assert boots(ended.machine) == [1, 2]
