"""Waiting for a machine to be in a state, without polling."""

from __future__ import annotations

from collections.abc import Sequence

from ephemera.platform import refusals
from ephemera.platform.machine import Owner
from ephemera.platform.records import MachineRecord
from ephemera.platform.states import SETTLED, State

#: Source: the API's documentation of `wait`.
TIMEOUT_MAX_S = 60

_NAMES = ("started", "stopped", "suspended", "destroyed", "failed", "settled")


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
        if name == "settled":
            states |= SETTLED
        elif name != "suspended":  # no driver suspends yet, so nothing is ever there
            states.add(State(name))
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


async def reach(
    owner: Owner, wanted: frozenset[State], version: str, timeout: float
) -> MachineRecord:
    """Return the machine once it is in one of the states, in this version where one is given.

    Raises:
        Refusal: 408 when `timeout` seconds have passed; 404 when the machine is destroyed,
            so that the state can never be reached.
    """

    def is_over(record: MachineRecord) -> bool:
        return is_reached(record) or record.state is State.DESTROYED

    def is_reached(record: MachineRecord) -> bool:
        return record.state in wanted and version in ("", record.instance_id)

    record = await owner.ledger.until(is_over, timeout)
    if record is None:
        raise refusals.not_reached(",".join(sorted(wanted)), owner.record.state)
    if not is_reached(record):
        raise refusals.machine_not_found()
    return record
