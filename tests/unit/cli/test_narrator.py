from __future__ import annotations

import asyncio
import io

from rich.console import Console

from ephemera.cli.narrator import Narrator
from ephemera.wire.models import LogEntry


def line(machine: str, message: str) -> LogEntry:
    return LogEntry(
        timestamp="2026-01-02T03:04:05.000000Z",
        provider="app",
        instance=machine,
        region="local",
        message=message,
    )


def test_lines_are_shown_whole_and_as_they_are() -> None:
    file = io.StringIO()
    with Narrator(Console(file=file, width=40)) as narrator:
        narrator.step("begun")
        narrator.wait("waiting for [bold]Godot")
        narrator.log(line("m1", "[red]" + "x" * 100))
        narrator.say("done :smile:")
    assert file.getvalue().splitlines() == [
        "==> begun",
        "2026-01-02T03:04:05Z app[m1] local [info][red]" + "x" * 100,
        "done :smile:",
    ]


def test_a_line_can_be_awaited_before_and_after_it_is_shown() -> None:
    async def scenario() -> None:
        narrator = Narrator(Console(file=io.StringIO()))
        waiting = asyncio.create_task(narrator.shown("m1", "exited"))
        narrator.log(line("m2", "exited"))
        narrator.log(line("m1", "has exited"))
        await asyncio.sleep(0)
        assert not waiting.done()
        narrator.log(line("m1", "exited with 0"))
        await waiting
        await narrator.shown("m1", "exited")

    asyncio.run(scenario())
