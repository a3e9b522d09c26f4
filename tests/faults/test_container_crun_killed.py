"""`crun` is killed, hangs, lies, or ends its monitor, at each step: a machine starts or does not.

A script stands in for it that does something else before or after the real one, or instead of it.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ephemera.errors import BootFailed, DriverError
from ephemera.platform.drivers.container.driver import ContainerDriver
from ephemera.platform.drivers.monitoring import program
from tests import needs
from tests.container_world import World, forked_by, kill, leaving_nothing, quiet, until, zygote_of

pytestmark = [*needs.containers, pytest.mark.faults, pytest.mark.timeout(300)]

_SLEEPS = ("sleep", "1000")
_REAL = needs.which("crun")
Act = Callable[[str, str], None]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with leaving_nothing(tmp_path / "home") as world:
        yield world


@pytest.fixture(autouse=True)
def by_crun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `crun` start programs, and not the platform itself."""
    monkeypatch.setenv("EPHEMERA_RUNTIME", "crun")


@pytest.fixture
def act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Act:
    """Have a script in the place of crun, which does this where it is asked for `verb`.

    Once: there is a file afterwards, and then it is the real one.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    path = f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin"

    def write(verb: str, script: str) -> None:
        once = folder / "done"
        once.unlink(missing_ok=True)
        text = f"""#!/bin/sh
        real() {{ {_REAL} "$@"; }}
        case " $* " in *" {verb} "*) if [ ! -e {once} ]; then : > {once}; {script}; fi;; esac
        exec {_REAL} "$@"
        """
        fake = folder / "crun"
        fake.write_text(text)
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", path)

    return write


_KILLED = {
    "itself before": "kill -9 $$",
    "itself after": 'real "$@"; kill -9 $$',
    "itself meanwhile": 'real "$@" & kill -9 $$',
}
_MONITOR_KILLED = {
    "before": "kill -9 $PPID; sleep 1000",
    "after": 'real "$@"; kill -9 $PPID',
    "meanwhile": 'real "$@" & kill -9 $PPID; wait',
}


@pytest.mark.parametrize("script", _KILLED.values(), ids=_KILLED.keys())
def test_a_crun_that_is_killed_starts_nothing(world: World, act: Act, script: str) -> None:
    act("run", script)

    async def check() -> None:
        async with world.driver() as driver:
            spec = world.spec("sh", "-c", "echo up; exec sleep 1000")
            with pytest.raises(BootFailed, match="crun"):
                await driver.start(spec, quiet)
            await _all_quiet(world)
            await driver.start(spec, quiet)
            await world.printed("up")

    asyncio.run(check())


@pytest.mark.parametrize("script", _MONITOR_KILLED.values(), ids=_MONITOR_KILLED.keys())
def test_a_monitor_killed_while_crun_runs_ends_the_boot(
    world: World, act: Act, script: str
) -> None:
    act("run", script)

    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec(*_SLEEPS), quiet)
            found = await driver.wait(handle)
            assert found.exit_code == -1
            assert "monitor was killed" in found.error
            await _all_quiet(world)

    asyncio.run(check())


@pytest.mark.parametrize("script", _KILLED.values(), ids=_KILLED.keys())
def test_a_crun_that_is_killed_executes_nothing(world: World, act: Act, script: str) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec(*_SLEEPS), quiet)
            with pytest.raises(BootFailed, match="crun"):
                await driver.exec(handle, ["sleep", "2"], timeout=20)
            assert (await driver.exec(handle, ["sh", "-c", "exit 4"], timeout=20)).exit_code == 4

    act("exec", script)
    asyncio.run(check())


@pytest.mark.parametrize("script", _MONITOR_KILLED.values(), ids=_MONITOR_KILLED.keys())
def test_a_monitor_killed_while_crun_executes_takes_all_along(
    world: World, act: Act, script: str
) -> None:
    act("exec", script)

    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec(*_SLEEPS), quiet)
            with pytest.raises(BootFailed):
                await driver.exec(handle, ["sleep", "1000"], timeout=20)
            assert (await driver.wait(handle)).exit_code == -1
            await _all_quiet(world)

    asyncio.run(check())


async def _all_quiet(world: World) -> None:
    """Return when there is nothing but zygote and spares, and what those have."""

    def others() -> set[str]:
        return set(map(_name, world.traces.processes()))

    await until(lambda: not others() & {"sleep", "crun"}, others)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


_LIES = {
    "garbage": ("printf 'no\\377\\000sense {{{' >&2; exit 3", "crun"),
    "nothing": ("exit 3", "crun ended with 3 and said nothing"),
    "success": ("exit 0", "did not say what it started"),
    "nonsense for a pid": ("echo nonsense > pid; exit 0", "did not say what it started"),
    "an empty pid": (": > pid; exit 0", "did not say what it started"),
    "a binary log": ("printf 'a\\377b\\nc\\377d' > log; exit 1", "c�d"),
}


@pytest.mark.parametrize(("script", "why"), _LIES.values(), ids=_LIES.keys())
def test_a_crun_that_says_what_makes_no_sense_is_a_clear_error(
    world: World, act: Act, script: str, why: str
) -> None:
    act("run", script)

    async def check() -> None:
        async with world.driver() as driver:
            with pytest.raises(BootFailed, match=why) as caught:
                await driver.start(world.spec(*_SLEEPS), quiet)
            assert "Traceback" not in str(caught.value)
            assert (await world.ended(driver, world.spec("sh", "-c", "exit 6"))).exit_code == 6

    asyncio.run(check())


def test_a_monitor_killed_while_crun_hangs_ends_the_boot(world: World, act: Act) -> None:
    act("run", "sleep 1000")

    async def check() -> None:
        async with world.driver() as driver:
            starting = asyncio.ensure_future(driver.start(world.spec(*_SLEEPS), quiet))
            zygote = zygote_of(driver)
            await until(lambda: "sleep" in map(_name, world.traces.processes()))
            kill(*forked_by(zygote))
            handle = await starting
            assert (await driver.wait(handle)).exit_code == -1
            await _all_quiet(world)

    asyncio.run(check())


def test_a_crun_that_hangs_is_not_waited_for_for_ever() -> None:
    with subprocess.Popen(["sleep", "1000"]) as hangs:
        assert not program.ends_in_time(hangs.pid, 0.1)
        hangs.kill()
        assert program.ends_in_time(hangs.pid, 60)


def test_a_crun_that_is_no_program_is_refused_when_the_platform_starts(
    world: World, act: Act, tmp_path: Path
) -> None:
    act("run", "exit 0")
    (tmp_path / "bin" / "crun").write_text("no program")

    async def check() -> None:
        driver = ContainerDriver(world.home)
        with pytest.raises(DriverError, match="EPHEMERA_RUNTIME is 'crun'") as caught:
            await driver.open(quiet)
        assert "apt-get install crun" in caught.value.hint
        await driver.close()

    asyncio.run(check())
    (tmp_path / "bin" / "crun").unlink()
