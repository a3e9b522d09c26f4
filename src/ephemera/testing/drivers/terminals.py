"""What a driver promises of terminals, and of what a boot leaves when it has ended.

What is typed has quotes in it, so that the line which the terminal shows while it is typed is not
taken for what the command prints.
"""

from __future__ import annotations

import io
import signal
import tarfile
from collections.abc import AsyncIterator

from ephemera.errors import Unsupported
from ephemera.platform.drivers.base import Driver, Terminal
from ephemera.testing.drivers.subject import (
    UNKNOWN,
    Subject,
    opened,
    quiet,
    refused,
    until,
    waiting_for,
)

#: How often something is done that may go wrong once in a while.
_OFTEN = 30
_SIZE = {"rows": 24, "columns": 80}


async def a_terminal_shows_what_is_typed_and_printed(subject: Subject) -> None:
    """A shell in it knows the size, also a new one, and its exit code is passed on."""
    async with opened(subject) as driver:
        if not driver.capabilities.consoles:
            return
        handle = await driver.start(subject.spec(subject.programs.runs), quiet)
        terminal = await driver.terminal(handle, subject.programs.shell, **_SIZE)
        await _typed(terminal, "echo h''i", "hi\r\n")
        await _typed(terminal, "stty size", "24 80\r\n")
        terminal.resize(50, 132)
        await _typed(terminal, "stty size", "50 132\r\n")
        terminal.write(b"exit 3\n")
        await _rest(terminal)
        assert await terminal.wait() == 3
        assert await terminal.read() == b""
        terminal.write(b"nobody reads this\n")
        terminal.resize(1, 1)
        await terminal.close()
        assert await terminal.wait() == 3


async def a_terminal_may_be_over_at_once(subject: Subject) -> None:
    """What a quick command printed is read, also when it has ended before anybody looked."""
    async with opened(subject) as driver:
        if not driver.capabilities.consoles:
            return
        handle = await driver.start(subject.spec(subject.programs.runs), quiet)
        for _ in range(_OFTEN):
            terminal = await driver.terminal(handle, subject.programs.prints("hi"), **_SIZE)
            printed = b""
            while piece := await terminal.read():
                printed += piece
            assert (printed, await terminal.wait()) == (b"hi\r\n", 0)
            await terminal.close()


async def hanging_up_kills_what_runs_in_a_terminal(subject: Subject) -> None:
    """Repeating is safe, and the machine goes on."""
    async with opened(subject) as driver:
        if not driver.capabilities.consoles:
            return
        handle = await driver.start(subject.spec(subject.programs.runs), quiet)
        terminal = await driver.terminal(handle, subject.programs.runs, **_SIZE)
        for _ in range(2):
            await terminal.close()
        assert await terminal.wait() != 0

        async def only_the_program_runs() -> bool:
            return await _running(driver, handle, subject) in (1, None)

        await until(only_the_program_runs, "hanging up was to end the command")
        waiting = await waiting_for(driver, handle)
        assert not waiting.done()
        waiting.cancel()


async def a_terminal_ends_with_its_machine(subject: Subject) -> None:
    """Whoever reads is told, and a machine that has ended gives no other."""
    async with opened(subject) as driver:
        if not driver.capabilities.consoles:
            return
        handle = await driver.start(subject.spec(subject.programs.runs), quiet)
        terminal = await driver.terminal(handle, subject.programs.shell, **_SIZE)
        await driver.signal(handle, signal.SIGKILL, everyone=True)
        await driver.wait(handle)
        await _rest(terminal)
        assert await terminal.wait() != 0
        await terminal.close()
        for dead in (handle, UNKNOWN):
            await refused(driver.terminal(dead, subject.programs.shell, **_SIZE))


async def a_terminal_needs_a_command_that_is_there(subject: Subject) -> None:
    """A missing one is `BootFailed`, and the machine goes on."""
    async with opened(subject) as driver:
        if not driver.capabilities.consoles:
            return
        handle = await driver.start(subject.spec(subject.programs.runs), quiet)
        await refused(driver.terminal(handle, subject.programs.missing, **_SIZE))
        terminal = await driver.terminal(handle, subject.programs.shell, **_SIZE)
        await terminal.close()


async def what_a_boot_left_can_be_looked_at(subject: Subject) -> None:
    """In a copy: what is written there is gone with it. Destroying the machine ends it."""
    async with opened(subject) as driver:
        if not driver.capabilities.remains:
            return
        program = subject.programs.writes("/left", "kept")
        spec = subject.spec(program)
        handle = await driver.start(spec, quiet)
        assert (await driver.wait(handle)).exit_code == 0
        for _ in range(2):
            look = await driver.look(spec, subject.programs.shell, **_SIZE)
            await _typed(look, "cat /left", "kept\r\n")
            await _typed(look, "echo changed > /left", "")
            await _typed(look, "cat /left", "changed\r\n")
            look.write(b"exit 4\n")
            await _rest(look)
            assert await look.wait() == 4
            await look.close()
        await refused(driver.look(spec, subject.programs.missing, **_SIZE))
        last = await driver.look(spec, subject.programs.shell, **_SIZE)
        await driver.destroy("m1")
        await _rest(last)
        assert await last.wait() != 0
        await last.close()
        await refused(driver.look(spec, subject.programs.shell, **_SIZE))


async def what_a_boot_left_can_be_exported(subject: Subject) -> None:
    """As a tar archive, while it runs and afterwards, until it is destroyed."""
    async with opened(subject) as driver:
        if not driver.capabilities.remains:
            return
        program = subject.programs.writes("/left", "kept")
        spec = subject.spec(program)
        await driver.wait(await driver.start(spec, quiet))
        running = subject.spec(subject.programs.runs, machine_id="m2")
        await driver.start(running, quiet)
        assert await _file(driver.export(spec), "left") == "kept"
        assert await _file(driver.export(running), "left") is None
        await driver.destroy("m1")
        await refused(_file(driver.export(spec), "left"))


async def _typed(terminal: Terminal, line: str, shown: str) -> None:
    """Type a line, and return once the terminal has shown that and what is to follow."""
    terminal.write(line.encode() + b"\n")
    seen = b""
    while shown.encode() not in seen.partition(line.encode())[2]:
        piece = await terminal.read()
        assert piece, f"the terminal ended after {line!r}, having shown {seen!r}"
        seen += piece


async def _rest(terminal: Terminal) -> None:
    """Read until there is nothing more to come."""
    while await terminal.read():
        pass


async def _running(driver: Driver, handle: str, subject: Subject) -> int | None:
    """Return how often the program that runs on is running; None where the driver cannot say."""
    try:
        listed = await driver.ps(handle)
    except Unsupported:
        return None
    return [one.command for one in listed].count(" ".join(subject.programs.runs))


async def _file(archive: AsyncIterator[bytes], name: str) -> str | None:
    """Return what a file of an archive holds, without white space at its ends."""
    packed = io.BytesIO(b"".join([block async for block in archive]))
    with tarfile.open(fileobj=packed) as members:
        for member in members:
            content = members.extractfile(member)
            if content and member.name.removeprefix("./") == name:
                return content.read().decode().strip()
    return None
