"""What the process driver promises beyond the contract: nothing leaks in, nothing escapes."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ephemera.errors import BootFailed, DriverError
from ephemera.platform.drivers.base import GuestFile
from ephemera.platform.drivers.monitoring import beside
from ephemera.platform.drivers.monitoring.folder import BootFolder, boots
from tests.process_driver_world import World, quiet

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

#: Leaves the group and the session of the program, and closes what ties it to the monitor.
_ESCAPE = "setsid sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & exec sleep 1000' &"

_SAYS_WHEN_ASKED = 'trap "echo escaped; exit" TERM; echo up; sleep 1000 & wait'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    asyncio.run(world.clear())


def test_processes_that_left_the_session_end_with_the_program(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sh", "-c", f"{_ESCAPE} exit 5"), quiet)
            assert (await driver.wait(handle)).exit_code == 5
            assert world.alive() == set()

    asyncio.run(check())


def test_a_signal_for_everyone_reaches_those_who_left_the_session(world: World) -> None:
    async def check() -> None:
        command = f"trap 'echo main' TERM; setsid sh -c '{_SAYS_WHEN_ASKED}' & wait; wait"
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sh", "-c", command), quiet)
            await world.printed("up")
            await driver.signal(handle, signal.SIGTERM, everyone=True)
            await driver.wait(handle)
            assert sorted(world.lines()) == ["escaped", "main", "up"]
            assert world.alive() == set()

    asyncio.run(check())


def test_a_signal_for_the_program_reaches_it_alone(world: World) -> None:
    async def check() -> None:
        command = f"trap 'echo main; exit' TERM; setsid sh -c '{_SAYS_WHEN_ASKED}' & wait; wait"
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sh", "-c", command), quiet)
            await world.printed("up")
            await driver.signal(handle, signal.SIGTERM)
            await driver.wait(handle)
            assert world.lines() == ["up", "main"]

    asyncio.run(check())


def test_what_an_exec_left_in_the_background_ends_with_the_machine(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sleep", "1000"), quiet)
            before = len(world.alive())
            found = await driver.exec(
                handle, ["sh", "-c", "setsid sleep 1000 & echo left"], timeout=20
            )
            assert (found.exit_code, found.stdout) == (0, b"left\n")
            assert len(world.alive()) == before + 1
            await driver.signal(handle, signal.SIGTERM)
            await driver.wait(handle)
            assert world.alive() == set()

    asyncio.run(check())


def test_the_exit_of_a_machine_waits_for_no_command_beside_it(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sleep", "1000"), quiet)
            running = asyncio.ensure_future(driver.exec(handle, ["sleep", "1000"], timeout=1000))
            await driver.exec(handle, ["true"], timeout=20)
            await driver.signal(handle, signal.SIGTERM)
            assert (await driver.wait(handle)).signal == signal.SIGTERM
            assert (await running).exit_signal == signal.SIGKILL

    asyncio.run(check())


def test_the_output_of_an_exec_is_capped_and_the_command_not_blocked(world: World) -> None:
    async def check() -> None:
        printing = f"head -c {3 * beside.OUTPUT_BYTES_MAX} /dev/zero; echo end >&2"
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sleep", "1000"), quiet)
            found = await driver.exec(handle, ["sh", "-c", printing], timeout=20)
            assert found.exit_code == 0
            assert len(found.stdout) == beside.OUTPUT_BYTES_MAX
            assert found.stderr == b"end\n"
            await driver.destroy("m1")

    asyncio.run(check())


def test_nothing_of_the_servers_environment_leaks_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLY_API_TOKEN", "secret")
    monkeypatch.setenv("LC_TIME", "C")
    printed = asyncio.run(world.run("env", env={"MINE": "1"}))
    assert not any("secret" in line for line in printed)
    assert {"MINE=1", "LC_TIME=C"} < set(printed)


def test_no_descriptor_leaks_in(world: World) -> None:
    # 3 is the folder that ls itself reads
    assert asyncio.run(world.run("ls", "/proc/self/fd")) == ["0", "1", "2", "3"]


def test_no_signal_is_ignored_or_blocked(world: World) -> None:
    printed = asyncio.run(world.run("grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"))
    # the C library keeps the two above 31 for itself
    assert [int(line.split()[1], 16) & 0x7FFFFFFF for line in printed] == [0, 0]


def test_a_program_starts_in_an_empty_folder_of_its_own(world: World) -> None:
    (folder,) = asyncio.run(world.run("sh", "-c", "ls; pwd"))
    assert Path(folder).is_relative_to(world.home / "machines" / "m1")


def test_the_working_folder_can_be_chosen(world: World, tmp_path: Path) -> None:
    assert asyncio.run(world.run("pwd", env={"EPHEMERA_WORKDIR": str(tmp_path)})) == [str(tmp_path)]


def test_files_are_found_by_arguments_and_values_that_name_them(world: World) -> None:
    async def check() -> None:
        spec = world.spec(
            "sh", "-c",
            'cat "$0" "$F" "$EPHEMERA_FILES/etc/own"; echo; exec sleep 1000', "/etc/own",
            env={"F": "/etc/own"},
            files=[GuestFile("/etc/own", b"mine\n", 0o600)],
        )  # fmt: skip
        async with world.driver() as driver:
            handle = await driver.start(spec, quiet)
            found = await driver.exec(handle, ["cat", "/etc/own"], timeout=20)
            assert found.stdout == b"mine\n"
            await world.printed("")
            await driver.signal(handle, signal.SIGTERM)
            await driver.wait(handle)
        assert world.lines() == ["mine", "mine", "mine", ""]

    asyncio.run(check())


@pytest.mark.parametrize(
    ("env", "files", "why"),
    [
        ({}, [GuestFile("/../x", b"")], "without '..'"),
        ({"EPHEMERA_WORKDIR": "/no/such"}, [], "'/no/such'"),
        ({"A": "b\0c"}, [], "NUL"),
    ],
)
def test_a_boot_that_cannot_be_says_why(
    env: dict[str, str], files: list[GuestFile], why: str, world: World
) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            with pytest.raises(BootFailed, match=why):
                await driver.start(world.spec("true", env=env, files=files), quiet)
            await driver.destroy("m1")
            assert await driver.machines() == set()

    asyncio.run(check())


def test_a_home_deeper_than_a_socket_address_holds(tmp_path: Path) -> None:
    home = tmp_path / ("d" * 100) / ("e" * 100)
    world = World(home)

    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sleep", "1000"), quiet)
        async with world.driver() as driver:
            await driver.signal(handle, signal.SIGTERM)
            assert (await driver.wait(handle)).signal == signal.SIGTERM

    asyncio.run(check())


def test_folders_that_a_program_made_unreadable_are_removed(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            spec = world.spec("sh", "-c", "mkdir -p a/b && touch a/b/c && chmod 0 a/b a")
            await driver.wait(await driver.start(spec, quiet))
            await driver.destroy("m1")
            assert not (world.home / "machines" / "m1").exists()

    asyncio.run(check())


def test_folders_deeper_than_a_path_are_removed_with_the_next_boot_and_with_the_machine(
    world: World,
) -> None:
    async def check() -> None:
        program = "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')"
        first = world.spec(sys.executable, "-c", program)
        async with world.driver() as driver:
            for spec in (first, replace(first, boot=2)):
                assert (await driver.wait(await driver.start(spec, quiet))).exit_code == 0
            assert not (world.home / "machines" / "m1" / "1.root").exists()
            await driver.destroy("m1")
            assert not (world.home / "machines" / "m1").exists()

    asyncio.run(check())


def test_a_driver_that_is_closed_starts_nothing_more(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sleep", "1000"), quiet)
            waiting = asyncio.ensure_future(driver.wait(handle))
            await driver.exec(handle, ["true"], timeout=20)
        with pytest.raises(DriverError, match="closed"):
            await waiting
        assert world.alive() != set()

    asyncio.run(check())


def test_a_record_that_a_crash_of_the_computer_tore_is_an_end(world: World) -> None:
    (world.home / "machines").mkdir(parents=True)
    folder = BootFolder(str(world.home / "machines" / "m1"), 1)
    folder.make()
    Path(folder.lock).write_bytes(bytes(100))

    async def check() -> None:
        async with world.driver() as driver:
            assert await driver.start(world.spec("sleep", "1000"), quiet) == "m1/1"
            assert (await driver.wait("m1/1")).exit_code == -1

    asyncio.run(check())


def test_two_drivers_serve_one_machine(world: World) -> None:
    async def check() -> None:
        async with world.driver() as one, world.driver() as other:
            spec = world.spec("sh", "-c", "echo ran; exec sleep 1000")
            handle, same = await asyncio.gather(one.start(spec, quiet), other.start(spec, quiet))
            assert handle == same
            await other.exec(handle, ["true"], timeout=20)
            await world.printed("ran")
            await one.signal(handle, signal.SIGTERM)
            assert await one.wait(handle) == await other.wait(handle)
        assert world.lines() == ["ran"]

    asyncio.run(check())


def test_what_earlier_boots_left_goes_when_the_next_is_started(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            first = world.spec("sh", "-c", "mkdir a && chmod 0 a", files=[GuestFile("/f", b"")])
            await driver.wait(await driver.start(first, quiet))
            second = await driver.start(replace(first, boot=2), quiet)
            assert boots(str(world.home / "machines" / "m1")) == [2]
            assert (await driver.wait(second)).exit_code == 0

    asyncio.run(check())


def test_what_another_server_had_destroyed_and_not_seen_end_is_dead_when_it_is_destroyed_again(
    world: World,
) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            await driver.start(world.spec("sleep", "1000"), quiet)
            assert world.alive() != set()
            # the first of what a monitor does that is told to; its server was killed then
            BootFolder(str(world.home / "machines" / "m1"), 1).bury()
        async with world.driver() as driver:
            await driver.destroy("m1")
            assert world.alive() == set()
            assert await driver.machines() == set()

    asyncio.run(check())
