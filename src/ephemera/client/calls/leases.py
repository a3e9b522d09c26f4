"""Leases: the right to be the only one who changes a machine, for a while."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter

from ephemera.client.call import Call, encode, machine_path, nothing, with_nonce
from ephemera.client.given import seconds
from ephemera.client.holding import REFRESHES_PER_TTL, Holding
from ephemera.client.messages import Answer
from ephemera.wire.models import Lease, Wire


def acquire(app: str, machine_id: str, *, ttl: int, description: str = "") -> Call[Lease]:
    """Take a machine's lease; pass its `nonce` to the calls that change the machine.

    Args:
        ttl: Seconds until it expires by itself. Fly's own tool takes 13 and refreshes every 4.
        description: Shown to whoever finds the machine leased.

    Raises:
        Conflict: somebody holds it.
        NoAnswer: it may be ours with a nonce that nobody knows; it is free again after `ttl`.

    Source: https://fly.io/docs/machines/api/machines-resource/
    """
    doing = f"leasing machine {machine_id!r} of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=_path(app, machine_id),
        body=encode(doing, {"ttl": ttl, "description": description or None}),
        read=_read_ours,
    )


def get(app: str, machine_id: str) -> Call[Lease]:
    """Return a machine's lease.

    Raises:
        NotFound: nobody holds it, or there is no such machine.
    """
    return Call(
        doing=f"getting the lease of machine {machine_id!r} of app {app!r}",
        method="GET",
        path=_path(app, machine_id),
        read=_read,
        repeatable=True,
    )


def refresh(app: str, machine_id: str, nonce: str, *, ttl: int) -> Call[Lease]:
    """Hold a lease for longer: `ttl` seconds from now. Safe to repeat.

    If it expired and nobody holds it, some servers give a new one, with another `nonce`.

    Raises:
        Conflict: it expired and somebody else holds it.
    """
    doing = f"refreshing the lease of machine {machine_id!r} of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=_path(app, machine_id),
        headers=with_nonce(nonce),
        body=encode(doing, {"ttl": ttl}),
        read=_read_ours,
        repeatable=True,
    )


def release(app: str, machine_id: str, nonce: str) -> Call[None]:
    """Give a lease back. Safe to repeat.

    Raises:
        NotFound: it has expired already, or there is no such machine.
    """
    return Call(
        doing=f"releasing the lease of machine {machine_id!r} of app {app!r}",
        method="DELETE",
        path=_path(app, machine_id),
        headers=with_nonce(nonce),
        read=nothing,
        repeatable=True,
    )


def hold(app: str, machine_id: str, *, ttl: int = 13, description: str = "") -> Holding:
    """Hold a machine's lease for the length of a `with`, which is given the lease.

    It is refreshed all the while and given back at the end, whatever happens. Should it be lost
    nevertheless, and be somebody else's, the calls that pass its `nonce` raise `Conflict`.

    Args:
        ttl: Seconds that others have to wait if this process dies. It is refreshed three times
            as often.
        description: Shown to whoever finds the machine leased.

    Raises:
        Conflict: somebody holds it.
        NoAnswer: it may be ours with a nonce that nobody knows; it is free again after `ttl`.
    """
    return Holding(
        acquire=acquire(app, machine_id, ttl=ttl, description=description),
        refresh=partial(refresh, app, machine_id, ttl=ttl),
        release=partial(release, app, machine_id),
        refresh_every_s=seconds("a lease's ttl", ttl, least=1) / REFRESHES_PER_TTL,
    )


def _path(app: str, machine_id: str) -> str:
    return machine_path(app, machine_id, "/lease")


_NONCE = TypeAdapter(Annotated[str, StringConstraints(min_length=1)])


class _Envelope(Wire):
    data: Lease | None = None


def _read(answer: Answer) -> Lease:
    """Read a lease, bare as in the specification or in the envelope of the real API."""
    enveloped = _Envelope.model_validate_json(answer.body).data
    return enveloped or Lease.model_validate_json(answer.body)


def _read_ours(answer: Answer) -> Lease:
    """Read a lease that is ours: it is of no use without its nonce."""
    lease = _read(answer)
    _NONCE.validate_python(lease.nonce)
    return lease
