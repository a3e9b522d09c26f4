"""Making a thing at most once, and where there is no room, elsewhere. No I/O.

```
 send ──► answered ─────────────────────────────────► done, or the error
   │  └─► no room here ──► the next place, if any ──► ... the error tells of all
   └────► lost, or doubtful ──► look ──► it is there ► done
                                 └─────► it is not ──► send again, three times at most
```

Which errors mean "no room" is decided by the one table of `ephemera.client.refusals`.
"""

from __future__ import annotations

from typing import TypeVar

from ephemera.client.attempt import Pace, Steps, attempt, backoff
from ephemera.client.call import Call
from ephemera.client.messages import Pause
from ephemera.errors import (
    ApiError,
    Conflict,
    EphemeraError,
    NoAnswer,
    NoCapacity,
    NotFound,
    ServerFault,
    Unauthorized,
    Unreachable,
)

T = TypeVar("T")

#: A create is sent at most so often; between two sends the thing is looked for.
CREATE_SENDS_MAX = 3


def guarded(call: Call[T], look: Call[T | None], pace: Pace) -> Steps[T]:
    """Carry out a call that must not be applied twice, in the first place that has room.

    Raises:
        NoCapacity: there is room in none of them; the message has every answer.
    """
    full: list[NoCapacity] = []
    for there in (call, *call.elsewhere):
        try:
            return (yield from _guarded(there, look, pace, elsewhere_before=bool(full)))
        except NoCapacity as error:
            full.append(error)
        except EphemeraError as error:
            for earlier in full:
                error.add_note(f"before that: {earlier.message}")
            raise
    raise _nowhere(full)


def _nowhere(full: list[NoCapacity]) -> NoCapacity:
    """Return the error for several places without room: the last, with the words of all."""
    last = full[-1]
    if len(full) == 1:
        return last
    return NoCapacity(
        "; ".join(error.message for error in full),
        status=last.status,
        code=last.code,
        request_id=last.request_id,
        hint=last.hint,
    )


def _guarded(
    call: Call[T], look: Call[T | None], pace: Pace, *, elsewhere_before: bool
) -> Steps[T]:
    """Carry out a call that must not be applied twice, in one place.

    Args:
        elsewhere_before: It was tried in another place, where an answer may have been lost.
    """
    doubt: EphemeraError | None = None
    for sends in range(1, CREATE_SENDS_MAX + 1):
        try:
            return (yield from attempt(lambda: call, pace))
        except (NoAnswer, ServerFault) as error:
            if isinstance(error, Unreachable) and doubt is None:
                raise
            doubt = error
        except Conflict as error:
            # The name may be taken by what our own lost send has made, and only then.
            if doubt is None and not elsewhere_before:
                raise
            doubt = error
        except NoCapacity as error:
            # Said of a second send: the first may have taken the room.
            if doubt is None:
                raise
            found = yield from _find(look, error, pace)
            if found is None:
                raise
            return found
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
        return (yield from attempt(lambda: look, pace))
    except (NotFound, Unauthorized):
        # What there is, is not ours; sending again tells why.
        return None
    except (NoAnswer, ApiError) as error:
        raise NoAnswer(
            f"{doubt.message}; looking for it failed too: {error.message}",
            hint="look whether it was done before doing it again",
        ) from error
