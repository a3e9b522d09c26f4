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
from ephemera.client.given import seconds, texts
from ephemera.client.messages import Answer
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

    def read(answer: Answer) -> StartResult:
        # The specification promises no body at all.
        return StartResult.model_validate_json(answer.body or b"{}")

    return Call(
        doing=f"starting machine {machine_id!r} of app {app!r}",
        method="POST",
        path=machine_path(app, machine_id, "/start"),
        headers=with_nonce(nonce),
        read=read,
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


def suspend(app: str, machine_id: str, *, nonce: str | None = None) -> Call[None]:
    """Freeze a machine with its memory. `wait` for `"suspended"`; `start` goes on from there.

    Args:
        nonce: Of the lease that the caller holds on it.

    Raises:
        WrongState: it is not started, or is one that cannot be suspended.
        NoAnswer: it may be suspended, or may have been: get it.

    Source: https://fly.io/docs/reference/suspend-resume/
    """
    return Call(
        doing=f"suspending machine {machine_id!r} of app {app!r}",
        method="POST",
        path=machine_path(app, machine_id, "/suspend"),
        headers=with_nonce(nonce),
        read=nothing,
    )


def cordon(app: str, machine_id: str, *, nonce: str | None = None) -> Call[None]:
    """Keep the proxy from sending anybody to a machine. Safe to repeat.

    Args:
        nonce: Of the lease that the caller holds on it.
    """
    return Call(
        doing=f"cordoning machine {machine_id!r} of app {app!r}",
        method="POST",
        path=machine_path(app, machine_id, "/cordon"),
        headers=with_nonce(nonce),
        read=nothing,
        repeatable=True,
    )


def uncordon(app: str, machine_id: str, *, nonce: str | None = None) -> Call[None]:
    """Let the proxy send requests to a machine again. Safe to repeat.

    Args:
        nonce: Of the lease that the caller holds on it.
    """
    return Call(
        doing=f"uncordoning machine {machine_id!r} of app {app!r}",
        method="POST",
        path=machine_path(app, machine_id, "/uncordon"),
        headers=with_nonce(nonce),
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
    from_event_id: str | None = None,
) -> Call[WaitResult]:
    """Return when the machine is in `state`. Safe to repeat.

    The server holds a request for at most 60 s, so longer waits are several requests.

    Args:
        state: One of `started`, `stopped`, `suspended`, `destroyed`, `failed`, `settled` (any
            in which nothing moves by itself), or several of them: whichever comes first.
        timeout: Seconds, from 0 on; `math.inf` waits for as long as it takes. The server counts
            whole seconds, so it may be up to one second more.
        version: The `instance_id` that is meant, where the machine may be updated meanwhile.
        from_event_id: Only what happened after the event with this id counts: that it is in
            the state since before then is not enough.

    Raises:
        WaitTimeout: not reached in time. The message tells the state it is in.
        NotFound: there is no such machine.

    Source: https://fly.io/docs/machines/api/machines-resource/
    """
    hold_s = seconds("a wait's timeout", timeout)
    states = texts("a state", state)
    return Call(
        doing=f"waiting for machine {machine_id!r} of app {app!r}",
        method="GET",
        path=machine_path(app, machine_id, "/wait"),
        query=(
            *(("state", one) for one in states),
            *pairs(version=version, from_event_id=from_event_id),
        ),
        read=reader(WaitResult),
        repeatable=True,
        timed=True,
        hold_s=hold_s,
    )


def _duration(timeout: float | None) -> str | None:
    if timeout is None:
        return None
    if seconds("a timeout", timeout) == math.inf:
        raise ConfigError("a timeout must end")
    return format_duration(timeout)
