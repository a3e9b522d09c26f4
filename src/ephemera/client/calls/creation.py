"""Creating a machine, the one call that must never be applied twice.

A create whose answer was lost may have made a machine that runs somebody's job. So every create
carries a name, which the API keeps unique among the living machines of an app, and an id in its
metadata by which the machine can be found again. After a lost answer the exchange looks before
it sends again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from ephemera.client.call import Call, app_path, encode, reader
from ephemera.client.messages import Answer
from ephemera.wire.ids import new_machine_name, new_ulid
from ephemera.wire.models import Machine, MachineConfig

#: The metadata key that tells which create call a machine came from.
CREATE_ID = "ephemera_create_id"

_MACHINES = TypeAdapter(list[Machine] | None)


def create(
    app: str,
    *,
    config: MachineConfig | Mapping[str, Any],
    name: str | None = None,
    region: str | None = None,
    skip_launch: bool = False,
    lease_ttl: int | None = None,
) -> Call[Machine]:
    """Create a machine and return it; unless told otherwise it starts by itself.

    It is made at most once. If the answer is lost the machine is looked for, by an id in its
    metadata (`ephemera_create_id`), and the request is sent again only if it is not there.

    Args:
        config: Only `image` is required. Without a restart policy the API restarts a failing
            machine up to ten times.
        name: Unique among the app's machines that are not destroyed. One is made up where none
            is given.
        region: A region, or several in order of preference: `"ams,fra"`. The API chooses where
            none is given.
        skip_launch: Make it ready and leave it stopped.
        lease_ttl: Seconds. Take a lease on the new machine; its nonce is in the result.

    Raises:
        Conflict: a living machine has this name; `hint` tells its id where the API does.
        NoCapacity: there is no room for it in the region.
        Invalid: the config is refused.
        NotFound: there is no such app.
        NoAnswer: the answer was lost and so was the way to look. The machine may exist: look
            for it by its name before creating another.

    Source: https://fly.io/docs/machines/api/machines-resource/
    """
    fresh_id = new_ulid()
    marked, create_id = _marked(config, fresh_id)
    # The tail keeps two made-up names apart, of which there are only some millions.
    chosen = name or f"{new_machine_name()}-{fresh_id[-6:].lower()}"
    doing = f"creating machine {chosen!r} of app {app!r}"
    body = {
        "name": chosen,
        "region": region,
        "config": marked,
        "skip_launch": skip_launch or None,
        "lease_ttl": lease_ttl,
    }
    return Call(
        doing=doing,
        method="POST",
        path=app_path(app, "/machines"),
        body=encode(doing, body),
        read=reader(Machine),
        look=_look(chosen, app, create_id),
    )


def _marked(config: MachineConfig | Mapping[str, Any], fresh_id: str) -> tuple[dict[str, Any], str]:
    """Return the config with an id in its metadata, and the id: the caller's own if it has one."""
    plain = (
        config.model_dump(exclude_none=True) if isinstance(config, MachineConfig) else dict(config)
    )
    metadata = {CREATE_ID: fresh_id, **(plain.get("metadata") or {})}
    return {**plain, "metadata": metadata}, metadata[CREATE_ID]


def _look(name: str, app: str, create_id: str) -> Call[Machine | None]:
    def read(answer: Answer) -> Machine | None:
        return _ours(_MACHINES.validate_json(answer.body) or [], create_id)

    return Call(
        doing=f"looking for machine {name!r} of app {app!r}",
        method="GET",
        path=app_path(app, "/machines"),
        # A machine may have run and been destroyed before we came to look: it counts.
        query=(("include_deleted", "true"), (f"metadata.{CREATE_ID}", create_id)),
        read=read,
        repeatable=True,
    )


def _ours(machines: list[Machine], create_id: str) -> Machine | None:
    """Return the machine with this id: a living one first, then the oldest.

    The server was asked for such machines only, but not every server knows the filter.
    """
    ours = [machine for machine in machines if _create_id(machine) == create_id]
    ours.sort(key=lambda machine: (machine.state == "destroyed", machine.created_at))
    return ours[0] if ours else None


def _create_id(machine: Machine) -> str | None:
    # While a host cannot be reached the API has only the incomplete config.
    config = machine.config or machine.incomplete_config
    return (config.metadata or {}).get(CREATE_ID) if config else None
