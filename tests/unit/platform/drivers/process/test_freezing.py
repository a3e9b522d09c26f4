from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.kernel import Process
from ephemera.platform.drivers.process.freezing import Freezer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_a_process_that_one_count_does_not_see_is_stopped_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with subprocess.Popen(["sleep", "1000"]) as program:
        found = kernel.process(program.pid)
        assert found is not None
        # its parent has ended while they were counted
        counts: list[list[Process]] = [[], [found]]
        monkeypatch.setattr(kernel, "descendants", lambda _: counts.pop(0) if counts else [])
        freezer = Freezer()
        freezer.freeze()
        assert kernel.is_stopped(program.pid)
        freezer.thaw()
        assert not kernel.is_stopped(program.pid)
        os.kill(program.pid, signal.SIGKILL)
