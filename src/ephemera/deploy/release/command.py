"""The release command: run to its end before any machine of the release is made.

```
 the machine's name ─► taken? somebody else deploys ─► no
        │ made, leased
        ▼
 its lines are shown ─► exit code 0 ─► the release goes on; the machine goes when that is over
                   └──► another, or too long ─► no release; the machine stays, stopped
```

There is one machine of this name at most, so there are never two release commands at once, also
where an app has no other machine yet that could be leased.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ephemera.client import Client
from ephemera.deploy.release.interruption import Interrupted, Interruption
from ephemera.deploy.release.leasing import TTL_S, Leases
from ephemera.deploy.release.patience import name_is_taken, patient
from ephemera.deploy.release.telling import Tell
from ephemera.errors import AppBusy, Conflict, DeployError, EphemeraError
from ephemera.wire.models import ExitEvent, LogEntry, Machine, MachineConfig

NAME = "release-command"
#: As in Fly's client.
TIMEOUT_S = 300.0

_ENDED = frozenset({"stopped", "failed", "destroyed"})
#: How long the server may hold a request for lines, and how often one is asked that does not.
_HELD_S, _PAUSE_S = 1, 0.5
_STOP_WITHIN_S = 30.0


class ReleaseCommand:
    """Runs the release command of an app."""

    def __init__(
        self,
        client: Client,
        app: str,
        leases: Leases,
        interruption: Interruption,
        tell: Tell,
    ) -> None:
        self._client = client
        self._app = app
        self._leases = leases
        self._interruption = interruption
        self._tell = tell

    @contextmanager
    def run(self, config: MachineConfig, region: str | None, timeout_s: float) -> Iterator[Machine]:
        """Run it to its end; its machine is there until the end of the block.

        Raises:
            DeployError: it failed, or took too long. Its machine is kept, stopped.
            AppBusy: somebody else runs one.
        """
        self._make_room(timeout_s)
        machine = self._make(config, region)
        try:
            self._finish(machine, time.monotonic() + timeout_s)
            self._check(machine)
        except Interrupted:
            self._stop(machine)
            self._destroy(machine)
            raise
        try:
            yield machine
        finally:
            self._destroy(machine)

    def _make_room(self, timeout_s: float) -> None:
        """Have no machine there of an earlier command; wait for one that still runs."""
        for old in self._client.machines.list(self._app, include_leases=True):
            if old.name != NAME or old.state in ("destroying", "destroyed"):
                continue
            if old.lease and old.lease.expires_at > time.time():
                raise self._busy()
            if old.state not in _ENDED:
                self._tell("an earlier release command still runs: waiting for its end")
                with self._interruption.allowed():
                    self._client.machines.wait(self._app, old.id, sorted(_ENDED), timeout=timeout_s)
            self._client.machines.destroy(self._app, old.id, force=True)
            self._client.machines.wait(self._app, old.id, "destroyed")

    def _make(self, config: MachineConfig, region: str | None) -> Machine:
        try:
            machine = self._client.machines.create(
                self._app, config=config, name=NAME, region=region, lease_ttl=TTL_S
            )
        except Conflict as error:
            if not name_is_taken(error):
                raise
            raise self._busy() from error
        self._leases.born(machine)
        return machine

    def _busy(self) -> AppBusy:
        return AppBusy(
            f"app '{self._app}' is busy: the release command of another deploy runs",
            hint="wait for it with --wait",
        )

    def _finish(self, machine: Machine, deadline: float) -> None:
        """Show the machine's lines until it has ended.

        Raises:
            DeployError: that took too long.
        """
        lines = _Lines(self._client, self._app, machine.id, self._tell)
        while True:
            with self._interruption.allowed():
                # The state first: what is printed before the end is shown then.
                state = self._look(machine).state
                shown = lines.show(0 if state in _ENDED else _HELD_S)
                if state in _ENDED and not shown:
                    return
                if time.monotonic() >= deadline:
                    break
        self._stop(machine)
        self._leases.release(machine.id)
        raise DeployError(
            "the release command took too long, and was stopped",
            hint="--release-command-timeout gives it more time",
            machine_id=machine.id,
        )

    def _check(self, machine: Machine) -> None:
        """Let one pass that has ended well.

        Raises:
            DeployError: it has not.
        """
        with self._interruption.allowed():
            end = self._look(machine).last_exit()
        if end is not None and end.exit_code == 0 and end.signal <= 0:
            return
        self._leases.release(machine.id)
        raise DeployError(
            f"the release command {_how(end)}: no machine was changed",
            hint=f"`ephemera machine inspect {machine.id}` has what is left of it",
            machine_id=machine.id,
        )

    def _look(self, machine: Machine) -> Machine:
        """Return how a machine is: what runs is not given up for an error that passes."""
        return patient(lambda: self._client.machines.get(self._app, machine.id))

    def _stop(self, machine: Machine) -> None:
        nonce = self._leases.nonce(machine.id)
        with suppress(EphemeraError):  # it has ended, or a wait took too long: it is left then
            self._client.machines.stop(self._app, machine.id, nonce=nonce)
            self._client.machines.wait(
                self._app, machine.id, sorted(_ENDED), timeout=_STOP_WITHIN_S
            )

    def _destroy(self, machine: Machine) -> None:
        nonce = self._leases.nonce(machine.id)
        with suppress(EphemeraError):  # the next release command does it
            self._client.machines.destroy(self._app, machine.id, force=True, nonce=nonce)
            self._leases.forget(machine.id)


class _Lines:
    """The log of a machine, read on from where it was."""

    def __init__(self, client: Client, app: str, machine_id: str, tell: Tell) -> None:
        self._client = client
        self._app = app
        self._machine_id = machine_id
        self._tell = tell
        self._token = ""
        self._readable = True

    def show(self, wait: int) -> bool:
        """Say what is there, or comes within `wait` seconds; return whether there was anything.

        Where the log cannot be read that is said, and nothing else of it any more.
        """
        began = time.monotonic()
        entries = self._read(wait) if self._readable else ()
        for entry in entries:
            if entry.provider == "app":
                self._tell(f"  {entry.message}")
        if wait and not entries and time.monotonic() - began < _PAUSE_S:
            time.sleep(_PAUSE_S)  # a server that does not hold requests
        return bool(entries)

    def _read(self, wait: int) -> Sequence[LogEntry]:
        try:
            page = self._client.logs.page(
                self._app, machine=self._machine_id, next_token=self._token or None, wait=wait
            )
        except EphemeraError as error:
            self._readable = False
            self._tell(f"its lines cannot be shown: {error.message}")
            return ()
        self._token = page.next_token or self._token
        return page.entries


def _how(end: ExitEvent | None) -> str:
    if end is None:
        return "could not be started"
    if end.oom_killed:
        return "ran out of memory"
    if end.signal > 0:
        return f"was ended by signal {end.signal}"
    return f"failed with exit code {end.exit_code}"
