from __future__ import annotations

from ephemera.jobs.logtail import LogTail
from ephemera.jobs.store import LOG_LINES_KEPT
from ephemera.wire.models import LogEntry, LogPage


def page(*messages: str, token: str) -> LogPage:
    lines = [LogEntry(timestamp="t", provider="app", message=message) for message in messages]
    return LogPage(entries=lines, next_token=token)


def test_pages_are_asked_for_until_one_is_empty() -> None:
    tail = LogTail()
    assert (tail.next_token, tail.complete) == (None, False)
    tail.add(page("a", token="1"))
    assert (tail.next_token, tail.complete) == ("1", False)
    tail.add(page("b", token="2"))
    tail.add(page(token="3"))
    assert tail.complete
    assert [line.message for line in tail.lines] == ["a", "b"]


def test_a_page_that_says_so_is_the_last() -> None:
    tail = LogTail()
    tail.add(LogPage(entries=page("a", token="1").entries, next_token="1", at_end=True))
    assert tail.complete


def test_a_token_that_leads_nowhere_ends_it() -> None:
    for tokens in (["1", "1"], [""]):
        tail = LogTail()
        for token in tokens:
            assert not tail.complete
            tail.add(page("a", token=token))
        assert tail.complete


def test_the_newest_lines_are_kept() -> None:
    tail = LogTail()
    tail.add(page(*["old"] * LOG_LINES_KEPT, token="1"))
    tail.add(page("new", token=""))
    assert len(tail.lines) == LOG_LINES_KEPT
    assert tail.lines[-1].message == "new"
