"""Ports of machines that share this computer's network."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera.deploy.release import ports
from ephemera.deploy.release.claims import Claims
from ephemera.errors import ConfigError


def trying(monkeypatch: pytest.MonkeyPatch, *tried: int) -> None:
    """Have these ports looked at, in this order, and no others."""

    def these() -> Iterator[int]:
        return iter(tried)

    monkeypatch.setattr(ports, "_tried", these)


def test_no_port_is_one_that_whoever_connects_may_be_given() -> None:
    found = ports.free([], lambda _: True)
    given = [next(found) for _ in range(20)]
    assert len(set(given)) == 20
    assert all(10_000 <= port < 32_768 for port in given)


def test_what_is_had_or_listened_on_or_claimed_is_not_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    had, listened_on, claimed, free = range(4)
    monkeypatch.setattr(ports, "_is_free", lambda port: port != listened_on)
    trying(monkeypatch, had, listened_on, claimed, free)
    assert next(ports.free([had], lambda port: port != claimed)) == free


def test_a_port_that_is_listened_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not ports._is_free(listener.getsockname()[1])


def test_where_all_are_taken_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    trying(monkeypatch, 1, 1)
    with pytest.raises(ConfigError, match="no port from 10000 to 32767 is free"):
        next(ports.free([1], lambda _: True))


def test_what_one_process_claims_no_other_may_until_it_lets_go(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys; from ephemera.deploy.release.claims import Claims\n"
        "claims = Claims(pathlib.Path(sys.argv[1]))\n"
        "print(*(claims.take(int(port)) for port in sys.argv[2:]))"
    )

    def others(*wanted: str) -> str:
        """Return what another process is told."""
        command = [sys.executable, "-c", program, str(tmp_path / "lock"), *wanted]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    claims = Claims(tmp_path / "lock")
    assert claims.take(10_000)
    assert others("10000", "10001") == "False True"
    claims.close()
    assert others("10000") == "True"
