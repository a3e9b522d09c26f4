from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from ephemera.platform import platform as platform_module
from ephemera.platform.machines import room
from ephemera.platform.machines.owner import Owner
from ephemera.platform.machines.owners import Owners
from ephemera.platform.machines.room import GB, Space, Watch, judge
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import State

from ..world import PATIENCE_S, World, happened, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]

MB = 1 << 20
PLENTY, SHORT = Space(50 * GB, GB), Space(GB // 2, GB)
SIZES = {"a": 8 * GB, "b": 8 * GB}


def test_nobody_is_ended_where_there_is_room() -> None:
    assert judge(PLENTY, {"a": 7 * GB, "b": 0}, {}, SIZES) == {}


def test_who_writes_more_than_his_file_system_holds_is_ended() -> None:
    found = judge(PLENTY, {"a": 8 * GB + MB, "b": GB}, {}, SIZES)
    assert found == {"a": "disk full: it wrote 8.00 GB, and its file system has 8.00 GB"}


def test_where_room_is_short_it_is_who_wrote_most_since_the_last_time() -> None:
    found = judge(SHORT, {"a": 7 * GB, "b": 2 * GB}, {"a": 7 * GB, "b": GB}, SIZES)
    assert [*found] == ["b"]
    assert "has 0.50 GB free, and 1.00 GB are kept so, and it wrote 1.00 GB" in found["b"]


def test_nobody_is_ended_for_what_somebody_else_has_written() -> None:
    assert judge(SHORT, {"a": 7 * GB + MB}, {"a": 7 * GB}, SIZES) == {}
    assert judge(SHORT, {}, {}, {}) == {}


def test_of_a_small_disk_a_part_is_kept_and_of_a_large_one_a_gigabyte(tmp_path: Path) -> None:
    found = room.space(tmp_path)
    assert 0 < found.kept_bytes <= GB
    assert found.free_bytes >= 0


class Looks:
    """A watch on a disk that is as full as a test says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.space = PLENTY
        self.written = {"a": 0, "b": 0}
        self.asked = 0
        self.ended: list[str] = []
        monkeypatch.setattr(room, "space", lambda _: self.space)
        self.watch = Watch(folder, lambda: SIZES, self._written, self._end)

    async def _written(self, _: object) -> dict[str, int]:
        self.asked += 1
        return dict(self.written)

    def _end(self, machine: str, _: str) -> None:
        self.ended.append(machine)


def test_machines_are_looked_at_only_where_less_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(tmp_path, monkeypatch)

    async def scene() -> None:
        await looks.watch.look()
        looks.space = Space(PLENTY.free_bytes - 100 * MB, GB)
        await looks.watch.look()
        assert looks.asked == 1
        looks.space = Space(PLENTY.free_bytes - GB, GB)
        looks.written["a"] = 9 * GB
        await looks.watch.look()
        assert looks.ended == ["a"]
        await looks.watch.look()
        assert looks.asked == 2

    asyncio.run(scene())


def test_one_after_the_other_is_ended_as_long_as_somebody_goes_on_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(tmp_path, monkeypatch)

    async def scene() -> None:
        await looks.watch.look()
        looks.space, looks.written = SHORT, {"a": 3 * GB, "b": GB}
        await looks.watch.look()
        looks.space, looks.written = Space(GB // 3, GB), {"b": 2 * GB}
        await looks.watch.look()
        assert looks.ended == ["a", "b"]

    asyncio.run(scene())


def test_where_room_is_short_it_may_not_come_and_go_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_QUIET_MAX", 3)
    looks = Looks(tmp_path, monkeypatch)

    async def scene() -> None:
        looks.space = SHORT
        await looks.watch.look()
        looks.written = {"b": 3 * GB}  # as much as another had, which was destroyed
        for _ in range(3):
            assert looks.ended == []
            await looks.watch.look()
        assert looks.ended == ["b"]

    asyncio.run(scene())


def test_a_server_that_starts_on_a_full_disk_ends_who_goes_on_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(tmp_path, monkeypatch)

    async def scene() -> None:
        looks.space, looks.written = SHORT, {"a": 7 * GB, "b": GB}
        await looks.watch.look()
        assert looks.ended == []
        looks.space, looks.written = Space(GB // 3, GB), {"a": 7 * GB, "b": GB + 200 * MB}
        await looks.watch.look()
        assert looks.ended == ["b"]

    asyncio.run(scene())


def test_a_server_that_starts_ends_who_wrote_too_much_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(tmp_path, monkeypatch)
    looks.written["a"] = 9 * GB
    asyncio.run(looks.watch.look())
    assert looks.ended == ["a"]


def test_a_machine_that_fills_the_disk_ends_and_its_event_says_why(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        owner.kill("disk full: it wrote 9.00 GB")
        await reach(owner, State.STOPPED)
        request = owner.ledger.events()[0].request
        assert request is not None
        exit_event = request["exit_event"]
        assert exit_event["error"] == "disk full: it wrote 9.00 GB"
        assert (exit_event["signal"], exit_event["requested_stop"]) == (signal.SIGKILL, False)
        owner.kill("nobody is there")
        assert owner.record.state is State.STOPPED

    play(scene)


def test_a_machine_that_was_told_to_stop_may_not_fill_the_disk_meanwhile(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("ignore-term", restart={"policy": "no"})
        await reach(owner, State.STARTED)
        owner.ask_stop(signal.SIGTERM, 1000)
        owners = Owners()
        owners.add(owner)
        assert [*owners.running()] == [owner.record.id]
        owner.kill("disk full: it wrote 9.00 GB")
        await reach(owner, State.STOPPED)
        request = owner.ledger.events()[0].request
        assert request is not None
        assert request["exit_event"]["error"] == "disk full: it wrote 9.00 GB"

    play(scene)


def test_the_size_of_a_file_system_is_that_of_the_config_or_8_gb(play: Play) -> None:
    async def scene(world: World) -> None:
        usual, small = world.create("run"), world.create("run", rootfs={"size_gb": 2})
        resting = world.create("run", skip_launch=True)
        for owner, state in (
            (usual, State.STARTED),
            (small, State.STARTED),
            (resting, State.STOPPED),
        ):
            await reach(owner, state)
        owners = Owners()
        for owner in (usual, small, resting):
            owners.add(owner)
        assert owners.running() == {usual.record.id: 8 * GB, small.record.id: 2 * GB}

    play(scene)


@pytest.mark.parametrize("size_gb", [-1, 501])
def test_there_are_file_systems_of_some_sizes_only(size_gb: int, play: Play) -> None:
    async def scene(world: World) -> None:
        with pytest.raises(Refusal, match=f"config.rootfs.size_gb {size_gb} is not from 1 to 500"):
            world.create("run", rootfs={"size_gb": size_gb})

    play(scene)


def test_where_room_is_short_no_machine_is_created_or_started(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        owner = world.create("exit", restart={"policy": "no"})
        await reach(owner, State.STOPPED)
        monkeypatch.setattr(platform_module, "space", lambda _: SHORT)
        restart = partial(owner.ask_restart, signal.SIGTERM, 5)
        for act in (owner.ask_start, restart, lambda: world.create("run")):
            with pytest.raises(Refusal, match="insufficient disk available") as refused:
                act()
            assert refused.value.status == 409
        owner.ask_destroy(force=False)
        await reach(owner, State.DESTROYED)

    play(scene)


class Disk:
    """The disk of a platform, as full as a test says. What is put off is tried again soon."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.space = PLENTY
        monkeypatch.setattr(platform_module, "space", lambda _: self.space)
        for module in ("life", "running", "unasked_starts"):
            monkeypatch.setattr(f"ephemera.platform.machines.{module}.AGAIN_S", 0.001)


async def put_off(owner: Owner) -> None:
    """Return when a start of a machine has been put off."""

    def look(_: object) -> bool | None:
        return happened(owner)[-1] == "put_off/waiting" or None

    assert await owner.ledger.until(look, PATIENCE_S)


def test_a_restart_policy_waits_for_room(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)

    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "always"})
        await reach(owner, State.STARTED)
        disk.space = SHORT
        owner.kill("disk full")
        await put_off(owner)
        request = owner.ledger.events()[0].request
        assert request
        assert "insufficient disk available" in request["error"]
        for _ in range(3):  # tries again, and says nothing of that
            await asyncio.sleep(0.002)
        assert (owner.record.state, owner.record.boot) == (State.STARTING, 2)
        assert happened(owner)[-3:] == ["exit/stopped", "restart/starting", "put_off/waiting"]
        disk.space = PLENTY
        await reach(owner, State.STARTED)

    play(scene)


def test_a_machine_that_waits_for_room_can_be_stopped(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)

    async def scene(world: World) -> None:
        owner = world.create("run", restart={"policy": "always"})
        await reach(owner, State.STARTED)
        disk.space = SHORT
        owner.kill("disk full")
        await put_off(owner)
        owner.ask_stop(signal.SIGTERM, 5)
        await reach(owner, State.STOPPED)
        disk.space = PLENTY
        owner.ask_start()
        await reach(owner, State.STARTED)
        owner.ask_stop(signal.SIGTERM, 5)
        await reach(owner, State.STOPPED)

    play(scene)


def test_a_run_that_is_due_waits_for_room(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)

    async def scene(world: World) -> None:
        owner = world.create("run", skip_launch=True, schedule="hourly")
        await reach(owner, State.STOPPED)
        due = owner.record.run_at
        disk.space = SHORT
        owner.unasked_starts.soon(run_at=world.now + 7000)
        await put_off(owner)
        assert (owner.record.state, owner.record.run_at) == (State.STOPPED, due)
        disk.space = PLENTY
        await reach(owner, State.STARTED)
        assert owner.record.run_at == world.now + 7000

    play(scene)


def test_a_run_that_waits_for_room_is_over_when_somebody_else_starts_it(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)

    async def scene(world: World) -> None:
        owner = world.create("exit", skip_launch=True, schedule="hourly")
        await reach(owner, State.STOPPED)
        disk.space = SHORT
        owner.unasked_starts.soon(run_at=world.now + 7000)
        await put_off(owner)
        disk.space = PLENTY
        owner.ask_start()
        assert await owner.ledger.until(
            lambda one: one.run_at == world.now + 7000 or None, PATIENCE_S
        )
        await reach(owner, State.STOPPED)
        assert owner.record.boot == 1

    play(scene)
