"""How a call is carried out: retry, back-off, lost answers, waits and log streams. No I/O.

```
            Send ─────────►  the link does it  ─────────► Answer | Lost
 exchange   Pause ────────►  the link sleeps
            Found ────────►  the caller gets a log line
            return value or raise
```

Each function here is a generator with that protocol, so both clients share every decision and
a test can play the server without a socket. The rules:

- A request that was never sent, or was turned away for its rate (429), is sent again: nothing
  was applied. So is a repeatable one after a lost answer, a 408, or a gateway's 502, 503, 504.
- Everything else is never sent twice blindly. A create is looked for first.
- Back-off doubles with full jitter, and the whole of it lasts about ten seconds.

Source of the back-off: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from pydantic import ValidationError

from ephemera.client.call import READ_TIMEOUT_S, Call, LogStream
from ephemera.client.messages import Answer, Found, Lost, Pause, Send
from ephemera.client.refusals import refusal, retry_after, unreadable
from ephemera.errors import (
    ApiError,
    Conflict,
    EphemeraError,
    NoAnswer,
    NotFound,
    ServerFault,
    Unauthorized,
    Unreachable,
    WaitTimeout,
)

T = TypeVar("T")
Reply = Answer | Lost | None
Steps = Generator[Send | Pause, Reply, T]

#: From the first failure on; a platform that restarts is back well within it.
RETRY_FOR_S = 10.0
#: A bound for a clock that stands still and for a `Retry-After: 0` without end.
RETRIES_MAX = 20
_BACKOFF_FIRST_S = 0.1
_BACKOFF_MOST_S = 2.0
#: A create is sent at most so often; between two sends the machine is looked for.
CREATE_SENDS_MAX = 3
#: The server's own limit for `wait`: it refuses more, and takes whole seconds only.
POLL_MOST_S = 60
#: Polls that end sooner than this are not long polls, so we must pause between them.
_HELD_S = 1.0
#: A clock that is read twice may miss a deadline by this much without anybody caring.
_NEAR_S = 0.05
#: Between pages of a log that are empty and came at once; as Fly's own tool does.
_LOG_PAUSE_FIRST_S = 0.064
_LOG_PAUSE_MOST_S = 4.096

_GATEWAY = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Pace:
    """What the exchange takes from the world: time and chance."""

    #: Seconds; only differences count.
    clock: Callable[[], float] = time.monotonic
    #: 0 up to 1.
    chance: Callable[[], float] = random.random


def exchange(call: Call[T], pace: Pace) -> Steps[T]:
    """Carry out a call.

    Raises:
        ApiError: the API said no.
        NoAnswer: no answer came, and it may have been applied.
        Unreachable: no connection could be made for about ten seconds; nothing was applied.
    """
    if call.look is not None:
        return _guarded(call, call.look, pace)
    if call.hold_s is not None:
        return _held(call, call.hold_s, pace)
    return _attempt(lambda: call, pace)


def follow(stream: LogStream, pace: Pace) -> Generator[Send | Pause | Found, Reply, None]:
    """Yield the lines of a log, with a `Found` for each."""
    token, empty = "", 0
    while True:
        began = pace.clock()
        page = yield from _attempt(partial(stream.page, token), pace)
        token = page.next_token or token
        for entry in page.entries:
            yield Found(entry)
        if page.entries:
            empty = 0
        elif not stream.endless:
            return
        elif pace.clock() - began < _HELD_S:
            yield Pause(min(_LOG_PAUSE_MOST_S, _LOG_PAUSE_FIRST_S * 2.0**empty))
            empty = min(empty + 1, 16)  # enough to be past the most


class _Retry:
    """How long one request has been failing, and what to do about it."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._failures = 0
        self._since = 0.0
        #: An earlier send may have been applied.
        self.doubtful = False

    def pause(self, call: Call[T], reply: Answer | Lost) -> float | None:
        """Return how many seconds to pause before sending again; None for giving up."""
        if self._failures == 0:
            self._since = self._pace.clock()
        self._failures += 1
        self.doubtful = self.doubtful or _in_doubt(call, reply)
        if not _may_send_again(call, reply) or self._failures > RETRIES_MAX:
            return None
        asked = retry_after(reply) if isinstance(reply, Answer) else None
        pause = backoff(self._failures, self._pace) if asked is None else asked
        spent = self._pace.clock() - self._since
        return pause if spent + pause <= RETRY_FOR_S else None


def backoff(failures: int, pace: Pace) -> float:
    """Return a pause in seconds before the next try: full jitter under a doubling ceiling."""
    ceiling = min(_BACKOFF_MOST_S, _BACKOFF_FIRST_S * 2.0 ** (failures - 1))
    return ceiling * pace.chance()


def _attempt(make: Callable[[], Call[T]], pace: Pace) -> Steps[T]:
    """Send a call, again where that is safe, until it is answered or given up.

    Args:
        make: Makes the call anew for each send: what is left of a wait grows shorter.
    """
    retry = _Retry(pace)
    while True:
        call = make()
        reply = yield call.send()
        assert reply is not None, "a Send is answered"
        if isinstance(reply, Answer) and (reply.ok or _gone_already(call, reply, retry)):
            return _read(call, reply)
        pause = retry.pause(call, reply)
        if pause is None:
            raise _error(call, reply, doubtful=retry.doubtful) from _cause(reply)
        yield Pause(pause)


def _gone_already(call: Call[T], answer: Answer, retry: _Retry) -> bool:
    """Return whether our own earlier send, whose answer was lost, has deleted it."""
    return call.method == "DELETE" and answer.status == 404 and retry.doubtful


def _may_send_again(call: Call[T], reply: Answer | Lost) -> bool:
    never_applied = not reply.sent if isinstance(reply, Lost) else reply.status == 429
    return never_applied or (call.repeatable and _in_doubt(call, reply))


def _in_doubt(call: Call[T], reply: Answer | Lost) -> bool:
    """Return whether it is open if the request was applied."""
    if isinstance(reply, Lost):
        return reply.sent
    return reply.status in _GATEWAY or (reply.status == 408 and not call.timed)


def _read(call: Call[T], answer: Answer) -> T:
    try:
        return call.read(answer)
    except ValidationError as error:
        why = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in why["loc"])
        # Not `from error`: its text quotes the answer, and so perhaps a secret in an environment.
        raise unreadable(call.doing, answer, f"{where}: {why['msg']}".strip(": ")) from None


def _cause(reply: Answer | Lost) -> Exception | None:
    return reply.cause if isinstance(reply, Lost) else None


def _error(call: Call[T], reply: Answer | Lost, *, doubtful: bool) -> EphemeraError:
    if isinstance(reply, Answer):
        said = refusal(call.doing, reply)
        if not isinstance(said, WaitTimeout) or call.timed:
            return said
        return NoAnswer(
            f"{said.message} (HTTP 408)", hint="the API gave up waiting; look whether it was done"
        )
    if doubtful:
        hint = "" if call.repeatable else "look whether it was done before doing it again"
        return NoAnswer(f"{call.doing}: no answer: {reply.reason}", hint=hint)
    return Unreachable(
        f"{call.doing}: {reply.reason}", hint="is the API up, and its address right?"
    )


def _guarded(call: Call[T], look: Call[T | None], pace: Pace) -> Steps[T]:
    """Carry out a call that must not be applied twice."""
    doubt: EphemeraError | None = None
    for sends in range(1, CREATE_SENDS_MAX + 1):
        try:
            return (yield from _attempt(lambda: call, pace))
        except (NoAnswer, ServerFault) as error:
            if isinstance(error, Unreachable) and doubt is None:
                raise
            doubt = error
        except Conflict as error:
            # The name may be taken by what our own lost send has made, and only then.
            if doubt is None:
                raise
            doubt = error
        found = yield from _find(look, doubt, pace)
        if found is not None:
            return found
        if sends < CREATE_SENDS_MAX:
            yield Pause(backoff(sends, pace))
    assert doubt is not None, "the loop is left with a doubt only"
    raise doubt


def _find(look: Call[T | None], doubt: EphemeraError, pace: Pace) -> Steps[T | None]:
    """Look for what a doubtful send has made.

    Raises:
        NoAnswer: looking failed as well, so nobody knows.
    """
    try:
        return (yield from _attempt(lambda: look, pace))
    except (NotFound, Unauthorized):
        # What there is, is not ours; sending again tells why.
        return None
    except (NoAnswer, ApiError) as error:
        raise NoAnswer(
            f"{doubt.message}; looking for it failed too: {error.message}",
            hint="look whether it was done before doing it again",
        ) from error


def _held(call: Call[T], hold_s: float, pace: Pace) -> Steps[T]:
    """Poll until it is fulfilled or `hold_s` seconds are over."""
    deadline, quick = pace.clock() + hold_s, 0
    while True:
        began = pace.clock()
        try:
            return (yield from _attempt(lambda: _poll(call, deadline - pace.clock()), pace))
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
