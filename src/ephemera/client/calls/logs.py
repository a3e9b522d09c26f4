"""Log streams: what an app's machines printed, and what was done to them.

Not part of Fly's Machines API but of an older one on another host; the embedded platform serves
both. The format is JSON:API. Additions of the embedded platform's are `wait`, which is not sent to
Fly.io: the server holds the request until there is a line; and `ephemera_at_end` in an answer.
"""

from __future__ import annotations

from ephemera.client.call import READ_TIMEOUT_S, Call, Stream, pairs, segment
from ephemera.client.given import seconds
from ephemera.client.messages import Answer
from ephemera.wire.models import LogEntry, LogPage, Wire

#: How long a follower lets the server hold a request, in seconds. Short enough for proxies.
FOLLOW_WAIT_S = 20


class _Event(Wire):
    provider: str | None = None


class _LineMeta(Wire):
    event: _Event | None = None


class _Attributes(Wire):
    timestamp: str
    message: str | None = None
    level: str | None = None
    instance: str | None = None
    region: str | None = None
    meta: _LineMeta | None = None

    def entry(self) -> LogEntry:
        event = self.meta.event if self.meta else None
        return LogEntry(
            timestamp=self.timestamp,
            provider=(event.provider if event else None) or "app",
            instance=self.instance or "",
            region=self.region or "",
            level=self.level or "info",
            message=self.message or "",
        )


class _Item(Wire):
    attributes: _Attributes


class _PageMeta(Wire):
    next_token: str | int | None = None
    ephemera_at_end: bool = False


class _Page(Wire):
    data: list[_Item] | None = None
    meta: _PageMeta | None = None


def page(
    app: str,
    *,
    next_token: str | None = None,
    machine: str | None = None,
    region: str | None = None,
    wait: int = 0,
) -> Call[LogPage]:
    """Return some lines of an app's log, oldest first, and the token for those after them.

    Args:
        next_token: Of the page before this one; without it the first lines that are kept
            (Fly.io: of the last 24 hours).
        machine: Only the lines of the machine with this id.
        region: Only lines from this region.
        wait: Seconds to wait for a line where there is none. Fly.io answers at once always.

    Raises:
        NotFound: there is no such app.
    """
    return Call(
        doing=f"reading the log of app {app!r}",
        method="GET",
        path="/api/v1/apps/" + segment("an app's name", app) + "/logs",
        query=pairs(next_token=next_token or None, instance=machine, region=region),
        own_query=pairs(wait=wait or None),
        read=_read,
        read_timeout_s=READ_TIMEOUT_S + seconds("a log's wait", wait),
        base="logs",
        repeatable=True,
    )


def follow(
    app: str, *, machine: str | None = None, region: str | None = None, tail: bool = True
) -> Stream[LogPage, LogEntry]:
    """Iterate over the lines of an app's log, oldest first.

    Args:
        machine: Only the lines of the machine with this id.
        region: Only lines from this region.
        tail: Go on for ever with the lines to come; else end where there are no more.

    Raises:
        NotFound: there is no such app.
    """

    def page_after(token: str) -> Call[LogPage]:
        wait = FOLLOW_WAIT_S if tail else 0
        return page(app, next_token=token, machine=machine, region=region, wait=wait)

    def token_after(found: LogPage) -> str:
        # Fly.io names a next page whether there is something on it or not.
        return found.next_token if found.entries or tail else ""

    return Stream(
        page=page_after,
        items=lambda found: found.entries,
        cursor=token_after,
        endless=tail,
    )


def _read(answer: Answer) -> LogPage:
    found = _Page.model_validate_json(answer.body)
    token = found.meta.next_token if found.meta else None
    return LogPage(
        entries=[item.attributes.entry() for item in found.data or ()],
        next_token="" if token is None else str(token),
        at_end=found.meta is not None and found.meta.ephemera_at_end,
    )
