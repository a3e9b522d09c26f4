"""What `ephemera up` says at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.cli import platform
from ephemera.platform.locking import locked
from ephemera.platform.settings import Settings


def test_nothing_is_said_of_machines_that_another_platform_has_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ephemera.platform.server.serve", lambda *_: None)
    monkeypatch.setattr(platform, "log_to_stderr", lambda: None)
    (tmp_path / "platform.db").touch()
    with locked(tmp_path):
        platform._serve_here(tmp_path, "127.0.0.1:0", "mock", Settings())
    assert capsys.readouterr() == ("", "")
