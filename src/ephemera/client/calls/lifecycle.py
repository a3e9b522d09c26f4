"""From one state of a machine to another, and waiting for one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ephemera.client.call import (
    READ_TIMEOUT_S,
    Call,
    encode,
    machine_path,
    nothing,
    pairs,
    reader,
    with_nonce,
)
from ephemera.errors import ConfigError
from ephemera.wire.durations import format_duration
from ephemera.wire.models import StartResult, WaitResult


def start(app: str, machine_id: str, *, nonce: str | None = None) -> Call[StartResult]:
    """Start a stopped machine.

    Never repeated by itself: a machine may have run to its end between two starts.

    Raises:
        WrongState: it is not in a state to be started from.
        NoAnswer: it may have been started: get it and look at its events.
    """
    return Call(
        doing=f"starting machine {machine_id!r} of app {app!r}",
        method="POST",
        path=machine_path(app, machine_id, "/start"),
        headers=with_nonce(nonce),
        read=reader(StartResult),
    )


def stop(
    app: str,
    machine_id: str,
    *,
    signal: str | None = None,
    timeout: float | None = None,
    nonce: str | None = None,
) -> Call[None]:
    """Ask a machine to stop. It is stopping when this returns: `wait` for `"stopped"`.

    Safe to repeat.

    Args:
        signal: Such as `"SIGTERM"`; else that of its config, else `SIGINT`.
        timeout: Seconds until it is killed, at most 300; else that of its config, else 5.

    Raises:
        Conflict: somebody else holds its lease.
    """
    doing = f"stopping machine {machine_id!r} of app {app!r}"
    body = {"signal": signal, "timeout": _duration(timeout)}
    return Call(
        doing=doing,
        method="POST",
        path=machine_path(app, machine_id, "/stop"),
        headers=with_nonce(nonce),
        body=encode(doing, body),
        read=nothing,
        repeatable=True,
    )


def restart(
    app: str,
    machine_id: str,
    *,
    signal: str | None = None,
    timeout: float | None = None,
    nonce: str | None = None,
) -> Call[None]:
    """Stop a machine and start it again; returns when it has restarted.

    Args:
        signal: As for `stop`.
        timeout: As for `stop`.

    Raises:
        NoAnswer: it may have been restarted: look at its events.
    """
    return Call(
        doing=f"restarting machine {machine_id!r} of app {app!r}",
        method="POST",
        path=machine_path(app, machine_id, "/restart"),
        query=pairs(signal=signal, timeout=_duration(timeout)),
        headers=with_nonce(nonce),
        read=nothing,
        # It answers when the old program has ended and the new one runs.
        read_timeout_s=READ_TIMEOUT_S * 2 + (timeout or 0),
    )


def destroy(
    app: str, machine_id: str, *, force: bool = False, nonce: str | None = None
) -> Call[None]:
    """Destroy a machine. Safe to repeat.

    Args:
        force: Also if it is not stopped.

    Raises:
        WrongState: it is not stopped, and `force` was not given.
        NotFound: there never was such a machine, on Fly.io; other servers may forget sooner.
    """
    return Call(
        doing=f"destroying machine {machine_id!r} of app {app!r}",
        method="DELETE",
        path=machine_path(app, machine_id),
        query=pairs(force=force),
        headers=with_nonce(nonce),
        read=nothing,
        repeatable=True,
    )


def wait(
    app: str,
    machine_id: str,
    state: str | Sequence[str] = "started",
    *,
    timeout: float = 60,
    version: str | None = None,
) -> Call[WaitResult]:
    """Return when the machine is in `state`. Safe to repeat.

    The server holds a request for at most 60 s, so longer waits are several requests.

    Args:
        state: One of `started`, `stopped`, `suspended`, `destroyed`, `failed`, `settled` (any
            in which nothing moves by itself), or several of them: whichever comes first.
        timeout: Seconds, from 0 on; `math.inf` waits for as long as it takes. The server counts
            whole seconds, so it may be up to one second more.
        version: The `instance_id` that is meant, where the machine may be updated meanwhile.

    Raises:
        WaitTimeout: not reached in time. The message tells the state it is in.
        NotFound: there is no such machine.

    Source: https://fly.io/docs/machines/api/machines-resource/
    """
    if not timeout >= 0:  # so that it also catches nan
        raise ConfigError(f"a wait cannot last {timeout} seconds")
    states = (state,) if isinstance(state, str) else tuple(state)
    return Call(
        doing=f"waiting for machine {machine_id!r} of app {app!r}",
        method="GET",
        path=machine_path(app, machine_id, "/wait"),
        query=(*(("state", one) for one in states), *pairs(version=version)),
        read=reader(WaitResult),
        repeatable=True,
        timed=True,
        hold_s=timeout,
    )


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    if not 0 <= seconds < math.inf:
        raise ConfigError(f"a timeout cannot be {seconds} seconds")
    return format_duration(seconds)
