from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence

import pytest
from sqlalchemy.exc import OperationalError

from ephemera.errors import DriverError
from ephemera.platform import logfile
from ephemera.platform.drivers.base import BootSpec, Say
from ephemera.platform.logs import Wanted
from ephemera.platform.machines import driving, ledger
from ephemera.platform.machines.owner import Owner
from ephemera.platform.records import EventRecord, MachineRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import State
from ephemera.platform.store import Store

from ..world import PATIENCE_S, World, happened, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]


def test_a_machine_runs_its_program_and_rests(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", "0", restart={"policy": "no"})
        assert owner.record.state is State.CREATED
        await reach(owner, State.STOPPED)
        assert happened(owner) == ["launch/created", "start/started", "exit/stopped"]
        request = owner.ledger.events()[0].request
        assert request is not None
        assert request["exit_event"]["exit_code"] == 0
        assert request["exit_event"]["requested_stop"] is False

    play(scene)


def test_the_first_move_of_a_machine_is_written_down_with_its_second(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        seen: list[tuple[str, str]] = []

        def look(record: MachineRecord, _happened: object) -> None:
            stored = world.store.machine(record.app_id, record.id)
            assert stored is not None
            seen.append((record.state, stored.state))
            if record.state is State.STARTED:
                assert stored == record

        world.platform.observers.append(look)
        await reach(owner, State.STARTED)
        assert seen == [(State.STARTING, State.CREATED), (State.STARTED, State.STARTED)]

    play(scene)


def test_a_program_that_has_ended_at_once_is_written_down_whole(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", "0", restart={"policy": "no"})
        seen: list[tuple[str, str, list[str]]] = []

        def look(record: MachineRecord, events: Sequence[EventRecord]) -> None:
            stored = world.store.machine(record.app_id, record.id)
            assert stored is not None
            seen.append((record.state, stored.state, [event.type for event in events]))

        world.platform.observers.append(look)
        started = asyncio.create_task(reach(owner, State.STARTED))
        await asyncio.gather(started, reach(owner, State.STOPPED))
        assert seen == [
            (State.STARTING, State.CREATED, []),
            (State.STARTED, State.STOPPED, ["start"]),
            (State.STOPPED, State.STOPPED, ["exit"]),
        ]
        assert world.store.machine(owner.record.app_id, owner.record.id) == owner.record
        assert world.store.events(owner.record.id, 10) == owner.ledger.events()

    play(scene)


def test_a_machine_that_is_not_to_be_launched_rests(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", skip_launch=True)
        await reach(owner, State.STOPPED)
        assert world.driver.specs == {}
        assert owner.ask_start() is State.STOPPED
        await reach(owner, State.STARTED)

    play(scene)


def test_a_failed_boot_says_why(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("fail-boot", "no such command")
        await reach(owner, State.FAILED)
        newest = owner.ledger.events()[0]
        assert (newest.type, newest.status) == ("start", "failed")
        assert newest.request == {"error": "no such command", "code": "boot_failed"}

    play(scene)


def test_a_missing_image_is_told_from_a_failed_boot(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("no-image")
        await reach(owner, State.FAILED)
        request = owner.ledger.events()[0].request
        assert request is not None
        assert request["code"] == "image_unavailable"

    play(scene)


def test_a_failed_machine_can_be_started_and_destroyed(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("fail-boot")
        await reach(owner, State.FAILED)
        owner.ask_start()
        await reach(owner, State.FAILED)
        owner.ask_destroy(force=False)
        await reach(owner, State.DESTROYED)

    play(scene)


def _ask_stop(owner: Owner) -> None:
    owner.ask_stop(signal.SIGTERM, 5)


@pytest.mark.parametrize(
    ("ask", "reached"),
    [
        (_ask_stop, State.STOPPED),
        (lambda owner: owner.ask_destroy(force=True), State.DESTROYED),
    ],
)
@pytest.mark.parametrize("turns", range(4))
def test_a_machine_that_waits_for_its_image_can_be_ended_at_once(
    ask: Callable[[Owner], None], reached: State, turns: int, play: Play
) -> None:
    async def scene(world: World) -> None:
        owner = world.create("pull")
        await reach(owner, State.STARTING)
        for _ in range(turns):  # before the driver was asked, and after
            await asyncio.sleep(0)
        ask(owner)
        await reach(owner, reached)
        failed = next(one for one in owner.ledger.events() if one.status == "failed")
        assert failed.request is not None
        assert failed.request["code"] == "cancelled"
        assert "was told to end" in failed.request["error"]
        assert world.driver.specs == {}

    play(scene)


def test_a_machine_that_waits_for_its_image_can_have_another_config(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("pull")
        await reach(owner, State.STARTING)
        config = owner.record.config | {"init": {"exec": ["run"]}}
        owner.ask_update(config, skip_launch=False)
        await reach(owner, State.STARTED)
        assert [*world.driver.specs] == [f"{owner.record.id}/2"]

    play(scene)


def test_a_machine_that_waits_for_its_image_begins_anew_when_restarted(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("pull")
        await reach(owner, State.STARTING)
        owner.ask_restart(signal.SIGTERM, 5)
        await reach(owner, State.STARTING)
        assert owner.record.boot == 2

    play(scene)


def _boots_and_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Have the driver start a boot and not say so; return what is set when it has."""
    start, booted = world.driver.start, asyncio.Event()

    async def start_unheard(spec: BootSpec, say: Say) -> str:
        await start(spec, say)
        booted.set()
        raise DriverError("the answer was lost")

    monkeypatch.setattr(world.driver, "start", start_unheard)
    return booted


def test_a_boot_of_which_the_driver_could_not_tell_is_ended_with_its_machine(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        booted = _boots_and_fails(world, monkeypatch)
        monkeypatch.setattr(driving, "_RETRY_S", 0.0)
        owner = world.create("run")
        await booted.wait()
        _ask_stop(owner)
        await reach(owner, State.STOPPED)
        assert await world.driver.machines() == set()

    play(scene)


def test_a_boot_of_which_an_earlier_server_did_not_hear_is_ended_with_its_machine(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        booted = _boots_and_fails(world, monkeypatch)
        owner = world.create("run")
        await booted.wait()
        await world.reopen()
        owner = world.again(owner)
        _ask_stop(owner)
        await reach(owner, State.STOPPED)
        assert await world.driver.machines() == set()

    play(scene)


def test_a_stop_sends_the_signal_and_the_exit_is_a_requested_one(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        owner.ask_stop(signal.SIGTERM, 5)
        assert owner.record.state is State.STOPPING
        await reach(owner, State.STOPPED)
        assert world.driver.signals == [(f"{owner.record.id}/1", signal.SIGTERM, False)]
        request = owner.ledger.events()[0].request
        assert request is not None
        assert request["exit_event"]["requested_stop"] is True
        assert request["exit_event"]["signal"] == signal.SIGTERM

    play(scene)


def test_a_program_that_ignores_its_signal_is_killed_with_everything_it_started(
    play: Play,
) -> None:
    async def scene(world: World) -> None:
        owner = world.create("ignore-term")
        await reach(owner, State.STARTED)
        owner.ask_stop(signal.SIGTERM, 0.01)
        await reach(owner, State.STOPPED)
        sent = [(signum, everyone) for _, signum, everyone in world.driver.signals]
        assert sent == [(signal.SIGTERM, False), (signal.SIGKILL, True)]

    play(scene)


def test_a_stop_request_is_idempotent(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        owner.ask_stop(signal.SIGTERM, 5)
        owner.ask_stop(signal.SIGTERM, 5)
        await reach(owner, State.STOPPED)
        owner.ask_stop(signal.SIGTERM, 5)
        assert happened(owner).count("stop/stopping") == 1
        assert owner.record.state is State.STOPPED

    play(scene)


def test_a_stop_during_the_boot_ends_what_was_booted(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        start, booted, told = world.driver.start, asyncio.Event(), asyncio.Event()

        async def slowly(spec: BootSpec, say: Say) -> str:
            handle = await start(spec, say)
            booted.set()
            await told.wait()
            return handle

        monkeypatch.setattr(world.driver, "start", slowly)
        owner = world.create("run")
        await booted.wait()
        assert owner.record.state is State.STARTING
        owner.ask_stop(signal.SIGTERM, 5)
        told.set()
        await reach(owner, State.STOPPED)
        assert happened(owner)[-1] == "exit/stopped"

    play(scene)


def test_a_destroy_during_the_boot_leaves_nothing(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", skip_launch=True)
        await reach(owner, State.STOPPED)
        owner.ask_start()
        owner.ask_destroy(force=True)
        await reach(owner, State.DESTROYED)
        assert await world.driver.machines() == set()

    play(scene)


def test_the_policy_restarts_a_failure_and_gives_up_when_it_is_used_up(play: Play) -> None:
    async def scene(world: World) -> None:
        restart = {"policy": "on-failure", "max_retries": 1}
        owner = world.create("exit", "3", restart=restart)
        await reach(owner, State.STOPPED)
        assert happened(owner) == [
            "launch/created",
            "start/started",
            "exit/stopped",
            "restart/starting",
            "start/started",
            "exit/stopped",
        ]
        counts = [
            (event.request["exit_event"]["restarting"], event.request["restart_count"])
            for event in owner.ledger.events()
            if event.type == "exit" and event.request
        ]
        assert counts == [(False, 1), (True, 1)]
        lines, _ = world.platform.logs.tail(world.app().id, Wanted())
        said = [line.message for line in lines]
        assert "machine exited with exit code 3, restarting" in said
        assert said[-2:] == [
            "machine exited with exit code 3, not restarting",
            "machine has reached its max restart count of 1",
        ]

    play(scene)


def test_a_stop_while_a_restart_waits_its_turn_is_obeyed_at_once(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", "1", restart={"policy": "always"})
        await owner.ledger.until(lambda record: record.boot == 3, PATIENCE_S)
        assert owner.record.state is State.STARTING
        owner.ask_stop(signal.SIGTERM, 5)
        await reach(owner, State.STOPPED)
        assert f"{owner.record.id}/3" not in world.driver.specs

    play(scene)


def test_a_restart_ends_the_program_and_starts_it_again(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        owner.ask_restart(signal.SIGTERM, 5)
        assert owner.record.state is State.RESTARTING
        await reach(owner, State.STARTED)
        assert set(world.driver.specs) == {f"{owner.record.id}/1", f"{owner.record.id}/2"}

    play(scene)


def test_an_update_reboots_a_running_machine_into_a_new_version(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        before = owner.record.instance_id
        config = {**owner.record.config, "env": {"COLOUR": "blue"}}
        owner.ask_update(config, skip_launch=False)
        assert owner.record.state is State.REPLACING
        await reach(owner, State.STARTED)
        assert owner.record.instance_id != before
        assert world.driver.specs[f"{owner.record.id}/2"].env["COLOUR"] == "blue"

    play(scene)


def test_an_update_leaves_a_resting_machine_at_rest(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", restart={"policy": "no"})
        await reach(owner, State.STOPPED)
        owner.ask_update(owner.record.config, skip_launch=False)
        await reach(owner, State.STOPPED)
        assert list(world.driver.specs) == [f"{owner.record.id}/1"]

    play(scene)


def test_a_second_update_while_one_is_under_way_is_refused(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("ignore-term", stop_config={"timeout": "60s"})
        await reach(owner, State.STARTED)
        owner.ask_update(owner.record.config, skip_launch=False)
        with pytest.raises(Refusal) as caught:
            owner.ask_update(owner.record.config, skip_launch=False)
        assert caught.value.status == 409
        owner.ask_destroy(force=True)
        await reach(owner, State.DESTROYED)

    play(scene)


def test_a_running_machine_is_only_destroyed_with_force(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        with pytest.raises(Refusal, match="not currently stopped"):
            owner.ask_destroy(force=False)
        owner.ask_destroy(force=True)
        owner.ask_destroy(force=True)
        await reach(owner, State.DESTROYED)
        assert happened(owner)[-3:] == [
            "destroy/destroying",
            "exit/stopped",
            "destroy/destroyed",
        ]
        assert world.again(owner).record.state is State.DESTROYED

    play(scene)


def test_auto_destroy_takes_a_machine_away_whatever_its_exit_code(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", "3", auto_destroy=True, restart={"policy": "no"})
        await reach(owner, State.DESTROYED)
        assert "exit/stopped" in happened(owner)

    play(scene)


def test_running_out_of_memory_is_told_as_such(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("oom", restart={"policy": "no"})
        await reach(owner, State.STOPPED)
        request = owner.ledger.events()[0].request
        assert request is not None
        assert request["exit_event"]["oom_killed"] is True
        assert request["exit_event"]["exit_code"] == 137

    play(scene)


def test_the_name_of_a_destroyed_machine_is_free_again(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", name="web")
        with pytest.raises(Refusal, match=owner.record.id):
            world.create("run", name="web")
        owner.ask_destroy(force=True)
        await reach(owner, State.DESTROYED)
        await reach(world.create("run", name="web"), State.STARTED)

    play(scene)


def fail_twice(monkeypatch: pytest.MonkeyPatch, state: State) -> list[int]:
    """Have a machine's way into a state fail to be written down twice; return what is left."""
    write, failures = Store.move_machine, [1, 2]
    monkeypatch.setattr(ledger, "_STORE_RETRY_S", 0.001)

    def move(self: Store, *args: object, **changes: object) -> object:
        if failures and changes.get("state") is state:
            failures.pop()
            raise OperationalError("UPDATE", {}, Exception("disk is full"))
        return write(self, *args, **changes)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "move_machine", move)
    return failures


def test_a_full_disk_delays_what_was_seen_and_does_not_lose_it(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        failures = fail_twice(monkeypatch, State.STOPPED)
        owner.ask_stop(signal.SIGTERM, 5)
        await reach(owner, State.STOPPED)
        assert failures == []
        assert happened(owner).count("exit/stopped") == 1

    play(scene)


def test_a_full_disk_delays_a_run_that_was_seen_whole(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        failures = fail_twice(monkeypatch, State.STOPPED)
        owner = world.create("exit", "0", restart={"policy": "no"})
        await reach(owner, State.STOPPED)
        assert failures == []
        assert happened(owner) == ["launch/created", "start/started", "exit/stopped"]

    play(scene)


def test_why_a_program_was_killed_is_told_also_where_the_disk_was_full(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        failures = fail_twice(monkeypatch, State.STOPPED)
        owner.kill("the disk is nearly full")
        await reach(owner, State.STOPPED)
        request = owner.ledger.events()[0].request
        assert failures == []
        assert request
        assert request["exit_event"]["error"] == "the disk is nearly full"

    play(scene)


def test_a_wait_sees_a_state_that_passes_in_a_moment(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", restart={"policy": "no"})
        await reach(owner, State.STARTED)

    play(scene)


def test_a_signal_that_has_no_name_ends_a_machine_like_any_other(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        await world.driver.signal(owner.record.handle, 40)
        await reach(owner, State.STOPPED)
        lines, _ = world.platform.logs.tail(world.app().id, Wanted())
        expected = "machine exited with exit code 168 (signal 40), not restarting"
        assert lines[-1].message == expected

    play(scene)


def test_a_stop_that_is_repeated_gives_no_more_time(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("ignore-term")
        await reach(owner, State.STARTED)
        owner.ask_stop(signal.SIGTERM, 100)
        first = owner.record.stop_by
        world.now += 50
        owner.ask_stop(signal.SIGTERM, 100)
        assert owner.record.stop_by == first
        owner.ask_stop(signal.SIGTERM, 0.01)
        await reach(owner, State.STOPPED)

    play(scene)


def test_a_signal_that_did_not_reach_the_driver_is_sent_again(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "_RETRY_S", 0.01)

    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        send, failures = world.driver.signal, [DriverError("no monitor")]

        async def fail_once(handle: str, signum: int, *, everyone: bool = False) -> None:
            if failures:
                raise failures.pop()
            await send(handle, signum, everyone=everyone)

        monkeypatch.setattr(world.driver, "signal", fail_once)
        owner.ask_stop(signal.SIGTERM, 100)
        await reach(owner, State.STOPPED)
        assert [signum for _, signum, _ in world.driver.signals] == [signal.SIGTERM]

    play(scene)


@pytest.mark.parametrize("method", ["start", "wait", "destroy"])
@pytest.mark.parametrize("error", [DriverError("no monitor"), OSError(24, "too many files")])
def test_a_driver_that_does_not_know_is_asked_again(
    play: Play, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception
) -> None:
    monkeypatch.setattr(driving, "_RETRY_S", 0.01)

    async def scene(world: World) -> None:
        asked, failures = getattr(world.driver, method), [error, error]

        async def fail_twice(*args: object, **kwargs: object) -> object:
            if failures:
                raise failures.pop()
            return await asked(*args, **kwargs)

        monkeypatch.setattr(world.driver, method, fail_twice)
        monkeypatch.setattr(world.driver, "ended", lambda _: None)  # so that it is waited for
        owner = world.create("exit", restart={"policy": "no"})
        await reach(owner, State.STOPPED)
        owner.ask_destroy(force=False)
        await reach(owner, State.DESTROYED)
        assert failures == []
        assert happened(owner).count("exit/stopped") == 1

    play(scene)


def test_a_log_that_cannot_be_written_costs_its_line_alone(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "no space left on device")

    async def scene(world: World) -> None:
        monkeypatch.setattr(logfile, "append", no_room)
        owner = world.create("run", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        owner.ask_stop(signal.SIGTERM, 5)
        await reach(owner, State.STOPPED)

    play(scene)


def test_a_destroyed_machine_is_remembered_without_its_files(play: Play) -> None:
    async def scene(world: World) -> None:
        files = [{"guest_path": "/a", "raw_value": "YQ=="}]
        owner = world.create("exit", files=files, restart={"policy": "no"})
        await reach(owner, State.STOPPED)
        assert owner.record.config["files"] == files
        owner.ask_destroy(force=False)
        await reach(owner, State.DESTROYED)
        assert "files" not in world.again(owner).record.config

    play(scene)


def test_a_machine_destroyed_long_ago_is_forgotten(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", restart={"policy": "no"})
        await reach(owner, State.STOPPED)
        owner.ask_destroy(force=False)
        await reach(owner, State.DESTROYED)
        world.now += 6 * 24 * 3600
        await world.reopen()
        assert world.again(owner).record.state is State.DESTROYED
        world.now += 2 * 24 * 3600
        await world.reopen()
        with pytest.raises(Refusal, match="machine not found"):
            await _forgotten(world, owner)

    play(scene)


async def _forgotten(world: World, owner: Owner) -> None:
    """Look for it, and have others go on, until nobody knows it any more."""
    found = world.again(owner)
    while found:
        await asyncio.sleep(0)
        found = world.again(owner)
