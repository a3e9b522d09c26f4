"""What `ephemera up --detach` says of a logout."""

from __future__ import annotations

import pytest

from ephemera.cli.platform import _note_of_logout
from ephemera.platform.drivers.container import groups

#: Of a user that nobody is, and who does not linger.
_UID = 2**31
_OF_USER = f"/user.slice/user-{_UID}.slice/user@{_UID}.service/app.slice/e.scope/{groups.LEAF}"


def test_a_platform_that_ends_with_its_users_session_is_said_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(groups, "of", lambda _: _OF_USER)
    _note_of_logout(1)
    said = capsys.readouterr().err
    assert f"end when {_UID} logs out" in said
    assert f"loginctl enable-linger {_UID}" in said


def test_of_another_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(groups, "of", lambda _: "/user.slice/user-7.slice/session-1.scope")
    _note_of_logout(1)
    assert capsys.readouterr().err == ""
