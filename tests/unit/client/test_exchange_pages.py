"""Lists that come page by page, with a cursor from one to the next."""

from __future__ import annotations

from typing import Any

import pytest

from ephemera.client.calls import certificates, orgs
from ephemera.client.exchange import follow
from ephemera.client.messages import Answer
from ephemera.errors import Invalid
from tests.unit.client.scripted_api import LOST, Script, answer


@pytest.fixture
def script() -> Script:
    return Script()


def _page(*ids: str, cursor: str | None = None) -> Answer:
    return answer(body={"machines": [{"id": one} for one in ids], "next_cursor": cursor})


def _run(script: Script, *replies: Any) -> list[str]:
    script.run(follow(orgs.machines(summary=True), script.pace), *replies)
    return [machine.id for machine in script.found]


def _cursors(script: Script) -> list[str | None]:
    return [dict(sent.query).get("cursor") for sent in script.sent]


def test_pages_are_read_up_to_the_one_without_a_cursor(script: Script) -> None:
    pages = [_page("a", "b", cursor="c1"), _page("c", cursor="c2"), _page("d")]
    assert _run(script, *pages) == ["a", "b", "c", "d"]
    assert _cursors(script) == [None, "c1", "c2"]
    assert {dict(sent.query)["summary"] for sent in script.sent} == {"true"}


def test_an_empty_page_in_between_is_not_the_end(script: Script) -> None:
    assert _run(script, _page("a", cursor="c1"), _page(cursor="c2"), _page("b")) == ["a", "b"]


def test_a_server_that_keeps_giving_the_same_cursor_is_not_asked_for_ever(script: Script) -> None:
    assert _run(script, _page("a", cursor="c1"), _page("b", cursor="c1")) == ["a", "b"]


def test_a_lost_page_is_asked_for_again(script: Script) -> None:
    assert _run(script, _page("a", cursor="c1"), LOST, _page("b")) == ["a", "b"]
    assert _cursors(script) == [None, "c1", "c1"]


def test_a_refusal_comes_after_what_was_there_before_it(script: Script) -> None:
    with pytest.raises(Invalid):
        _run(script, _page("a", cursor="c1"), answer(400, {"error": "bad cursor"}))
    assert [machine.id for machine in script.found] == ["a"]


def test_certificates_are_listed_over_pages_too(script: Script) -> None:
    first = {"certificates": [{"hostname": "a"}], "next_cursor": "c1"}
    script.run(
        follow(certificates.list_("demo"), script.pace),
        answer(body=first),
        answer(body={"certificates": [{"hostname": "b"}]}),
    )
    assert [found.hostname for found in script.found] == ["a", "b"]
