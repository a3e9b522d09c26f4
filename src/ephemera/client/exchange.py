"""How a call is carried out. No I/O: the links do what this yields.

```
            Send ─────────►  the link does it  ─────────► Answer | Lost
 exchange   Pause ────────►  the link sleeps
            Found ────────►  the caller gets an item of a stream
            return value or raise
```

Each function here is a generator with that protocol, so both clients share every decision and
a test can play the server without a socket. `attempt` has the rules of sending again, `guard`
those of making a thing at most once; here are the waits, which are many requests, the streams,
and the limits that are kept on our side.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from ephemera.client.attempt import Pace, Reply, Steps, attempt, backoff
from ephemera.client.call import READ_TIMEOUT_S, Call, Stream
from ephemera.client.guard import guarded
from ephemera.client.limits import Limiter
from ephemera.client.messages import Found, Pause, Send
from ephemera.errors import WaitTimeout

T = TypeVar("T")
P = TypeVar("P")
Following = Generator[Send | Pause | Found[T], Reply, None]

#: The server's own limit for `wait`: it refuses more, and takes whole seconds only.
POLL_MOST_S = 60
#: Polls that end sooner than this are not long polls, so we must pause between them.
_HELD_S = 1.0
#: A clock that is read twice may miss a deadline by this much without anybody caring.
_NEAR_S = 0.05
#: Between pages of an endless stream that are empty and came at once; as Fly's own tool does.
_EMPTY_PAUSE_FIRST_S = 0.064
_EMPTY_PAUSE_MOST_S = 4.096


def exchange(call: Call[T], pace: Pace) -> Steps[T]:
    """Carry out a call.

    Raises:
        ApiError: the API said no.
        NoAnswer: no answer came, and it may have been applied.
        Unreachable: no connection could be made for about ten seconds; nothing was applied.
    """
    if call.look is not None:
        return guarded(call, call.look, pace)
    if call.hold_s is not None:
        return _held(call, call.hold_s, pace)
    return attempt(lambda: call, pace)


def follow(stream: Stream[P, T], pace: Pace) -> Following[T]:
    """Yield the items of a stream, with a `Found` for each."""
    cursor, empty = "", 0
    while True:
        began = pace.clock()
        page = yield from attempt(partial(stream.page, cursor), pace)
        items, after = stream.items(page), stream.cursor(page)
        for item in items:
            yield Found(item)
        # A server that keeps saying the same would be asked for ever.
        if not stream.endless and after in ("", cursor):
            return
        cursor = after or cursor
        if items:
            empty = 0
        elif stream.endless and pace.clock() - began < _HELD_S:
            yield Pause(min(_EMPTY_PAUSE_MOST_S, _EMPTY_PAUSE_FIRST_S * 2.0**empty))
            empty = min(empty + 1, 16)  # enough to be past the most


def limited(
    steps: Generator[Any, Reply, T], limiter: Limiter, pace: Pace
) -> Generator[Any, Reply, T]:
    """Pass steps on, with a pause before each request that would be too early."""
    reply: Reply = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # generators type it as Any
        if isinstance(step, Send):
            pause = limiter.pause(step, pace.clock())
            if pause > 0:
                yield Pause(pause)
        reply = yield step


def _held(call: Call[T], hold_s: float, pace: Pace) -> Steps[T]:
    """Poll until it is fulfilled or `hold_s` seconds are over."""
    deadline, quick = pace.clock() + hold_s, 0
    while True:
        began = pace.clock()
        try:
            return (yield from attempt(lambda: _poll(call, deadline - pace.clock()), pace))
        except WaitTimeout:
            if pace.clock() + _NEAR_S >= deadline:
                raise
        quick = quick + 1 if pace.clock() - began < _HELD_S else 0
        if quick:
            left = deadline - pace.clock()
            yield Pause(max(0.0, min(left, backoff(quick, pace))))


def _poll(call: Call[T], left_s: float) -> Call[T]:
    """Return the call for one poll of a wait: whole seconds, 1 to 60."""
    poll_s = math.ceil(min(max(left_s, 1), POLL_MOST_S))
    return replace(
        call,
        query=(*call.query, ("timeout", str(poll_s))),
        read_timeout_s=poll_s + READ_TIMEOUT_S,
    )
