"""Whether a machine that was just started is well: decided from what the API says of it.

```
 starting ─► started ─► all checks pass ─► well      (without checks: still there a moment later)
    │           └─► ended, and again ─► broken
    └─► failed ─► broken
```
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ephemera.wire.durations import parse_duration
from ephemera.wire.models import CheckStatus, ExitEvent, Machine, MachineConfig, MachineEvent
from ephemera.wire.services import ServiceCheck

#: A program may end once and be started again: what it needs may not have been there yet.
_FORGIVEN = 1
#: How long a program has from its start to its checks, beyond what they grant it themselves.
CHECKS_S = 60.0
_PASSING = "passing"
#: What checks say of a port on which nobody takes a connection, on this platform and on Fly.io.
_REFUSED = re.compile(r"refused|Connect call failed|connection attempts failed|ECONNREFUSED")
#: Checks that Fly.io adds by itself for clients that are older than some of its features.
_NOT_OURS = "bg_deployments_compat"
_OUTPUT_CHARS = 300
_IS_HTML = re.compile(r"<(?:!doctype|html)\b", re.IGNORECASE)
_NO_WORDS = re.compile(r"<style\b[^<]*</style>|<script\b[^<]*</script>|<[^>]*>", re.IGNORECASE)


class Health(Enum):
    """How it is."""

    WELL = "well"
    #: It may become well.
    WAITING = "waiting"
    #: It will not become well by itself.
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """How a machine is, and why it is not well."""

    health: Health
    why: str = ""
    hint: str = ""
    #: Whether no request told so: then it has to stay for a moment.
    unchecked: bool = False
    #: How often its program has ended by itself since it was started.
    exits: int = 0
    #: Where checks do not pass: in how many seconds they should.
    checks_s: float = 0.0


def judge(machine: Machine, since: str) -> Finding:
    """Return how a machine is.

    Args:
        since: The id of the newest event from before it was started; what is older was another
            boot.
    """
    events = [event for event in machine.events or () if event.id > since]
    exits = [found for event in events if (found := _own_exit(event))]
    if machine.state == "failed":
        return Finding(Health.BROKEN, f"could not be started: {_reason(events)}")
    if machine.state in ("destroying", "destroyed"):
        return Finding(Health.BROKEN, "was destroyed by somebody else")
    if exits and (machine.state == "stopped" or len(exits) > _FORGIVEN):
        return _ended(exits)
    if machine.state != "started":
        return Finding(Health.WAITING, f"is {machine.state}")
    return replace(_checked(machine), exits=len(exits))


def _own_exit(event: MachineEvent) -> ExitEvent | None:
    """Return how a program ended that nobody had asked to."""
    if event.type != "exit":
        return None
    found = event.exit_event() or ExitEvent()
    return None if found.requested_stop else found


def _reason(events: Sequence[MachineEvent]) -> str:
    said = (event.request or {} for event in events)
    return next((str(one["error"]) for one in said if one.get("error")), "nobody says why")


def _ended(exits: Sequence[ExitEvent]) -> Finding:
    last = exits[0]
    if last.oom_killed:
        return Finding(
            Health.BROKEN,
            "ran out of memory",
            "give it more: `memory` of [[vm]] in the fly.toml, or `ephemera scale memory MB`",
        )
    how = f"signal {last.signal}" if last.signal > 0 else f"exit code {last.exit_code}"
    again = ", and again after it was started again" if len(exits) > 1 else ""
    return Finding(Health.BROKEN, f"ended by itself with {how}{again}")


def _checked(machine: Machine) -> Finding:
    checks = [one for one in machine.checks or () if not one.name.startswith(_NOT_OURS)]
    failing = [one for one in checks if one.status != _PASSING]
    if not failing:
        return Finding(Health.WELL, unchecked=not _is_asked(machine))
    return Finding(
        Health.WAITING,
        _failing(machine, failing),
        _hint(failing),
        checks_s=_grace_s(machine) + CHECKS_S,
    )


def _is_asked(machine: Machine) -> bool:
    """Return whether a check sends requests: one that connects is answered by the kernel."""
    return any(check.type == "http" for check in _all_checks(machine))


def _grace_s(machine: Machine) -> float:
    """Return for how long checks may fail after a boot."""
    said = (check.grace_period for check in _all_checks(machine))
    return max((parse_duration(one) for one in said if one is not None), default=0.0)


def _all_checks(machine: Machine) -> list[ServiceCheck]:
    config = machine.config or MachineConfig()
    found: list[ServiceCheck] = list((config.checks or {}).values())
    for service in config.services or ():
        found += service.checks or ()
    return found


def _failing(machine: Machine, failing: Sequence[CheckStatus]) -> str:
    deaf = [port for check in failing if (port := _deaf_port(machine, check))]
    if deaf:
        return f"is not listening on 0.0.0.0:{deaf[0]}"
    said = "; ".join(f"'{one.name}' says: {_shown(one.output)}" for one in failing)
    return f"does not pass its checks: {said}"


def _deaf_port(machine: Machine, check: CheckStatus) -> int | None:
    """Return the port on which a check found nobody."""
    if not _REFUSED.search(check.output):
        return None
    config = machine.config
    named = (config.checks or {}).get(check.name) if config else None
    if named is not None:
        return named.port
    found = re.search(r"-(\d+)$", check.name)  # servicecheck-00-http-8080
    return int(found[1]) if found else None


def _hint(failing: Sequence[CheckStatus]) -> str:
    if any(_REFUSED.search(one.output) for one in failing):
        return (
            "have it listen on 0.0.0.0, not 127.0.0.1, and on the port that the variable PORT or"
            " `internal_port` in the fly.toml names"
        )
    return "what the program printed is above; `grace_period` of a check gives it more time"


def _shown(output: str) -> str:
    """Return what a check says in one line; of a page in HTML its words."""
    words = _NO_WORDS.sub(" ", output) if _IS_HTML.search(output) else output
    text = " ".join(words.split()) or "nothing"
    return text if len(text) <= _OUTPUT_CHARS else text[:_OUTPUT_CHARS] + "..."
