"""One request, sent until it is answered or given up: retry, back-off, lost answers. No I/O.

- A request that was never sent, or was turned away for its rate (429), is sent again: nothing
  was applied. So is a repeatable one after a lost answer, a 408, or a gateway's 502, 503, 504.
- Everything else is never sent twice blindly.
- Back-off doubles with full jitter, and the whole of it lasts about ten seconds.

Fly's own client repeats less, a GET after a reset connection only, and its deploys more: they
take 408, 429 and every 5xx as passing. A plain 500 is not repeated here: it is an answer.

Source of the back-off: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from ephemera.client.call import Call, nothing
from ephemera.client.messages import Answer, Lost, Pause, Send
from ephemera.client.refusals import refusal, retry_after, unreadable
from ephemera.errors import EphemeraError, NoAnswer, ServerFault, Unreachable, WaitTimeout

T = TypeVar("T")
Reply = Answer | Lost | None
Steps = Generator[Send | Pause, Reply, T]

#: From the first failure on; a platform that restarts is back well within it.
RETRY_FOR_S = 10.0
#: A bound for a clock that stands still and for a `Retry-After: 0` without end.
RETRIES_MAX = 20
_BACKOFF_FIRST_S = 0.1
_BACKOFF_MOST_S = 2.0

_GATEWAY = frozenset({502, 503, 504})
_LOOK = "look whether it was done before doing it again"


@dataclass(frozen=True, slots=True)
class Pace:
    """What the exchange takes from the world: time and chance."""

    #: Seconds; only differences count.
    clock: Callable[[], float] = time.monotonic
    #: 0 up to 1.
    chance: Callable[[], float] = random.random


def attempt(make: Callable[[], Call[T]], pace: Pace) -> Steps[T]:
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
            raise error_of(call, reply, doubtful=retry.doubtful) from _cause(reply)
        yield Pause(pause)


def _gone_already(call: Call[T], answer: Answer, retry: _Retry) -> bool:
    """Return whether our own earlier send, whose answer was lost, has deleted it.

    What the lost answer said is lost as well, so this is for calls that return nothing.
    """
    deletes = call.method == "DELETE" and call.read is nothing
    return deletes and answer.status == 404 and retry.doubtful


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


def error_of(call: Call[T], reply: Answer | Lost, *, doubtful: bool) -> EphemeraError:
    """Return the error that it is when a call was refused or not answered.

    Args:
        doubtful: Whether it may have been applied.
    """
    if isinstance(reply, Answer):
        said = refusal(call.doing, reply)
        if isinstance(said, ServerFault) and not call.repeatable:
            said.hint = said.hint or _LOOK
        if not isinstance(said, WaitTimeout) or call.timed:
            return said
        return NoAnswer(
            f"{said.message} (HTTP 408)", hint="the API gave up waiting; look whether it was done"
        )
    if doubtful:
        hint = "" if call.repeatable else _LOOK
        return NoAnswer(f"{call.doing}: no answer: {reply.reason}", hint=hint)
    return Unreachable(
        f"{call.doing}: {reply.reason}", hint="is the API up, and its address right?"
    )


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
