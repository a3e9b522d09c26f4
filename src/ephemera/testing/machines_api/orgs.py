"""What an organisation has over all of its apps, page by page."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from ephemera.testing.machines_api.subject import (
    AppUnderTest,
    Contract,
    Subject,
    answered,
    refused,
)

_ENDPOINTS = ["machines", "volumes"]
#: What a poller of the list must be able to rely on.
_PAGE_FIELDS = {"machines", "next_cursor", "last_machine_id", "last_updated_at", "error_regions"}
_LONG_AGO = "2020-01-01T00:00:00Z"
#: A moment before computers count, the earliest there is, and what clients send for "never".
_BEFORE_ALL = ["1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"]


def _page(app: AppUnderTest, **query: Any) -> dict[str, Any]:
    path = f"/v1/orgs/{app.subject.org}/machines"
    return dict(answered(app.http.get(path, params=query)).json())


def _pages(app: AppUnderTest, **query: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield the machines of each page, whosever they are."""
    page = _page(app, **query)
    yield page["machines"]
    while page.get("next_cursor"):
        page = _page(app, **query, cursor=page["next_cursor"])
        yield page["machines"]


def _mine(app: AppUnderTest, **query: Any) -> list[dict[str, Any]]:
    """Return the app's own machines among those of the organisation, page after page."""
    machines = (one for page in _pages(app, **query) for one in page)
    return [one for one in machines if one["app_name"] == app.name]


def _ids(app: AppUnderTest, **query: Any) -> list[str]:
    return [one["id"] for one in _mine(app, **query)]


class OrgMachinesContract(Contract):
    """`GET /v1/orgs/{org}/machines`."""

    def test_the_machines_of_an_app_are_among_those_of_its_organisation(
        self, app: AppUnderTest
    ) -> None:
        machine = app.get(f"/machines/{app.ended(metadata={'colour': 'blue'})}")
        (listed,) = _mine(app)
        for field in ("id", "name", "state", "region", "private_ip", "created_at", "updated_at"):
            assert listed[field] == machine[field], field
        assert listed["version"] == machine["instance_id"]
        assert listed["config"]["image"] == machine["config"]["image"]
        assert listed["config"]["guest"] == machine["config"]["guest"]
        assert listed["config"]["metadata"]["colour"] == "blue"

    def test_a_page_says_how_to_go_on(self, app: AppUnderTest) -> None:
        app.ended()
        page = _page(app)
        assert page.keys() <= _PAGE_FIELDS
        last = page["machines"][-1]
        assert page["last_machine_id"] == last["id"]
        assert page["last_updated_at"] == last["updated_at"]
        assert not page.get("error_regions")

    def test_machines_come_in_the_order_in_which_they_changed(self, app: AppUnderTest) -> None:
        first, second = app.ended(), app.ended()
        assert _ids(app) == [first, second]
        app.ask("POST", f"/machines/{first}/metadata/late", json={"value": "yes"})
        assert _ids(app) == [second, first]

    def test_cursors_lead_to_every_machine_once(self, app: AppUnderTest) -> None:
        made = {app.ended() for _ in range(4)}
        found = _ids(app, limit=1)
        assert sorted(found) == sorted(made)

    def test_a_machine_that_is_made_between_two_pages_is_found_on_a_later_one(
        self, app: AppUnderTest
    ) -> None:
        made = [app.ended(), app.ended()]
        pages = _pages(app, limit=1)
        found = [one["id"] for one in next(pages)]
        made.append(app.ended())
        found += [one["id"] for page in pages for one in page]
        assert set(made) <= set(found)

    def test_machines_are_filtered_by_region_and_by_any_of_several_states(
        self, app: AppUnderTest
    ) -> None:
        runs, rests = app.running(), app.ended()
        region = app.get(f"/machines/{runs}")["region"]
        assert _ids(app, state="started") == [runs]
        assert set(_ids(app, state="started,stopped")) == {runs, rests}
        assert set(_ids(app, region=region)) == {runs, rests}
        assert _ids(app, region="nowhere") == []

    def test_a_summary_has_no_config(self, app: AppUnderTest) -> None:
        machine = app.ended()
        (listed,) = _mine(app, summary="true")
        assert listed["id"] == machine
        assert not listed.get("config")

    def test_what_changed_after_a_time_is_found_and_what_did_not_is_not(
        self, app: AppUnderTest
    ) -> None:
        old = app.ended()
        (seen,) = _mine(app)
        new = app.ended()
        assert _ids(app, updated_after=_LONG_AGO) == [old, new]
        assert _ids(app, updated_after=seen["updated_at"]) == [new]

    @pytest.mark.parametrize("moment", _BEFORE_ALL)
    def test_everything_changed_after_a_moment_before_all(
        self, app: AppUnderTest, moment: str
    ) -> None:
        machine = app.ended()
        assert _ids(app, updated_after=moment) == [machine]

    def test_a_cursor_counts_more_than_a_time(self, app: AppUnderTest) -> None:
        app.ended()
        second = app.ended()
        page = _page(app, limit=1)
        while page["machines"][0]["app_name"] != app.name:
            page = _page(app, limit=1, cursor=page["next_cursor"])
        found = _page(app, cursor=page["next_cursor"], updated_after="2999-01-01T00:00:00Z")
        assert second in [one["id"] for one in found["machines"]]

    def test_destroyed_machines_are_listed_only_on_request(self, app: AppUnderTest) -> None:
        gone, stays = app.ended(), app.ended()
        app.ask("DELETE", f"/machines/{gone}")
        app.reaches(gone, "destroyed")
        assert _ids(app) == [stays]
        assert set(_ids(app, include_deleted="true", limit=1)) == {gone, stays}
        assert _ids(app, include_deleted="true", state="destroyed") == [gone]

    def test_a_limit_beyond_the_most_is_taken_as_the_most(self, app: AppUnderTest) -> None:
        machine = app.ended()
        assert machine in _ids(app, limit=5000)

    def test_a_token_for_one_app_lists_nothing_of_others(
        self, app: AppUnderTest, machines_api: Subject
    ) -> None:
        mine = app.ended()
        token = app.post("/deploy_token", json={"expiry": "1h"})["token"]
        with AppUnderTest.made(app.subject, app.http) as other:
            theirs = other.ended()
            with machines_api.connect(authorization=token) as http:
                answer = http.get(f"/v1/orgs/{app.subject.org}/machines?include_deleted=true")
        if not answer.is_success:
            refused(answer, 401, 403)
            return
        assert [one["id"] for one in answer.json()["machines"]] == [mine]
        assert theirs not in answer.text

    def test_an_organisation_without_apps_has_no_machines(self, machines_api: Subject) -> None:
        with machines_api.connect() as http:
            answer = http.get(f"/v1/orgs/nobody-{secrets.token_hex(6)}/machines")
            if answer.is_success:
                assert not answer.json()["machines"]
            else:
                refused(answer, 403, 404)

    @pytest.mark.parametrize("endpoint", _ENDPOINTS)
    @pytest.mark.parametrize(
        "query",
        [
            "cursor=x",
            "cursor=W10",
            "cursor=%00",
            "cursor=WzAuNSwgIlx1ZDgwMCJd&include_deleted=true",  # with half a character in it
            "updated_after=yesterday",
            "updated_after=2026-02-30T00:00:00Z",
            "updated_after=2026-01-01T00:00:00",
            "updated_after=1767225600",
            "limit=many",
            "limit=0",
            "limit=-1",
            "summary=perhaps",
            "include_deleted=perhaps",
        ],
    )
    def test_a_query_that_cannot_be_understood_is_refused(
        self, app: AppUnderTest, endpoint: str, query: str
    ) -> None:
        why = refused(app.http.get(f"/v1/orgs/{app.subject.org}/{endpoint}?{query}"), 400)
        assert query.partition("=")[0] in why


class OrgVolumesContract(Contract):
    """`GET /v1/orgs/{org}/volumes`."""

    def test_the_volumes_of_an_app_are_among_those_of_its_organisation(
        self, app: AppUnderTest
    ) -> None:
        made = app.post("/volumes", json={"name": "data", "size_gb": 1})
        path = f"/v1/orgs/{app.subject.org}/volumes"
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = answered(app.http.get(path, params={"limit": 2, "cursor": cursor})).json()
            assert page.keys() <= {"volumes", "next_cursor", "last_volume_id", "last_updated_at"}
            found += [one for one in page["volumes"] if one["app_name"] == app.name]
            cursor = page.get("next_cursor") or ""
            if not cursor:
                break
        (listed,) = found
        for field in ("id", "name", "size_gb", "region", "created_at"):
            assert listed[field] == made[field], field
        assert listed["updated_at"]

    def test_an_app_says_how_many_volumes_it_has(self, app: AppUnderTest) -> None:
        volume = app.post("/volumes", json={"name": "data", "size_gb": 1})
        assert app.get("")["volume_count"] == 1
        answered(app.ask("DELETE", f"/volumes/{volume['id']}"))
        assert app.get("")["volume_count"] == 0
