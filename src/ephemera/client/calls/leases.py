"""Leases: the right to be the only one who changes a machine, for a while."""

from __future__ import annotations

from ephemera.client.call import Call, encode, machine_path, nothing, with_nonce
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
        read=_read,
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
        read=_read,
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


def _path(app: str, machine_id: str) -> str:
    return machine_path(app, machine_id, "/lease")


class _Envelope(Wire):
    data: Lease | None = None


def _read(answer: Answer) -> Lease:
    """Read a lease, bare as in the specification or in the envelope of the real API."""
    enveloped = _Envelope.model_validate_json(answer.body).data
    return enveloped or Lease.model_validate_json(answer.body)
