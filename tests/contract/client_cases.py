"""Every method of the two clients: a call, the request it is, and how its answer is understood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ephemera.wire.models import (
    App,
    AppList,
    ExecResult,
    Lease,
    LogEntry,
    LogPage,
    Machine,
    MachineEvent,
    StartResult,
    WaitResult,
)

MACHINE = {"id": "m1", "name": "job-1", "state": "started", "fly_added": {"x": 1}}
LEASE = {"nonce": "n1", "expires_at": 1708569778}
LOG = {
    "data": [{"attributes": {"timestamp": "2026-01-02T03:04:05Z", "message": "hi"}}],
    "meta": {"next_token": "t1"},
}


@dataclass(frozen=True)
class Case:
    """A call, the request it is, and how its answer is understood."""

    do: Callable[[Any], Any]
    request: str
    body: object = None
    answer: tuple[int, object] = (200, None)
    result: object = None
    nonce: str | None = None


CASES: dict[str, list[Case]] = {
    "apps.create": [
        Case(
            lambda c: c.apps.create("demo", network="n"),
            "POST /v1/apps",
            {"name": "demo", "org_slug": "personal", "network": "n"},
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
            lambda c: c.apps.list(org_slug="my org"),
            "GET /v1/apps?org_slug=my+org",
            answer=(200, {"total_apps": 1, "apps": [{"id": "a1"}]}),
            result=AppList(total_apps=1, apps=[App(id="a1")]),
        )
    ],
    "apps.delete": [
        Case(lambda c: c.apps.delete("demo"), "DELETE /v1/apps/demo", answer=(202, None)),
        Case(lambda c: c.apps.delete("demo", force=True), "DELETE /v1/apps/demo?force=true"),
    ],
    "machines.create": [
        Case(
            lambda c: c.machines.create(
                "demo",
                config={"image": "host", "metadata": {"ephemera_create_id": "01ME"}},
                name="job-1",
                region="ams",
                skip_launch=True,
                lease_ttl=30,
            ),
            "POST /v1/apps/demo/machines",
            {
                "name": "job-1",
                "region": "ams",
                "config": {"image": "host", "metadata": {"ephemera_create_id": "01ME"}},
                "skip_launch": True,
                "lease_ttl": 30,
            },
            (200, MACHINE),
            Machine.model_validate(MACHINE),
        )
    ],
    "machines.get": [
        Case(
            lambda c: c.machines.get("demo", "m1"),
            "GET /v1/apps/demo/machines/m1",
            answer=(200, MACHINE),
            result=Machine.model_validate(MACHINE),
        )
    ],
    "machines.list": [
        Case(
            lambda c: c.machines.list("demo"),
            "GET /v1/apps/demo/machines",
            answer=(200, [MACHINE]),
            result=[Machine.model_validate(MACHINE)],
        ),
        Case(
            lambda c: c.machines.list(
                "demo",
                include_deleted=True,
                region="ams",
                state=["started", "stopped"],
                metadata={"a b": "1&2"},
            ),
            "GET /v1/apps/demo/machines?include_deleted=true&region=ams"
            "&state=started%2Cstopped&metadata.a+b=1%262",
            answer=(200, []),
            result=[],
        ),
    ],
    "machines.update": [
        Case(
            lambda c: c.machines.update(
                "demo", "m1", config={"image": "host"}, current_version="01V", nonce="n1"
            ),
            "POST /v1/apps/demo/machines/m1",
            {"config": {"image": "host"}, "current_version": "01V"},
            (200, MACHINE),
            Machine.model_validate(MACHINE),
            nonce="n1",
        )
    ],
    "machines.start": [
        Case(
            lambda c: c.machines.start("demo", "m1", nonce="n1"),
            "POST /v1/apps/demo/machines/m1/start",
            answer=(200, {"previous_state": "stopped"}),
            result=StartResult(previous_state="stopped"),
            nonce="n1",
        )
    ],
    "machines.stop": [
        Case(
            lambda c: c.machines.stop("demo", "m1", signal="SIGTERM", timeout=90, nonce="n1"),
            "POST /v1/apps/demo/machines/m1/stop",
            {"signal": "SIGTERM", "timeout": "1m30s"},
            (200, {"ok": True}),
            nonce="n1",
        ),
        Case(lambda c: c.machines.stop("demo", "m1"), "POST /v1/apps/demo/machines/m1/stop", {}),
    ],
    "machines.restart": [
        Case(
            lambda c: c.machines.restart("demo", "m1", signal="SIGINT", timeout=2),
            "POST /v1/apps/demo/machines/m1/restart?signal=SIGINT&timeout=2s",
        )
    ],
    "machines.destroy": [
        Case(
            lambda c: c.machines.destroy("demo", "m1", force=True, nonce="n1"),
            "DELETE /v1/apps/demo/machines/m1?force=true",
            answer=(200, {"ok": True}),
            nonce="n1",
        )
    ],
    "machines.wait": [
        Case(
            lambda c: c.machines.wait("demo", "m1", ("stopped", "failed"), timeout=5, version="v"),
            "GET /v1/apps/demo/machines/m1/wait?state=stopped&state=failed&version=v&timeout=5",
            answer=(200, {"ok": True, "state": "stopped"}),
            result=WaitResult(ok=True, state="stopped"),
        )
    ],
    "machines.events": [
        Case(
            lambda c: c.machines.events("demo", "m1", limit=5),
            "GET /v1/apps/demo/machines/m1/events?limit=5",
            answer=(200, [{"type": "exit", "timestamp": 7}]),
            result=[MachineEvent(type="exit", timestamp=7)],
        )
    ],
    "machines.signal": [
        Case(
            lambda c: c.machines.signal("demo", "m1", "SIGUSR1"),
            "POST /v1/apps/demo/machines/m1/signal",
            {"signal": "SIGUSR1"},
        )
    ],
    "machines.exec": [
        Case(
            lambda c: c.machines.exec("demo", "m1", ["cat"], stdin="hi", timeout=5),
            "POST /v1/apps/demo/machines/m1/exec",
            {"command": ["cat"], "stdin": "hi", "timeout": 5},
            (200, {"exit_code": 0, "stdout": "hi"}),
            ExecResult(exit_code=0, stdout="hi"),
        )
    ],
    "machines.metadata": [
        Case(
            lambda c: c.machines.metadata("demo", "m1"),
            "GET /v1/apps/demo/machines/m1/metadata",
            answer=(200, {"a": "1"}),
            result={"a": "1"},
        )
    ],
    "machines.get_metadata": [
        Case(
            lambda c: c.machines.get_metadata("demo", "m1", "a b"),
            "GET /v1/apps/demo/machines/m1/metadata/a%20b",
            answer=(200, {"value": "1"}),
            result="1",
        )
    ],
    "machines.set_metadata": [
        Case(
            lambda c: c.machines.set_metadata("demo", "m1", "a", "1"),
            "POST /v1/apps/demo/machines/m1/metadata/a",
            {"value": "1"},
            (204, None),
        )
    ],
    "machines.delete_metadata": [
        Case(
            lambda c: c.machines.delete_metadata("demo", "m1", "a"),
            "DELETE /v1/apps/demo/machines/m1/metadata/a",
            answer=(204, None),
        )
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
