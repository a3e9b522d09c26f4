"""Addresses, regions, placements and organisations."""

from __future__ import annotations

from ephemera.wire.addresses import AssignedIp, IpAssignment, IpPair
from ephemera.wire.orgs import OrgMachine, OrgMachinesPage, OrgVolume, OrgVolumesPage
from ephemera.wire.places import Region, RegionPlacement, Regions
from tests.contract.client_cases.case import Case, Cases

CASES: Cases = {
    "ips.list": [
        Case(
            lambda c: c.ips.list("demo"),
            "GET /v1/apps/demo/ip_assignments",
            answer=(200, {"ips": [{"ip": "192.0.2.1", "shared": True, "region": None}]}),
            result=[IpAssignment(ip="192.0.2.1", shared=True)],
        )
    ],
    "ips.assign": [
        Case(
            lambda c: c.ips.assign(
                "demo",
                "egress_pair",
                region="ams",
                network="n",
                service_name="web",
                org_slug="other",
            ),
            "POST /v1/apps/demo/ip_assignments",
            {
                "type": "egress_pair",
                "region": "ams",
                "network": "n",
                "service_name": "web",
                "org_slug": "other",
            },
            (200, {"ip": None, "ip_pair": {"v4": "192.0.2.1", "v6": "2001:db8::1"}}),
            AssignedIp(ip_pair=IpPair(v4="192.0.2.1", v6="2001:db8::1")),
        )
    ],
    "ips.release": [
        Case(
            lambda c: c.ips.release("demo", "2001:db8::1"),
            "DELETE /v1/apps/demo/ip_assignments/2001%3Adb8%3A%3A1",
            answer=(204, None),
        )
    ],
    "platform.regions": [
        Case(
            lambda c: c.platform.regions(),
            "GET /v1/platform/regions",
            answer=(200, {"regions": [{"code": "ams", "latitude": 52}], "nearest": "ams"}),
            result=Regions(regions=[Region(code="ams", latitude=52)], nearest="ams"),
        ),
        Case(
            lambda c: c.platform.regions(),
            "GET /v1/platform/regions",
            # With the keys of Go's own structures.
            answer=(200, {"Regions": [{"Code": "ams", "Latitude": 52.4}], "Nearest": "ams"}),
            result=Regions(regions=[Region(code="ams", latitude=52.4)], nearest="ams"),
        ),
    ],
    "platform.placements": [
        Case(
            lambda c: c.platform.placements(
                region=["ams", "eu"],
                compute={"cpus": 1},
                count=0,
                volume_name="data",
                volume_size_bytes=9,
                weights={"spread": 2},
            ),
            "POST /v1/platform/placements",
            {
                "org_slug": "personal",
                "region": "ams,eu",
                "compute": {"cpus": 1},
                "count": 0,
                "volume_name": "data",
                "volume_size_bytes": 9,
                "weights": {"spread": 2},
            },
            (200, {"Regions": [{"Region": "ams", "Count": 2, "Concurrency": 1}]}),
            [RegionPlacement(region="ams", count=2, concurrency=1)],
        )
    ],
    "orgs.machines_page": [
        Case(
            lambda c: c.orgs.machines_page(
                "my org",
                include_deleted=True,
                region="ams",
                state=["started", "stopped"],
                summary=True,
                updated_after="2026-01-02T03:04:05Z",
                cursor="c1",
                limit=2,
            ),
            "GET /v1/orgs/my%20org/machines?include_deleted=true&region=ams"
            "&state=started%2Cstopped&summary=true&updated_after=2026-01-02T03%3A04%3A05Z"
            "&cursor=c1&limit=2",
            answer=(
                200,
                {"machines": [{"id": "m1"}], "next_cursor": "c2", "error_regions": None},
            ),
            result=OrgMachinesPage(machines=[OrgMachine(id="m1")], next_cursor="c2"),
        )
    ],
    "orgs.machines": [
        Case(
            lambda c: c.orgs.machines(state="started"),
            "GET /v1/orgs/personal/machines?state=started",
            answer=(200, {"machines": [{"id": "m1"}], "next_cursor": None}),
            result=[OrgMachine(id="m1")],
        )
    ],
    "orgs.volumes_page": [
        Case(
            lambda c: c.orgs.volumes_page(
                include_deleted=True,
                region=["ams", "fra"],
                state="created",
                summary=True,
                updated_after="2026-01-02T03:04:05Z",
                cursor="c1",
                limit=2,
            ),
            "GET /v1/orgs/personal/volumes?include_deleted=true&region=ams%2Cfra&state=created"
            "&summary=true&updated_after=2026-01-02T03%3A04%3A05Z&cursor=c1&limit=2",
            answer=(200, {"volumes": [{"id": "vol_1", "app_name": "demo"}]}),
            result=OrgVolumesPage(volumes=[OrgVolume(id="vol_1", app_name="demo")]),
        )
    ],
    "orgs.volumes": [
        Case(
            lambda c: c.orgs.volumes("other"),
            "GET /v1/orgs/other/volumes",
            answer=(200, {"volumes": None}),
            result=[],
        )
    ],
}
