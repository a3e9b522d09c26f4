"""The log of an app says once what is wrong."""

from __future__ import annotations

from ephemera.platform.proxy.complaints import Complaints


def test_an_error_is_not_written_again_at_once_and_everything_else_is() -> None:
    now = 0.0
    lines: list[str] = []
    complaints = Complaints(lambda *line: lines.append(" ".join(line)), lambda: now)
    complaints.say("app", "m1", "local", "error", "it does not listen")
    complaints.say("app", "m1", "ams", "error", "it does not listen")
    complaints.say("app", "m2", "local", "error", "it does not listen")
    for _ in range(2):
        complaints.say("app", "m1", "local", "info", "it starts")
    now = 1.0
    complaints.say("app", "m1", "local", "error", "it does not listen")
    assert lines == [
        "app m1 local error it does not listen",
        "app m2 local error it does not listen",
        "app m1 local info it starts",
        "app m1 local info it starts",
        "app m1 local error it does not listen",
    ]
