"""The terminal that the user sits at, joined to one in a machine.

While they are joined every key goes to the machine, Ctrl-C too, and the size follows. However it
ends, the user's terminal is as it was before.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from types import TracebackType
from typing import Protocol, Self

from ephemera.errors import ConfigError

_READ_BYTES = 64 * 1024
_USUAL_SIZE = (24, 80)


class Remote(Protocol):
    """The terminal in the machine: that of `ephemera.client.own.terminals`."""

    exit_code: int | None

    async def read(self) -> bytes:
        """Return what it printed next; empty at its end."""
        ...

    async def write(self, data: bytes) -> None:
        """Type something."""
        ...

    async def resize(self, rows: int, columns: int) -> None:
        """Tell it the size of the user's terminal."""
        ...


def is_taken() -> bool:
    """Whether somebody sits at a terminal: keys come from one and output goes to one."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def check_taken(hint: str) -> None:
    """Return if somebody sits at a terminal.

    Raises:
        ConfigError: nobody does.
    """
    if not is_taken():
        what = "standard output" if sys.stdin.isatty() else "standard input"
        raise ConfigError(f"{what} is not a terminal", hint=hint)


def size() -> tuple[int, int]:
    """Return the rows and columns of the user's terminal; 24 and 80 where it does not say."""
    try:
        found = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return _USUAL_SIZE
    return (found.lines, found.columns) if found.lines and found.columns else _USUAL_SIZE


def join(remote: AbstractAsyncContextManager[Remote]) -> int:
    """Join the user's terminal to one in a machine until that ends, and return its exit code.

    Where nobody sits at a terminal nothing is typed, and lines end as they do in files.

    Raises:
        EphemeraError: it cannot be opened, or it broke off.
    """
    return asyncio.run(_joined(remote))


async def _joined(remote: AbstractAsyncContextManager[Remote]) -> int:
    async with remote as terminal:
        if is_taken():
            with _raw(sys.stdin.fileno()):
                async with _typing(terminal), _resizing(terminal):
                    return await _printed(terminal, _write)
        with _Lines() as lines:
            return await _printed(terminal, lines.write)


@contextmanager
def _raw(keyboard: int) -> Iterator[None]:
    """Have each key passed on as it is, and everything as before at the end."""
    before = termios.tcgetattr(keyboard)
    try:
        tty.setraw(keyboard, termios.TCSADRAIN)  # what was typed already is for the machine
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


@contextlib.asynccontextmanager
async def _typing(remote: Remote) -> AsyncIterator[None]:
    """Pass on what is typed, for the length of the block."""

    async def type_on() -> None:
        while keys := await _keys(sys.stdin.fileno()):
            await remote.write(keys)

    typist = asyncio.create_task(type_on())
    try:
        yield
    finally:
        typist.cancel()
        await asyncio.wait([typist])


async def _keys(keyboard: int) -> bytes:
    """Return the next keys; empty where the terminal is gone."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(keyboard, pressed.set)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(keyboard)
    return os.read(keyboard, _READ_BYTES)


@contextlib.asynccontextmanager
async def _resizing(remote: Remote) -> AsyncIterator[None]:
    """Pass on the size when it changes, for the length of the block."""
    loop, changes = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    def changed() -> None:
        change = asyncio.create_task(remote.resize(*size()))
        changes.add(change)
        change.add_done_callback(changes.discard)

    loop.add_signal_handler(signal.SIGWINCH, changed)
    changed()  # it may have changed while the terminal was being opened
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)


class _Screen(Protocol):
    def __call__(self, data: bytes, /) -> None: ...


async def _printed(remote: Remote, write: _Screen) -> int:
    """Write what the terminal shows until it ends, and return its exit code."""
    while shown := await remote.read():
        write(shown)
    return -1 if remote.exit_code is None else remote.exit_code


def _write(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(sys.stdout.fileno(), rest) :]


class _Lines:
    """Writes lines as a terminal shows them with the ends that they have in files."""

    def __init__(self) -> None:
        self._held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        _write(self._held)

    def write(self, data: bytes) -> None:
        """Write some; a carriage return at its end waits for what follows it."""
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        _write(data.removesuffix(self._held).replace(b"\r\n", b"\n"))
