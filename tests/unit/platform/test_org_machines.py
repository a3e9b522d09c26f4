"""Destroyed machines are found through their index, and in the same list as those that live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy import event

from ephemera.platform.orgs import START, Wanted, place_of
from ephemera.platform.states import State

from .world import World, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]


def wanted(limit: int = 100, region: str = "", *states: str) -> Wanted:
    return Wanted(START, limit, region, frozenset(states))


def test_living_and_destroyed_machines_are_on_the_same_pages(play: Play) -> None:
    async def scene(world: World) -> None:
        owners = [world.create("run", name=f"m{number}") for number in range(6)]
        for number, owner in enumerate(owners):
            await reach(owner, State.STARTED)
            world.now += 1
            if number % 2:
                owner.ask_destroy(force=True)
                await reach(owner, State.DESTROYED)
            else:
                owner.put_metadata({"late": "yes"})
        app, order = world.app(), [owner.record.id for owner in owners]
        found, after = [], START
        while True:
            want = Wanted(after, 2, "", frozenset())
            page = world.platform.machines.page([app], want, include_deleted=True)
            found += [record.id for record in page.rows]
            if not page.next_cursor:
                break
            after = place_of(page.rows[-1])
        assert found == order
        living = world.platform.machines.page([app], wanted(), include_deleted=False)
        assert [record.id for record in living.rows] == order[::2]

    play(scene)


def test_a_page_of_destroyed_machines_is_read_in_order_from_their_index(play: Play) -> None:
    async def scene(world: World) -> None:
        asked: list[str] = []
        engine = world.store.engine
        event.listen(engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
        world.store.destroyed_after(["an app"], (0.0, ""), "local", 10)
        with engine.connect() as connection:
            query = "EXPLAIN QUERY PLAN " + asked[-1]
            plan = connection.exec_driver_sql(query, tuple("x" * query.count("?"))).all()
        assert "ix_machine_destroyed" in str(plan)
        assert "TEMP B-TREE" not in str(plan)

    play(scene)
