"""A server that is gone at any moment: the next one goes on from what is written down."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from ephemera.platform.states import State

from ..world import World, happened, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]


def test_a_running_machine_is_adopted_and_its_exit_seen(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        await world.reopen()
        owner = world.again(owner)
        assert owner.record.state is State.STARTED
        await world.driver.signal(owner.record.handle, signal.SIGUSR1)
        await reach(owner, State.STOPPED)
        assert list(world.driver.specs) == [f"{owner.record.id}/1"]

    play(scene)


def test_an_exit_while_nobody_served_is_seen_with_its_code(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        await world.close()
        await world.driver.signal(owner.record.handle, signal.SIGKILL)
        await world.open()
        owner = world.again(owner)
        await reach(owner, State.STOPPED)
        request = owner.ledger.events()[0].request
        assert request is not None
        assert request["exit_event"]["exit_code"] == 137

    play(scene)


@pytest.mark.parametrize("launch", [True, False])
def test_a_machine_that_was_only_written_down_is_begun(play: Play, launch: bool) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", skip_launch=not launch)
        await world.reopen()  # before the loop came round to begin it
        await reach(world.again(owner), State.STARTED if launch else State.STOPPED)

    play(scene)


def test_a_boot_that_was_asked_for_and_never_made_is_made(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        _rewrite(world, owner.record.id, state=State.STARTING, handle="")
        await world.driver.destroy(owner.record.id)
        await world.reopen()
        await reach(world.again(owner), State.STARTED)

    play(scene)


def test_the_first_boot_is_found_by_a_server_that_reads_nothing_of_it(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        _rewrite(world, owner.record.id, state=State.CREATED, boot=0, handle="", launch=True)
        await world.reopen()
        owner = world.again(owner)
        await reach(owner, State.STARTED)
        assert list(world.driver.specs) == [f"{owner.record.id}/1"]

    play(scene)


def test_a_first_boot_that_nobody_wants_any_more_is_ended_though_nothing_is_read_of_it(
    play: Play,
) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        handle = owner.record.handle
        _rewrite(world, owner.record.id, state=State.CREATED, boot=0, handle="", launch=True)
        await world.reopen()
        owner = world.again(owner)
        owner.ask_destroy(force=True)
        await reach(owner, State.DESTROYED)
        assert await world.driver.machines() == set()
        assert (await world.driver.wait(handle)).exit_code != 0

    play(scene)


def test_a_boot_that_was_made_and_never_written_down_is_found(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        _rewrite(world, owner.record.id, state=State.STARTING, handle="")
        await world.reopen()
        await reach(world.again(owner), State.STARTED)
        assert list(world.driver.specs) == [f"{owner.record.id}/1"]

    play(scene)


def test_a_stop_under_way_goes_on_and_keeps_its_deadline(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("ignore-term")
        await reach(owner, State.STARTED)
        owner.ask_stop(signal.SIGTERM, 60)
        await world.close()
        world.now += 61
        await world.open()
        await reach(world.again(owner), State.STOPPED)

    play(scene)


@pytest.mark.parametrize("state", [State.STOPPING, State.RESTARTING, State.REPLACING])
def test_a_boot_nobody_heard_of_is_ended_before_going_on(play: Play, state: State) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        _rewrite(world, owner.record.id, state=state, handle="", launch=True)
        await world.reopen()
        owner = world.again(owner)
        await reach(owner, State.STARTED if state is not State.STOPPING else State.STOPPED)
        assert "exit/stopped" in happened(owner)
        assert len(await world.driver.machines()) <= 1

    play(scene)


def test_a_destroy_under_way_is_finished(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        owner.ask_destroy(force=True)
        await world.reopen()
        await reach(world.again(owner), State.DESTROYED)
        assert await world.driver.machines() == set()

    play(scene)


@pytest.mark.parametrize("command", ["exit", "fail-boot"])
def test_a_destroy_that_goes_on_invents_no_second_end(play: Play, command: str) -> None:
    async def scene(world: World) -> None:
        owner = world.create(command, restart={"policy": "no"})
        await reach(owner, State.STOPPED, State.FAILED)
        owner.ask_destroy(force=False)
        await world.reopen()
        owner = world.again(owner)
        await reach(owner, State.DESTROYED)
        ends = [one for one in happened(owner) if one in ("exit/stopped", "start/failed")]
        assert len(ends) == 1

    play(scene)


def test_an_auto_destroy_that_was_not_begun_is_made_up_for(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", auto_destroy=True, restart={"policy": "no"})
        await reach(owner, State.STOPPED)
        await world.reopen()  # before it was asked for
        await reach(world.again(owner), State.DESTROYED)

    play(scene)


def test_auto_destroy_leaves_a_machine_that_was_never_started_alone(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", auto_destroy=True, skip_launch=True)
        await reach(owner, State.STOPPED)
        await world.reopen()
        assert world.again(owner).record.state is State.STOPPED

    play(scene)


def test_what_the_driver_holds_of_machines_nobody_knows_is_removed(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        stray = replace(world.driver.specs[owner.record.handle], machine_id="0123456789abcd")
        await world.driver.start(stray, lambda level, message: None)
        await world.reopen()
        assert await world.driver.machines() == {owner.record.id}

    play(scene)


def _rewrite(world: World, machine_id: str, **changes: object) -> None:
    """Put into the store what a server that was killed a moment earlier would have left."""
    record = world.platform.machines.owner(world.app(), machine_id).record
    world.platform.machines.owner(world.app(), machine_id).ledger.record = world.store.move_machine(
        record, [], **changes
    )
