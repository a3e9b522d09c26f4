"""What a monitor that fails leaves for whoever looks for the reason."""

from __future__ import annotations

from pathlib import Path

from ephemera.platform.drivers.monitoring import monitor
from ephemera.platform.drivers.monitoring.folder import BootFolder


def test_a_monitor_that_fails_leaves_its_traceback(tmp_path: Path) -> None:
    folder = BootFolder(str(tmp_path), 3)
    try:
        _fail()
    except RuntimeError as error:
        monitor._write_last_words(folder, type(error), error, error.__traceback__)
    said = (tmp_path / "3.err").read_text()
    assert "KeyError: 'the cause'" in said
    assert "in _fail" in said
    assert said.endswith("RuntimeError: it went wrong\n")


def _fail() -> None:
    try:
        raise KeyError("the cause")
    except KeyError as error:
        raise RuntimeError("it went wrong") from error
