"""Apps, and the leases and logs of their machines."""

from __future__ import annotations

from ephemera.wire.models import (
    App,
    AppList,
    Lease,
    LogEntry,
    LogPage,
)
from tests.contract.client_cases.case import Case, Cases

LEASE = {"nonce": "n1", "expires_at": 1708569778}
LOG = {
    "data": [{"attributes": {"timestamp": "2026-01-02T03:04:05Z", "message": "hi"}}],
    "meta": {"next_token": "t1"},
}


CASES: Cases = {
    "apps.create": [
        Case(
            lambda c: c.apps.create("demo", network="n", enable_subdomains=True),
            "POST /v1/apps?wait=true",
            {"name": "demo", "org_slug": "personal", "network": "n", "enable_subdomains": True},
            (201, {"id": "a1", "created_at": 1708631799000}),
            App(id="a1", name="demo", created_at=1708631799000),  # type: ignore[call-arg]
        )
    ],
    "apps.get": [
        Case(
            lambda c: c.apps.get("demo"),
            "GET /v1/apps/demo",
            answer=(200, {"id": "a1", "name": "demo"}),
            result=App(id="a1", name="demo"),
        )
    ],
    "apps.list": [
        Case(
            lambda c: c.apps.list(org_slug="my org", app_role="r"),
            "GET /v1/apps?org_slug=my+org&app_role=r",
            answer=(200, {"total_apps": 1, "apps": [{"id": "a1"}]}),
            result=AppList(total_apps=1, apps=[App(id="a1")]),
        )
    ],
    "apps.delete": [
        Case(lambda c: c.apps.delete("demo"), "DELETE /v1/apps/demo", answer=(202, None)),
        Case(lambda c: c.apps.delete("demo", force=True), "DELETE /v1/apps/demo?force=true"),
    ],
    "leases.acquire": [
        Case(
            lambda c: c.leases.acquire("demo", "m1", ttl=13, description="deploy"),
            "POST /v1/apps/demo/machines/m1/lease",
            {"ttl": 13, "description": "deploy"},
            (201, {"status": "success", "data": LEASE}),
            Lease.model_validate(LEASE),
        )
    ],
    "leases.get": [
        Case(
            lambda c: c.leases.get("demo", "m1"),
            "GET /v1/apps/demo/machines/m1/lease",
            answer=(200, LEASE),
            result=Lease.model_validate(LEASE),
        )
    ],
    "leases.refresh": [
        Case(
            lambda c: c.leases.refresh("demo", "m1", "n1", ttl=13),
            "POST /v1/apps/demo/machines/m1/lease",
            {"ttl": 13},
            (200, {"status": "success", "data": LEASE}),
            Lease.model_validate(LEASE),
            nonce="n1",
        )
    ],
    "leases.release": [
        Case(
            lambda c: c.leases.release("demo", "m1", "n1"),
            "DELETE /v1/apps/demo/machines/m1/lease",
            answer=(200, {"status": "success", "data": {"ok": True}}),
            nonce="n1",
        )
    ],
    "logs.page": [
        Case(
            lambda c: c.logs.page("demo", next_token="t0", machine="m1", region="ams", wait=9),
            "GET /api/v1/apps/demo/logs?next_token=t0&instance=m1&region=ams&wait=9",
            answer=(200, LOG),
            result=LogPage(
                entries=[LogEntry(timestamp="2026-01-02T03:04:05Z", provider="app", message="hi")],
                next_token="t1",
            ),
        )
    ],
    "logs.follow": [
        Case(
            lambda c: c.logs.follow("demo", tail=False),
            "GET /api/v1/apps/demo/logs",
            answer=(200, {"data": [], "meta": {}}),
            result=[],
        )
    ],
}
