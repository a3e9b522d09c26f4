"""What was just made on Fly.io, and is not known everywhere yet. No I/O.

Who asks for a new app or machine may meet a server that has not heard of it. To such a request
404 is no answer: nothing was applied, so it is sent again, for some seconds.

Source: fly-go asks again for a new app on 404 and 401, and flyctl for its machines, for 5 s.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Generator
from typing import Any, TypeVar

from ephemera.client.attempt import Pace, Reply
from ephemera.client.messages import Answer, Pause, Send

T = TypeVar("T")

#: By then all servers know it; what they say of it is true.
_KNOWN_AFTER_S = 10.0
_ASK_AGAIN_S = 0.5
_APPS = re.compile(r"/v1/apps")
_MACHINES = re.compile(r"/v1/apps/[^/]+/machines")
#: An app is what its machines are below, and "app not found" is said of those too.
_UNKNOWN = re.compile(rb"app not found|could not find app|machine not found", re.IGNORECASE)


class Newborns:
    """The paths of what was made within the last seconds. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._born_at: dict[str, float] = {}

    def note(self, send: Send, answer: Answer, now: float) -> None:
        """Remember what a request has made, and forget what it has deleted."""
        with self._lock:
            self._born_at = {
                path: at for path, at in self._born_at.items() if now - at < _KNOWN_AFTER_S
            }
            if send.method == "DELETE":
                self._born_at.pop(send.path, None)
            elif answer.ok and (path := _made(send, answer)):
                self._born_at[path] = now

    def is_unknown_yet(self, send: Send, answer: Answer, now: float) -> bool:
        """Return whether an answer only says that its server has not heard of something new."""
        if answer.status not in (401, 404):
            return False
        if answer.status == 404 and not _UNKNOWN.search(answer.body):
            return False
        with self._lock:
            return any(
                now - at < _KNOWN_AFTER_S and f"{send.path}/".startswith(f"{path}/")
                for path, at in self._born_at.items()
            )


def patient(
    steps: Generator[Any, Reply, T], newborns: Newborns, pace: Pace
) -> Generator[Any, Reply, T]:
    """Pass steps on; a request for something new is sent again until its server knows it."""
    reply: Reply = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # generators type it as Any
        reply = yield step
        while isinstance(reply, Answer) and newborns.is_unknown_yet(step, reply, pace.clock()):
            yield Pause(_ASK_AGAIN_S)
            reply = yield step
        if isinstance(reply, Answer):
            newborns.note(step, reply, pace.clock())


def _made(send: Send, answer: Answer) -> str:
    """Return the path of the app or machine that a request has made; empty for any other."""
    name = ""
    if send.method == "POST" and _APPS.fullmatch(send.path):
        name = _word(send.body, "name")
    elif send.method == "POST" and _MACHINES.fullmatch(send.path):
        name = _word(answer.body, "id")
    return f"{send.path}/{name}" if name else ""


def _word(body: bytes | None, key: str) -> str:
    try:
        return str(json.loads(body or b"{}")[key])
    except (ValueError, LookupError, TypeError):
        return ""
