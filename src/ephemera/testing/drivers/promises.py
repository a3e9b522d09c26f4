"""What every driver promises, whatever it can do."""

from __future__ import annotations

import asyncio
import signal

from ephemera.errors import ImageUnavailable
from ephemera.platform.drivers.base import BootSpec
from ephemera.testing.drivers.subject import (
    TIMEOUT_S,
    UNKNOWN,
    Subject,
    opened,
    quiet,
    refused,
    waiting_for,
)

_CONCURRENT_BOOTS = 200


async def reports_the_exit_code(subject: Subject) -> None:
    """0 and other codes come back as they were, with no signal and a time."""
    async with opened(subject) as driver:
        for code in (0, 3, 255):
            spec = subject.spec(subject.programs.exits(code), machine_id=f"m{code}")
            found = await driver.wait(await driver.start(spec, quiet))
            assert (found.exit_code, found.signal, found.error) == (code, -1, "")
            assert not found.oom_killed
            assert found.exited_at > 0


async def reports_the_signal_that_ended_it(subject: Subject) -> None:
    """The exit code is 128 + n."""
    async with opened(subject) as driver:
        handle = await driver.start(subject.spec(subject.programs.runs), quiet)
        await driver.signal(handle, signal.SIGTERM)
        found = await driver.wait(handle)
        assert (found.exit_code, found.signal) == (128 + signal.SIGTERM, signal.SIGTERM)


async def a_program_may_ignore_a_signal_but_not_a_kill(subject: Subject) -> None:
    """What ignores SIGTERM lives until SIGKILL."""
    heard = asyncio.Event()
    async with opened(subject, lambda _: heard.set()) as driver:
        spec = subject.spec(subject.programs.ignores_term)
        handle = await driver.start(spec, quiet)
        if "ready" in " ".join(spec.command):
            await heard.wait()
        await driver.signal(handle, signal.SIGTERM)
        await driver.exec(handle, subject.programs.exits(0), timeout=TIMEOUT_S)
        await driver.signal(handle, signal.SIGKILL, everyone=True)
        assert (await driver.wait(handle)).signal == signal.SIGKILL


async def a_repeated_start_runs_nothing_twice(subject: Subject) -> None:
    """One boot is one run, however often and from whichever server it is asked for."""
    spec = subject.spec(subject.programs.prints("once"))
    async with opened(subject) as driver:
        handles = await asyncio.gather(*(driver.start(spec, quiet) for _ in range(5)))
        await driver.wait(handles[0])
        handles.append(await driver.start(spec, quiet))
    async with opened(subject) as driver:
        handles.append(await driver.start(spec, quiet))
        assert (await driver.wait(handles[-1])).exit_code == 0
    assert len(set(handles)) == 1
    assert subject.lines() == ["once"]


async def everybody_who_waits_is_told(subject: Subject) -> None:
    """Several may wait, one may give up, and waiting after the end answers at once."""
    async with opened(subject) as driver:
        handle = await driver.start(subject.spec(subject.programs.runs), quiet)
        driver.cancel_start(subject.spec(()).machine_id)  # what runs is let be
        gives_up, first, second = [await waiting_for(driver, handle) for _ in range(3)]
        gives_up.cancel()
        assert driver.ended(handle) is None
        await driver.signal(handle, signal.SIGKILL)
        found = await first
        assert await second == found == await driver.wait(handle)
        assert driver.ended(handle) in (None, found)


async def machines_outlive_the_driver(subject: Subject) -> None:
    """A new driver finds a running machine by its handle, and one that ended before."""
    async with opened(subject) as driver:
        running = await driver.start(subject.spec(subject.programs.runs), quiet)
        ended = await driver.start(subject.spec(subject.programs.exits(7), machine_id="m2"), quiet)
        await driver.wait(ended)
    async with opened(subject) as driver:
        assert await driver.machines() == {"m1", "m2"}
        assert (await driver.wait(ended)).exit_code == 7
        waiting = await waiting_for(driver, running)
        await driver.signal(running, signal.SIGTERM)
        assert (await waiting).signal == signal.SIGTERM


async def a_machine_can_be_booted_again(subject: Subject) -> None:
    """Boots of one machine do not know of each other."""
    async with opened(subject) as driver:
        for boot, code in ((1, 4), (2, 5)):
            spec = subject.spec(subject.programs.exits(code), boot=boot)
            assert (await driver.wait(await driver.start(spec, quiet))).exit_code == code


async def output_becomes_lines_of_the_log(subject: Subject) -> None:
    """What is printed is in the log when the exit is known, and was announced."""
    heard: list[str] = []
    async with opened(subject, heard.append) as driver:
        handle = await driver.start(subject.spec(subject.programs.prints("hällo")), quiet)
        await driver.wait(handle)
        assert subject.lines() == ["hällo"]
        assert "m1" in heard


async def exec_runs_a_command_beside_the_program(subject: Subject) -> None:
    """Output, input, exit code and timeout of a command."""
    programs = subject.programs
    async with opened(subject) as driver:
        handle = await driver.start(subject.spec(programs.runs), quiet)
        found = await driver.exec(handle, programs.prints("beside"), timeout=TIMEOUT_S)
        assert (found.exit_code, found.stdout, found.timed_out) == (0, b"beside\n", False)
        found = await driver.exec(handle, programs.exits(9), timeout=TIMEOUT_S)
        assert (found.exit_code, found.exit_signal) == (9, 0)
        found = await driver.exec(
            handle, programs.copies, stdin=b"\0in" * 100_000, timeout=TIMEOUT_S
        )
        assert found.stdout == b"\0in" * 100_000
        found = await driver.exec(handle, programs.runs, timeout=0.05)
        assert (found.timed_out, found.exit_signal) == (True, signal.SIGKILL)
        await driver.signal(handle, signal.SIGKILL)
        assert (await driver.wait(handle)).signal == signal.SIGKILL


async def exec_says_what_cannot_be_run(subject: Subject) -> None:
    """A missing command and a machine that has ended are both `BootFailed`."""
    programs = subject.programs
    async with opened(subject) as driver:
        handle = await driver.start(subject.spec(programs.runs), quiet)
        await refused(driver.exec(handle, programs.missing, timeout=TIMEOUT_S))
        await driver.signal(handle, signal.SIGKILL)
        await driver.wait(handle)
        await refused(driver.exec(handle, programs.exits(0), timeout=TIMEOUT_S))


async def a_missing_command_is_no_boot(subject: Subject) -> None:
    """Nothing is left running, and the machine can be destroyed or booted again."""
    async with opened(subject) as driver:
        await refused(driver.start(subject.spec(subject.programs.missing), quiet))
        await refused(driver.start(subject.spec([]), quiet))
        spec = subject.spec(subject.programs.exits(0), boot=2)
        assert (await driver.wait(await driver.start(spec, quiet))).exit_code == 0


async def an_image_it_cannot_run_is_refused(subject: Subject) -> None:
    """Nothing of the machine is made."""
    async with opened(subject) as driver:
        if driver.capabilities.images is None:
            return
        spec = BootSpec("m1", 1, "checked", "no/such:image", "local", ["x"], {})
        try:
            await driver.start(spec, quiet)
        except ImageUnavailable:
            assert await driver.machines() == set()
        else:
            raise AssertionError("an image outside of the driver's capabilities was started")


async def destroy_ends_and_forgets(subject: Subject) -> None:
    """Whoever waits is told, nothing is held any more, and repeating is safe."""
    async with opened(subject) as driver:
        handle = await driver.start(subject.spec(subject.programs.ignores_term), quiet)
        waiting = await waiting_for(driver, handle)
        await driver.destroy("m1")
        assert (await waiting).signal == signal.SIGKILL
        assert await driver.machines() == set()
        await driver.destroy("m1")
        assert (await driver.wait(handle)).exit_code == -1


async def destroy_reaches_machines_of_an_earlier_driver(subject: Subject) -> None:
    """Also where this driver never met them."""
    async with opened(subject) as driver:
        await driver.start(subject.spec(subject.programs.runs), quiet)
        ended = await driver.start(subject.spec(subject.programs.exits(0), machine_id="m2"), quiet)
        await driver.wait(ended)
    async with opened(subject) as driver:
        await driver.destroy("m1")
        await driver.destroy("m2")
        assert await driver.machines() == set()


async def what_nobody_knows_is_no_accident(subject: Subject) -> None:
    """An unknown handle has ended, and an unknown machine is destroyed."""
    async with opened(subject) as driver:
        found = await driver.wait(UNKNOWN)
        assert (found.exit_code, bool(found.error)) == (-1, True)
        await driver.signal(UNKNOWN, signal.SIGTERM)
        await refused(driver.exec(UNKNOWN, subject.programs.exits(0), timeout=1))
        await driver.destroy("nobody-knows-it")
        await driver.destroy("../etc")
        driver.cancel_start("nobody-knows-it")
        assert await driver.written(["nobody-knows-it", "../etc"]) == {}
        assert await driver.machines() == set()


async def a_signal_after_the_end_is_no_error(subject: Subject) -> None:
    """The exit stays what it was."""
    async with opened(subject) as driver:
        handle = await driver.start(subject.spec(subject.programs.exits(2)), quiet)
        await driver.wait(handle)
        await driver.signal(handle, signal.SIGKILL, everyone=True)
        assert (await driver.wait(handle)).exit_code == 2


async def many_start_at_once(subject: Subject) -> None:
    """Each gets its own exit code, and all can be destroyed at once."""
    async with opened(subject) as driver:

        async def run(number: int) -> int:
            spec = subject.spec(subject.programs.exits(number), machine_id=f"m{number}")
            return (await driver.wait(await driver.start(spec, quiet))).exit_code

        codes = await asyncio.gather(*(run(number) for number in range(_CONCURRENT_BOOTS)))
        assert codes == list(range(_CONCURRENT_BOOTS))
        await asyncio.gather(*(driver.destroy(one) for one in await driver.machines()))
        assert await driver.machines() == set()
