"""What a long command shows while it runs: its steps, log lines between them, and a spinner."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from ephemera.cli import loglines
from ephemera.wire.models import LogEntry


class Narrator:
    """Shows the steps of something as they are done.

    On a terminal a spinner tells what is being waited for; elsewhere there are only lines.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, markup=False, emoji=False)
        self._spinner = self._console.status("")
        self._log: list[LogEntry] = []
        self._logged = asyncio.Event()

    def __enter__(self) -> Self:
        self._spinner.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._spinner.stop()

    def step(self, text: str) -> None:
        """Show that something is done."""
        self._console.print(Text(f"==> {text}", style="bold"), soft_wrap=True)

    def say(self, text: str) -> None:
        """Show a line as it is."""
        self._console.print(Text(text), soft_wrap=True)

    def wait(self, text: str) -> None:
        """Show what is being waited for, until the next one."""
        self._spinner.update(text)

    def log(self, entry: LogEntry) -> None:
        """Show a log line."""
        line = Text.from_ansi(loglines.plain(entry, coloured=True))
        self._console.print(line, soft_wrap=True)
        self._log.append(entry)
        self._logged.set()

    async def shown(self, machine_id: str, beginning: str) -> None:
        """Return once a log line of the machine that begins so has been shown."""
        while not any(
            entry.instance == machine_id and entry.message.startswith(beginning)
            for entry in self._log
        ):
            self._logged.clear()
            await self._logged.wait()
