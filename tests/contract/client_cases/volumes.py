"""Volumes and snapshots."""

from __future__ import annotations

from ephemera.wire.volumes import ExtendedVolume, Volume, VolumeSnapshot
from tests.contract.client_cases.case import Case, Cases

VOLUME = {
    "id": "vol_1",
    "name": "data",
    "state": "created",
    "size_gb": 3,
    "attached_machine_id": None,
    "fly_added": [1],
}
READ = Volume.model_validate(VOLUME)

CASES: Cases = {
    "volumes.list": [
        Case(
            lambda c: c.volumes.list("demo", summary=True),
            "GET /v1/apps/demo/volumes?summary=true",
            answer=(200, [VOLUME]),
            result=[READ],
        )
    ],
    "volumes.create": [
        Case(
            lambda c: c.volumes.create(
                "demo",
                name="data",
                region="ams",
                size_gb=3,
                encrypted=False,
                fstype="ext4",
                snapshot_id="vs_1",
                source_volume_id="vol_0",
                snapshot_retention=7,
                auto_backup_enabled=False,
                require_unique_zone=False,
                unique_zone_app_wide=True,
                compute={"cpus": 1},
                compute_image="host",
            ),
            "POST /v1/apps/demo/volumes",
            {
                "name": "data",
                "region": "ams",
                "size_gb": 3,
                "encrypted": False,
                "fstype": "ext4",
                "snapshot_id": "vs_1",
                "source_volume_id": "vol_0",
                "snapshot_retention": 7,
                "auto_backup_enabled": False,
                "require_unique_zone": False,
                "unique_zone_app_wide": True,
                "compute": {"cpus": 1},
                "compute_image": "host",
            },
            (200, VOLUME),
            READ,
        ),
        Case(
            lambda c: c.volumes.create("demo", name="data"),
            "POST /v1/apps/demo/volumes",
            {"name": "data"},
            (200, VOLUME),
            READ,
        ),
    ],
    "volumes.get": [
        Case(
            lambda c: c.volumes.get("demo", "vol_1"),
            "GET /v1/apps/demo/volumes/vol_1",
            answer=(200, VOLUME),
            result=READ,
        )
    ],
    "volumes.update": [
        Case(
            lambda c: c.volumes.update(
                "demo", "vol_1", snapshot_retention=9, auto_backup_enabled=True
            ),
            "PUT /v1/apps/demo/volumes/vol_1",
            {"snapshot_retention": 9, "auto_backup_enabled": True},
            (200, VOLUME),
            READ,
        )
    ],
    "volumes.delete": [
        Case(
            lambda c: c.volumes.delete("demo", "vol_1"),
            "DELETE /v1/apps/demo/volumes/vol_1",
            answer=(200, VOLUME),
            result=READ,
        )
    ],
    "volumes.extend": [
        Case(
            lambda c: c.volumes.extend("demo", "vol_1", size_gb=5),
            "PUT /v1/apps/demo/volumes/vol_1/extend",
            {"size_gb": 5},
            (200, {"volume": VOLUME, "needs_restart": True}),
            ExtendedVolume(volume=READ, needs_restart=True),
        )
    ],
    "volumes.snapshots": [
        Case(
            lambda c: c.volumes.snapshots("demo", "vol_1"),
            "GET /v1/apps/demo/volumes/vol_1/snapshots",
            answer=(200, [{"id": "vs_1", "size": 10, "digest": None}]),
            result=[VolumeSnapshot(id="vs_1", size=10)],
        )
    ],
    "volumes.create_snapshot": [
        Case(
            lambda c: c.volumes.create_snapshot("demo", "vol_1"),
            "POST /v1/apps/demo/volumes/vol_1/snapshots",
            answer=(200, {"Msg": {"backup": {"id": "vs_1"}}}),
        )
    ],
}
