"""Reading machines, one and many, through every filter of the list."""

from __future__ import annotations

from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, refused

_LEFT_OUT_OF_SUMMARIES = ("config", "checks", "events", "host_status", "nonce")


def _ids(machines: list[dict[str, Any]]) -> set[str]:
    return {machine["id"] for machine in machines}


class ListsContract(Contract):
    """`GET /v1/apps/{app}/machines` and `GET .../machines/{id}`."""

    def test_an_app_without_machines_lists_none(self, app: AppUnderTest) -> None:
        assert app.get("/machines") == []

    def test_a_list_holds_what_a_get_shows(self, app: AppUnderTest) -> None:
        machine = app.ended(3)
        assert app.get("/machines") == [app.get(f"/machines/{machine}")]

    def test_a_list_is_filtered_by_one_state_or_several(self, app: AppUnderTest) -> None:
        runs, rests = app.running(), app.ended()
        assert _ids(app.get("/machines?state=started")) == {runs}
        assert _ids(app.get("/machines?state=stopped")) == {rests}
        assert _ids(app.get("/machines?state=started,stopped")) == {runs, rests}
        assert app.get("/machines?state=failed") == []

    def test_a_list_is_filtered_by_region(self, app: AppUnderTest) -> None:
        machine = app.ended()
        region = app.get(f"/machines/{machine}")["region"]
        assert _ids(app.get(f"/machines?region={region}")) == {machine}
        assert app.get("/machines?region=nowhere") == []

    def test_a_list_is_filtered_by_all_given_metadata(self, app: AppUnderTest) -> None:
        both = app.ended(metadata={"colour": "blue", "shape": "round"})
        one = app.ended(metadata={"colour": "blue"})
        assert _ids(app.get("/machines?metadata.colour=blue")) == {both, one}
        assert _ids(app.get("/machines?metadata.colour=blue&metadata.shape=round")) == {both}
        assert app.get("/machines?metadata.colour=blu") == []

    @pytest.mark.parametrize(
        ("key", "value"), [("a.b", "c.d"), ("k", "x=y&z"), ("ключ", "значение"), ("k", " ")]
    )
    def test_a_metadata_filter_is_exact_for_any_text(
        self, app: AppUnderTest, key: str, value: str
    ) -> None:
        machine = app.ended(metadata={key: value})
        assert _ids(app.get("/machines", params={f"metadata.{key}": value})) == {machine}

    def test_metadata_that_was_set_later_is_found_too(self, app: AppUnderTest) -> None:
        machine = app.ended()
        app.ask("POST", f"/machines/{machine}/metadata/late", json={"value": "yes"})
        assert _ids(app.get("/machines?metadata.late=yes")) == {machine}

    def test_a_summary_leaves_out_what_is_long(self, app: AppUnderTest) -> None:
        machine = app.ended()
        (summary,) = app.get("/machines?summary=true")
        assert summary["id"] == machine
        assert summary["state"] == "stopped"
        assert not [field for field in _LEFT_OUT_OF_SUMMARIES if summary.get(field)]

    def test_a_destroyed_machine_is_listed_only_on_request(self, app: AppUnderTest) -> None:
        machine = app.ended()
        app.ask("DELETE", f"/machines/{machine}")
        app.reaches(machine, "destroyed")
        assert app.get("/machines") == []
        assert machine in _ids(app.get("/machines?include_deleted=true"))

    def test_leases_are_shown_only_on_request_and_without_their_nonce(
        self, app: AppUnderTest
    ) -> None:
        machine = app.ended()
        nonce = app.post(f"/machines/{machine}/lease", json={"ttl": 60})["data"]["nonce"]
        for path in ("/machines", f"/machines/{machine}"):
            shown = app.ask("GET", f"{path}?include_leases=true")
            assert '"lease":{' in shown.text.replace(" ", "")
            assert nonce not in shown.text
            assert '"lease":{' not in app.ask("GET", path).text.replace(" ", "")

    def test_a_destroyed_machine_can_still_be_read(self, app: AppUnderTest) -> None:
        machine = app.ended(7)
        app.ask("DELETE", f"/machines/{machine}")
        app.reaches(machine, "destroyed")
        read = app.ask("GET", f"/machines/{machine}")
        assert read.status_code in (200, 404)
        if read.is_success:
            assert read.json()["state"] == "destroyed"
            assert app.exit_of(machine)["exit_code"] == 7

    def test_a_machine_that_never_was_is_not_found(self, app: AppUnderTest) -> None:
        assert refused(app.ask("GET", "/machines/00000000000000"), 404) == "machine not found"

    @pytest.mark.parametrize("query", ["state=asleep", "region=nowhere", "region=nowhere,neither"])
    def test_a_state_or_region_that_is_none_finds_nothing(
        self, app: AppUnderTest, query: str
    ) -> None:
        app.ended()
        answer = app.ask("GET", f"/machines?{query}")
        assert answer.json() == [] if answer.is_success else refused(answer, 400)

    def test_any_of_several_regions_finds_a_machine(self, app: AppUnderTest) -> None:
        machine = app.get(f"/machines/{app.ended()}")
        found = app.get(f"/machines?region=nowhere,{machine['region']}")
        assert [one["id"] for one in found] == [machine["id"]]
