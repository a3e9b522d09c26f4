"""Waiting for a machine until it is well, or known not to become so."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from ephemera.client import Client
from ephemera.client.own.machines import requests_of
from ephemera.deploy.release.health import Finding, Health, judge
from ephemera.deploy.release.telling import Tell
from ephemera.errors import DeployError, EphemeraError, NotFound, WaitTimeout
from ephemera.wire.models import Machine

#: How long a machine has to become well where nobody says it, as in Fly's client: its image may
#: be a large one. Once it is started its checks have less, see `health`.
START_S = 300.0
#: How long a program has to stay that no request tells of: most crashes come within this time.
STAYS_S = 1.0
#: Between two looks at a machine whose checks do not pass yet; Fly.io allows five a second.
_LOOK_FIRST_S, _LOOK_MOST_S = 0.03, 0.5
_LOOK_STAYS_S = 0.25
#: States after which there is something to judge.
_MOVED = ("started", "stopped", "failed", "destroyed")
_ENDED = ("stopped", "failed", "destroyed")
#: How long one that was well before has, when a release is undone; others wait behind it.
_BACK_S = 60.0
#: How much of its log is shown of a machine that did not become well.
_LINES_SHOWN = 20


class Watch:
    """Watches machines of one app.

    Args:
        allowed: Returns the context in which a wait may be cut off.
        patience_s: How long a machine has to become well; None for what is usual.
    """

    def __init__(
        self,
        client: Client,
        app: str,
        allowed: Callable[[], AbstractContextManager[None]],
        patience_s: float | None,
    ) -> None:
        self._client = client
        self._app = app
        self._allowed = allowed
        self._patience_s = patience_s

    def until_well(self, machine: Machine, since: str, *, comes_back: bool = False) -> None:
        """Return once a machine is well.

        Args:
            machine: In the version that is meant.
            since: The id of the newest event from before it was started.
            comes_back: It was well before, and others wait for it.

        Raises:
            DeployError: it is broken, or not well in time. The message says how it is.
        """
        began = time.monotonic()
        deadline = began + (_BACK_S if comes_back else self._patience_s or START_S)
        pause = _LOOK_FIRST_S
        while True:
            with self._allowed():
                finding = self._look(machine, since, deadline)
                if finding.health is Health.WELL:
                    return
                if finding.checks_s and self._patience_s is None:
                    deadline = min(deadline, time.monotonic() + finding.checks_s)
                left = deadline - time.monotonic()
                if finding.health is Health.BROKEN or left <= 0:
                    raise self._broken(machine, finding, deadline - began)
                time.sleep(min(pause, left))
            pause = min(2 * pause, _LOOK_MOST_S)

    def until_stopped(self, machine_id: str, timeout: float) -> None:
        """Return once a machine has stopped, or is gone.

        Raises:
            WaitTimeout: it has not.
        """
        with self._allowed():
            self._client.machines.wait(self._app, machine_id, _ENDED, timeout=timeout)

    def until_idle(self, machine_id: str, timeout: float) -> None:
        """Return once a machine that is cordoned has no requests any more, or the time is up.

        Fly.io does not say how many there are, and its proxy learns with a delay that a machine is
        cordoned: there it is a pause.
        """
        deadline = time.monotonic() + timeout
        with self._allowed():
            if self._client.link.place.fly:
                time.sleep(timeout)
                return
            with suppress(NotFound):  # it is gone, or this is another API that does not say
                while requests_of(self._client, self._app, machine_id):
                    if time.monotonic() >= deadline:
                        return
                    time.sleep(_LOOK_FIRST_S)

    def pause(self, seconds: float) -> None:
        """Do nothing for a while, unless somebody does not want the release any more."""
        with self._allowed():
            time.sleep(seconds)

    def show_log(self, machine_id: str, since_ms: int, tell: Tell) -> None:
        """Say the last lines of a machine's log. Where there is no log, nothing is said.

        Args:
            since_ms: Milliseconds since 1970 from which on they are of interest.
        """
        since = datetime.fromtimestamp(since_ms / 1000, UTC).isoformat(timespec="milliseconds")
        with suppress(EphemeraError):  # what went wrong is said; this is beside it
            log = self._client.logs.follow(self._app, machine=machine_id, tail=False)
            recent = (one for one in log if one.timestamp[:23] >= since[:23])
            for entry in deque(recent, maxlen=_LINES_SHOWN):
                tell(f"  {entry.line()}")

    def _look(self, machine: Machine, since: str, deadline: float) -> Finding:
        with suppress(WaitTimeout):  # then what it is now says enough
            self._client.machines.wait(
                self._app,
                machine.id,
                _MOVED,
                version=machine.instance_id or None,
                timeout=max(0.0, deadline - time.monotonic()),
            )
        finding = self._judged(machine.id, since)
        return self._stays(machine, since, finding.exits) if finding.unchecked else finding

    def _stays(self, machine: Machine, since: str, exits: int) -> Finding:
        """Return how a machine is after a moment; not well if it has ended in between."""
        until = time.monotonic() + STAYS_S
        while True:
            time.sleep(max(0.0, min(_LOOK_STAYS_S, until - time.monotonic())))
            finding = self._judged(machine.id, since)
            if finding.health is not Health.WELL:
                return finding
            if finding.exits > exits:
                return replace(finding, health=Health.WAITING, why="ended, and was started again")
            if time.monotonic() >= until:
                return finding

    def _judged(self, machine_id: str, since: str) -> Finding:
        return judge(self._client.machines.get(self._app, machine_id), since)

    def _broken(self, machine: Machine, finding: Finding, patience_s: float) -> DeployError:
        late = "" if finding.health is Health.BROKEN else f", after {patience_s:.0f} s"
        return DeployError(
            f"machine {machine.name} ({machine.id}) {finding.why}{late}",
            hint=finding.hint or f"`ephemera logs -a {self._app} -m {machine.id}` has all it said",
            machine_id=machine.id,
        )
