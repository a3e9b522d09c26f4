"""What is remembered for a while only is forgotten while the server runs, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from ephemera.platform import schema
from ephemera.platform.clock import MovableClock
from ephemera.platform.forgetting import Forgetting
from ephemera.platform.machines import forgetting, happenings
from ephemera.platform.machines.owner import Owner
from ephemera.platform.states import State
from tests.unit.platform.world import World, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]

_DAY_S = 24 * 3600.0


async def _destroyed(world: World) -> Owner:
    owner = world.create("exit", "0", restart={"policy": "no"})
    await reach(owner, State.STOPPED)
    owner.ask_destroy(force=False)
    await reach(owner, State.DESTROYED)
    return owner


def _rows(world: World) -> dict[str, int]:
    """Return how many rows there are that are about machines."""
    tables = (schema.machines, schema.events, schema.machine_versions)
    with world.store.engine.connect() as connection:
        return {
            one.name: connection.execute(select(func.count()).select_from(one)).scalar_one()
            for one in tables
        }


async def _until(looked_for: Callable[[], object]) -> None:
    """Return when something is so, having let others go on."""
    found = looked_for()
    while not found:
        await asyncio.sleep(0)
        found = looked_for()


def test_a_destroyed_machine_is_forgotten_after_a_week_with_all_that_is_about_it(
    play: Play,
) -> None:
    async def scene(world: World) -> None:
        await _destroyed(world)
        alive = world.create("run")
        await reach(alive, State.STARTED)
        engine, before = world.store.engine, _rows(world)
        assert forgetting.forget_destroyed(engine, world.now + 6.9 * _DAY_S) == 0
        assert _rows(world) == before
        assert forgetting.forget_destroyed(engine, world.now + 7.1 * _DAY_S) == 1
        assert forgetting.forget_destroyed(engine, world.now + 7.1 * _DAY_S) == 0
        assert _rows(world) == {"machine": 1, "event": 2, "machine_version": 1}

    play(scene)


def test_of_a_machine_that_lives_long_the_newest_events_are_kept(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "EVENTS_KEPT", 5)
    monkeypatch.setattr(forgetting, "_AT_ONCE", 3)

    async def scene(world: World) -> None:
        owner, other = world.create("run"), world.create("run")
        await reach(owner, State.STARTED)
        await reach(other, State.STARTED)
        for _ in range(8):
            owner.ledger.write([happenings.restart_asked(owner.record.id, world.now)])
        newest = world.store.events(owner.record.id, 5)
        engine = world.store.engine
        assert [forgetting.forget_events(engine) for _ in range(3)] == [3, 2, 0]
        assert world.store.events(owner.record.id, 50) == newest
        assert len(world.store.events(other.record.id, 50)) == 2

    play(scene)


def test_a_platform_forgets_from_its_start_on(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = await _destroyed(world)
        app = world.app()
        token = world.platform.tokens.create(app.id, 60)
        world.now += 8 * _DAY_S
        await world.reopen()
        await _until(lambda: world.store.machine(app.id, owner.record.id) is None)
        assert world.platform.tokens.find(token) is None

    play(scene)


def test_it_goes_on_every_hour_also_where_the_disk_was_full() -> None:
    clock, left, heard = MovableClock(), [2, 1], asyncio.Event()

    def full() -> int:
        raise OperationalError("DELETE", {}, Exception("disk is full"))

    def forget() -> int:
        heard.set()
        return left.pop() if left else 0

    async def scene() -> None:
        all_of_it = Forgetting(clock, [full, forget])
        all_of_it.open()
        await heard.wait()
        await _until(lambda: not left and clock._due)
        heard.clear()
        clock.move(3601)
        await heard.wait()
        await all_of_it.close()
        await all_of_it.close()

    asyncio.run(asyncio.wait_for(scene(), 40))
