"""What moves a machine: start, stop, restart, update, destroy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, answered, refused


class MovesContract(Contract):
    """`start`, `stop` and `restart` of one machine."""

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"json": {}},
            {"json": {"id": "whatever", "timeout": "10s"}},
            {"json": {"signal": "SIGTERM", "timeout": 10}},
            {"json": {"signal": "SIGINT", "timeout": "10"}},
            {"json": {"timeout": 10_000_000_000}},
            {"headers": {"content-type": "application/json"}},
        ],
        ids=["none", "empty", "fly-go", "seconds", "text", "nanoseconds", "ruby"],
    )
    def test_a_stop_is_taken_in_every_form_that_clients_send(
        self, app: AppUnderTest, body: dict[str, Any]
    ) -> None:
        machine = app.running()
        assert app.post(f"/machines/{machine}/stop", **body) == {"ok": True}
        app.reaches(machine, "stopped")
        assert app.exit_of(machine)["requested_stop"] is True

    @pytest.mark.parametrize(("signal", "number"), [("SIGTERM", 15), ("SIGINT", 2), ("SIGKILL", 9)])
    def test_a_stop_sends_the_signal_that_it_names(
        self, app: AppUnderTest, signal: str, number: int
    ) -> None:
        machine = app.running()
        app.post(f"/machines/{machine}/stop", json={"signal": signal})
        app.reaches(machine, "stopped")
        ended = app.exit_of(machine)
        assert (ended["exit_code"], ended["signal"]) == (128 + number, number)

    def test_a_program_that_does_not_stop_is_killed_when_its_grace_is_over(
        self, app: AppUnderTest
    ) -> None:
        machine = app.running_on()
        app.post(f"/machines/{machine}/stop", json={"timeout": "200ms"})
        app.reaches(machine, "stopped")
        assert app.exit_of(machine)["signal"] == 9

    def test_a_stop_takes_its_grace_from_the_config(self, app: AppUnderTest) -> None:
        grace = {"signal": "SIGTERM", "timeout": "200ms"}
        machine = app.running_on(stop_config=grace)
        app.post(f"/machines/{machine}/stop")
        app.reaches(machine, "stopped")
        assert app.exit_of(machine)["signal"] == 9

    def test_a_stop_request_is_idempotent(self, app: AppUnderTest) -> None:
        machine = app.running()
        for _ in range(3):
            assert app.post(f"/machines/{machine}/stop") == {"ok": True}
        app.reaches(machine, "stopped")
        assert app.post(f"/machines/{machine}/stop") == {"ok": True}
        types = [event["type"] for event in app.get(f"/machines/{machine}")["events"]]
        assert types.count("exit") == 1

    def test_many_stops_at_once_end_the_machine_once(self, app: AppUnderTest) -> None:
        machine = app.running()
        with ThreadPoolExecutor(8) as threads:
            stops = [threads.submit(app.ask, "POST", f"/machines/{machine}/stop") for _ in range(8)]
            assert all(stop.result().is_success for stop in stops)
        app.reaches(machine, "stopped")
        types = [event["type"] for event in app.get(f"/machines/{machine}")["events"]]
        assert types.count("exit") == 1

    @pytest.mark.parametrize(
        "body", [{"timeout": "6m"}, {"timeout": 301}, {"timeout": -1}, {"signal": "SIGNOTHING"}]
    )
    def test_a_stop_out_of_bounds_is_refused_and_stops_nothing(
        self, app: AppUnderTest, body: dict[str, Any]
    ) -> None:
        machine = app.running()
        refused(app.ask("POST", f"/machines/{machine}/stop", json=body), 400)
        assert app.state(machine) == "started"

    @pytest.mark.parametrize(
        ("body", "kind"), [("[]", "array"), ('"5s"', "string"), ("5", "number")]
    )
    def test_a_stop_whose_body_is_no_object_is_refused_as_fly_refuses_it(
        self, app: AppUnderTest, body: str, kind: str
    ) -> None:
        machine = app.ended()
        answer = app.ask("POST", f"/machines/{machine}/stop", content=body)
        assert refused(answer, 400).endswith(
            f"json: cannot unmarshal {kind} into Go value of type main.stopRequest"
        )

    def test_a_stopped_machine_is_started_again(self, app: AppUnderTest) -> None:
        machine = app.ended(3)
        said = app.post(f"/machines/{machine}/start")
        assert said["previous_state"] == "stopped"
        app.reaches(machine, "stopped")
        assert app.exit_of(machine)["exit_code"] == 3

    def test_a_start_of_a_started_machine_changes_nothing(self, app: AppUnderTest) -> None:
        machine = app.running()
        before = app.get(f"/machines/{machine}")["events"]
        answer = app.ask("POST", f"/machines/{machine}/start")
        assert answer.is_success or refused(answer, 412)
        assert app.state(machine) == "started"
        assert app.get(f"/machines/{machine}")["events"] == before

    @pytest.mark.parametrize(
        "query", ["", "?force_stop=true&timeout=10s&signal=SIGTERM", "?timeout=2"]
    )
    def test_a_restart_ends_the_program_and_starts_it_again(
        self, app: AppUnderTest, query: str
    ) -> None:
        machine = app.running()
        assert app.post(f"/machines/{machine}/restart{query}") == {"ok": True}
        app.reaches(machine, "started")
        types = [event["type"] for event in app.get(f"/machines/{machine}")["events"]]
        assert "restart" in types
        assert types.count("exit") == 1
        assert app.state(machine) == "started"

    def test_a_restart_kills_what_does_not_end_in_time(self, app: AppUnderTest) -> None:
        machine = app.running_on()
        app.post(f"/machines/{machine}/restart?timeout=200ms")
        app.reaches(machine, "started")
        assert app.exit_of(machine)["signal"] == 9

    @pytest.mark.parametrize("query", ["signal=SIGNOTHING", "timeout=soon", "timeout=-1s"])
    def test_a_restart_with_nonsense_is_refused(self, app: AppUnderTest, query: str) -> None:
        machine = app.running()
        refused(app.ask("POST", f"/machines/{machine}/restart?{query}"), 400)
        assert app.state(machine) == "started"

    @pytest.mark.parametrize("verb", ["start", "stop", "restart"])
    def test_a_machine_that_never_was_cannot_be_moved(self, app: AppUnderTest, verb: str) -> None:
        assert refused(app.ask("POST", f"/machines/0000000000000a/{verb}"), 404) == (
            "machine not found"
        )


class UpdateContract(Contract):
    """`POST /v1/apps/{app}/machines/{id}`."""

    def test_an_update_of_a_running_machine_runs_the_new_version(self, app: AppUnderTest) -> None:
        machine = app.running()
        before = app.get(f"/machines/{machine}")
        config = app.config(app.subject.programs.exits(9))
        after = app.post(f"/machines/{machine}", json={"config": config})
        assert after["id"] == machine
        assert after["name"] == before["name"]
        assert after["instance_id"] != before["instance_id"]
        app.get(f"/machines/{machine}/wait?state=stopped&version={after['instance_id']}")
        assert app.exit_of(machine)["exit_code"] == 9

    def test_an_update_gives_a_machine_no_other_name(self, app: AppUnderTest) -> None:
        machine = app.ended()
        before = app.get(f"/machines/{machine}")
        config = app.config(app.subject.programs.exits(0))
        body = {"config": config, "name": "another", "region": before["region"]}
        answer = app.ask("POST", f"/machines/{machine}", json=body)
        assert answer.is_success or refused(answer, 400, 422)
        assert app.get(f"/machines/{machine}")["name"] == before["name"]

    def test_an_update_with_the_name_that_it_has_is_taken(self, app: AppUnderTest) -> None:
        machine = app.ended()
        before = app.get(f"/machines/{machine}")
        config = app.config(app.subject.programs.exits(0))
        names = {"name": before["name"], "region": before["region"]}
        after = app.post(f"/machines/{machine}", json={"config": config, **names})
        assert (after["name"], after["region"]) == (before["name"], before["region"])

    def test_an_update_that_is_not_to_launch_leaves_the_machine_stopped(
        self, app: AppUnderTest
    ) -> None:
        machine = app.ended()
        config = app.config(app.subject.programs.runs, env={"NEW": "1"})
        app.post(f"/machines/{machine}", json={"config": config, "skip_launch": True})
        app.reaches(machine, "stopped")
        read = app.get(f"/machines/{machine}")
        assert (read["state"], read["config"]["env"]) == ("stopped", {"NEW": "1"})

    def test_an_update_of_a_version_that_has_passed_is_refused(self, app: AppUnderTest) -> None:
        machine = app.ended()
        old = app.get(f"/machines/{machine}")["instance_id"]
        body = {
            "config": app.config(app.subject.programs.runs),
            "current_version": old,
            "skip_launch": True,
        }
        new = app.post(f"/machines/{machine}", json=body)["instance_id"]
        refused(app.ask("POST", f"/machines/{machine}", json=body), 409, 412)
        assert app.get(f"/machines/{machine}")["instance_id"] == new

    def test_a_destroyed_machine_is_not_updated_however_often_one_tries(
        self, app: AppUnderTest
    ) -> None:
        machine = app.ended()
        app.ask("DELETE", f"/machines/{machine}")
        app.reaches(machine, "destroyed")
        answer = app.ask("POST", f"/machines/{machine}", json={"config": app.config(["x"])})
        refused(answer, 404, 412)

    @pytest.mark.parametrize("body", [{}, {"config": {}}, {"config": None}, {"name": "other"}])
    def test_an_update_needs_the_whole_config(
        self, app: AppUnderTest, body: dict[str, Any]
    ) -> None:
        machine = app.ended()
        before = app.get(f"/machines/{machine}")
        refused(app.ask("POST", f"/machines/{machine}", json=body), 400, 422)
        assert app.get(f"/machines/{machine}") == before

    def test_an_update_drops_what_it_does_not_repeat(self, app: AppUnderTest) -> None:
        machine = app.ended(env={"OLD": "1"})
        config = app.config(app.subject.programs.runs)
        app.post(f"/machines/{machine}", json={"config": config, "skip_launch": True})
        assert not app.get(f"/machines/{machine}")["config"].get("env")


class DestroyContract(Contract):
    """`DELETE /v1/apps/{app}/machines/{id}`."""

    def test_a_stopped_machine_is_destroyed(self, app: AppUnderTest) -> None:
        machine = app.ended()
        assert answered(app.ask("DELETE", f"/machines/{machine}")).json() == {"ok": True}
        app.reaches(machine, "destroyed")

    def test_a_running_machine_is_not_destroyed_unless_forced(self, app: AppUnderTest) -> None:
        machine = app.running()
        why = refused(app.ask("DELETE", f"/machines/{machine}"), 409, 412)
        assert "unable to destroy machine, not currently stopped" in why
        assert app.state(machine) == "started"

    @pytest.mark.parametrize("flag", ["force=true", "kill=true", "force=1"])
    def test_force_destroys_a_running_machine(self, app: AppUnderTest, flag: str) -> None:
        machine = app.running()
        assert answered(app.ask("DELETE", f"/machines/{machine}?{flag}")).json() == {"ok": True}
        app.reaches(machine, "destroyed")

    def test_an_unset_force_does_not_force(self, app: AppUnderTest) -> None:
        machine = app.running()
        refused(app.ask("DELETE", f"/machines/{machine}?force=false"), 409, 412)

    def test_a_repeated_destroy_is_harmless(self, app: AppUnderTest) -> None:
        machine = app.running()
        for _ in range(3):
            answer = app.ask("DELETE", f"/machines/{machine}?force=true")
            assert answer.is_success or refused(answer, 404)
        app.reaches(machine, "destroyed")
        answer = app.ask("DELETE", f"/machines/{machine}?force=true")
        assert answer.is_success or refused(answer, 404)

    def test_many_destroys_at_once_destroy_once(self, app: AppUnderTest) -> None:
        machine = app.running()
        path = f"/machines/{machine}?force=true"
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(app.ask, "DELETE", path) for _ in range(8)]
            assert {one.result().status_code for one in asked} <= {200, 404}
        app.reaches(machine, "destroyed")

    @pytest.mark.parametrize("verb", ["start", "stop", "restart"])
    def test_nothing_moves_a_destroyed_machine(self, app: AppUnderTest, verb: str) -> None:
        machine = app.ended()
        app.ask("DELETE", f"/machines/{machine}")
        app.reaches(machine, "destroyed")
        refused(app.ask("POST", f"/machines/{machine}/{verb}"), 404, 412)

    def test_a_machine_that_destroys_itself_is_gone_after_its_end(self, app: AppUnderTest) -> None:
        machine = app.create(app.subject.programs.exits(3), auto_destroy=True)["id"]
        app.reaches(machine, "destroyed")
        assert app.get("/machines") == []
