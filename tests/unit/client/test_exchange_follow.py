"""Log streams, page by page."""

from __future__ import annotations

from typing import Any

import pytest

from ephemera.client.calls import logs
from ephemera.client.exchange import follow
from ephemera.client.messages import Answer
from ephemera.errors import NotFound, ServerFault
from tests.unit.client.scripted_api import LOST, Script, answer


@pytest.fixture
def script() -> Script:
    return Script()


def _page(*messages: str, token: str | None = None) -> Answer:
    lines = [
        {
            "id": str(number),
            "attributes": {
                "timestamp": "2026-01-02T03:04:05.123456Z",
                "message": message,
                "level": "info",
                "instance": "m1",
                "region": "local",
                "meta": {"event": {"provider": "runner"}},
            },
        }
        for number, message in enumerate(messages)
    ]
    return answer(body={"data": lines, "meta": {"next_token": token}})


def _run(script: Script, *replies: Any, tail: bool = False) -> list[str]:
    script.run(follow(logs.follow("demo", machine="m1", tail=tail), script.pace), *replies)
    return [entry.message for entry in script.found]


def _tail(script: Script, *replies: Any) -> list[str]:
    """Follow for ever, which ends when the log is gone."""
    with pytest.raises(NotFound):
        _run(script, *replies, answer(404, {"error": "app not found"}), tail=True)
    return [entry.message for entry in script.found]


def _tokens(script: Script) -> list[str | None]:
    return [dict(sent.query).get("next_token") for sent in script.sent]


def test_without_tail_it_ends_at_the_first_empty_page(script: Script) -> None:
    assert _run(script, _page("a", "b", token="t1"), _page("c", token="t2"), _page()) == [
        "a",
        "b",
        "c",
    ]
    assert _tokens(script) == [None, "t1", "t2"]
    assert script.pauses == []


def test_without_tail_a_page_that_knows_of_no_other_is_the_last(script: Script) -> None:
    assert _run(script, _page("a")) == ["a"]


def test_lines_are_read_whole(script: Script) -> None:
    _run(script, _page("a"))
    entry = script.found[0]
    assert entry.line() == "2026-01-02T03:04:05Z runner[m1] local [info]a"
    assert entry.timestamp.endswith(".123456Z")


def test_a_line_with_next_to_nothing_in_it_is_a_line(script: Script) -> None:
    line = {"attributes": {"timestamp": "2026-01-02T03:04:05Z", "message": None, "meta": None}}
    _run(script, answer(body={"data": [line], "meta": None}))
    assert script.found[0].provider == "app"


def test_the_last_token_is_kept_over_empty_pages(script: Script) -> None:
    _tail(script, _page("a", token="t1"), _page(token=""), _page(token="t2"))
    assert _tokens(script) == [None, "t1", "t1", "t2"]


def test_empty_pages_that_come_at_once_are_backed_off_from(script: Script) -> None:
    _tail(script, *[_page()] * 9)
    assert script.pauses == pytest.approx(
        [0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 4.096, 4.096]
    )


def test_a_line_ends_the_back_off(script: Script) -> None:
    _tail(script, _page(), _page(), _page("a"), _page())
    assert script.pauses == pytest.approx([0.064, 0.128, 0.064])


def test_a_server_that_holds_the_request_needs_no_pause(script: Script) -> None:
    script.takes_s = [20.0, 20.0, 0.0]
    _tail(script, _page(), _page())
    assert script.pauses == []


def test_only_a_tail_lets_the_server_hold_the_request(script: Script) -> None:
    _tail(script)
    _run(script, _page())
    assert [dict(sent.own_query).get("wait") for sent in script.sent] == ["20", None]
    assert script.sent[0].read_timeout_s > 20
    assert {sent.base for sent in script.sent} == {"logs"}


def test_a_page_that_is_lost_is_asked_for_again(script: Script) -> None:
    assert _tail(script, _page("a", token="t1"), LOST, _page("b", token="t2")) == ["a", "b"]
    assert _tokens(script) == [None, "t1", "t1", "t2"]


@pytest.mark.parametrize("body", [[], {"data": [{}]}, {"data": [{"attributes": {}}]}, {"data": 1}])
def test_a_page_that_makes_no_sense_is_the_servers_fault(script: Script, body: object) -> None:
    with pytest.raises(ServerFault):
        _run(script, answer(body=body))
