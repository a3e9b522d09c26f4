"""Log lines as flyctl shows them: the plain form, and the JSON form."""

from __future__ import annotations

import json

import typer

from ephemera.wire.models import LogEntry

_LEVEL_COLOURS = {"error": "red", "warn": "yellow", "warning": "yellow", "debug": "magenta"}


def plain(entry: LogEntry, *, coloured: bool = False) -> str:
    """Return a line as `2022-09-20T04:08:07Z runner[5683009c] iad [info]machine exited ...`."""
    if not coloured:
        return entry.line()
    moment = typer.style(f"{entry.timestamp[:19]}Z", dim=True)
    source = f"{entry.provider}[{typer.style(entry.instance, fg='bright_blue')}]"
    region = typer.style(entry.region, fg="green")
    level = typer.style(entry.level, fg=_LEVEL_COLOURS.get(entry.level, "blue"))
    return f"{moment} {source} {region} [{level}]{entry.message}"


def as_json(entry: LogEntry) -> str:
    """Return a line as an object with the keys of flyctl's, laid out over several lines.

    Keys for which we have nothing to say are there, empty, as flyctl has them.
    """
    place = {"instance": entry.instance, "region": entry.region}
    shown = {
        "level": entry.level,
        "instance": entry.instance,
        "message": entry.message,
        "region": entry.region,
        "timestamp": entry.timestamp,
        "meta": {
            **place,
            "event": {"provider": entry.provider},
            "HTTP": {
                "Request": {"ID": "", "Method": "", "Version": ""},
                "Response": {"status_code": 0},
            },
            "Error": {"Code": 0, "Message": ""},
            "URL": {"Full": ""},
        },
    }
    return json.dumps(shown, indent=4, ensure_ascii=False)
