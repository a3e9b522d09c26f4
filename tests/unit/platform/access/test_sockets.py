from __future__ import annotations

import asyncio
import logging
import os
import shutil
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ephemera.platform.states import State
from tests.unit.platform.world import World, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]


def sockets(world: World) -> set[str]:
    folder = world.home / "api"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def path_of(world: World, machine_id: str) -> Path:
    return world.home / "api" / machine_id / "api"


async def says(path: Path) -> bytes:
    """Return what is said to somebody who connects to a socket."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    said = await reader.read()
    writer.close()
    return said


class _Tells(asyncio.Protocol):
    """Tells everybody which machine's socket they came through."""

    def __init__(self, machine_id: str) -> None:
        self._machine_id = machine_id

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._machine_id.encode())
        transport.close()


def test_a_machine_has_a_socket_while_it_is_up(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", skip_launch=True)
        await reach(owner, State.STOPPED)
        assert sockets(world) == set()
        for _ in range(2):
            owner.ask_start()
            assert sockets(world) == {owner.record.id}, "it is there before the program is"
            await reach(owner, State.STARTED)
            assert sockets(world) == {owner.record.id}
            owner.ask_stop(15, 5)
            await reach(owner, State.STOPPED)
            assert sockets(world) == set()

    play(scene)


def test_a_suspended_machine_keeps_its_socket(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        owner.ask_suspend()
        await reach(owner, State.SUSPENDED)
        assert sockets(world) == {owner.record.id}

    play(scene)


def test_a_destroyed_machine_leaves_no_socket(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        owner.ask_destroy(force=True)
        await reach(owner, State.DESTROYED)
        assert sockets(world) == set()

    play(scene)


def test_only_the_owner_of_the_platform_can_get_at_them(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        assert stat.S_IMODE((world.home / "api").stat().st_mode) == 0o700

    play(scene)


def test_every_user_of_a_machine_may_use_its_socket(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        mask = os.umask(0o077)
        try:
            await reach(owner, State.STARTED)
        finally:
            os.umask(mask)
        path = path_of(world, owner.record.id)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
        assert stat.S_IMODE(path.stat().st_mode) == 0o666

    play(scene)


def test_the_socket_of_an_older_platform_gives_way_to_a_folder(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        await world.close()
        folder = path_of(world, owner.record.id).parent
        shutil.rmtree(folder)
        folder.touch()
        await world.open()
        assert path_of(world, owner.record.id).is_socket()

    play(scene)


def test_a_program_is_told_where_its_socket_is(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        (spec,) = world.driver.specs.values()
        assert spec.env["EPHEMERA_API_SOCKET"] == str(path_of(world, owner.record.id))

    play(scene)


def test_each_is_answered_for_its_own_machine(play: Play) -> None:
    async def scene(world: World) -> None:
        early = world.create("run")
        await reach(early, State.STARTED)
        came_early = asyncio.create_task(says(path_of(world, early.record.id)))
        world.platform.sockets.serve(lambda machine: _Tells(machine.machine))
        late = world.create("run")
        await reach(late, State.STARTED)
        assert await came_early == early.record.id.encode()
        for owner in (early, late):
            said = await says(path_of(world, owner.record.id))
            assert said == owner.record.id.encode()

    play(scene)


def test_a_socket_outlives_the_server_and_is_answered_by_the_next(play: Play) -> None:
    async def scene(world: World) -> None:
        up, down = world.create("run"), world.create("exit", "0", restart={"policy": "no"})
        await reach(up, State.STARTED)
        await reach(down, State.STOPPED)
        world.platform.sockets.serve(lambda machine: _Tells(machine.machine))
        await world.close()
        assert sockets(world) == {up.record.id}
        with pytest.raises(ConnectionRefusedError):
            await says(path_of(world, up.record.id))
        folder = path_of(world, up.record.id).parent
        inode = folder.stat().st_ino
        (folder / "new").touch()
        (world.home / "api" / down.record.id).mkdir()  # as a crash may leave it
        (world.home / "api" / down.record.id / "api").touch()
        (world.home / "api" / "gone").touch()
        (world.home / "api" / "new").touch()
        await world.open()
        assert sockets(world) == {up.record.id}
        world.platform.sockets.serve(lambda machine: _Tells(machine.machine))
        assert await says(path_of(world, up.record.id)) == up.record.id.encode()
        assert folder.stat().st_ino == inode, "a machine sees the folder, whatever is in it"

    play(scene)


def test_a_machine_comes_up_without_one_where_the_folder_is_in_the_way(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(world: World) -> None:
        (world.home / "api").write_text("in the way")
        await reach(world.create("run"), State.STARTED)
        assert "has no API socket" in caplog.text
        (world.home / "api").unlink()

    play(scene)


def test_where_paths_are_too_long_there_is_none_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        home = tmp_path / ("x" * 100)
        home.mkdir()
        world = World(home)
        await world.open()
        try:
            await reach(world.create("run"), State.STARTED)
            (spec,) = world.driver.specs.values()
            assert "EPHEMERA_API_SOCKET" not in spec.env
            assert sockets(world) == set()
        finally:
            await world.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(scene())
    assert "is too long" in caplog.text
