"""`.../ps`, `.../memory` and `.../versions`: what a machine is made of, and what it uses."""

from __future__ import annotations

from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, answered, refused


class ProcessesContract(Contract):
    """`GET /v1/apps/{app}/machines/{id}/ps`."""

    def test_the_program_is_among_the_processes(self, app: AppUnderTest) -> None:
        machine = app.running()
        found = app.get(f"/machines/{machine}/ps")
        assert " ".join(app.subject.programs.runs) in [one["command"] for one in found]
        for one in found:
            assert isinstance(one["pid"], int)
            assert isinstance(one["listen_sockets"] or [], list)
            assert all(one[key] >= 0 for key in ("cpu", "rss", "rtime", "stime"))

    def test_an_environment_is_not_shown(self, app: AppUnderTest) -> None:
        machine = app.running(env={"PASSWORD": "hunter2"})
        assert "hunter2" not in answered(app.ask("GET", f"/machines/{machine}/ps")).text

    @pytest.mark.parametrize("order", ["asc", "desc"])
    @pytest.mark.parametrize("key", ["pid", "command", "directory", "cpu", "rss", "rtime", "stime"])
    def test_they_come_in_the_order_that_is_asked_for(
        self, app: AppUnderTest, key: str, order: str
    ) -> None:
        machine = app.running()
        found = app.get(f"/machines/{machine}/ps?sort_by={key}&order={order}")
        values = [one[key] for one in found]
        assert values == sorted(values, reverse=order == "desc")

    @pytest.mark.parametrize("query", ["sort_by=environ", "order=up", "sort_by=pid&order=%00"])
    def test_another_order_is_refused(self, app: AppUnderTest, query: str) -> None:
        machine = app.running()
        refused(app.ask("GET", f"/machines/{machine}/ps?{query}"), 400)

    def test_a_machine_that_does_not_run_has_no_processes(self, app: AppUnderTest) -> None:
        machine = app.ended()
        refused(app.ask("GET", f"/machines/{machine}/ps"), 412)
        refused(app.ask("GET", "/machines/0000000000000a/ps"), 404)


class MemoryContract(Contract):
    """`/v1/apps/{app}/machines/{id}/memory`. Limiting it is not for every machine."""

    def test_the_limit_and_what_is_left_of_it_are_shown(self, app: AppUnderTest) -> None:
        machine = app.running()
        found = app.get(f"/machines/{machine}/memory")
        limit = app.get(f"/machines/{machine}")["config"]["guest"]["memory_mb"]
        assert found["limit_mb"] == limit
        assert 0 <= found["available_mb"] <= limit

    def test_a_limit_is_honoured_or_refused_by_name(self, app: AppUnderTest) -> None:
        machine = app.running()
        answer = app.ask("PUT", f"/machines/{machine}/memory", json={"limit_mb": 128})
        if answer.is_success:
            assert answer.json()["limit_mb"] == 128
            assert app.get(f"/machines/{machine}/memory")["limit_mb"] == 128
        else:
            assert "memory" in refused(answer, 400, 412)

    def test_what_is_reclaimed_is_no_more_than_asked_for(self, app: AppUnderTest) -> None:
        machine = app.running()
        path = f"/machines/{machine}/memory/reclaim"
        answer = app.ask("POST", path, json={"amount_mb": 16})
        if answer.is_success:
            assert 0 <= answer.json()["actual_mb"] <= 16
        else:
            assert "memory" in refused(answer, 400, 412)

    @pytest.mark.parametrize("limit", [0, -1, 10**6, 10**30, "128", None, 1.5])
    def test_a_limit_that_is_none_is_refused(self, app: AppUnderTest, limit: Any) -> None:
        machine = app.running()
        answer = app.ask("PUT", f"/machines/{machine}/memory", json={"limit_mb": limit})
        assert "limit_mb" in refused(answer, 400, 422)

    @pytest.mark.parametrize("body", [{}, {"amount_mb": -1}, {"amount_mb": "16"}])
    def test_an_amount_that_is_none_is_refused(
        self, app: AppUnderTest, body: dict[str, Any]
    ) -> None:
        machine = app.running()
        answer = app.ask("POST", f"/machines/{machine}/memory/reclaim", json=body)
        assert "amount_mb" in refused(answer, 400, 422)

    def test_a_machine_that_does_not_run_has_no_memory(self, app: AppUnderTest) -> None:
        machine = app.ended()
        refused(app.ask("GET", f"/machines/{machine}/memory"), 412)


class VersionsContract(Contract):
    """`GET /v1/apps/{app}/machines/{id}/versions`."""

    def test_each_update_is_a_version_and_the_newest_is_first(self, app: AppUnderTest) -> None:
        machine = app.ended()
        made = [app.get(f"/machines/{machine}")["instance_id"]]
        for number in (1, 2):
            config = app.config(app.subject.programs.exits(0), env={"N": str(number)})
            said = app.post(f"/machines/{machine}", json={"config": config, "skip_launch": True})
            made.insert(0, said["instance_id"])
            app.get(f"/machines/{machine}/wait?state=stopped&version={made[0]}")
        found = app.get(f"/machines/{machine}/versions")
        assert [one["version"] for one in found] == made
        envs = [one["user_config"].get("env") for one in found]
        assert envs == [{"N": "2"}, {"N": "1"}, None]

    def test_metadata_makes_no_version(self, app: AppUnderTest) -> None:
        machine = app.ended()
        answered(app.ask("POST", f"/machines/{machine}/metadata/k", json={"value": "v"}))
        assert len(app.get(f"/machines/{machine}/versions")) == 1

    def test_a_machine_that_never_was_has_no_versions(self, app: AppUnderTest) -> None:
        refused(app.ask("GET", "/machines/0000000000000a/versions"), 404)
