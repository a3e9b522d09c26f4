"""Which states a wait is fulfilled by."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest

from ephemera.platform.machines import waiting
from ephemera.platform.machines.owner import Owner
from ephemera.platform.machines.waiting import Reached, Wanted
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import SETTLED, State

from ..world import PATIENCE_S, World, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]


def _event(owner: Owner, what: str) -> str:
    """Return the id of the newest event of this kind, as `type/status`."""
    found = [event.id for event in owner.ledger.events() if f"{event.type}/{event.status}" == what]
    return found[0]


async def _after(
    owner: Owner, event_id: str, *states: State, timeout: float = PATIENCE_S
) -> Reached:
    return await waiting.reach(owner, Wanted(frozenset(states), after=event_id), timeout)


def test_a_state_counts_only_where_it_came_after_the_event(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        asked, started = _event(owner, "start/started"), _event(owner, "launch/created")
        assert (await _after(owner, started, State.STARTED)).event_id == asked
        with pytest.raises(Refusal) as caught:
            await _after(owner, asked, State.STARTED, timeout=0)
        assert caught.value.status == 408

    play(scene)


def test_a_state_that_has_passed_counts_too(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", restart={"policy": "no"})
        await reach(owner, State.STOPPED)
        first = _event(owner, "launch/created")
        found = await _after(owner, first, State.STARTED)
        assert (found.state, found.event_id) == ("started", _event(owner, "start/started"))

    play(scene)


def test_an_exit_that_led_to_another_start_is_no_stop(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "always"})
        await reach(owner, State.STARTED)
        await world.driver.signal(owner.record.handle, signal.SIGKILL)
        await owner.ledger.until(lambda record: record.boot == 2, PATIENCE_S)
        with pytest.raises(Refusal):
            await _after(owner, _event(owner, "launch/created"), State.STOPPED, timeout=0)

    play(scene)


def test_a_rest_of_which_no_event_tells_is_seen(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", skip_launch=True)
        found = await _after(owner, _event(owner, "launch/created"), State.STOPPED)
        assert found.state == "stopped"

    play(scene)


def test_a_version_that_is_replaced_is_waited_for_no_longer(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        old = owner.record.instance_id
        wait = asyncio.create_task(
            waiting.reach(owner, Wanted(frozenset({State.STOPPED}), version=old), 60)
        )
        await asyncio.sleep(0)
        owner.ask_update(owner.record.config, skip_launch=False)
        with pytest.raises(Refusal) as caught:
            await wait
        assert caught.value.status == 412
        found = await waiting.reach(owner, Wanted(SETTLED, version=old), 0)
        assert (found.state, found.version) == ("replaced", old)

    play(scene)


def test_versions_and_events_nobody_knows_are_refused(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        versions = world.platform.versions
        states = frozenset({State.STARTED})
        with pytest.raises(Refusal) as caught:
            waiting.check(Wanted(states, version="01NEVER"), owner.ledger, versions)
        assert caught.value.status == 404
        with pytest.raises(Refusal) as caught:
            waiting.check(Wanted(states, after="01NEVER"), owner.ledger, versions)
        assert caught.value.status == 400

    play(scene)


def test_the_versions_of_a_machine_are_bounded_and_the_newest_are_kept(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", skip_launch=True)
        await reach(owner, State.STOPPED)
        first, versions = owner.record.instance_id, world.platform.versions
        for number in range(50):
            owner.ask_update(owner.record.config | {"env": {"N": str(number)}}, skip_launch=True)
            await reach(owner, State.STOPPED)
        found = versions.of(owner.record.id)
        assert len(found) == 50
        assert found[0].version == owner.record.instance_id
        assert found[0].config["env"] == {"N": "49"}
        assert not versions.has(owner.record.id, first)

    play(scene)


def test_of_a_destroyed_machine_the_last_version_is_kept_without_its_files(play: Play) -> None:
    async def scene(world: World) -> None:
        files = [{"guest_path": "/f", "raw_value": "eA=="}]
        owner = world.create("run", skip_launch=True, files=files)
        await reach(owner, State.STOPPED)
        owner.ask_update(owner.record.config, skip_launch=True)
        await reach(owner, State.STOPPED)
        owner.ask_destroy(force=False)
        await reach(owner, State.DESTROYED)
        (found,) = world.platform.versions.of(owner.record.id)
        assert found.version == owner.record.instance_id
        assert "files" not in found.config

    play(scene)
