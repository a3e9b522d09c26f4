"""What a server knows of boots does not grow with how often a machine is started."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from ephemera.platform.drivers.monitoring.link import Link
from ephemera.platform.drivers.monitoring.monitors import Boot, Monitors
from ephemera.platform.drivers.monitoring.nursery import Nursery

_MACHINE = "a" * 14


class Heard:
    """A link to a monitor that is there."""

    is_open = True

    def close(self) -> None:
        self.is_open = False


def _boot(monitors: Monitors, number: int) -> Boot:
    boot = monitors.boot(f"{_MACHINE}/{number}")
    assert boot
    return boot


def test_the_boots_before_the_newest_are_forgotten(tmp_path: Path) -> None:
    monitors = Monitors(tmp_path, cast("Nursery", None))
    other = monitors.boot("b" * 14 + "/1")
    for number in range(1, 10):
        monitors.forget_earlier(_boot(monitors, number))
    assert len(monitors._boots) == 2
    assert monitors.boot("b" * 14 + "/1") is other


def test_boots_go_that_are_older_than_one_which_could_not_be_started(tmp_path: Path) -> None:
    monitors, link = Monitors(tmp_path, cast("Nursery", None)), Heard()
    _boot(monitors, 1).link = cast("Link", link)
    for number in (2, 3):
        _boot(monitors, number)
    monitors.forget_earlier(_boot(monitors, 4))
    assert list(monitors._boots) == [f"{_MACHINE}/4"]
    assert not link.is_open
