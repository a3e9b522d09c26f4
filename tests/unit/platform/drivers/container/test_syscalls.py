"""Paths below a folder that is not the root of the file system."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.platform.drivers.container import syscalls
from tests import needs

pytestmark = needs.linux


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("inside")
    (tmp_path / "link").symlink_to("/../../real")
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


class Hindered:
    """A C library whose system calls fail a few times before they are made."""

    def __init__(self, number: int, times: int) -> None:
        self._number, self._times = number, times
        self._real = ctypes.PyDLL(None, use_errno=True)

    def syscall(self, *arguments: Any) -> int:
        if self._times:
            self._times -= 1
            ctypes.set_errno(self._number)
            return -1
        return int(self._real.syscall(*arguments))


def _read(root: int) -> bytes:
    fd = syscalls.open_in_root(root, "/link/file", os.O_RDONLY)
    try:
        return os.read(fd, 100)
    finally:
        os.close(fd)


def test_a_link_upwards_stays_below_the_root(root: int) -> None:
    assert _read(root) == b"inside"


def test_what_others_rename_meanwhile_does_not_matter(
    root: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "_libc", Hindered(errno.EAGAIN, 20))
    assert _read(root) == b"inside"


def test_what_cannot_be_opened_is_said_at_once(root: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "_libc", Hindered(errno.ELOOP, 1))
    with pytest.raises(OSError, match="/link/file: Too many levels"):
        _read(root)


def test_somebody_who_never_ceases_to_rename_is_not_waited_for(
    root: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "_libc", Hindered(errno.EAGAIN, 10**9))
    with pytest.raises(BlockingIOError):
        _read(root)
