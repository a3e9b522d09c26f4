from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ephemera.platform.drivers.monitoring import kernel, usage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.skipif(sys.byteorder != "little", reason="the kernel prints its own order")
@pytest.mark.parametrize(
    ("told", "means"),
    [
        ("0100007F:0050", "127.0.0.1:80"),
        ("00000000:1F90", "0.0.0.0:8080"),
        ("00000000000000000000000001000000:0050", "[::1]:80"),
    ],
)
def test_an_address_is_read_as_the_kernel_prints_it(told: str, means: str) -> None:
    assert usage._address(told) == means


def test_this_process_is_told_of() -> None:
    me = kernel.process(os.getpid())
    assert me is not None
    (found,) = usage.listing([me])
    assert found["pid"] == os.getpid()
    assert found["directory"] == str(Path.cwd())
    assert found["rss"] > 0


def test_a_process_that_is_gone_is_left_out() -> None:
    assert usage.listing([kernel.Process(2**22 + 1, 1, 1, 0)]) == []
