from __future__ import annotations

import json
import re

from ephemera.cli import loglines
from ephemera.wire.models import LogEntry

ENTRY = LogEntry(
    timestamp="2022-09-20T04:08:07.123456Z",
    provider="runner",
    instance="5683009c17548e",
    region="iad",
    message="machine exited with exit code 0, not restarting",
)


def test_the_plain_form_is_that_of_fly() -> None:
    assert loglines.plain(ENTRY) == (
        "2022-09-20T04:08:07Z runner[5683009c17548e] iad [info]"
        "machine exited with exit code 0, not restarting"
    )


def test_colours_change_nothing_but_colours() -> None:
    coloured = loglines.plain(ENTRY, coloured=True)
    assert coloured != loglines.plain(ENTRY)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == loglines.plain(ENTRY)


def test_the_json_form_has_every_key_of_flyctl() -> None:
    text = loglines.as_json(ENTRY)
    assert text.splitlines()[1].startswith('    "level"')  # laid out by four
    assert json.loads(text) == {
        "level": "info",
        "instance": "5683009c17548e",
        "message": "machine exited with exit code 0, not restarting",
        "region": "iad",
        "timestamp": "2022-09-20T04:08:07.123456Z",
        "meta": {
            "instance": "5683009c17548e",
            "region": "iad",
            "event": {"provider": "runner"},
            "HTTP": {
                "Request": {"ID": "", "Method": "", "Version": ""},
                "Response": {"status_code": 0},
            },
            "Error": {"Code": 0, "Message": ""},
            "URL": {"Full": ""},
        },
    }
