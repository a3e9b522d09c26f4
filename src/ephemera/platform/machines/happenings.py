"""The events of a machine in the API's own words, one function for each thing that happens.

Source of the types, statuses and the exit event: captured traffic of the real API; where no
capture exists (`destroy`, `suspend`, `resume`, a failed start) the words are ours, in the same
form.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ephemera.errors import DriverError, ImageUnavailable, StartCancelled, Unsupported
from ephemera.platform.drivers.base import Exit
from ephemera.platform.logs import timestamp
from ephemera.platform.records import EventRecord
from ephemera.wire.ids import new_ulid

#: How many events the API answers unless told otherwise, and at most.
EVENTS_DEFAULT = 20
EVENTS_MAX = 50


def _event(
    machine_id: str,
    now: float,
    type_: str,
    status: str,
    source: str,
    request: dict[str, Any] | None = None,
) -> EventRecord:
    return EventRecord(new_ulid(), machine_id, type_, status, source, int(now * 1000), request)


def created(machine_id: str, now: float) -> EventRecord:
    """It was written down."""
    return _event(machine_id, now, "launch", "created", "user")


def start_asked(machine_id: str, now: float, source: str = "user") -> EventRecord:
    """Somebody (`user`), a request (`proxy`) or the platform itself (`flyd`) asked for a start."""
    return _event(machine_id, now, "start", "starting", source)


def started(machine_id: str, now: float) -> EventRecord:
    """The driver has seen the program running."""
    return _event(machine_id, now, "start", "started", "flyd")


def start_failed(machine_id: str, now: float, error: DriverError) -> EventRecord:
    """The program could not be started; the request says why, in words and in one word."""
    words = {
        ImageUnavailable: "image_unavailable",
        Unsupported: "unsupported",
        StartCancelled: "cancelled",
    }
    code = words.get(type(error), "boot_failed")
    said = {"error": error.message, "code": code}
    return _event(machine_id, now, "start", "failed", "flyd", said)


def put_off(machine_id: str, now: float, why: str) -> EventRecord:
    """A start that nobody asked for has to wait; the request says why, as for one that failed."""
    said = {"error": why, "code": "insufficient_capacity"}
    return _event(machine_id, now, "put_off", "waiting", "flyd", said)


def stop_asked(machine_id: str, now: float, source: str) -> EventRecord:
    """Somebody (`user`), or the proxy for want of requests, asked for a stop."""
    return _event(machine_id, now, "stop", "stopping", source, {"reason": ""})


def suspend_asked(machine_id: str, now: float, source: str) -> EventRecord:
    """Somebody (`user`), or the proxy for want of requests, asked for it to be suspended."""
    return _event(machine_id, now, "suspend", "suspending", source)


def suspended(machine_id: str, now: float) -> EventRecord:
    """The driver has seen its program frozen."""
    return _event(machine_id, now, "suspend", "suspended", "flyd")


def suspend_failed(machine_id: str, now: float, error: DriverError) -> EventRecord:
    """Its program could not be frozen, and is told to end instead; the request says why."""
    return _event(machine_id, now, "suspend", "stopping", "flyd", {"error": error.message})


def resumed(machine_id: str, now: float) -> EventRecord:
    """The driver has seen its program go on where it was frozen."""
    return _event(machine_id, now, "resume", "started", "flyd")


def restart_asked(machine_id: str, now: float) -> EventRecord:
    """Somebody asked for a restart."""
    return _event(machine_id, now, "restart", "stopping", "user")


def restarting(machine_id: str, now: float) -> EventRecord:
    """The restart policy, or a restart that was asked for, starts it again."""
    return _event(machine_id, now, "restart", "starting", "flyd")


def replacing(machine_id: str, now: float) -> EventRecord:
    """A new version was written down."""
    return _event(machine_id, now, "update", "replacing", "user")


def destroy_asked(machine_id: str, now: float, source: str) -> EventRecord:
    """Somebody (`user`), or `auto_destroy` (`flyd`), asked for its end."""
    return _event(machine_id, now, "destroy", "destroying", source)


def destroyed(machine_id: str, now: float) -> EventRecord:
    """Nothing is left of it."""
    return _event(machine_id, now, "destroy", "destroyed", "flyd")


def exited(
    machine_id: str, now: float, end: Exit, *, requested: bool, restarting: bool, count: int
) -> EventRecord:
    """The main program ended.

    Args:
        requested: Whether somebody had asked for it.
        restarting: Whether it is started again.
        count: How many times the restart policy has started it, this time included.
    """
    exit_event = {
        "requested_stop": requested,
        "restarting": restarting,
        "guest_exit_code": 0,
        "guest_signal": -1,
        "guest_error": "",
        "exit_code": end.exit_code,
        "signal": end.signal,
        "error": end.error,
        "oom_killed": end.oom_killed,
        "exited_at": timestamp(end.exited_at or now)[:23] + "Z",
    }
    request = {"exit_event": exit_event, "restart_count": count}
    return _event(machine_id, now, "exit", "stopped", "flyd", request)


def is_of(event: EventRecord, states: Collection[str]) -> bool:
    """Whether the event is that the machine came into one of these states.

    A program that ended and is started again leaves the machine in no state of rest, though its
    event says `stopped`.
    """
    said = (event.request or {}).get("exit_event") or {}
    return event.status in states and not said.get("restarting")


def is_put_off(newest_first: Sequence[EventRecord]) -> bool:
    """Whether the last thing that happened is that a start has to wait."""
    return bool(newest_first) and newest_first[0].type == "put_off"


def has_ended(newest_first: Sequence[EventRecord]) -> bool:
    """Whether the newest boot that these events tell of has ended, or could not be started."""
    for event in newest_first:
        if _is_end(event):
            return True
        if event.type in ("launch", "start", "restart"):
            return False
    return False


def ends_with_an_end(newest_first: Sequence[EventRecord]) -> bool:
    """Whether the last thing that happened is that the program ended, and not for an update."""
    types = [event.type for event in newest_first[:2]]
    return bool(newest_first) and _is_end(newest_first[0]) and types[1:] != ["update"]


def _is_end(event: EventRecord) -> bool:
    return event.type == "exit" or event.status == "failed"
