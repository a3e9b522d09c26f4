"""People are told how to reach an app whose name their system does not know."""

from __future__ import annotations

import socket

import pytest

from ephemera.cli import resolving
from ephemera.cli.resolving import note_how_to_reach


def noted(capsys: pytest.CaptureFixture[str], url: str) -> str:
    note_how_to_reach(url)
    return capsys.readouterr().err


@pytest.fixture(autouse=True)
def _unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sit at a terminal of a system that knows no name."""

    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(resolving, "_is_terminal", lambda: True)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)


def test_a_name_that_the_system_does_not_know_is_said_with_another_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = noted(capsys, "http://shop.localhost:4281")
    assert "http://127.0.0.1:4281 with the header 'Host: shop.localhost'" in said


def test_nothing_is_said_of_names_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert noted(capsys, "https://shop.fly.dev") == noted(capsys, "http://127.0.0.1:80") == ""


def test_nothing_is_said_to_programs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "_is_terminal", lambda: False)
    assert noted(capsys, "http://shop.localhost:4281") == ""


def test_nothing_is_said_where_the_system_knows_the_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [("127.0.0.1", 0)])
    # that a thread ran in time is not what this is about
    monkeypatch.setattr(resolving, "_WITHIN_S", 30.0)
    assert noted(capsys, "http://shop.localhost:4281") == ""
