"""Waiting for a machine to be in a state, without polling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ephemera.platform import refusals
from ephemera.platform.machines import happenings
from ephemera.platform.machines.ledger import Ledger
from ephemera.platform.machines.owner import Owner
from ephemera.platform.machines.versions import Versions
from ephemera.platform.records import EventRecord
from ephemera.platform.states import SETTLED, State

#: Source: the API's documentation of `wait`.
TIMEOUT_MAX_S = 60

_NAMES = ("started", "stopped", "suspended", "destroyed", "failed", "settled")
#: What a version is once there is a newer one. Nothing moves it any more.
_REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is waited for."""

    states: frozenset[State]
    #: The version that is to be in one of them; empty for whichever is current.
    version: str = ""
    #: The id of an event; the state counts only where it was reached after that. Empty for now.
    after: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of it."""

    state: str
    version: str
    #: The event by which the state was reached, or the newest one where that is not known.
    event_id: str


def wanted_states(given: Sequence[str]) -> frozenset[State]:
    """Return the states that a query asks for: repeated, or with commas; `started` if none.

    Raises:
        Refusal: not the name of a state that can be waited for.
    """
    names = [name for text in given for name in text.split(",") if name] or ["started"]
    states: set[State] = set()
    for name in names:
        if name not in _NAMES:
            raise refusals.invalid(f"state '{name[:40]}' is not one of {', '.join(_NAMES)}")
        states |= SETTLED if name == "settled" else {State(name)}
    return frozenset(states)


def timeout_s(given: str | None) -> float:
    """Return how long a request is to be held.

    Raises:
        Refusal: not 1 to 60 whole seconds.
    """
    if given is None:
        return TIMEOUT_MAX_S
    digits = given.removesuffix("s")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 4):
        raise refusals.wait_timeout_invalid()
    if not 1 <= int(digits) <= TIMEOUT_MAX_S:
        raise refusals.wait_timeout_invalid()
    return float(digits)


def check(wanted: Wanted, ledger: Ledger, versions: Versions) -> None:
    """Let pass what can be waited for.

    Raises:
        Refusal: the machine never had this version (404), or this event (400).
    """
    current, version = ledger.record.instance_id, wanted.version
    if version not in ("", current) and not versions.has(ledger.record.id, version):
        raise refusals.version_not_found(version)
    if wanted.after and not ledger.has_event(wanted.after):
        raise refusals.invalid(f"from_event_id '{wanted.after[:40]}' is no event of this machine")


async def reach(owner: Owner, wanted: Wanted, timeout: float) -> Reached:
    """Return the state once the machine is in one of those that are wanted.

    A version that there is a newer one of is `replaced`, for good. That is a state of rest, so
    a wait for `settled` is fulfilled by it.

    Raises:
        Refusal: 408 when `timeout` seconds have passed; 404 when the machine is destroyed, and
            412 when the version is replaced, so that the state can never be reached.
    """
    ledger = owner.ledger
    outcome = await ledger.until(lambda _: _outcome(ledger, wanted), timeout)
    if outcome is None:
        raise refusals.not_reached(",".join(sorted(wanted.states)), ledger.record.state)
    if outcome.state == _REPLACED and not wanted.states >= SETTLED:
        raise refusals.version_replaced(wanted.version, ledger.record.instance_id)
    if outcome.state not in (_REPLACED, *wanted.states):
        raise refusals.machine_not_found()
    return outcome


def _outcome(ledger: Ledger, wanted: Wanted) -> Reached | None:
    """Return what a wait ends with, if it ends now."""
    record = ledger.record
    if wanted.version in ("", record.instance_id) or record.state in wanted.states & _GONE:
        if wanted.after:
            return _reached_after(ledger, wanted)
        if record.state in wanted.states or record.state is State.DESTROYED:
            return _reached_now(ledger)
        return None
    newest = ledger.events()[0].id
    return Reached(_REPLACED, wanted.version, newest)


def _reached_now(ledger: Ledger) -> Reached:
    record, events = ledger.record, ledger.events()
    return Reached(record.state, record.instance_id, events[0].id if events else "")


def _reached_after(ledger: Ledger, wanted: Wanted) -> Reached | None:
    newer = [event for event in ledger.events() if event.id > wanted.after]
    by = next((event for event in newer if happenings.is_of(event, wanted.states)), None)
    if by is not None:
        return Reached(by.status, ledger.record.instance_id, by.id)
    if ledger.record.state is State.DESTROYED or _came_silently(ledger, wanted):
        return _reached_now(ledger)
    return None


def _came_silently(ledger: Ledger, wanted: Wanted) -> bool:
    """Whether the machine came into its state later than by its newest event.

    Of a machine that rests without having run (`skip_launch`) no event tells.
    """
    events: list[EventRecord] = ledger.events()
    state = ledger.record.state
    return state in wanted.states and bool(events) and events[0].status != state


_GONE = frozenset({State.DESTROYED})
