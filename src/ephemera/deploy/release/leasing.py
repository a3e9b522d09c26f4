"""One release of an app at a time: whoever makes it holds the leases of all its machines.

A lease is short and refreshed all the while, as in Fly's client, so that a release whose process
was killed is in nobody's way for longer than some seconds. Where an app has no machines yet, the
name of the first one is what two who deploy at once cannot both have.
"""

from __future__ import annotations

import getpass
import platform
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from ephemera.client import Client
from ephemera.deploy.release import labels
from ephemera.deploy.release.patience import PAUSES_S, passes
from ephemera.errors import AppBusy, Conflict, EphemeraError, NotFound, WrongState
from ephemera.wire.models import Lease, LeaseSummary, Machine

#: Fly's own client takes leases of 13 s and refreshes them every 4.
TTL_S = 13
_REFRESH_EVERY_S = 4.0
#: How often the machines may turn out to be others than those that were leased.
_ROUNDS_MAX = 5


class Leases:
    """The leases of an app's machines, held until the end of a `with`. Safe from any thread.

    Args:
        what: What is being done, for whoever finds the machines leased.
    """

    def __init__(self, client: Client, app: str, what: str) -> None:
        self._client = client
        self._app = app
        self._nonces: dict[str, str] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="ephemera-leases", daemon=True)
        self._description = f"{what} by {_who()} since {_now()}"

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._over.set()
        self._keeper.join()
        for machine_id in list(self._nonces):
            self.release(machine_id)

    def take_all(self) -> list[Machine]:
        """Lease all machines that the app's releases are made of, and return these machines.

        Raises:
            AppBusy: somebody else holds one of them; none is held then.
            NotFound: there is no such app.
        """
        for _ in range(_ROUNDS_MAX):
            found = labels.managed(self._client.machines.list(self._app))
            if {one.id for one in found} == set(self._nonces):
                return found
            self._take(found)
        raise AppBusy(
            f"the machines of app '{self._app}' change faster than they can be leased",
            hint="somebody else is making or destroying them; try again",
        )

    def born(self, machine: Machine) -> None:
        """Hold the lease that a machine was created with.

        Where the answer to the create was lost, and its nonce with it, another one is taken.
        """
        nonce = machine.nonce
        with suppress(EphemeraError):  # then the calls that show no nonce tell whose it is
            nonce = nonce or self._acquire(machine.id, doubt=True).nonce
        if nonce:
            with self._lock:
                self._nonces[machine.id] = nonce

    def nonce(self, machine_id: str) -> str | None:
        """Return what shows that a machine is ours; None for one that is not leased."""
        return self._nonces.get(machine_id)

    def release(self, machine_id: str) -> None:
        """Give a lease back, or forget it with its machine. Repeating is safe."""
        with self._lock:
            nonce = self._nonces.pop(machine_id, None)
        if nonce is not None:
            with suppress(EphemeraError):  # it ends by itself soon
                self._client.leases.release(self._app, machine_id, nonce)

    def forget(self, machine_id: str) -> None:
        """Hold the lease of a machine no more that is gone. Repeating is safe."""
        with self._lock:
            self._nonces.pop(machine_id, None)

    def _take(self, machines: Sequence[Machine]) -> None:
        there = {one.id for one in machines}
        for gone in set(self._nonces) - there:
            self.forget(gone)
        for machine_id in sorted(there - set(self._nonces)):
            try:
                lease = self._acquire(machine_id)
            except (NotFound, WrongState):
                continue  # it is gone, as the next look will tell
            except Conflict as error:
                for taken in list(self._nonces):
                    self.release(taken)
                raise self._busy(machine_id) from error
            with self._lock:
                self._nonces[machine_id] = lease.nonce

    def _acquire(self, machine_id: str, *, doubt: bool = False) -> Lease:
        """Take a lease.

        Args:
            doubt: Whether it may be held for us already, with a nonce that nobody knows. It ends
                by itself then, soon.
        """
        for pause_s in PAUSES_S:
            try:
                return self._take_one(machine_id)
            except Conflict:
                if not doubt:
                    raise
            except EphemeraError as error:
                if not passes(error):
                    raise
                doubt = True
            time.sleep(pause_s)
        return self._take_one(machine_id)

    def _take_one(self, machine_id: str) -> Lease:
        return self._client.leases.acquire(
            self._app, machine_id, ttl=TTL_S, description=self._description
        )

    def _busy(self, machine_id: str) -> AppBusy:
        machine, held = self._holder(machine_id)
        said = held.description or f"a lease of {held.owner or 'somebody'}"
        until = time.strftime("%H:%M:%S", time.localtime(held.expires_at or time.time()))
        return AppBusy(
            f"app '{self._app}' is busy with {said}: it holds the lease of machine {machine}",
            hint="wait for it with --wait. If it was killed, its lease ends by itself"
            f" ({until}), and the next deploy puts right what it left",
        )

    def _holder(self, machine_id: str) -> tuple[str, LeaseSummary]:
        """Return a lease that is held, and of which machine.

        Best one that says what for: a machine is born with a lease that does not.
        """
        found: list[Machine] = []
        with suppress(EphemeraError):  # this is for the message only
            found = self._client.machines.list(self._app, include_leases=True)
        held = [(one.id, one.lease) for one in labels.managed(found) if one.lease]
        held.sort(key=lambda pair: not pair[1].description)
        return held[0] if held else (machine_id, LeaseSummary())

    def _keep(self) -> None:
        while not self._over.wait(_REFRESH_EVERY_S):
            with self._lock:
                held = dict(self._nonces)
            for machine_id, nonce in held.items():
                # Whoever lost it is told by the calls that show the nonce.
                with suppress(EphemeraError):
                    self._client.leases.refresh(self._app, machine_id, nonce, ttl=TTL_S)


def _who() -> str:
    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (KeyError, OSError):  # a user without a name
        return platform.node()


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
