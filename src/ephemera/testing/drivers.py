"""The contract of drivers: what `platform/drivers/base.py` promises, as checks of any driver.

Whoever writes a driver describes it by a `Subject` and runs every check of `CHECKS`, one test
each, or all of them by `check_driver`. A check fails with an AssertionError that says which
promise was broken.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ephemera.errors import BootFailed, ImageUnavailable
from ephemera.platform import logfile
from ephemera.platform.drivers.base import BootSpec, Driver, Exit

#: Long enough for a slow computer, and never waited for where the driver keeps its promises.
_TIMEOUT_S = 30.0
_CONCURRENT_BOOTS = 200
_UNKNOWN = "nobody-knows-it/1"


@dataclass(frozen=True, slots=True)
class Programs:
    """The commands by which this driver's machines do what the checks need."""

    #: Ends with this exit code.
    exits: Callable[[int], Sequence[str]]
    #: Runs until a signal ends it, SIGTERM among them.
    runs: Sequence[str]
    #: Runs until SIGKILL ends it, and prints `ready` where it needs time to get there.
    ignores_term: Sequence[str]
    #: Prints this line and ends with 0.
    prints: Callable[[str], Sequence[str]]
    #: Prints its standard input (in `exec` only).
    copies: Sequence[str]
    #: Does not exist.
    missing: Sequence[str] = ("no-such-command",)


@dataclass(frozen=True, slots=True)
class Subject:
    """A driver to be checked.

    Attributes:
        driver: Returns a driver, not opened, that finds what an earlier one of them started.
        programs: What its machines can be made to do.
        log_folder: An empty folder for the output of the machines.
        image: An image that the driver can run.
    """

    driver: Callable[[], Driver]
    programs: Programs
    log_folder: Path
    image: str = "host"

    def spec(self, command: Sequence[str], *, machine_id: str = "m1", boot: int = 1) -> BootSpec:
        """Return a boot of this command."""
        return BootSpec(
            machine_id=machine_id,
            boot=boot,
            app_name="checked",
            image=self.image,
            region="local",
            command=command,
            env={},
            log_folder=str(self.log_folder),
        )

    def lines(self) -> list[str]:
        """Return the messages that machines have logged, in order."""
        folder = str(self.log_folder)
        return [
            json.loads(line)["message"]
            for number in logfile.segments(folder)
            for line in Path(logfile.segment_path(folder, number)).read_text().splitlines()
        ]


Check = Callable[[Subject], Awaitable[None]]


def _quiet(*_: str) -> None:
    """Hear what a driver says, and do nothing about it."""


@asynccontextmanager
async def _opened(
    subject: Subject, printed: Callable[[str], None] = _quiet
) -> AsyncIterator[Driver]:
    driver = subject.driver()
    await driver.open(printed)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            yield driver
    finally:
        await driver.close()


async def reports_the_exit_code(subject: Subject) -> None:
    """0 and other codes come back as they were, with no signal and a time."""
    async with _opened(subject) as driver:
        for code in (0, 3, 255):
            spec = subject.spec(subject.programs.exits(code), machine_id=f"m{code}")
            found = await driver.wait(await driver.start(spec, _quiet))
            assert (found.exit_code, found.signal, found.error) == (code, -1, "")
            assert not found.oom_killed
            assert found.exited_at > 0


async def reports_the_signal_that_ended_it(subject: Subject) -> None:
    """The exit code is 128 + n."""
    async with _opened(subject) as driver:
        handle = await driver.start(subject.spec(subject.programs.runs), _quiet)
        await driver.signal(handle, signal.SIGTERM)
        found = await driver.wait(handle)
        assert (found.exit_code, found.signal) == (128 + signal.SIGTERM, signal.SIGTERM)


async def a_program_may_ignore_a_signal_but_not_a_kill(subject: Subject) -> None:
    """What ignores SIGTERM lives until SIGKILL."""
    heard = asyncio.Event()
    async with _opened(subject, lambda _: heard.set()) as driver:
        spec = subject.spec(subject.programs.ignores_term)
        handle = await driver.start(spec, _quiet)
        if "ready" in " ".join(spec.command):
            await heard.wait()
        await driver.signal(handle, signal.SIGTERM)
        await driver.exec(handle, subject.programs.exits(0), timeout=_TIMEOUT_S)
        await driver.signal(handle, signal.SIGKILL, everyone=True)
        assert (await driver.wait(handle)).signal == signal.SIGKILL


async def a_repeated_start_runs_nothing_twice(subject: Subject) -> None:
    """One boot is one run, however often and from whichever server it is asked for."""
    spec = subject.spec(subject.programs.prints("once"))
    async with _opened(subject) as driver:
        handles = await asyncio.gather(*(driver.start(spec, _quiet) for _ in range(5)))
        await driver.wait(handles[0])
        handles.append(await driver.start(spec, _quiet))
    async with _opened(subject) as driver:
        handles.append(await driver.start(spec, _quiet))
        assert (await driver.wait(handles[-1])).exit_code == 0
    assert len(set(handles)) == 1
    assert subject.lines() == ["once"]


async def everybody_who_waits_is_told(subject: Subject) -> None:
    """Several may wait, one may give up, and waiting after the end answers at once."""
    async with _opened(subject) as driver:
        handle = await driver.start(subject.spec(subject.programs.runs), _quiet)
        gives_up, first, second = [await _waiting(driver, handle) for _ in range(3)]
        gives_up.cancel()
        await driver.signal(handle, signal.SIGKILL)
        found = await first
        assert await second == found == await driver.wait(handle)


async def machines_outlive_the_driver(subject: Subject) -> None:
    """A new driver finds a running machine by its handle, and one that ended before."""
    async with _opened(subject) as driver:
        running = await driver.start(subject.spec(subject.programs.runs), _quiet)
        ended = await driver.start(subject.spec(subject.programs.exits(7), machine_id="m2"), _quiet)
        await driver.wait(ended)
    async with _opened(subject) as driver:
        assert await driver.machines() == {"m1", "m2"}
        assert (await driver.wait(ended)).exit_code == 7
        waiting = await _waiting(driver, running)
        await driver.signal(running, signal.SIGTERM)
        assert (await waiting).signal == signal.SIGTERM


async def a_machine_can_be_booted_again(subject: Subject) -> None:
    """Boots of one machine do not know of each other."""
    async with _opened(subject) as driver:
        for boot, code in ((1, 4), (2, 5)):
            spec = subject.spec(subject.programs.exits(code), boot=boot)
            assert (await driver.wait(await driver.start(spec, _quiet))).exit_code == code


async def output_becomes_lines_of_the_log(subject: Subject) -> None:
    """What is printed is in the log when the exit is known, and was announced."""
    heard: list[str] = []
    async with _opened(subject, heard.append) as driver:
        handle = await driver.start(subject.spec(subject.programs.prints("hällo")), _quiet)
        await driver.wait(handle)
        assert subject.lines() == ["hällo"]
        assert "m1" in heard


async def exec_runs_a_command_beside_the_program(subject: Subject) -> None:
    """Output, input, exit code and timeout of a command."""
    programs = subject.programs
    async with _opened(subject) as driver:
        handle = await driver.start(subject.spec(programs.runs), _quiet)
        found = await driver.exec(handle, programs.prints("beside"), timeout=_TIMEOUT_S)
        assert (found.exit_code, found.stdout, found.timed_out) == (0, b"beside\n", False)
        found = await driver.exec(handle, programs.exits(9), timeout=_TIMEOUT_S)
        assert (found.exit_code, found.exit_signal) == (9, 0)
        found = await driver.exec(
            handle, programs.copies, stdin=b"\0in" * 100_000, timeout=_TIMEOUT_S
        )
        assert found.stdout == b"\0in" * 100_000
        found = await driver.exec(handle, programs.runs, timeout=0.05)
        assert (found.timed_out, found.exit_signal) == (True, signal.SIGKILL)
        await driver.signal(handle, signal.SIGKILL)
        assert (await driver.wait(handle)).signal == signal.SIGKILL


async def exec_says_what_cannot_be_run(subject: Subject) -> None:
    """A missing command and a machine that has ended are both `BootFailed`."""
    programs = subject.programs
    async with _opened(subject) as driver:
        handle = await driver.start(subject.spec(programs.runs), _quiet)
        await _refused(driver.exec(handle, programs.missing, timeout=1))
        await driver.signal(handle, signal.SIGKILL)
        await driver.wait(handle)
        await _refused(driver.exec(handle, programs.exits(0), timeout=1))


async def a_missing_command_is_no_boot(subject: Subject) -> None:
    """Nothing is left running, and the machine can be destroyed or booted again."""
    async with _opened(subject) as driver:
        await _refused(driver.start(subject.spec(subject.programs.missing), _quiet))
        await _refused(driver.start(subject.spec([]), _quiet))
        spec = subject.spec(subject.programs.exits(0), boot=2)
        assert (await driver.wait(await driver.start(spec, _quiet))).exit_code == 0


async def an_image_it_cannot_run_is_refused(subject: Subject) -> None:
    """Nothing of the machine is made."""
    async with _opened(subject) as driver:
        if driver.capabilities.images is None:
            return
        spec = BootSpec("m1", 1, "checked", "no/such:image", "local", ["x"], {})
        try:
            await driver.start(spec, _quiet)
        except ImageUnavailable:
            assert await driver.machines() == set()
        else:
            raise AssertionError("an image outside of the driver's capabilities was started")


async def destroy_ends_and_forgets(subject: Subject) -> None:
    """Whoever waits is told, nothing is held any more, and repeating is safe."""
    async with _opened(subject) as driver:
        handle = await driver.start(subject.spec(subject.programs.ignores_term), _quiet)
        waiting = await _waiting(driver, handle)
        await driver.destroy("m1")
        assert (await waiting).signal == signal.SIGKILL
        assert await driver.machines() == set()
        await driver.destroy("m1")
        assert (await driver.wait(handle)).exit_code == -1


async def destroy_reaches_machines_of_an_earlier_driver(subject: Subject) -> None:
    """Also where this driver never met them."""
    async with _opened(subject) as driver:
        await driver.start(subject.spec(subject.programs.runs), _quiet)
        ended = await driver.start(subject.spec(subject.programs.exits(0), machine_id="m2"), _quiet)
        await driver.wait(ended)
    async with _opened(subject) as driver:
        await driver.destroy("m1")
        await driver.destroy("m2")
        assert await driver.machines() == set()


async def what_nobody_knows_is_no_accident(subject: Subject) -> None:
    """An unknown handle has ended, and an unknown machine is destroyed."""
    async with _opened(subject) as driver:
        found = await driver.wait(_UNKNOWN)
        assert (found.exit_code, bool(found.error)) == (-1, True)
        await driver.signal(_UNKNOWN, signal.SIGTERM)
        await _refused(driver.exec(_UNKNOWN, subject.programs.exits(0), timeout=1))
        await driver.destroy("nobody-knows-it")
        await driver.destroy("../etc")
        assert await driver.machines() == set()


async def a_signal_after_the_end_is_no_error(subject: Subject) -> None:
    """The exit stays what it was."""
    async with _opened(subject) as driver:
        handle = await driver.start(subject.spec(subject.programs.exits(2)), _quiet)
        await driver.wait(handle)
        await driver.signal(handle, signal.SIGKILL, everyone=True)
        assert (await driver.wait(handle)).exit_code == 2


async def many_start_at_once(subject: Subject) -> None:
    """Each gets its own exit code, and all can be destroyed at once."""
    async with _opened(subject) as driver:

        async def run(number: int) -> int:
            spec = subject.spec(subject.programs.exits(number), machine_id=f"m{number}")
            return (await driver.wait(await driver.start(spec, _quiet))).exit_code

        codes = await asyncio.gather(*(run(number) for number in range(_CONCURRENT_BOOTS)))
        assert codes == list(range(_CONCURRENT_BOOTS))
        await asyncio.gather(*(driver.destroy(one) for one in await driver.machines()))
        assert await driver.machines() == set()


async def _waiting(driver: Driver, handle: str) -> asyncio.Task[Exit]:
    """Return a task that waits for the end of a boot and has got as far as to wait."""

    async def wait() -> Exit:
        return await driver.wait(handle)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    return task


async def _refused(attempt: Awaitable[object]) -> None:
    try:
        await attempt
    except BootFailed:
        return
    raise AssertionError("BootFailed was not raised")


#: Every check, by its name.
CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        reports_the_exit_code,
        reports_the_signal_that_ended_it,
        a_program_may_ignore_a_signal_but_not_a_kill,
        a_repeated_start_runs_nothing_twice,
        everybody_who_waits_is_told,
        machines_outlive_the_driver,
        a_machine_can_be_booted_again,
        output_becomes_lines_of_the_log,
        exec_runs_a_command_beside_the_program,
        exec_says_what_cannot_be_run,
        a_missing_command_is_no_boot,
        an_image_it_cannot_run_is_refused,
        destroy_ends_and_forgets,
        destroy_reaches_machines_of_an_earlier_driver,
        what_nobody_knows_is_no_accident,
        a_signal_after_the_end_is_no_error,
        many_start_at_once,
    )
}


async def check_driver(subject: Callable[[], Subject]) -> None:
    """Run every check, each on a fresh subject, and leave no machine behind.

    Args:
        subject: Returns a subject that holds no machines.

    Raises:
        AssertionError: a promise was broken.
    """
    for check in CHECKS.values():
        await run_check(check, subject())


async def run_check(check: Check, subject: Subject) -> None:
    """Run one check and destroy what it left.

    Raises:
        AssertionError: the promise was broken.
    """
    try:
        await check(subject)
    finally:
        async with _opened(subject) as driver:
            for machine_id in await driver.machines():
                await driver.destroy(machine_id)
