"""Volumes and snapshots: made, copied, and taken away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, answered, refused

#: Copying a few bytes takes a moment here, and minutes where volumes are disks of other hosts.
_PATIENCE_S = 300
_PAUSE_S = 0.02
_FULLNESS = ("block_size", "blocks", "blocks_free", "blocks_avail", "bytes_used", "bytes_total")
_UNKNOWN = "vol_00000000000000000"


def made_volume(app: AppUnderTest, **body: Any) -> dict[str, Any]:
    """Return a new volume, of a gigabyte unless told otherwise."""
    volume: dict[str, Any] = app.post("/volumes", json={"name": "data", "size_gb": 1, **body})
    return volume


def _until(is_so: Callable[[], bool]) -> None:
    """Return once something is so: the API has no wait for volumes."""
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(_PAUSE_S)


def until_ready(app: AppUnderTest, volume: dict[str, Any]) -> None:
    """Return once a volume has all of its data."""
    _until(lambda: app.get(f"/volumes/{volume['id']}")["state"] == "created")


def made_snapshot(app: AppUnderTest, volume: dict[str, Any]) -> dict[str, Any]:
    """Take a snapshot and return it once it can be restored."""
    path = f"/volumes/{volume['id']}/snapshots"
    begun = app.post(path)["Msg"]["backup"]
    assert begun["volume_id"] == volume["id"]
    found: list[dict[str, Any]] = []

    def is_made() -> bool:
        found[:] = [one for one in app.get(path) if one["status"] == "created"]
        return bool(found)

    _until(is_made)
    return found[0]


class VolumesContract(Contract):
    """`/v1/apps/{app}/volumes`."""

    def test_a_new_volume_has_what_was_asked_for_and_the_defaults(self, app: AppUnderTest) -> None:
        volume = app.post("/volumes", json={"name": "data_1"})
        assert volume["id"].startswith("vol_")
        assert volume["name"] == "data_1"
        assert volume["state"] == "created"
        assert volume["size_gb"] == 3
        assert volume["snapshot_retention"] == 5
        assert volume["auto_backup_enabled"] is True
        assert volume["fstype"] == "ext4"
        assert volume["region"]
        assert volume["created_at"]
        assert not volume.get("attached_machine_id")

    def test_a_get_and_a_list_show_the_same_volume(self, app: AppUnderTest) -> None:
        volume = made_volume(app)
        shown = app.get(f"/volumes/{volume['id']}")
        assert shown["name"] == volume["name"]
        assert [one["id"] for one in app.get("/volumes")] == [volume["id"]]
        assert all(field in shown for field in _FULLNESS)
        assert 0 < shown["bytes_total"] <= 1024**3

    def test_a_summary_leaves_out_how_full_a_volume_is(self, app: AppUnderTest) -> None:
        volume = made_volume(app)
        (summary,) = app.get("/volumes?summary=true")
        assert summary["id"] == volume["id"]
        assert not [field for field in _FULLNESS if summary.get(field)]

    def test_two_volumes_may_have_one_name(self, app: AppUnderTest) -> None:
        ids = {made_volume(app, require_unique_zone=False)["id"] for _ in range(2)}
        assert {one["id"] for one in app.get("/volumes")} == ids

    def test_an_app_counts_its_volumes(self, app: AppUnderTest) -> None:
        made_volume(app)
        assert app.get("")["volume_count"] == 1

    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": ""},
            {"name": "a b"},
            {"name": "../up"},
            {"name": "x" * 31},
            {"name": 7},
            {"name": None},
            {"size_gb": 0},
            {"size_gb": -1},
            {"size_gb": 501},
            {"size_gb": "3"},
            {"snapshot_retention": 61},
            {"snapshot_retention": -1},
            {"fstype": "ntfs"},
            {"snapshot_id": "vs_00000000000000000"},
            {"source_volume_id": _UNKNOWN},
            {"compute": 1},
        ],
        ids=str,
    )
    def test_what_no_volume_can_be_is_refused(
        self, app: AppUnderTest, wrong: dict[str, Any]
    ) -> None:
        refused(app.ask("POST", "/volumes", json={"name": "data", **wrong}), 400, 404, 422)
        assert app.get("/volumes") == []

    def test_a_volume_is_extended_and_never_made_smaller(self, app: AppUnderTest) -> None:
        path = f"/volumes/{made_volume(app, size_gb=2)['id']}"
        extended = answered(app.ask("PUT", f"{path}/extend", json={"size_gb": 4})).json()
        assert extended["volume"]["size_gb"] == 4
        assert isinstance(extended["needs_restart"], bool)
        for size_gb in (3, 501, -4):
            refused(app.ask("PUT", f"{path}/extend", json={"size_gb": size_gb}), 400, 422)
        refused(app.ask("PUT", f"{path}/extend", json={}), 400, 422)
        assert app.get(path)["size_gb"] == 4

    def test_how_snapshots_are_made_can_be_changed(self, app: AppUnderTest) -> None:
        path = f"/volumes/{made_volume(app)['id']}"
        changes = {"snapshot_retention": 9, "auto_backup_enabled": False}
        for _ in range(2):
            changed = answered(app.ask("PUT", path, json=changes)).json()
            assert {name: changed[name] for name in changes} == changes
        refused(app.ask("PUT", path, json={"snapshot_retention": 61}), 400, 422)
        refused(app.ask("PUT", path, json={"auto_backup_enabled": "yes"}), 400, 422)
        kept = app.get(path)
        assert {name: kept[name] for name in changes} == changes

    def test_a_destroyed_volume_is_listed_no_more(self, app: AppUnderTest) -> None:
        volume = made_volume(app)
        path = f"/volumes/{volume['id']}"
        gone = answered(app.ask("DELETE", path)).json()
        assert gone["id"] == volume["id"]
        assert gone["state"] != "created"
        assert app.get("/volumes") == []
        assert app.ask("DELETE", path).status_code in (200, 404, 412)
        assert app.ask("GET", path).status_code in (200, 404)
        refused(app.ask("PUT", f"{path}/extend", json={"size_gb": 9}), 400, 404, 412, 422)

    @pytest.mark.parametrize(
        ("method", "rest", "body"),
        [
            ("GET", "", None),
            ("PUT", "", {"snapshot_retention": 9}),
            ("DELETE", "", None),
            ("PUT", "/extend", {"size_gb": 9}),
            ("GET", "/snapshots", None),
            ("POST", "/snapshots", None),
        ],
    )
    def test_a_volume_that_never_was_is_not_found(
        self, app: AppUnderTest, method: str, rest: str, body: dict[str, Any] | None
    ) -> None:
        for unknown in (_UNKNOWN, "%2e%2e", "x" * 300, "vol_%00"):
            answer = app.ask(method, f"/volumes/{unknown}{rest}", json=body)
            assert refused(answer, 400, 404)

    def test_nobody_finds_the_volume_of_another_app(self, app: AppUnderTest) -> None:
        volume = made_volume(app)
        with AppUnderTest.made(app.subject, app.http) as other:
            refused(other.ask("GET", f"/volumes/{volume['id']}"), 404)
            refused(other.ask("DELETE", f"/volumes/{volume['id']}"), 404)
            mounts = [{"volume": volume["id"], "path": "/data"}]
            config = other.config(other.subject.programs.runs, mounts=mounts)
            refused(other.ask("POST", "/machines", json={"config": config}), 400, 404, 412, 422)
        assert app.get(f"/volumes/{volume['id']}")["state"] == "created"


class SnapshotsContract(Contract):
    """`/v1/apps/{app}/volumes/{id}/snapshots`, and volumes that are made from them."""

    def test_a_volume_begins_without_snapshots(self, app: AppUnderTest) -> None:
        assert app.get(f"/volumes/{made_volume(app)['id']}/snapshots") == []

    def test_a_snapshot_says_what_it_is(self, app: AppUnderTest) -> None:
        volume = made_volume(app, snapshot_retention=9)
        snapshot = made_snapshot(app, volume)
        assert snapshot["id"].startswith("vs_")
        assert snapshot["retention_days"] == 9
        assert snapshot["size"] >= 0
        assert snapshot["volume_size"] > 0
        assert snapshot["digest"]
        assert snapshot["created_at"]

    def test_snapshots_are_kept_beside_each_other(self, app: AppUnderTest) -> None:
        volume = made_volume(app)
        made_snapshot(app, volume)
        path = f"/volumes/{volume['id']}/snapshots"
        again = app.ask("POST", path)
        if again.status_code == 412:  # Fly.io wants some time between two of them
            assert "snapshot is already scheduled" in refused(again, 412)
        else:
            answered(again)
            _until(lambda: [one["status"] for one in app.get(path)] == ["created"] * 2)

    def test_a_volume_is_restored_from_a_snapshot(self, app: AppUnderTest) -> None:
        snapshot = made_snapshot(app, made_volume(app, size_gb=2))
        restored = made_volume(app, name="again", size_gb=3, snapshot_id=snapshot["id"])
        assert restored["state"] in ("restoring", "created")
        assert restored["size_gb"] == 3
        until_ready(app, restored)

    def test_a_volume_is_forked_from_another(self, app: AppUnderTest) -> None:
        source = made_volume(app, size_gb=2)
        fork = made_volume(app, name="fork", size_gb=2, source_volume_id=source["id"])
        assert fork["state"] in ("hydrating", "restoring", "created")
        assert fork["id"] != source["id"]
        until_ready(app, fork)

    def test_a_snapshot_outlives_its_volume(self, app: AppUnderTest) -> None:
        volume = made_volume(app)
        snapshot = made_snapshot(app, volume)
        answered(app.ask("DELETE", f"/volumes/{volume['id']}"))
        until_ready(app, made_volume(app, snapshot_id=snapshot["id"]))
