"""Which machine may have which volume, and that nothing ever parts the two but its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from ephemera.platform.refusals import Refusal
from ephemera.platform.states import State as MachineState
from ephemera.platform.volumes.bodies import CreateVolume
from ephemera.platform.volumes.records import VolumeRecord
from ephemera.platform.volumes.states import State

from ..world import Scene, World, play_in, reach
from .shelf import Shelf

Play = Callable[[Callable[[Shelf], Awaitable[None]]], None]


Act = Callable[[Scene], None]


@pytest.fixture
def act(tmp_path: Path) -> Act:
    """Run a scene with a whole platform, on the mock driver."""
    return partial(play_in, tmp_path)


def _volume(world: World) -> VolumeRecord:
    return world.platform.volumes.create(world.app(), CreateVolume(name="data"), lambda _: True)


def _attached(world: World, volume: VolumeRecord) -> str | None:
    return world.platform.volumes.one(world.app(), volume.id).attached_machine_id


def _mounts(volume: VolumeRecord) -> list[dict[str, str]]:
    return [{"volume": volume.id, "path": "/data"}]


def _config(volume: VolumeRecord) -> dict[str, object]:
    return {"image": "host", "mounts": _mounts(volume)}


@pytest.mark.parametrize(
    ("expression", "region"), [("", "ams"), ("ams", "ams"), ("iad,ams", "ams"), ("eu", "ams")]
)
def test_a_machine_goes_where_its_volume_is(play: Play, expression: str, region: str) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add(region="ams")
        place = shelf.volumes.mounting.place
        assert place(shelf.app, _config(volume), expression) == region
        assert place(shelf.app, {"image": "host"}, "") == "iad"

    play(scene)


def test_a_machine_in_another_region_than_its_volume_is_refused(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add(region="ams")
        with pytest.raises(Refusal, match="is in the wrong region") as refused:
            shelf.volumes.mounting.place(shelf.app, _config(volume), "iad")
        assert refused.value.status == 400

    play(scene)


@pytest.mark.parametrize("state", [State.RESTORING, State.HYDRATING])
def test_a_volume_that_is_not_whole_cannot_be_mounted(
    play: Play, monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    async def never(*_: Path) -> None:
        await asyncio.get_running_loop().create_future()

    async def scene(shelf: Shelf) -> None:
        source = shelf.add()
        snapshot = await shelf.snapshot(source)
        monkeypatch.setattr("ephemera.platform.tools.copy", never)
        made_from = {
            State.RESTORING: {"snapshot_id": snapshot.id},
            State.HYDRATING: {"source_volume_id": source.id},
        }[state]
        volume = shelf.add(**made_from)
        assert volume.state is state
        with pytest.raises(Refusal, match=state.value) as refused:
            shelf.volumes.mounting.place(shelf.app, _config(volume), "")
        assert refused.value.status == 412

    play(scene)


def test_a_machine_finds_what_the_one_before_it_wrote(act: Act) -> None:
    async def scene(world: World) -> None:
        volume = _volume(world)
        first = world.create("write", "/data/file", "kept", mounts=_mounts(volume))
        await reach(first, MachineState.STOPPED)
        first.ask_destroy(force=False)
        await reach(first, MachineState.DESTROYED)
        folder = world.home / "volumes" / volume.id / "data"
        assert (folder / "file").read_text() == "kept"
        second = world.create("read", "/data/file", mounts=_mounts(volume))
        await reach(second, MachineState.STOPPED)
        (mount,) = world.driver.specs[f"{second.record.id}/1"].mounts
        assert (mount.path, mount.volume_id, mount.source) == ("/data", volume.id, str(folder))

    act(scene)


def test_a_machine_has_its_volume_until_it_is_destroyed(act: Act) -> None:
    async def scene(world: World) -> None:
        volume = _volume(world)
        owner = world.create("run", mounts=_mounts(volume), skip_launch=True)
        assert _attached(world, volume) == owner.record.id
        await world.reopen()
        owner = world.again(owner)
        await reach(owner, MachineState.STOPPED)
        assert _attached(world, volume) == owner.record.id
        owner.ask_destroy(force=False)
        assert _attached(world, volume) == owner.record.id
        await world.reopen()
        await reach(world.again(owner), MachineState.DESTROYED)
        assert _attached(world, volume) is None

    act(scene)


def test_a_machine_that_is_refused_gets_no_volume(act: Act) -> None:
    async def scene(world: World) -> None:
        volume = _volume(world)
        world.create("run", name="taken")
        with pytest.raises(Refusal, match="already exists"):
            world.create("run", name="taken", mounts=_mounts(volume))
        assert _attached(world, volume) is None
        world.create("run", mounts=_mounts(volume))
        with pytest.raises(Refusal, match="currently bound to machine"):
            world.create("run", mounts=_mounts(volume))

    act(scene)


def test_an_app_that_is_deleted_leaves_no_data(act: Act) -> None:
    async def scene(world: World) -> None:
        volume, loose = _volume(world), _volume(world)
        owner = world.create("run", mounts=_mounts(volume))
        await reach(owner, MachineState.STARTED)
        world.platform.volumes.snapshots.take(loose)
        await world.platform.delete_app("demo", force=True)
        assert list((world.home / "volumes").iterdir()) == []
        assert world.platform.volumes.all(include_deleted=True) == []

    act(scene)
