"""How secrets and secret keys look on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ephemera.platform.logs import timestamp
from ephemera.platform.secrets.records import KeyRecord, SecretRecord
from ephemera.wire.golang import to_base64


def versioned(version: int) -> dict[str, Any]:
    """Return the app's version, under its name and under the older one."""
    return {"version": version, "Version": version}


def secret(record: SecretRecord, value: str | None = None) -> dict[str, Any]:
    """Return a secret, with its value only where that is given."""
    shown = {
        "name": record.name,
        "digest": record.digest,
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
    }
    return shown if value is None else shown | {"value": value}


def secrets(
    records: Iterable[SecretRecord], value_of: Callable[[SecretRecord], str] | None = None
) -> dict[str, Any]:
    """Return secrets, with their values only where `value_of` knows them."""
    return {"secrets": [secret(one, value_of(one) if value_of else None) for one in records]}


def key(record: KeyRecord) -> dict[str, Any]:
    """Return a secret key, of which the private part is not shown to anybody."""
    shown = {
        "name": record.name,
        "type": record.type,
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
    }
    return shown | ({"public_key": to_base64(record.public_key)} if record.public_key else {})
