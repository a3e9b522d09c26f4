"""A command beside the program: whatever fails, no descriptor of its monitor is lost by it."""

from __future__ import annotations

import errno
import os

import pytest

from ephemera.platform.drivers.monitoring.beside import Command
from ephemera.platform.drivers.monitoring.program import NotStarted

_REQUEST = {"do": "exec", "id": 1, "stdin": "", "timeout": 5.0}


class Pipes:
    """Counts the ends of pipes that are open, of which there are so many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        self._most = most
        self._make, self._close = os.pipe, os.close
        self.open: set[int] = set()
        monkeypatch.setattr(os, "pipe", self.pipe)
        monkeypatch.setattr(os, "close", self.close)

    def pipe(self) -> tuple[int, int]:
        if len(self.open) + 2 > self._most:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        made = self._make()
        self.open.update(made)
        return made

    def close(self, fd: int) -> None:
        self.open.discard(fd)
        self._close(fd)


def _refuse(_: tuple[int, int, int]) -> int:
    raise NotStarted("there is no such program")


@pytest.mark.parametrize("most", [0, 2, 4])
def test_one_for_which_there_are_too_few_descriptors_keeps_none(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    pipes = Pipes(monkeypatch, most)
    with pytest.raises(OSError, match="Too many open files"):
        Command(_REQUEST, _refuse)
    assert pipes.open == set()


def test_one_that_cannot_be_started_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    pipes = Pipes(monkeypatch, 6)
    with pytest.raises(NotStarted):
        Command(_REQUEST, _refuse)
    assert pipes.open == set()
