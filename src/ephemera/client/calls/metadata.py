"""A machine's metadata: keys and values that can be changed without making a new version."""

from __future__ import annotations

from pydantic import TypeAdapter

from ephemera.client.call import Call, encode, machine_path, nothing, segment
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


def set_metadata(app: str, machine_id: str, key: str, value: str) -> Call[None]:
    """Set one value. Safe to repeat; needs no lease."""
    doing = f"setting metadata {key!r} of machine {machine_id!r} of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=_key_path(app, machine_id, key),
        body=encode(doing, {"value": value}),
        read=nothing,
        repeatable=True,
    )


def delete_metadata(app: str, machine_id: str, key: str) -> Call[None]:
    """Remove one key. Safe to repeat; needs no lease."""
    return Call(
        doing=f"removing metadata {key!r} of machine {machine_id!r} of app {app!r}",
        method="DELETE",
        path=_key_path(app, machine_id, key),
        read=nothing,
        repeatable=True,
    )


def _key_path(app: str, machine_id: str, key: str) -> str:
    return machine_path(app, machine_id, "/metadata/" + segment("a metadata key", key))
