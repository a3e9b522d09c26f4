"""Signals as the API names them: by name, or by number as flyctl sends them."""

from __future__ import annotations

from collections.abc import Collection
from signal import Signals

from ephemera.platform import refusals

#: What a stop and a restart may send. Source: the API's document, `StopConfig.signal`.
STOP_SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM")
#: What a signal request may send. Source: the API's document, `SignalRequest.signal`.
ANY_SIGNALS = (
    *STOP_SIGNALS,
    "SIGABRT",
    "SIGALRM",
    "SIGFPE",
    "SIGILL",
    "SIGPIPE",
    "SIGSEGV",
    "SIGTRAP",
)


def signal_number(
    given: str | int | None, default: Signals | None, allowed: Collection[str]
) -> Signals:
    """Return the signal that was asked for.

    Raises:
        Refusal: it is none of those allowed, or none was given and there is no default.
    """
    if given in (None, "") and default is not None:
        return default
    by_number = {int(Signals[name]): name for name in allowed}
    name = by_number.get(given, str(given)) if isinstance(given, int) else given
    if name not in allowed:
        raise refusals.invalid(f"signal {str(given)[:40]!r} is not one of {', '.join(allowed)}")
    return Signals[str(name)]


def signal_name(signum: int) -> str:
    """Return `SIGKILL` for 9, and `signal 40` for one that has no name, as real-time ones."""
    try:
        return Signals(signum).name
    except ValueError:
        return f"signal {signum}"
