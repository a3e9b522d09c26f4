"""What a monitor does to its own process, it does to that of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def back_where_we_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the working folder as it is, whatever a test enters."""
    monkeypatch.chdir(Path.cwd())
