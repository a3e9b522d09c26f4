"""Volumes in machines: who may have one, and what is found on it."""

from __future__ import annotations

from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, answered, refused
from ephemera.testing.machines_api.volumes import made_snapshot, made_volume, until_ready

_UNKNOWN = "vol_00000000000000000"


def _mount(volume: dict[str, Any]) -> dict[str, Any]:
    return {"mounts": [{"volume": volume["id"], "path": "/data"}]}


class MountsContract(Contract):
    """A machine has its volume from its creation to its end."""

    def test_a_volume_names_its_machine_and_cannot_go_before_it(self, app: AppUnderTest) -> None:
        volume = made_volume(app)
        path = f"/volumes/{volume['id']}"
        machine = app.running(**_mount(volume))
        assert app.get(path)["attached_machine_id"] == machine
        assert app.get(f"/machines/{machine}")["region"] == volume["region"]
        why = refused(app.ask("DELETE", path), 412)
        assert f"volume is currently bound to machine: {machine}" in why
        app.ask("DELETE", f"/machines/{machine}?force=true")
        app.reaches(machine, "destroyed")
        assert not app.get(path).get("attached_machine_id")
        answered(app.ask("DELETE", path))

    def test_a_machine_that_is_stopped_keeps_its_volume(self, app: AppUnderTest) -> None:
        volume = made_volume(app)
        machine = app.ended(**_mount(volume))
        assert app.get(f"/volumes/{volume['id']}")["attached_machine_id"] == machine

    def test_a_volume_is_for_one_machine(self, app: AppUnderTest) -> None:
        volume = made_volume(app)
        first = app.ended(**_mount(volume))
        config = app.config(app.subject.programs.runs, **_mount(volume))
        refused(app.ask("POST", "/machines", json={"config": config}), 400, 409, 412, 422)
        assert [one["id"] for one in app.get("/machines")] == [first]

    def test_the_next_machine_may_have_it(self, app: AppUnderTest) -> None:
        volume = made_volume(app)
        first = app.ended(**_mount(volume))
        app.ask("DELETE", f"/machines/{first}?force=true")
        app.reaches(first, "destroyed")
        second = app.ended(**_mount(volume))
        assert app.get(f"/volumes/{volume['id']}")["attached_machine_id"] == second

    @pytest.mark.parametrize(
        "mount",
        [
            {"volume": _UNKNOWN, "path": "/data"},
            {"volume": "../..", "path": "/data"},
            {"volume": "", "path": "/data"},
            {"path": "/data"},
            {"volume": 7, "path": "/data"},
        ],
        ids=str,
    )
    def test_a_mount_of_no_volume_is_refused(
        self, app: AppUnderTest, mount: dict[str, Any]
    ) -> None:
        config = app.config(app.subject.programs.runs, mounts=[mount])
        refused(app.ask("POST", "/machines", json={"config": config}), 400, 404, 422)
        assert app.get("/machines") == []

    def test_a_destroyed_volume_cannot_be_mounted(self, app: AppUnderTest) -> None:
        volume = made_volume(app)
        app.ask("DELETE", f"/volumes/{volume['id']}")
        config = app.config(app.subject.programs.runs, **_mount(volume))
        why = refused(app.ask("POST", "/machines", json={"config": config}), 400, 404, 412, 422)
        assert "volume" in why

    def test_a_machine_has_one_volume_at_most(self, app: AppUnderTest) -> None:
        mounts = [
            {"volume": made_volume(app)["id"], "path": f"/data{number}"} for number in range(2)
        ]
        config = app.config(app.subject.programs.runs, mounts=mounts)
        refused(app.ask("POST", "/machines", json={"config": config}), 400, 422)
        assert app.get("/machines") == []

    def test_an_update_leaves_a_machine_its_volume(self, app: AppUnderTest) -> None:
        volume, other = made_volume(app), made_volume(app)
        machine = app.ended(**_mount(volume))
        for changed in (_mount(other), {}):
            config = app.config(app.subject.programs.exits(0), **changed)
            answer = app.ask("POST", f"/machines/{machine}", json={"config": config})
            refused(answer, 400, 412, 422)
        config = app.config(app.subject.programs.exits(0), env={"A": "b"}, **_mount(volume))
        app.post(f"/machines/{machine}", json={"config": config})
        assert app.get(f"/volumes/{volume['id']}")["attached_machine_id"] == machine
        assert not app.get(f"/volumes/{other['id']}").get("attached_machine_id")


class VolumesInMachinesContract(Contract):
    """What machines find on their volumes. For machines whose image has a POSIX shell."""

    @pytest.fixture
    def written(self, app: AppUnderTest) -> dict[str, Any]:
        """A volume on which a machine, which is gone, has left a file that says `kept`."""
        volume = made_volume(app)
        script = 'printf kept > "$1/file"; mkdir "$1/below"'
        self._run(app, volume, script)
        return volume

    def test_what_one_machine_wrote_the_next_one_reads(
        self, app: AppUnderTest, written: dict[str, Any]
    ) -> None:
        self._run(app, written, 'test "$(cat "$1/file")" = kept && test -d "$1/below"')

    def test_a_restored_volume_has_what_the_snapshot_had(
        self, app: AppUnderTest, written: dict[str, Any]
    ) -> None:
        snapshot = made_snapshot(app, written)
        self._run(app, written, 'echo lost > "$1/file"; rmdir "$1/below"')
        restored = made_volume(app, name="again", snapshot_id=snapshot["id"])
        until_ready(app, restored)
        self._run(app, restored, 'test "$(cat "$1/file")" = kept && test -d "$1/below"')

    def test_a_fork_has_what_its_source_had(
        self, app: AppUnderTest, written: dict[str, Any]
    ) -> None:
        fork = made_volume(app, name="fork", source_volume_id=written["id"])
        until_ready(app, fork)
        self._run(app, written, 'echo lost > "$1/file"')
        self._run(app, fork, 'test "$(cat "$1/file")" = kept')

    def test_a_volume_says_how_full_it_is(self, app: AppUnderTest, written: dict[str, Any]) -> None:
        self._run(app, written, 'head -c 1000000 /dev/zero > "$1/big"')
        shown = app.get(f"/volumes/{written['id']}")
        assert 1_000_000 <= shown["bytes_used"] < shown["bytes_total"]
        assert shown["blocks_free"] < shown["blocks"]

    def _run(self, app: AppUnderTest, volume: dict[str, Any], script: str) -> None:
        """Run a script to its end in a machine of its own; `$1` is the volume."""
        program = ["sh", "-ec", script, "sh", "/data"]
        machine = app.created_and("stopped", program, **_mount(volume))
        assert app.exit_of(machine)["exit_code"] == 0
        app.ask("DELETE", f"/machines/{machine}?force=true")
        app.reaches(machine, "destroyed")
