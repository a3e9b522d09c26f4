"""When machines with a schedule are started, and that each run happens once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ephemera.platform.clock import MovableClock
from ephemera.platform.machines.owner import Owner
from ephemera.platform.machines.schedules import Schedules, next_run
from ephemera.platform.records import MachineRecord
from ephemera.platform.states import State

from ..world import PATIENCE_S, World, happened, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]
HOUR, DAY = 3600.0, 86_400.0


def _at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "created", "now", "expected"),
    [
        ("hourly", "2026-01-01T10:20", "2026-01-01T10:20", "2026-01-01T11:20"),
        ("hourly", "2026-01-01T10:20", "2026-01-01T11:19", "2026-01-01T11:20"),
        ("hourly", "2026-01-01T10:20", "2026-01-01T11:20", "2026-01-01T12:20"),
        ("hourly", "2026-01-01T10:20", "2026-03-01T00:00", "2026-03-01T00:20"),
        ("hourly", "2026-01-01T10:20", "2025-01-01T00:00", "2026-01-01T11:20"),
        ("daily", "2026-02-28T10:20", "2026-02-28T10:21", "2026-03-01T10:20"),
        ("weekly", "2026-02-25T10:20", "2026-02-26T00:00", "2026-03-04T10:20"),
        ("monthly", "2026-01-31T10:20", "2026-01-31T10:20", "2026-02-28T10:20"),
        ("monthly", "2026-01-31T10:20", "2026-02-28T10:20", "2026-03-31T10:20"),
        ("monthly", "2026-01-31T10:20", "2026-04-30T10:19", "2026-04-30T10:20"),
        ("monthly", "2023-12-31T10:20", "2024-02-01T00:00", "2024-02-29T10:20"),
        ("monthly", "2026-01-15T10:20", "2030-12-20T00:00", "2031-01-15T10:20"),
        ("monthly", "2026-01-15T10:20", "2020-01-01T00:00", "2026-02-15T10:20"),
    ],
)
def test_runs_count_from_the_creation(schedule: str, created: str, now: str, expected: str) -> None:
    found = next_run(schedule, _at(created), _at(now))
    assert found is not None
    assert datetime.fromtimestamp(found, UTC) == datetime.fromtimestamp(_at(expected), UTC)


@pytest.mark.parametrize("schedule", [None, ""])
def test_without_a_schedule_nothing_is_due(schedule: str | None) -> None:
    assert next_run(schedule, 0.0, 0.0) is None


def _scheduled(run_at: float | None, state: State = State.STOPPED) -> MachineRecord:
    return MachineRecord(
        id="m", app_id="a", name="n", state=state, generation=1, region="local", instance_id="i",
        config={}, launch=False, boot=0, handle="", stop_signal=None, stop_by=None, restarts=[],
        log_from="", created_at=0.0, updated_at=0.0, run_at=run_at,
    )  # fmt: skip


def _played(scene: Callable[[MovableClock, Schedules, list[str]], Awaitable[None]]) -> None:
    async def whole() -> None:
        ran: list[str] = []
        clock = MovableClock()
        schedules = Schedules(clock, ran.append)
        try:
            await scene(clock, schedules, ran)
        finally:
            schedules.close()

    asyncio.run(whole())


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_machine_is_run_when_its_time_comes_and_not_before() -> None:
    async def scene(clock: MovableClock, schedules: Schedules, ran: list[str]) -> None:
        schedules.moved(_scheduled(clock() + DAY))
        clock.move(DAY - 60)
        await _settled()
        assert ran == []
        clock.move(61)
        await _settled()
        assert ran == ["m"]

    _played(scene)


def test_another_time_takes_the_place_of_the_one_before() -> None:
    async def scene(clock: MovableClock, schedules: Schedules, ran: list[str]) -> None:
        record = _scheduled(clock() + HOUR)
        schedules.moved(record)
        schedules.moved(replace(record, run_at=clock() + 3 * HOUR))
        clock.move(2 * HOUR)
        await _settled()
        assert ran == []
        clock.move(2 * HOUR)
        await _settled()
        assert ran == ["m"]

    _played(scene)


@pytest.mark.parametrize("end", [_scheduled(None), _scheduled(5.0, State.DESTROYING)])
def test_a_machine_without_another_run_is_left_alone(end: MachineRecord) -> None:
    async def scene(clock: MovableClock, schedules: Schedules, ran: list[str]) -> None:
        schedules.moved(_scheduled(clock() + HOUR))
        schedules.moved(end)
        clock.move(DAY)
        await _settled()
        assert ran == []

    _played(scene)


def _started_by(owner: Owner) -> list[str]:
    events = reversed(owner.ledger.events())
    return [one.source for one in events if (one.type, one.status) == ("start", "starting")]


def test_a_run_that_nobody_was_there_for_happens_once_when_a_server_is_back(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", schedule="hourly")
        await reach(owner, State.STOPPED)
        created = owner.record.created_at
        assert owner.record.run_at == created + HOUR
        await world.close()
        world.now += 5 * HOUR + 10
        await world.open()
        owner = world.again(owner)
        await reach(owner, State.STARTED)
        await reach(owner, State.STOPPED)
        assert _started_by(owner) == ["flyd"]
        assert owner.record.run_at == created + 6 * HOUR

    play(scene)


def test_a_machine_that_is_not_at_rest_misses_its_run(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", schedule="daily")
        await reach(owner, State.STARTED)
        await world.close()
        world.now += DAY + 1
        await world.open()
        owner = world.again(owner)
        await owner.ledger.until(
            lambda record: record.run_at != owner.record.created_at + DAY, PATIENCE_S
        )
        assert owner.record.run_at == owner.record.created_at + 2 * DAY
        assert owner.record.state is State.STARTED
        assert _started_by(owner) == []

    play(scene)


def test_a_machine_that_is_not_launched_waits_for_its_schedule(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", schedule="weekly", skip_launch=True)
        await reach(owner, State.STOPPED)
        assert happened(owner) == ["launch/created"]
        assert owner.record.run_at == owner.record.created_at + 7 * DAY

    play(scene)


def test_an_update_gives_it_another_schedule_or_none(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", schedule="weekly", skip_launch=True)
        await reach(owner, State.STOPPED)
        config = owner.record.config
        owner.ask_update(config | {"schedule": "hourly"}, skip_launch=True)
        assert owner.record.run_at == owner.record.created_at + HOUR
        await reach(owner, State.STOPPED)
        owner.ask_update({**config, "schedule": None}, skip_launch=True)
        assert owner.record.run_at is None

    play(scene)
