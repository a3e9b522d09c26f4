"""What a frozen machine hears of signals, with a file that stands in for the kernel's freezer."""

from __future__ import annotations

import os
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGUSR1
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ephemera.platform.drivers.container.body import ContainerBody
from ephemera.platform.drivers.container.cgroups import Tree
from ephemera.platform.drivers.container.places import Places
from ephemera.platform.drivers.monitoring import kernel, usage
from ephemera.platform.drivers.monitoring.folder import BootFolder

_MAIN = 4321


class Frozen:
    """A machine that is frozen, and the signals that the kernel is asked to send."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file = folder / "machine/freezer.state"
        self._file.parent.mkdir()
        self._file.write_text("THAWED")
        #: Which signal, and whether the machine was frozen then.
        self.sent: list[tuple[int, bool]] = []
        monkeypatch.setattr(os, "kill", self._kill)
        cgroup = Tree(1, {"freezer": str(folder)}).of("machine")
        first = SimpleNamespace(pid=_MAIN)
        prepared = cast("Any", SimpleNamespace(cgroup=cgroup, init=first, runtime=None))
        setup = cast("Any", SimpleNamespace(places=Places(str(folder))))
        self.body = ContainerBody(BootFolder(str(folder), 1), prepared, setup)
        self.body._main = _MAIN
        self.body.freeze()

    def _kill(self, pid: int, signum: int) -> None:
        assert pid == _MAIN
        self.sent.append((signum, self._file.read_text() == "FROZEN"))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Frozen:
    return Frozen(tmp_path, monkeypatch)


def test_a_signal_for_a_frozen_machine_waits_until_it_goes_on(machine: Frozen) -> None:
    machine.body.signal(SIGTERM, everyone=False)
    assert machine.sent == []
    machine.body.thaw()
    assert machine.sent == [(SIGTERM, True)]


def test_signals_that_waited_are_sent_once_and_in_their_order(machine: Frozen) -> None:
    for signum in (SIGUSR1, SIGTERM, SIGUSR1):
        machine.body.signal(signum, everyone=False)
    machine.body.thaw()
    machine.body.thaw()
    assert [signum for signum, _ in machine.sent] == [SIGUSR1, SIGTERM]


def test_a_kill_waits_for_nothing(machine: Frozen) -> None:
    machine.body.signal(SIGKILL, everyone=True)
    assert machine.sent == [(SIGKILL, True)]


def test_a_program_is_not_older_than_its_machine(
    machine: Frozen, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = kernel.Process(os.getpid(), os.getppid(), os.getpgrp(), start=0)
    monkeypatch.setattr(kernel, "process", lambda pid: waited)
    monkeypatch.setattr(machine.body, "_pids", lambda: [waited.pid])
    machine.body._begun = usage.now() + 1_000_000  # whatever the computer's clock says by then
    assert [one["rtime"] for one in machine.body.ps()] == [0]
