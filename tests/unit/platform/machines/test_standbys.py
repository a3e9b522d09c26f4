"""Machines that stand by for others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from ephemera.platform.machines import standbys
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import State

from ..world import PATIENCE_S, World, happened, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]


def test_a_standby_is_created_at_rest(play: Play) -> None:
    async def scene(world: World) -> None:
        watched = world.create("run")
        standby = world.create("run", standbys=[watched.record.id])
        await reach(standby, State.STOPPED)
        assert happened(standby) == ["launch/created"]

    play(scene)


def test_a_standby_is_started_when_the_machine_is_lost(play: Play) -> None:
    async def scene(world: World) -> None:
        watched = world.create("lose", restart={"policy": "no"}, skip_launch=True)
        await reach(watched, State.STOPPED)
        standby = world.create("run", standbys=[watched.record.id])
        await reach(standby, State.STOPPED)
        watched.ask_start()
        await reach(standby, State.STARTED)
        started = [one for one in standby.ledger.events() if one.status == "starting"]
        assert [one.source for one in started] == ["flyd"]

    play(scene)


@pytest.mark.parametrize("ends", [("exit", "3"), ("oom",)])
def test_a_standby_rests_when_the_end_was_seen(play: Play, ends: tuple[str, ...]) -> None:
    async def scene(world: World) -> None:
        watched = world.create(*ends, restart={"policy": "no"}, skip_launch=True)
        await reach(watched, State.STOPPED)
        standby = world.create("run", standbys=[watched.record.id])
        watched.ask_start()
        await reach(watched, State.STARTED)
        await reach(watched, State.STOPPED)
        await world.reopen()
        assert world.again(standby).record.state is State.STOPPED
        assert not any(map(standbys.is_loss, watched.ledger.events()))

    play(scene)


def test_a_loss_that_a_killed_server_did_not_act_on_is_made_good_by_the_next(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        watched = world.create("lose", restart={"policy": "no"}, skip_launch=True)
        await reach(watched, State.STOPPED)
        standby = world.create("run", standbys=[watched.record.id])
        await reach(standby, State.STOPPED)
        with monkeypatch.context() as killed:
            killed.setattr(standbys.Standbys, "_take_over", lambda *_: None)
            watched.ask_start()
            await reach(watched, State.STARTED)
            await reach(watched, State.STOPPED)
            await world.reopen()
        await reach(world.again(standby), State.STARTED)

    play(scene)


def test_a_standby_that_was_stopped_since_is_not_started_again(play: Play) -> None:
    async def scene(world: World) -> None:
        watched = world.create("lose", restart={"policy": "no"}, skip_launch=True)
        await reach(watched, State.STOPPED)
        standby = world.create("run", standbys=[watched.record.id])
        await reach(standby, State.STOPPED)
        watched.ask_start()
        await reach(standby, State.STARTED)
        standby.ask_stop(9, 1)
        await reach(standby, State.STOPPED)
        before = happened(standby)
        await world.reopen()
        assert happened(world.again(standby)) == before

    play(scene)


def test_a_standby_that_was_made_after_the_loss_waits_for_the_next(play: Play) -> None:
    async def scene(world: World) -> None:
        watched = world.create("lose", restart={"policy": "no"})
        await reach(watched, State.STARTED)
        await reach(watched, State.STOPPED)
        standby = world.create("run", standbys=[watched.record.id])
        await reach(standby, State.STOPPED)
        await world.reopen()
        assert happened(world.again(standby)) == ["launch/created"]

    play(scene)


def test_a_machine_that_is_started_again_is_not_lost(play: Play) -> None:
    async def scene(world: World) -> None:
        watched = world.create("lose", restart={"policy": "always"}, skip_launch=True)
        await reach(watched, State.STOPPED)
        watched.ask_start()
        await watched.ledger.until(lambda record: bool(record.restarts), PATIENCE_S)
        assert not any(map(standbys.is_loss, watched.ledger.events()))

    play(scene)


def test_only_machines_of_the_app_can_be_stood_by_for(play: Play) -> None:
    async def scene(world: World) -> None:
        with pytest.raises(
            Refusal, match=r"config.standbys\[0\] 'aaaaaaaaaaaaaa' is not a machine"
        ):
            world.create("run", standbys=["a" * 14])
        assert not world.platform.machines.owners(world.app())

    play(scene)


def test_no_machine_stands_by_for_itself(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        config = owner.config.model_copy(update={"standbys": [owner.record.id]})
        with pytest.raises(Refusal, match="cannot stand by for itself"):
            world.platform.creation.checked(world.app(), config, owner.record.id)

    play(scene)


def test_a_config_with_a_machine_that_is_gone_can_be_written_back(play: Play) -> None:
    async def scene(world: World) -> None:
        watched = world.create("run")
        standby = world.create("run", standbys=[watched.record.id])
        await reach(standby, State.STOPPED)
        watched.ask_destroy(force=True)
        await reach(watched, State.DESTROYED)
        config = standby.config
        stored = world.platform.creation.checked(world.app(), config, standby.record.id)
        assert stored["standbys"] == [watched.record.id]
        with pytest.raises(Refusal, match="is not a machine of this app"):
            world.platform.creation.checked(world.app(), config)

    play(scene)
