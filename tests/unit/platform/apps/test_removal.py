"""An app that is deleted goes with all that it has, whenever the server is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import func, select

from ephemera.errors import DriverError
from ephemera.home import builds_folder
from ephemera.platform import schema
from ephemera.platform.apps.rows import _belongs_to
from ephemera.platform.edge.addresses import AssignIp
from ephemera.platform.records import AppRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import State
from tests.unit.platform.world import World, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]


def rows(world: World, app: AppRecord) -> dict[str, int]:
    """Return how many rows of each table are an app's, where there are any."""
    with world.store.engine.connect() as connection:
        counted = {
            table.name: connection.execute(
                select(func.count()).select_from(table).where(table.c[column] == app.id)
            ).scalar_one()
            for table in schema.metadata.sorted_tables
            for column in ("app_id", "id")
            if column in table.c and (column == "app_id" or table is schema.apps)
        }
    return {name: count for name, count in counted.items() if count}


async def furnish(world: World) -> AppRecord:
    """Return an app that has a bit of everything."""
    owner = world.create("run", name="runs")
    await reach(owner, State.STARTED)
    gone = world.create("exit", "0", name="gone", restart={"policy": "no"})
    await reach(gone, State.STOPPED)
    gone.ask_destroy(force=False)
    await reach(gone, State.DESTROYED)
    app = world.app()
    world.platform.addresses.assign(app, AssignIp(type="v4"))
    world.platform.secrets.write(app.id, {"A": "1"})
    (builds_folder(world.home, app.name) / "one").mkdir(parents=True)
    return app


async def removed(world: World) -> None:
    """Return when nothing is being removed any more."""
    await world.platform._removals._chores.finish()


def log_folder(world: World, app: AppRecord) -> bool:
    return (world.home / "logs" / app.id).exists()


def test_nothing_of_a_deleted_app_is_left(play: Play) -> None:
    async def scene(world: World) -> None:
        app = await furnish(world)
        assert {"app", "machine", "ip_assignment", "secret"} <= rows(world, app).keys()
        assert log_folder(world, app)
        await world.platform.delete_app(app.name, force=True)
        assert rows(world, app) == {}
        assert not log_folder(world, app)
        assert list((world.home / "builds").iterdir()) == []
        assert await world.driver.machines() == set()

    play(scene)


def test_a_new_app_of_the_same_name_sees_nothing_of_the_old_one(play: Play) -> None:
    async def scene(world: World) -> None:
        old = await furnish(world)
        await world.platform.delete_app(old.name, force=True)
        new = world.platform.apps.create(old.name, "personal", "")
        assert world.platform.machines.owners(new, include_deleted=True) == []
        assert world.platform.addresses.of(new) == []

    play(scene)


def test_a_name_is_free_before_the_machines_are_gone(play: Play) -> None:
    async def scene(world: World) -> None:
        old = await furnish(world)
        deletion = asyncio.create_task(world.platform.delete_app(old.name, force=True))
        await asyncio.sleep(0)  # it gives up the loop when the first machine is to be waited for
        with pytest.raises(Refusal, match="app not found"):
            world.platform.apps.named(old.name)
        new = world.platform.apps.create(old.name, "personal", "")
        await deletion
        assert world.platform.apps.named(old.name) is new
        assert builds_folder(world.home, new.name).exists()  # it may be deployed already
        assert rows(world, old) == {}

    play(scene)


def test_a_deletion_that_was_only_written_down_is_done_by_the_next_server(play: Play) -> None:
    async def scene(world: World) -> None:
        app = await furnish(world)
        world.platform.apps.leave(app)
        await world.reopen()
        with pytest.raises(Refusal, match="app not found"):
            world.platform.apps.named(app.name)
        await removed(world)
        assert rows(world, app) == {}
        assert not log_folder(world, app)
        assert await world.driver.machines() == set()

    play(scene)


def test_a_driver_that_does_not_answer_only_delays_it(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(machine_id: str) -> None:
        raise DriverError(f"{machine_id} cannot be reached")

    async def scene(world: World) -> None:
        app = await furnish(world)
        with monkeypatch.context() as patched:
            patched.setattr(world.driver, "destroy", refuse)
            deletion = asyncio.create_task(world.platform.delete_app(app.name, force=True))
            await asyncio.sleep(0)
            await world.close()
            await deletion
        await world.open()
        await removed(world)
        assert rows(world, app) == {}
        assert await world.driver.machines() == set()

    play(scene)


def test_a_log_that_cannot_be_removed_is_tried_again(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        app = await furnish(world)
        drop, refusals = world.platform.logs.drop, [OSError("disk is sick")]

        async def at_first_refuse(app_id: str) -> None:
            if refusals:
                raise refusals.pop()
            await drop(app_id)

        monkeypatch.setattr("ephemera.platform.apps.removal._RETRY_S", 0)
        monkeypatch.setattr(world.platform.logs, "drop", at_first_refuse)
        await world.platform.delete_app(app.name, force=True)
        assert rows(world, app) == {}
        assert not log_folder(world, app)

    play(scene)


def test_an_app_with_a_busy_machine_is_left_alone_unless_forced(play: Play) -> None:
    async def scene(world: World) -> None:
        app = await furnish(world)
        with pytest.raises(Refusal, match="1 machines") as caught:
            await world.platform.delete_app(app.name, force=False)
        assert caught.value.status == 412
        await world.reopen()
        assert world.platform.apps.named(app.name) == app

    play(scene)


def test_rows_of_other_apps_stay(play: Play) -> None:
    async def scene(world: World) -> None:
        other = world.platform.apps.create("other", "elsewhere", "")
        world.platform.addresses.assign(other, AssignIp(type="v4"))
        app = await furnish(world)
        before = rows(world, other)
        await world.platform.delete_app(app.name, force=True)
        assert rows(world, other) == before

    play(scene)


def test_every_table_that_holds_something_of_an_app_is_cleared() -> None:
    """A new table that is tied to an app only by a column of another name would be left behind."""
    apart = {
        table.name
        for table in schema.metadata.sorted_tables
        if _belongs_to(table, "an app") is None
    }
    assert apart == {"vault", "signing_key"}
