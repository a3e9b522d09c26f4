"""Machines."""

from __future__ import annotations

from ephemera.wire.inside import ListenSocket, Memory, ProcessStat, ReclaimedMemory
from ephemera.wire.models import (
    ExecResult,
    LeaseSummary,
    Machine,
    MachineConfig,
    MachineEvent,
    MachineVersion,
    StartResult,
    WaitResult,
)
from tests.contract.client_cases.case import NULL, Case, Cases

MACHINE = {"id": "m1", "name": "job-1", "state": "started", "fly_added": {"x": 1}}


CASES: Cases = {
    "machines.create": [
        Case(
            lambda c: c.machines.create(
                "demo",
                config={"image": "host"},
                name="job-1",
                region="ams",
                skip_launch=True,
                skip_service_registration=True,
                skip_secrets=True,
                min_secrets_version=7,
                lease_ttl=30,
            ),
            "POST /v1/apps/demo/machines",
            {
                "name": "job-1",
                "region": "ams",
                "config": {"image": "host", "metadata": {"ephemera_create_id": "01ME"}},
                "skip_launch": True,
                "skip_service_registration": True,
                "skip_secrets": True,
                "min_secrets_version": 7,
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
        ),
        Case(
            lambda c: c.machines.get("demo", "m1", include_leases=True),
            "GET /v1/apps/demo/machines/m1?include_leases=true",
            answer=(200, {"lease": {"owner": "ada"}}),
            result=Machine(lease=LeaseSummary(owner="ada")),
        ),
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
                region=["ams", "fra"],
                state=["started", "stopped"],
                summary=True,
                include_leases=True,
                metadata={"a b": "1&2"},
            ),
            "GET /v1/apps/demo/machines?include_deleted=true&region=ams%2Cfra"
            "&state=started%2Cstopped&summary=true&include_leases=true&metadata.a+b=1%262",
            answer=(200, []),
            result=[],
        ),
    ],
    "machines.update": [
        Case(
            lambda c: c.machines.update(
                "demo",
                "m1",
                config={"image": "host"},
                current_version="01V",
                skip_launch=True,
                skip_service_registration=True,
                skip_secrets=True,
                min_secrets_version=7,
                lease_ttl=30,
                nonce="n1",
            ),
            "POST /v1/apps/demo/machines/m1",
            {
                "config": {"image": "host"},
                "current_version": "01V",
                "skip_launch": True,
                "skip_service_registration": True,
                "skip_secrets": True,
                "min_secrets_version": 7,
                "lease_ttl": 30,
            },
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
        ),
        Case(
            lambda c: c.machines.start("demo", "m1"),
            "POST /v1/apps/demo/machines/m1/start",
            result=StartResult(),
        ),
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
        ),
        Case(
            lambda c: c.machines.wait("demo", "m1", "settled", from_event_id="01E"),
            "GET /v1/apps/demo/machines/m1/wait?state=settled&from_event_id=01E&timeout=60",
            answer=(200, {"ok": True}),
            result=WaitResult(ok=True),
        ),
    ],
    "machines.suspend": [
        Case(
            lambda c: c.machines.suspend("demo", "m1", nonce="n1"),
            "POST /v1/apps/demo/machines/m1/suspend",
            answer=(200, {"ok": True}),
            nonce="n1",
        )
    ],
    "machines.cordon": [
        Case(
            lambda c: c.machines.cordon("demo", "m1", nonce="n1"),
            "POST /v1/apps/demo/machines/m1/cordon",
            answer=(200, {"ok": True}),
            nonce="n1",
        )
    ],
    "machines.uncordon": [
        Case(
            lambda c: c.machines.uncordon("demo", "m1", nonce="n1"),
            "POST /v1/apps/demo/machines/m1/uncordon",
            answer=(200, {"ok": True}),
            nonce="n1",
        )
    ],
    "machines.versions": [
        Case(
            lambda c: c.machines.versions("demo", "m1"),
            "GET /v1/apps/demo/machines/m1/versions",
            answer=(200, [{"version": "01V", "user_config": {"image": "host"}}]),
            result=[MachineVersion(version="01V", user_config=MachineConfig(image="host"))],
        ),
        Case(
            lambda c: c.machines.versions("demo", "m1"),
            "GET /v1/apps/demo/machines/m1/versions",
            # As Go writes a list with nothing in it: JSON's null.
            answer=(200, NULL),
            result=[],
        ),
    ],
    "machines.ps": [
        Case(
            lambda c: c.machines.ps("demo", "m1", sort_by="rss", order="desc"),
            "GET /v1/apps/demo/machines/m1/ps?sort_by=rss&order=desc",
            answer=(
                200,
                [
                    {"pid": 1, "listen_sockets": [{"proto": "tcp", "address": ":80"}]},
                    {"pid": 2, "listen_sockets": None},
                ],
            ),
            result=[
                ProcessStat(pid=1, listen_sockets=[ListenSocket(proto="tcp", address=":80")]),
                ProcessStat(pid=2),
            ],
        )
    ],
    "machines.memory": [
        Case(
            lambda c: c.machines.memory("demo", "m1"),
            "GET /v1/apps/demo/machines/m1/memory",
            answer=(200, {"limit_mb": 256, "available_mb": 100}),
            result=Memory(limit_mb=256, available_mb=100),
        )
    ],
    "machines.set_memory": [
        Case(
            lambda c: c.machines.set_memory("demo", "m1", limit_mb=512, nonce="n1"),
            "PUT /v1/apps/demo/machines/m1/memory",
            {"limit_mb": 512},
            (200, {"limit_mb": 512, "available_mb": 300}),
            Memory(limit_mb=512, available_mb=300),
            nonce="n1",
        )
    ],
    "machines.reclaim_memory": [
        Case(
            lambda c: c.machines.reclaim_memory("demo", "m1", amount_mb=64, nonce="n1"),
            "POST /v1/apps/demo/machines/m1/memory/reclaim",
            {"amount_mb": 64},
            (200, {"actual_mb": 32}),
            ReclaimedMemory(actual_mb=32),
            nonce="n1",
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
        ),
        Case(
            lambda c: c.machines.exec("demo", "m1", ["true"], container="web", machine=True),
            "POST /v1/apps/demo/machines/m1/exec",
            {"command": ["true"], "timeout": 30, "container": "web", "machine": True},
            (200, {}),
            ExecResult(),
        ),
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
            lambda c: c.machines.set_metadata(
                "demo", "m1", "a", "1", updated_at="2026-01-02T03:04:05Z"
            ),
            "POST /v1/apps/demo/machines/m1/metadata/a",
            {"value": "1", "updated_at": "2026-01-02T03:04:05Z"},
            (204, None),
        )
    ],
    "machines.update_metadata": [
        Case(
            lambda c: c.machines.update_metadata(
                "demo",
                "m1",
                {"a": "1", "b": None},
                machine_version="01V",
                updated_at="2026-01-02T03:04:05Z",
            ),
            "PATCH /v1/apps/demo/machines/m1/metadata",
            {
                "metadata": {"a": "1", "b": None},
                "machine_version": "01V",
                "updated_at": "2026-01-02T03:04:05Z",
            },
            (204, None),
        )
    ],
    "machines.replace_metadata": [
        Case(
            lambda c: c.machines.replace_metadata(
                "demo",
                "m1",
                {"a": "1"},
                machine_version="01V",
                updated_at="2026-01-02T03:04:05Z",
            ),
            "PUT /v1/apps/demo/machines/m1/metadata",
            {
                "metadata": {"a": "1"},
                "machine_version": "01V",
                "updated_at": "2026-01-02T03:04:05Z",
            },
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
}
