"""Reading the end of a machine's log: what is said to the API, by either client, until it is read.

The one who asks for the pages knows how (`await` or not), this knows which:

```python
tail = LogTail()
while not tail.complete:
    tail.add(client.logs.page(app, next_token=tail.next_token, machine=machine_id))
```
"""

from __future__ import annotations

from ephemera.jobs.store import LOG_LINES_KEPT
from ephemera.wire.models import LogEntry, LogPage


class LogTail:
    """The newest lines of a log, gathered page by page."""

    def __init__(self) -> None:
        #: Oldest first; `LOG_LINES_KEPT` at most.
        self.lines: list[LogEntry] = []
        #: Names the page to ask for; None for the first.
        self.next_token: str | None = None
        #: Whether nothing more is there.
        self.complete = False

    def add(self, page: LogPage) -> None:
        """Take the page that was asked for."""
        self.lines = [*self.lines, *page.entries][-LOG_LINES_KEPT:]
        self.complete = page.at_end or not page.entries or page.next_token in ("", self.next_token)
        self.next_token = page.next_token
