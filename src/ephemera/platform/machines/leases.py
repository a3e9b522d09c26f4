"""Leases: the right to be the only one who changes a machine, for a while."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from ephemera.platform import refusals
from ephemera.platform.records import LeaseRecord, MachineRecord
from ephemera.platform.store import Store

#: Longer is refused: a lease that nobody can release would lock a machine for good.
TTL_MAX_S = 24 * 3600
DEFAULT_TTL_S = 3600


class Leases:
    """Who holds which machine. Expired leases are as good as none."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._held = {lease.machine_id: lease for lease in store.leases()}

    def held(self, machine_id: str) -> LeaseRecord | None:
        """Return the lease of a machine, if it has one that has not expired."""
        lease = self._held.get(machine_id)
        return lease if lease and lease.expires_at > self._clock() else None

    def new(self, machine_id: str, version: str, ttl: int, owner: str) -> LeaseRecord:
        """Return a lease that is not written down yet.

        It ends after exactly `ttl` seconds: at a whole second, one of a second might be over at
        once.

        Raises:
            Refusal: the time to live is not one.
        """
        check_ttl(ttl)
        expires_at = self._clock() + ttl
        return LeaseRecord(machine_id, secrets.token_hex(6), owner, "", expires_at, version)

    def remember(self, lease: LeaseRecord) -> None:
        """Hold a lease that the store has already."""
        self._held[lease.machine_id] = lease

    def acquire(
        self, machine: MachineRecord, *, ttl: int, description: str, owner: str, nonce: str
    ) -> LeaseRecord:
        """Give the lease to a caller, or more time to the one who shows its nonce.

        Whoever took it stays its owner, also where somebody else was given the nonce.

        Raises:
            LeaseRefusal: somebody else holds it.
        """
        held = self.held(machine.id)
        if held and held.nonce != nonce:
            raise refusals.lease_conflict(machine.id, held.owner, held.expires_at)
        fresh = self.new(machine.id, machine.instance_id, ttl, owner)
        lease = LeaseRecord(
            machine.id,
            held.nonce if held else fresh.nonce,
            held.owner if held else owner,
            description or (held.description if held else ""),
            fresh.expires_at,
            machine.instance_id,
        )
        self._store.put_lease(lease)
        self.remember(lease)
        return lease

    def release(self, machine_id: str, nonce: str) -> None:
        """Give the lease back.

        Raises:
            Refusal: there is none, or the nonce is another's.
        """
        held = self.held(machine_id)
        if held is None:
            raise refusals.lease_not_found()
        if held.nonce != nonce:
            raise refusals.invalid("fly-machine-lease-nonce is missing, or not that of the lease")
        self.drop(machine_id)

    def drop(self, machine_id: str) -> None:
        """Forget the lease of a machine, expired or not. Repeating is safe."""
        if self._held.pop(machine_id, None):
            self._store.drop_lease(machine_id)

    def check(self, machine_id: str, nonce: str) -> None:
        """Let a write pass that nobody holds a lease against.

        Raises:
            Refusal: somebody does, and `nonce` is not theirs.
        """
        held = self.held(machine_id)
        if held and held.nonce != nonce:
            raise refusals.lease_held(machine_id, held.owner, held.expires_at)


def check_ttl(ttl: int) -> None:
    """Let a time to live pass that a lease may have; seconds.

    Raises:
        Refusal: it is none.
    """
    if not 0 < ttl <= TTL_MAX_S:
        raise refusals.invalid(f"lease ttl {ttl} is not from 1 to {TTL_MAX_S} seconds")
