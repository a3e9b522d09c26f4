"""Suspending a machine, and what may be asked of one that is suspended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, refused


def suspended(app: AppUnderTest) -> str:
    """Return the id of a machine that is suspended while its program runs."""
    machine = app.running()
    assert app.post(f"/machines/{machine}/suspend") == {"ok": True}
    app.reaches(machine, "suspended")
    return machine


class SuspendContract(Contract):
    """`POST /v1/apps/{app}/machines/{id}/suspend`."""

    def test_a_suspended_machine_goes_on_when_it_is_started(self, app: AppUnderTest) -> None:
        machine = suspended(app)
        assert app.state(machine) == "suspended"
        said = app.post(f"/machines/{machine}/start")
        assert said["previous_state"] == "suspended"
        app.reaches(machine, "started")
        types = [event["type"] for event in app.get(f"/machines/{machine}")["events"]]
        assert "suspend" in types
        assert "exit" not in types

    def test_a_suspend_request_is_idempotent(self, app: AppUnderTest) -> None:
        machine = suspended(app)
        answer = app.ask("POST", f"/machines/{machine}/suspend")
        assert answer.is_success or refused(answer, 412)
        assert app.state(machine) == "suspended"

    def test_many_suspends_at_once_suspend_once(self, app: AppUnderTest) -> None:
        machine = app.running()
        path = f"/machines/{machine}/suspend"
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(app.ask, "POST", path) for _ in range(8)]
            assert {one.result().status_code for one in asked} <= {200, 412}
        app.reaches(machine, "suspended")
        events = app.get(f"/machines/{machine}")["events"]
        assert [event["type"] for event in events].count("suspend") <= 2  # asked for, and done

    def test_suspended_is_a_state_of_rest(self, app: AppUnderTest) -> None:
        machine = suspended(app)
        assert app.get(f"/machines/{machine}/wait?state=settled")["ok"] is True
        assert [one["id"] for one in app.get("/machines?state=suspended")] == [machine]

    def test_a_stop_discards_what_it_was_doing(self, app: AppUnderTest) -> None:
        machine = suspended(app)
        app.post(f"/machines/{machine}/stop")
        app.reaches(machine, "stopped")

    def test_a_suspended_machine_is_destroyed_without_force(self, app: AppUnderTest) -> None:
        machine = suspended(app)
        assert app.ask("DELETE", f"/machines/{machine}").json() == {"ok": True}
        app.reaches(machine, "destroyed")

    def test_an_update_leaves_it_stopped_in_its_new_version(self, app: AppUnderTest) -> None:
        machine = suspended(app)
        config = app.config(app.subject.programs.runs, env={"NEW": "1"})
        version = app.post(f"/machines/{machine}", json={"config": config})["instance_id"]
        app.get(f"/machines/{machine}/wait?state=stopped&version={version}")
        assert app.get(f"/machines/{machine}")["config"]["env"] == {"NEW": "1"}

    def test_nothing_reaches_the_program_of_a_suspended_machine(self, app: AppUnderTest) -> None:
        machine = suspended(app)
        command = {"command": app.subject.programs.exits(0)}
        refused(app.ask("POST", f"/machines/{machine}/exec", json=command), 400, 412)
        body = {"signal": "SIGTERM"}
        refused(app.ask("POST", f"/machines/{machine}/signal", json=body), 400, 412)
        assert app.state(machine) == "suspended"

    def test_what_does_not_run_cannot_be_suspended(self, app: AppUnderTest) -> None:
        machine = app.ended()
        why = refused(app.ask("POST", f"/machines/{machine}/suspend"), 412)
        assert "stopped" in why
        assert app.state(machine) == "stopped"

    def test_a_machine_with_much_memory_cannot_be_suspended(self, app: AppUnderTest) -> None:
        machine = app.running(guest={"cpu_kind": "shared", "cpus": 4, "memory_mb": 8192})
        refused(app.ask("POST", f"/machines/{machine}/suspend"), 400, 412)
        assert app.state(machine) == "started"

    def test_a_lease_keeps_others_from_suspending(self, app: AppUnderTest) -> None:
        machine = app.running()
        app.post(f"/machines/{machine}/lease", json={"ttl": 30})
        refused(app.ask("POST", f"/machines/{machine}/suspend"), 409)
        assert app.state(machine) == "started"


class CordonContract(Contract):
    """`.../cordon` and `.../uncordon`."""

    def test_a_machine_is_cordoned_and_uncordoned_as_often_as_one_likes(
        self, app: AppUnderTest
    ) -> None:
        machine = app.running()
        for verb, cordoned in (("cordon", True), ("uncordon", False)):
            for _ in range(2):
                assert app.post(f"/machines/{machine}/{verb}") == {"ok": True}
                assert app.get(f"/machines/{machine}")["cordoned"] is cordoned
        assert app.state(machine) == "started"

    def test_a_machine_that_rests_can_be_cordoned(self, app: AppUnderTest) -> None:
        machine = app.ended()
        app.post(f"/machines/{machine}/cordon")
        (listed,) = app.get("/machines?summary=true")
        assert listed["cordoned"] is True

    def test_a_machine_may_be_created_cordoned(self, app: AppUnderTest) -> None:
        body = {
            "config": app.config(app.subject.programs.exits(0)),
            "skip_service_registration": True,
        }
        machine = app.post("/machines", json=body)["id"]
        assert app.get(f"/machines/{machine}")["cordoned"] is True

    @pytest.mark.parametrize("verb", ["cordon", "uncordon"])
    def test_a_lease_keeps_others_from_it(self, app: AppUnderTest, verb: str) -> None:
        machine = app.ended()
        nonce = app.post(f"/machines/{machine}/lease", json={"ttl": 30})["data"]["nonce"]
        refused(app.ask("POST", f"/machines/{machine}/{verb}"), 409)
        shown = {"fly-machine-lease-nonce": nonce}
        assert app.post(f"/machines/{machine}/{verb}", headers=shown) == {"ok": True}

    @pytest.mark.parametrize("verb", ["cordon", "uncordon", "suspend"])
    def test_a_machine_that_never_was_is_refused(self, app: AppUnderTest, verb: str) -> None:
        answer = app.ask("POST", f"/machines/0000000000000a/{verb}")
        assert refused(answer, 404) == "machine not found"

    @pytest.mark.parametrize("verb", ["cordon", "uncordon", "suspend"])
    def test_a_destroyed_machine_is_refused(self, app: AppUnderTest, verb: str) -> None:
        machine = app.ended()
        app.ask("DELETE", f"/machines/{machine}")
        app.reaches(machine, "destroyed")
        refused(app.ask("POST", f"/machines/{machine}/{verb}"), 404, 412)
