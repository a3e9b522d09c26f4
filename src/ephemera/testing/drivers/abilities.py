"""What a driver promises where its capabilities say that it can."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace

from ephemera.errors import Unsupported
from ephemera.platform.drivers.base import GuestMount, Program
from ephemera.testing.drivers.subject import (
    TIMEOUT_S,
    UNKNOWN,
    Subject,
    opened,
    quiet,
    refused,
    until,
    waiting_for,
)

#: How long a signal is not heard that has to wait; one that is heard ends a program in less.
_UNHEARD_S = 0.1


async def a_suspended_machine_goes_on_when_it_is_resumed(subject: Subject) -> None:
    """Repeating either is safe; a signal waits for the resumption, a command is refused."""
    async with opened(subject) as driver:
        if not driver.capabilities.suspends:
            return
        handle = await driver.start(subject.spec(subject.programs.runs), quiet)
        waiting = await waiting_for(driver, handle)
        for _ in range(2):
            await driver.suspend(handle)
        await driver.signal(handle, signal.SIGTERM)
        await refused(driver.exec(handle, subject.programs.exits(0), timeout=TIMEOUT_S))
        ended, _ = await asyncio.wait({waiting}, timeout=_UNHEARD_S)
        assert not ended
        for _ in range(2):
            await driver.resume(handle)
        assert (await waiting).signal == signal.SIGTERM
        for again in (driver.suspend, driver.resume):
            await again(handle)
            await again(UNKNOWN)


async def a_suspended_machine_can_be_killed(subject: Subject) -> None:
    """By a signal for everyone, and by destroying it; also by another driver."""
    async with opened(subject) as driver:
        if not driver.capabilities.suspends:
            return
        handles = [
            await driver.start(subject.spec(subject.programs.runs, machine_id=one), quiet)
            for one in ("m1", "m2")
        ]
        for handle in handles:
            await driver.suspend(handle)
    async with opened(subject) as driver:
        waiting = [await waiting_for(driver, handle) for handle in handles]
        await driver.signal(handles[0], signal.SIGKILL, everyone=True)
        await driver.destroy("m2")
        assert [(await one).signal for one in waiting] == [signal.SIGKILL] * 2


async def ps_lists_what_runs(subject: Subject) -> None:
    """The program is there while it runs, and nothing afterwards."""
    async with opened(subject) as driver:
        handle = await driver.start(subject.spec(subject.programs.runs), quiet)
        wanted = " ".join(subject.programs.runs)

        async def is_listed() -> bool:
            found = await driver.ps(handle)
            assert all(one.cpu >= 0 and one.rtime >= 0 for one in found)
            # of a program that has just begun the kernel has counted no memory yet
            has_memory = bool(found) and all(one.rss > 0 for one in found)
            return has_memory and wanted in [one.command for one in found]

        try:
            await until(is_listed, "`ps` was to list the program")
        except Unsupported:
            return
        await driver.signal(handle, signal.SIGKILL)
        await driver.wait(handle)
        assert list(await driver.ps(handle)) == []
        assert list(await driver.ps(UNKNOWN)) == []


async def the_first_program_that_ends_ends_the_machine(subject: Subject) -> None:
    """Whichever it is, and the others with it."""
    async with opened(subject) as driver:
        if not driver.capabilities.processes:
            return
        runs, ends = subject.programs.runs, subject.programs.exits(6)
        for number, (main, other) in enumerate(((runs, ends), (ends, runs)), start=1):
            spec = subject.spec(main, boot=number)
            spec = replace(spec, beside=[Program(runs, {}), Program(other, {})])
            handle = await driver.start(spec, quiet)
            assert (await driver.wait(handle)).exit_code == 6
        missing = replace(
            subject.spec(runs, boot=3), beside=[Program(subject.programs.missing, {})]
        )
        await refused(driver.start(missing, quiet))


async def a_volume_keeps_what_a_machine_writes(subject: Subject) -> None:
    """It is there for the next boot, and stays when the machine is destroyed."""
    async with opened(subject) as driver:
        if not driver.capabilities.mounts:
            return
        volume = subject.log_folder.parent / "volume"
        volume.mkdir(exist_ok=True)
        mount = GuestMount("/data", "vol_1", str(volume))
        for boot in (1, 2):
            program = subject.programs.writes(f"/data/{boot}", "kept")
            spec = replace(subject.spec(program, boot=boot), mounts=[mount])
            assert (await driver.wait(await driver.start(spec, quiet))).exit_code == 0
        await driver.destroy("m1")
        kept = {one.name: one.read_text().strip() for one in volume.iterdir()}
        assert kept == {"1": "kept", "2": "kept"}
        lost = replace(mount, source=str(volume / "missing"))
        program = subject.programs.writes("/data/3", "lost")
        spec = replace(subject.spec(program, machine_id="m2"), mounts=[lost])
        await refused(driver.start(spec, quiet))


async def memory_is_limited_and_taken_back(subject: Subject) -> None:
    """What is said to be free adds up with the limit."""
    async with opened(subject) as driver:
        if not driver.capabilities.balloons:
            return
        handle = await driver.start(subject.spec(subject.programs.runs), quiet)
        assert (await driver.memory(handle)).limit_mb == subject.spec([]).memory_mb
        await driver.set_memory_limit(handle, 128)
        found = await driver.memory(handle)
        assert found.limit_mb == 128
        assert 0 <= found.available_mb <= 128
        assert 0 <= await driver.reclaim_memory(handle, 16) <= 16
