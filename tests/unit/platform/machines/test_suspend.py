"""Machines that are put to sleep, and what becomes of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ephemera.platform.machines.owner import Owner
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import State

from ..world import World, happened, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]


async def _suspended(world: World, *command: str, **config: Any) -> Owner:
    owner = world.create(*(command or ("run",)), restart={"policy": "no"}, **config)
    await reach(owner, State.STARTED)
    owner.ask_suspend()
    await reach(owner, State.SUSPENDED)
    return owner


def test_a_suspended_machine_goes_on_with_the_boot_that_it_had(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = await _suspended(world)
        owner.ask_suspend()
        assert owner.record.state is State.SUSPENDED
        assert owner.ask_start() is State.SUSPENDED
        await reach(owner, State.STARTED)
        assert list(world.driver.specs) == [f"{owner.record.id}/1"]
        assert happened(owner)[-4:] == [
            "suspend/suspending", "suspend/suspended", "start/starting", "resume/started",
        ]  # fmt: skip

    play(scene)


def test_a_program_that_ends_after_it_was_resumed_ends_as_any_other(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = await _suspended(world)
        await world.driver.signal(owner.record.handle, signal.SIGUSR1)  # waits for the resumption
        owner.ask_start()
        await reach(owner, State.STOPPED)
        request = owner.ledger.events()[0].request or {}
        assert request["exit_event"]["exit_code"] == 128 + signal.SIGUSR1
        assert request["exit_event"]["requested_stop"] is False
        assert "resume/started" in happened(owner)

    play(scene)


def test_a_late_answer_about_an_earlier_boot_says_nothing_of_this_one(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        answers = [asyncio.Event(), asyncio.Event()]
        waiting = iter(answers)
        monkeypatch.setattr(world.driver, "suspend", lambda _: next(waiting).wait())
        owner.ask_suspend()
        await asyncio.sleep(0)
        owner.ask_stop(signal.SIGKILL, 0)
        await reach(owner, State.STOPPED)
        owner.ask_start()
        await reach(owner, State.STARTED)
        owner.ask_suspend()
        await asyncio.sleep(0)
        answers[0].set()
        for _ in range(5):
            await asyncio.sleep(0)
        assert owner.record.state is State.SUSPENDING
        answers[1].set()
        await reach(owner, State.SUSPENDED)

    play(scene)


def test_a_stop_of_a_suspended_machine_discards_what_it_was_doing(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = await _suspended(world, "ignore-term")
        owner.ask_stop(signal.SIGTERM, 300)
        await reach(owner, State.STOPPED)
        assert world.driver.signals == [(f"{owner.record.id}/1", signal.SIGKILL, True)]
        owner.ask_start()
        await reach(owner, State.STARTED)
        assert owner.record.boot == 2

    play(scene)


def test_a_suspended_machine_is_destroyed_without_force(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = await _suspended(world)
        owner.ask_destroy(force=False)
        await reach(owner, State.DESTROYED)
        assert await world.driver.machines() == set()

    play(scene)


def test_an_update_leaves_a_suspended_machine_stopped_in_its_new_version(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = await _suspended(world)
        version = owner.record.instance_id
        owner.ask_update(owner.record.config | {"env": {"NEW": "1"}}, skip_launch=False)
        await reach(owner, State.STOPPED)
        assert owner.record.instance_id != version

    play(scene)


def test_a_restart_of_a_suspended_machine_starts_it_afresh(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = await _suspended(world)
        owner.ask_restart(signal.SIGTERM, 300)
        await reach(owner, State.STARTED)
        assert owner.record.boot == 2

    play(scene)


def test_a_machine_that_cannot_be_frozen_is_stopped(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("stay-awake", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        owner.ask_suspend()
        await reach(owner, State.STOPPED)
        assert happened(owner)[-3:] == ["suspend/suspending", "suspend/stopping", "exit/stopped"]

    play(scene)


def test_a_program_that_dies_while_it_is_suspended_leaves_its_machine_stopped(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = await _suspended(world)
        await world.driver.signal(owner.record.handle, signal.SIGKILL, everyone=True)
        await reach(owner, State.STOPPED)

    play(scene)


def test_a_machine_whose_memory_was_lost_starts_afresh(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = await _suspended(world)
        await world.close()
        await world.driver.destroy(owner.record.id)  # as when the computer was started anew
        await world.open()
        owner = world.again(owner)
        assert owner.record.state is State.SUSPENDED
        owner.ask_start()
        await reach(owner, State.STARTED)
        assert owner.record.boot == 2
        assert "exit/stopped" in happened(owner)

    play(scene)


def test_a_suspended_machine_outlives_the_server(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = await _suspended(world)
        await world.reopen()
        owner = world.again(owner)
        assert owner.record.state is State.SUSPENDED
        owner.ask_start()
        await reach(owner, State.STARTED)
        assert owner.record.boot == 1

    play(scene)


def test_a_suspension_and_a_resumption_under_way_are_finished(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        owner.ask_suspend()
        await world.reopen()  # before the driver was asked
        owner = world.again(owner)
        await reach(owner, State.SUSPENDED)
        owner.ask_start()
        await world.reopen()
        owner = world.again(owner)
        await reach(owner, State.STARTED)
        assert owner.record.boot == 1

    play(scene)


@pytest.mark.parametrize(
    "config",
    [
        {"guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 4096}},
        {"schedule": "daily"},
    ],
    ids=["memory", "schedule"],
)
def test_what_cannot_be_suspended_is_refused_and_runs_on(
    play: Play, config: dict[str, Any]
) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", **config)
        await reach(owner, State.STARTED)
        with pytest.raises(Refusal) as caught:
            owner.ask_suspend()
        assert caught.value.status == 412
        assert owner.record.state is State.STARTED

    play(scene)


def test_only_what_is_started_can_be_suspended(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", restart={"policy": "no"})
        await reach(owner, State.STOPPED)
        with pytest.raises(Refusal, match="unable to suspend machine from current state"):
            owner.ask_suspend()

    play(scene)
