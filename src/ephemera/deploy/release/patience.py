"""What errors of an API mean for a release. Some pass: whoever asks again later may be answered.

Fly's own deploys do the same with 408, 429 and every 5xx. A step of a release may be done again,
whatever became of the first try.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

from ephemera.errors import (
    Conflict,
    EphemeraError,
    NoAnswer,
    RateLimited,
    ServerFault,
    Unreachable,
    WrongState,
)

T = TypeVar("T")

#: Seconds between two tries. All of it is longer than a lease of ours, which somebody may hold
#: whose answer was lost.
PAUSES_S = (1.0, 2.0, 4.0, 8.0)

#: What Fly.io says of a machine that is about to be something else: for up to 8 s after a stop.
_MOVING = re.compile(r"still active|getting replaced|current state: 'created'|concurrent update")

#: What it says of a name that another machine of the app has.
_TAKEN = "unique machine name violation"


def name_is_taken(error: Conflict) -> bool:
    """Return whether a machine was not made because another one of the app has its name."""
    return _TAKEN in error.message


def passes(error: EphemeraError) -> bool:
    """Return whether the same request may be answered a little later.

    A server that cannot be reached was asked for long enough by the client.
    """
    if isinstance(error, (WrongState, Conflict)):
        return bool(_MOVING.search(error.message))
    passing = isinstance(error, (RateLimited, ServerFault, NoAnswer))
    return passing and not isinstance(error, Unreachable)


def _sleep(seconds: float, _error: EphemeraError) -> None:
    time.sleep(seconds)


def patient(ask: Callable[[], T], pause: Callable[[float, EphemeraError], None] = _sleep) -> T:
    """Return what is answered; asked again after errors that pass.

    Args:
        ask: May be done again, whatever became of it.
        pause: Waits for so many seconds, after such an error.

    Raises:
        EphemeraError: what is wrong does not pass, or has not in time.
    """
    for pause_s in PAUSES_S:
        try:
            return ask()
        except EphemeraError as error:
            if not passes(error):
                raise
            wrong = error
        pause(pause_s, wrong)
    return ask()
