"""The log stream. Its long poll (`wait`) is ours; the rest is the form that flyctl reads."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, answered, refused

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def _page(app: AppUnderTest, **query: str) -> dict[str, Any]:
    page = answered(app.http.get(f"/api/v1/apps/{app.name}/logs", params=query)).json()
    return dict(page)


def _messages(page: dict[str, Any], provider: str = "app") -> list[str]:
    lines = [line["attributes"] for line in page["data"]]
    return [one["message"] for one in lines if one["meta"]["event"]["provider"] == provider]


class LogsContract(Contract):
    """`GET /api/v1/apps/{app}/logs`."""

    def test_what_a_program_printed_is_there_in_order(self, app: AppUnderTest) -> None:
        lines = [f"line {number} ü" for number in range(30)]
        app.created_and("stopped", app.subject.programs.prints(lines))
        assert _messages(_page(app)) == lines

    def test_a_line_tells_when_where_and_by_whom(self, app: AppUnderTest) -> None:
        machine = app.created_and("stopped", app.subject.programs.prints(["hello"]))
        region = app.get(f"/machines/{machine}")["region"]
        (line,) = [one for one in _page(app)["data"] if one["attributes"]["message"] == "hello"]
        said = line["attributes"]
        assert _STAMP.fullmatch(said["timestamp"])
        assert (said["instance"], said["region"], said["level"]) == (machine, region, "info")
        assert said["meta"]["instance"] == machine
        assert said["meta"]["region"] == region

    def test_the_platform_tells_how_the_program_ended(self, app: AppUnderTest) -> None:
        app.ended(3)
        said = _messages(_page(app), "runner")
        assert "machine exited with exit code 3, not restarting" in said

    def test_the_next_page_begins_where_the_last_ended(self, app: AppUnderTest) -> None:
        app.created_and("stopped", app.subject.programs.prints(["first"]))
        page = _page(app)
        nothing = _page(app, next_token=page["meta"]["next_token"])
        assert nothing["data"] == []
        app.created_and("stopped", app.subject.programs.prints(["second"]))
        assert _messages(_page(app, next_token=nothing["meta"]["next_token"])) == ["second"]

    def test_many_lines_come_in_pages_without_loss(self, app: AppUnderTest) -> None:
        lines = [str(number) for number in range(1234)]
        machine = app.created_and("stopped", app.subject.programs.prints(lines))
        seen: list[str] = []
        page = _page(app, instance=machine)
        while page["data"]:
            seen += _messages(page)
            said_to_be_last = page["meta"].get("ephemera_at_end", False)
            page = _page(app, instance=machine, next_token=page["meta"]["next_token"])
            assert not (said_to_be_last and page["data"])
        assert seen == lines

    def test_one_machine_is_picked_out(self, app: AppUnderTest) -> None:
        app.created_and("stopped", app.subject.programs.prints(["hers"]))
        mine = app.created_and("stopped", app.subject.programs.prints(["mine"]))
        assert _messages(_page(app, instance=mine)) == ["mine"]

    def test_one_region_is_picked_out(self, app: AppUnderTest) -> None:
        app.created_and("stopped", app.subject.programs.prints(["here"]))
        assert _page(app, region="nowhere")["data"] == []

    def test_lines_outlive_their_machine(self, app: AppUnderTest) -> None:
        machine = app.created_and("stopped", app.subject.programs.prints(["last words"]))
        app.ask("DELETE", f"/machines/{machine}")
        app.reaches(machine, "destroyed")
        assert "last words" in _messages(_page(app))

    def test_a_reader_that_waits_is_woken_by_the_next_line(self, app: AppUnderTest) -> None:
        token = _page(app)["meta"]["next_token"]
        with ThreadPoolExecutor() as threads:
            reader = threads.submit(_page, app, next_token=token, wait="30")
            app.create(app.subject.programs.prints(["wake up"]))
            page = reader.result()
        assert page["data"]

    def test_a_reader_that_waits_in_vain_is_answered_with_nothing(self, app: AppUnderTest) -> None:
        token = _page(app)["meta"]["next_token"]
        page = _page(app, next_token=token, wait="1")
        assert page["data"] == []
        assert page["meta"]["next_token"] == token

    @pytest.mark.parametrize(
        "query", [{"next_token": "x"}, {"next_token": "9" * 99}, {"wait": "-1"}, {"wait": "x"}]
    )
    def test_nonsense_is_refused(self, app: AppUnderTest, query: dict[str, str]) -> None:
        answer = app.http.get(f"/api/v1/apps/{app.name}/logs", params=query)
        assert answer.is_success or refused(answer, 400)

    def test_an_unknown_app_has_no_log(self, app: AppUnderTest) -> None:
        refused(app.http.get("/api/v1/apps/contract-nobody/logs"), 404)
