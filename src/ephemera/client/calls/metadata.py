"""A machine's metadata: keys and values that can be changed without making a new version."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter

from ephemera.client.call import Call, encode, machine_path, nothing, segment
from ephemera.client.given import mapping
from ephemera.client.messages import Answer
from ephemera.wire.models import Wire

_STRINGS = TypeAdapter(dict[str, str] | None)


class _Value(Wire):
    value: str


def metadata(app: str, machine_id: str) -> Call[dict[str, str]]:
    """Return all metadata of a machine."""

    def read(answer: Answer) -> dict[str, str]:
        return _STRINGS.validate_json(answer.body) or {}

    return Call(
        doing=f"getting the metadata of machine {machine_id!r} of app {app!r}",
        method="GET",
        path=machine_path(app, machine_id, "/metadata"),
        read=read,
        repeatable=True,
    )


def get_metadata(app: str, machine_id: str, key: str) -> Call[str]:
    """Return one value.

    Raises:
        NotFound: there is no such key, machine or app.
    """

    def read(answer: Answer) -> str:
        return _Value.model_validate_json(answer.body).value

    return Call(
        doing=f"getting metadata {key!r} of machine {machine_id!r} of app {app!r}",
        method="GET",
        path=_key_path(app, machine_id, key),
        read=read,
        repeatable=True,
    )


def set_metadata(
    app: str, machine_id: str, key: str, value: str, *, updated_at: str | None = None
) -> Call[None]:
    """Set one value. Safe to repeat; needs no lease.

    Args:
        updated_at: When it came to be so (RFC 3339), where that is not now.
    """
    doing = f"setting metadata {key!r} of machine {machine_id!r} of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=_key_path(app, machine_id, key),
        body=encode(doing, {"value": value, "updated_at": updated_at}),
        read=nothing,
        repeatable=True,
    )


def update_metadata(
    app: str,
    machine_id: str,
    metadata: Mapping[str, str | None],
    *,
    machine_version: str | None = None,
    updated_at: str | None = None,
) -> Call[None]:
    """Set and remove several values at once. Safe to repeat; needs no lease.

    Args:
        metadata: By key; None or an empty text removes one. Other keys stay as they are.
        machine_version: Only if this is the machine's `instance_id`.
        updated_at: As for `set_metadata`.

    Raises:
        WrongState: the machine has another version.
    """
    return _write(app, machine_id, "PATCH", metadata, machine_version, updated_at)


def replace_metadata(
    app: str,
    machine_id: str,
    metadata: Mapping[str, str],
    *,
    machine_version: str | None = None,
    updated_at: str | None = None,
) -> Call[None]:
    """Set all metadata: what is not in it is removed. Safe to repeat; needs no lease.

    Args:
        machine_version: As for `update_metadata`.
        updated_at: As for `set_metadata`.

    Raises:
        WrongState: the machine has another version.
    """
    return _write(app, machine_id, "PUT", metadata, machine_version, updated_at)


def delete_metadata(app: str, machine_id: str, key: str) -> Call[None]:
    """Remove one key. Safe to repeat; needs no lease."""
    return Call(
        doing=f"removing metadata {key!r} of machine {machine_id!r} of app {app!r}",
        method="DELETE",
        path=_key_path(app, machine_id, key),
        read=nothing,
        repeatable=True,
    )


def _write(
    app: str,
    machine_id: str,
    method: str,
    metadata: Mapping[str, str | None],
    machine_version: str | None,
    updated_at: str | None,
) -> Call[None]:
    doing = f"changing the metadata of machine {machine_id!r} of app {app!r}"
    body = {
        "metadata": mapping("metadata", metadata),
        "machine_version": machine_version,
        "updated_at": updated_at,
    }
    return Call(
        doing=doing,
        method=method,
        path=machine_path(app, machine_id, "/metadata"),
        body=encode(doing, body),
        read=nothing,
        repeatable=True,
    )


def _key_path(app: str, machine_id: str, key: str) -> str:
    return machine_path(app, machine_id, "/metadata/" + segment("a metadata key", key))
