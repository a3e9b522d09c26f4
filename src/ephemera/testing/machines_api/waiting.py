"""Waiting for a state: the long poll on which everything above it rests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, answered, refused


class WaitContract(Contract):
    """`GET /v1/apps/{app}/machines/{id}/wait`."""

    @pytest.mark.parametrize("query", ["", "?state=started", "?status=started&timeout=60"])
    def test_started_is_what_is_waited_for_unless_told_otherwise(
        self, app: AppUnderTest, query: str
    ) -> None:
        machine = app.create(app.subject.programs.runs)["id"]
        said = app.get(f"/machines/{machine}/wait{query}")
        assert said["ok"] is True
        assert app.state(machine) == "started"

    def test_a_fulfilled_wait_tells_the_state_the_version_and_the_event(
        self, app: AppUnderTest
    ) -> None:
        machine = app.running()
        said = app.get(f"/machines/{machine}/wait?state=started")
        read = app.get(f"/machines/{machine}")
        assert said["ok"] is True
        assert said.get("state", "started") == "started"
        assert said.get("version", read["instance_id"]) == read["instance_id"]
        assert said.get("event_id", read["events"][0]["id"]) == read["events"][0]["id"]

    @pytest.mark.parametrize(
        "query",
        [
            "state=failed&state=stopped",
            "state=failed,stopped",
            "state=settled",
            "state=stopped&timeout=1",
        ],
    )
    def test_one_of_several_states_is_enough(self, app: AppUnderTest, query: str) -> None:
        machine = app.ended()
        assert app.get(f"/machines/{machine}/wait?{query}")["ok"] is True

    def test_settled_is_not_reached_before_the_machine_rests(self, app: AppUnderTest) -> None:
        machine = app.create(app.subject.programs.not_found)["id"]
        app.reaches(machine, "settled")
        assert app.state(machine) in ("started", "stopped", "failed", "destroyed")

    def test_an_open_wait_is_answered_when_the_state_comes(self, app: AppUnderTest) -> None:
        machine = app.running()
        with ThreadPoolExecutor() as threads:
            waits = [
                threads.submit(app.ask, "GET", f"/machines/{machine}/wait?state=stopped")
                for _ in range(5)
            ]
            app.post(f"/machines/{machine}/stop")
            assert [answered(wait.result()).json()["ok"] for wait in waits] == [True] * 5

    def test_an_open_wait_is_answered_by_a_state_that_passes_in_a_moment(
        self, app: AppUnderTest
    ) -> None:
        machine = app.ended()
        with ThreadPoolExecutor() as threads:
            path = f"/machines/{machine}/wait?state=started&timeout=60"
            wait = threads.submit(app.ask, "GET", path)
            while not wait.done():  # one of these starts comes after the wait
                app.post(f"/machines/{machine}/start")
                app.reaches(machine, "stopped")
            assert answered(wait.result()).json()["ok"] is True

    def test_a_wait_that_is_not_fulfilled_in_time_says_where_the_machine_is(
        self, app: AppUnderTest
    ) -> None:
        machine = app.ended()
        why = refused(app.ask("GET", f"/machines/{machine}/wait?state=started&timeout=1"), 408)
        text = "machine failed to reach desired state, started, currently stopped"
        assert why in (text, f"deadline_exceeded: {text}")

    @pytest.mark.parametrize("timeout", ["0", "61", "-1", "86400"])
    def test_a_timeout_out_of_range_is_refused(self, app: AppUnderTest, timeout: str) -> None:
        machine = app.ended()
        why = refused(app.ask("GET", f"/machines/{machine}/wait?timeout={timeout}"), 400)
        assert why == (
            "invalid_argument: invalid WaitMachineRequest.Timeout: "
            "value must be inside range [1s, 1m0s]"
        )

    @pytest.mark.parametrize("query", ["timeout=soon", "timeout=", "timeout=1.5", "state=asleep"])
    def test_a_wait_for_nonsense_is_refused(self, app: AppUnderTest, query: str) -> None:
        machine = app.ended()
        refused(app.ask("GET", f"/machines/{machine}/wait?{query}"), 400)

    @pytest.mark.parametrize("key", ["version", "instance_id"])
    def test_a_wait_may_name_the_version(self, app: AppUnderTest, key: str) -> None:
        machine = app.ended()
        version = app.get(f"/machines/{machine}")["instance_id"]
        assert app.get(f"/machines/{machine}/wait?state=stopped&{key}={version}")["ok"] is True

    def test_a_version_that_was_replaced_is_not_waited_for(self, app: AppUnderTest) -> None:
        machine = app.running()
        old = app.get(f"/machines/{machine}")["instance_id"]
        with ThreadPoolExecutor() as threads:
            path = f"/machines/{machine}/wait?state=stopped&version={old}&timeout=20"
            wait = threads.submit(app.ask, "GET", path)
            config = app.config(app.subject.programs.runs, env={"NEW": "1"})
            app.post(f"/machines/{machine}", json={"config": config})
            refused(wait.result(), 404, 408, 412)
        refused(app.ask("GET", path), 404, 408, 412)

    def test_a_version_that_never_was_is_refused(self, app: AppUnderTest) -> None:
        machine = app.ended()
        path = f"/machines/{machine}/wait?state=stopped&timeout=1&version={'0' * 26}"
        refused(app.ask("GET", path), 400, 404, 408)

    def test_a_wait_from_an_event_is_for_what_comes_after_it(self, app: AppUnderTest) -> None:
        machine = app.ended()
        app.post(f"/machines/{machine}/start")
        app.reaches(machine, "stopped")
        events = app.get(f"/machines/{machine}")["events"]
        path = f"/machines/{machine}/wait?state=stopped&timeout=1&from_event_id="
        refused(app.ask("GET", path + events[0]["id"]), 408)
        assert answered(app.ask("GET", path + events[-1]["id"])).json()["ok"] is True

    def test_a_wait_from_an_event_that_never_was_is_refused(self, app: AppUnderTest) -> None:
        machine = app.ended()
        path = f"/machines/{machine}/wait?state=stopped&timeout=1&from_event_id={'0' * 26}"
        refused(app.ask("GET", path), 400, 404, 408)

    def test_destroyed_can_be_waited_for_before_and_after(self, app: AppUnderTest) -> None:
        machine = app.running()
        with ThreadPoolExecutor() as threads:
            wait = threads.submit(app.ask, "GET", f"/machines/{machine}/wait?state=destroyed")
            app.ask("DELETE", f"/machines/{machine}?force=true")
            assert answered(wait.result()).json()["ok"] is True
        late = app.ask("GET", f"/machines/{machine}/wait?state=destroyed")
        assert late.status_code in (200, 404)

    def test_a_wait_for_what_a_destroyed_machine_cannot_become_ends_at_once(
        self, app: AppUnderTest
    ) -> None:
        machine = app.ended()
        app.ask("DELETE", f"/machines/{machine}")
        app.reaches(machine, "destroyed")
        refused(app.ask("GET", f"/machines/{machine}/wait?state=started"), 404, 408, 412)

    def test_a_wait_for_an_unknown_machine_is_refused(self, app: AppUnderTest) -> None:
        answer = app.ask("GET", "/machines/00000000000000/wait?timeout=1")
        assert refused(answer, 404) == "machine not found"
