"""How records look on the wire."""

from __future__ import annotations

from typing import Any

from ephemera.platform import configs
from ephemera.platform.boots import LOOPBACK
from ephemera.platform.happenings import EVENTS_DEFAULT
from ephemera.platform.logs import timestamp
from ephemera.platform.machine import Owner
from ephemera.platform.records import AppRecord, EventRecord, LeaseRecord
from ephemera.wire.models import LogEntry


def app(record: AppRecord, machine_count: int) -> dict[str, Any]:
    """Return an app."""
    return {
        "id": record.id,
        "name": record.name,
        "status": "deployed" if machine_count else "pending",
        "machine_count": machine_count,
        "volume_count": 0,
        "network": record.network or "default",
        "organization": {"name": record.org_slug, "slug": record.org_slug},
    }


def event(record: EventRecord) -> dict[str, Any]:
    """Return an event of a machine."""
    shown: dict[str, Any] = {
        "id": record.id,
        "type": record.type,
        "status": record.status,
        "source": record.source,
        "timestamp": record.timestamp,
    }
    return shown | ({"request": record.request} if record.request is not None else {})


def machine(
    owner: Owner,
    *,
    lease: LeaseRecord | None = None,
    nonce: str = "",
    summary: bool = False,
) -> dict[str, Any]:
    """Return a machine.

    Args:
        lease: Shown without its nonce.
        nonce: Shown to the one who has just acquired the lease.
        summary: Leave out config, events, checks and host status, for long lists.
    """
    record = owner.record
    shown: dict[str, Any] = {
        "id": record.id,
        "name": record.name,
        "state": record.state,
        "region": record.region,
        "instance_id": record.instance_id,
        "version": record.instance_id,
        "private_ip": LOOPBACK,
        "image_ref": configs.image_ref(record.config["image"]),
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
        "cordoned": False,
    }
    if not summary:
        shown |= {
            "config": record.config,
            "events": [event(one) for one in owner.ledger.events()[:EVENTS_DEFAULT]],
            "checks": [],
            "host_status": "ok",
        }
    if lease:
        shown["lease"] = {
            "description": lease.description,
            "expires_at": lease.expires_at,
            "owner": lease.owner,
        }
    return shown | ({"nonce": nonce} if nonce else {})


def lease(record: LeaseRecord) -> dict[str, Any]:
    """Return a lease in the envelope that the real API answers and the document lacks."""
    return {
        "status": "success",
        "data": {
            "nonce": record.nonce,
            "expires_at": record.expires_at,
            "owner": record.owner,
            "description": record.description,
            "version": record.version,
        },
    }


def log_page(entries: list[LogEntry], token: str) -> dict[str, Any]:
    """Return log lines in the form that flyctl reads."""
    return {
        "data": [_log_entry(entry) for entry in entries],
        "meta": {"next_token": token},
    }


def _log_entry(entry: LogEntry) -> dict[str, Any]:
    return {
        "type": "log",
        "attributes": {
            "timestamp": entry.timestamp,
            "message": entry.message,
            "level": entry.level,
            "instance": entry.instance,
            "region": entry.region,
            "meta": {
                "instance": entry.instance,
                "region": entry.region,
                "event": {"provider": entry.provider},
            },
        },
    }
