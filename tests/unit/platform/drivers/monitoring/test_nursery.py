from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from ephemera.errors import DriverError
from ephemera.platform.drivers.monitoring.nursery import Nursery


@pytest.mark.parametrize(
    ("interpreter", "why"), [("/no/such/python", "No such file"), ("/bin/sh", "cannot start: .+")]
)
def test_a_zygote_that_does_not_come_up_says_why(
    interpreter: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", interpreter)
    with pytest.raises(DriverError, match=why):
        asyncio.run(_nursery(tmp_path).open())


def test_opening_and_closing_twice_is_safe(tmp_path: Path) -> None:
    async def check() -> None:
        nursery = _nursery(tmp_path)
        nursery.close()
        await asyncio.gather(nursery.open(), nursery.open())
        nursery.close()
        nursery.close()

    asyncio.run(check())


def _nursery(home: Path) -> Nursery:
    return Nursery("ephemera.platform.drivers.process.zygote", home, "the process driver")
