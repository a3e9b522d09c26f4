"""How records look on the wire."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ephemera.platform import configs
from ephemera.platform.logs import timestamp
from ephemera.platform.machines.happenings import EVENTS_DEFAULT
from ephemera.platform.machines.owner import Owner
from ephemera.platform.records import AppRecord, EventRecord, LeaseRecord, MachineRecord
from ephemera.wire.models import LogEntry


def event(record: EventRecord) -> dict[str, Any]:
    """Return an event of a machine."""
    shown: dict[str, Any] = {
        "id": record.id,
        "type": record.type,
        "status": record.status,
        "source": record.source,
        "timestamp": record.timestamp,
    }
    return shown | ({"request": _shown_request(record.request)} if record.request else {})


def _shown_request(request: dict[str, Any]) -> dict[str, Any]:
    """Return what an event tells, with an exit also where the API had it in 2022.

    The deployment of the Ruby gem looks for it there, and Fly's own client looks there first.
    """
    end = request.get("exit_event")
    return request | {"MonitorEvent": {"exit_event": end}} if end else request


#: Thousands of machines run a few images, and a list shows all of them.
_image_ref = lru_cache(maxsize=1024)(configs.image_ref)


def _image(owner: Owner) -> dict[str, Any]:
    """Return the image of a machine, with the digest that was found once it has booted."""
    shown = _image_ref(owner.record.config["image"])
    found = owner.image_digest
    return {**shown, "digest": found} if found else shown


def machine(
    owner: Owner,
    private_ip: str,
    *,
    lease: LeaseRecord | None = None,
    nonce: str = "",
    summary: bool = False,
) -> dict[str, Any]:
    """Return a machine.

    Args:
        private_ip: Where its programs listen.
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
        "private_ip": private_ip,
        "image_ref": _image(owner),
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
        "cordoned": record.cordoned,
    }
    if not summary:
        shown |= {
            "config": record.config,
            "events": [event(one) for one in owner.ledger.events()[:EVENTS_DEFAULT]],
            "checks": owner.checks,
            "host_status": "ok",
        }
    if lease:
        shown["lease"] = {
            "description": lease.description,
            "expires_at": int(lease.expires_at),
            "owner": lease.owner,
        }
    return shown | ({"nonce": nonce} if nonce else {})


def overview(
    record: MachineRecord, app: AppRecord, private_ip: str, *, summary: bool
) -> dict[str, Any]:
    """Return a machine as it is in the list of an organisation.

    Args:
        app: Whose it is.
        private_ip: Where its programs listen.
        summary: Leave out the config.
    """
    shown: dict[str, Any] = {
        "id": record.id,
        "app_name": app.name,
        "name": record.name,
        "state": record.state,
        "region": record.region,
        "version": record.instance_id,
        "private_ip": private_ip,
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
    }
    if summary:
        return shown
    config = {key: record.config.get(key) for key in ("image", "guest", "metadata")}
    return shown | {"config": config | {"metadata": config["metadata"] or {}}}


def lease(record: LeaseRecord, *, with_nonce: bool) -> dict[str, Any]:
    """Return a lease in the envelope that the real API answers, and bare beside it.

    The document knows no envelope, and clients that are generated from it look for the bare form.
    """
    shown = {
        "expires_at": int(record.expires_at),
        "owner": record.owner,
        "description": record.description,
        "version": record.version,
    }
    nonce = {"nonce": record.nonce} if with_nonce else {}
    return {"status": "success", "data": nonce | shown} | nonce | shown


def log_page(entries: list[LogEntry], token: str, *, at_end: bool) -> dict[str, Any]:
    """Return log lines in the form that flyctl reads.

    Args:
        at_end: Nothing is there after them.
    """
    return {
        "data": [_log_entry(entry) for entry in entries],
        "meta": {"next_token": token, "ephemera_at_end": at_end},
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
