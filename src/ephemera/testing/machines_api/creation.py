"""Creating a machine: what is answered, what becomes of it, and what is refused."""

from __future__ import annotations

import re
import secrets
from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, refused

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_MACHINE_ID = re.compile(r"[0-9a-f]{14,15}")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class CreationContract(Contract):
    """`POST /v1/apps/{app}/machines`."""

    def test_a_created_machine_is_answered_whole(self, app: AppUnderTest) -> None:
        machine = app.create(app.subject.programs.runs)
        assert _MACHINE_ID.fullmatch(machine["id"])
        assert _ULID.fullmatch(machine["instance_id"])
        assert _STAMP.fullmatch(machine["created_at"])
        assert _STAMP.fullmatch(machine["updated_at"])
        assert machine["state"] in ("created", "starting", "started")
        assert machine["name"]
        assert machine["region"]
        assert machine["private_ip"]
        assert isinstance(machine["image_ref"], dict)
        assert machine["config"]["image"] == app.subject.image
        assert [(one["type"], one["status"]) for one in machine["events"]][-1:] == [
            ("launch", "created")
        ]

    def test_a_created_machine_is_started_without_being_asked(self, app: AppUnderTest) -> None:
        assert app.state(app.running()) == "started"

    def test_a_config_is_kept_with_fields_that_nobody_knows(self, app: AppUnderTest) -> None:
        config = app.config(app.subject.programs.runs, env={"A": "1"}, metadata={"k": "v"})
        strange = {**config, "not_in_any_spec": {"deep": [1, None, "ü"]}}
        machine = app.post("/machines", json={"config": strange, "skip_launch": True, "lsvd": True})
        kept = app.get(f"/machines/{machine['id']}")["config"]
        assert kept["not_in_any_spec"] == {"deep": [1, None, "ü"]}
        assert kept["env"] == {"A": "1"}
        assert kept["metadata"] == {"k": "v"}
        assert kept["init"]["exec"] == app.subject.programs.runs

    def test_a_machine_without_a_size_has_the_smallest(self, app: AppUnderTest) -> None:
        guest = app.get(f"/machines/{app.ended(guest=None)}")["config"]["guest"]
        assert guest == {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}

    @pytest.mark.parametrize(
        "more",
        [
            {"init": {}, "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}},
            {"stop_config": {"timeout": "10s"}},
            {"stop_config": {"timeout": 10_000_000_000, "signal": "SIGTERM"}},
            {"services": [], "checks": {}, "mounts": [], "dns": {}, "metadata": {}},
            {"auto_destroy": False, "schedule": None, "env": None},
        ],
        ids=["fly-go", "go-duration", "nanoseconds", "empty", "nulls"],
    )
    def test_configs_of_known_clients_are_taken(
        self, app: AppUnderTest, more: dict[str, Any]
    ) -> None:
        config = {**app.config(app.subject.programs.runs), **more}
        assert app.post("/machines", json={"config": config, "skip_launch": True})["id"]

    def test_a_body_is_read_of_clients_that_offer_another_protocol_with_it(
        self, app: AppUnderTest
    ) -> None:
        offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AA"}
        body = {"config": app.config(app.subject.programs.runs), "skip_launch": True}
        made = [app.post("/machines", json=body, headers=offer)["id"] for _ in range(2)]
        assert {one["id"] for one in app.get("/machines")} == set(made)

    def test_a_name_is_kept_and_unique_among_those_alive(self, app: AppUnderTest) -> None:
        body = {"name": "twin", "config": app.config(app.subject.programs.runs)}
        first = app.post("/machines", json=body)
        assert first["name"] == "twin"
        why = refused(app.ask("POST", "/machines", json=body), 409)
        assert why == (
            "already_exists: unique machine name violation, "
            f'machine ID {first["id"]} already exists with name "twin"'
        )
        assert [one["id"] for one in app.get("/machines")] == [first["id"]]

    def test_a_destroyed_machine_frees_its_name(self, app: AppUnderTest) -> None:
        body = {"name": "heir", "config": app.config(app.subject.programs.runs)}
        first = app.post("/machines", json=body)["id"]
        app.ask("DELETE", f"/machines/{first}?force=true")
        app.reaches(first, "destroyed")
        assert app.post("/machines", json=body)["id"] != first

    def test_a_machine_that_is_not_launched_rests_until_it_is_started(
        self, app: AppUnderTest
    ) -> None:
        config = app.config(app.subject.programs.runs)
        machine = app.post("/machines", json={"config": config, "skip_launch": True})["id"]
        app.reaches(machine, "stopped")
        assert app.post(f"/machines/{machine}/start")["previous_state"] == "stopped"
        app.reaches(machine, "started")

    def test_a_machine_can_be_leased_in_the_moment_it_is_made(self, app: AppUnderTest) -> None:
        config = app.config(app.subject.programs.runs)
        machine = app.post("/machines", json={"config": config, "lease_ttl": 60})
        path = f"/machines/{machine['id']}"
        assert machine["nonce"]
        refused(app.ask("POST", f"{path}/stop"), 409)
        holder = {"fly-machine-lease-nonce": machine["nonce"]}
        assert app.post(f"{path}/stop", headers=holder) == {"ok": True}

    def test_a_program_that_is_not_there_is_told_in_time(self, app: AppUnderTest) -> None:
        config = app.config(app.subject.programs.not_found)
        answer = app.ask("POST", "/machines", json={"config": config})
        if not answer.is_success:
            refused(answer, 400, 422)
            assert app.get("/machines") == []
            return
        machine = answer.json()["id"]
        app.reaches(machine, "settled")
        assert app.state(machine) in ("failed", "stopped")

    @pytest.mark.parametrize("body", [{}, {"config": {}}, {"config": {"image": ""}}, {"name": "n"}])
    def test_a_machine_without_an_image_is_refused(
        self, app: AppUnderTest, body: dict[str, Any]
    ) -> None:
        refused(app.ask("POST", "/machines", json=body), 400, 422)
        assert app.get("/machines") == []

    @pytest.mark.parametrize(
        ("config", "about"),
        [
            ({"stop_config": {"timeout": "301s"}}, "5 minutes"),
            ({"stop_config": {"timeout": "soon"}}, ""),
            ({"restart": {"policy": "sometimes"}}, ""),
            ({"files": [{"guest_path": "/x", "raw_value": "no base64!"}]}, ""),
            ({"files": [{"guest_path": "relative", "raw_value": "aGk="}]}, ""),
            ({"guest": {"cpus": 1, "memory_mb": -1}}, ""),
            ({"guest": {"cpus": 0, "memory_mb": 256}}, ""),
        ],
    )
    def test_a_config_that_cannot_work_is_refused_before_anything_is_made(
        self, app: AppUnderTest, config: dict[str, Any], about: str
    ) -> None:
        whole = {**app.config(app.subject.programs.runs), **config}
        why = refused(app.ask("POST", "/machines", json={"config": whole}), 400, 422)
        assert about in why
        assert app.get("/machines") == []

    def test_a_machine_of_an_unknown_app_is_refused(self, app: AppUnderTest) -> None:
        path = f"/v1/apps/contract-{secrets.token_hex(6)}/machines"
        body = {"config": app.config(app.subject.programs.runs)}
        assert refused(app.http.post(path, json=body), 404) == "app not found"
