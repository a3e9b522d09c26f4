"""Creating a machine, the one call that must never be applied twice.

A create whose answer was lost may have made a machine that runs somebody's job. So every create
carries a name, which the API keeps unique among the living machines of an app, and an id in its
metadata by which the machine can be found again. After a lost answer the exchange looks before
it sends again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ephemera.client.call import Call, app_path, encode, lister, reader
from ephemera.client.given import mapping, texts
from ephemera.client.messages import Answer
from ephemera.errors import ConfigError
from ephemera.wire.ids import new_machine_name, new_ulid
from ephemera.wire.models import Machine, MachineConfig

#: The metadata key that tells which create call a machine came from.
CREATE_ID = "ephemera_create_id"

_read_all = lister(Machine)


def create(
    app: str,
    *,
    config: MachineConfig | Mapping[str, Any],
    name: str | None = None,
    region: str | Sequence[str] | None = None,
    skip_launch: bool = False,
    skip_service_registration: bool = False,
    skip_secrets: bool = False,
    min_secrets_version: int | None = None,
    lease_ttl: int | None = None,
) -> Call[Machine]:
    """Create a machine and return it; unless told otherwise it starts by itself.

    It is made at most once. If the answer is lost the machine is looked for, by an id in its
    metadata (`ephemera_create_id`), and the request is sent again only if it is not there. The
    id is new each time, whatever the config says.

    Args:
        config: Only `image` is required. Without a restart policy the API restarts a failing
            machine up to ten times.
        name: Unique among the app's machines that are not destroyed. One is made up where none
            is given.
        region: Where it is to run; the API chooses where none is given. Of a list, such as
            `["ams", "fra"]`, each is tried in turn while there is no room. In one text,
            `"ams,fra"`, they are left to the API to choose from.
        skip_launch: Make it ready and leave it stopped.
        skip_service_registration: Keep the proxy from it until it is uncordoned.
        skip_secrets: Without the app's secrets.
        min_secrets_version: Of what a change of secrets has returned: with that one, or newer.
        lease_ttl: Seconds. Take a lease on the new machine; its nonce is in the result.

    Raises:
        Conflict: a living machine has this name; `hint` tells its id where the API does.
        NoCapacity: there is no room for it in the region, or in none of several; then the
            message has the answer of each.
        Invalid: the config is refused.
        NotFound: there is no such app.
        NoAnswer: the answer was lost and so was the way to look. The machine may exist: look
            for it by its name before creating another.

    Source: https://fly.io/docs/machines/api/machines-resource/
    """
    fresh_id = new_ulid()
    marked = _marked(config, fresh_id)
    # The tail keeps two made-up names apart, of which there are only some millions.
    chosen = name or f"{new_machine_name()}-{fresh_id[-6:].lower()}"
    body = {
        "name": chosen,
        "config": marked,
        "skip_launch": skip_launch or None,
        "skip_service_registration": skip_service_registration or None,
        "skip_secrets": skip_secrets or None,
        "min_secrets_version": min_secrets_version,
        "lease_ttl": lease_ttl,
    }
    path = app_path(app, "/machines")
    look = _look(chosen, app, path, fresh_id)
    wanted = [{**body, "region": one} for one in _regions(region)]
    first, *others = [_create(app, path, one, look) for one in wanted]
    return replace(first, elsewhere=tuple(others)) if others else first


def _regions(region: str | Sequence[str] | None) -> Sequence[str | None]:
    """Return the regions to try, in turn; None leaves it to the API.

    Raises:
        ConfigError: there is nothing in the list, or an empty text.
    """
    regions = (None,) if region is None else texts("a region", region)
    if not regions or "" in regions:
        raise ConfigError(f"{region!r} names no region", hint="leave it out where any will do")
    return regions


def _create(
    app: str, path: str, body: Mapping[str, Any], look: Call[Machine | None]
) -> Call[Machine]:
    place = f" in {body['region']}" if body["region"] else ""
    doing = f"creating machine {body['name']!r} of app {app!r}{place}"
    return Call(
        doing=doing,
        method="POST",
        path=path,
        body=encode(doing, body),
        read=reader(Machine),
        look=look,
    )


def _marked(config: MachineConfig | Mapping[str, Any], fresh_id: str) -> dict[str, Any]:
    """Return the config with an id in its metadata, instead of that of a machine it came from."""
    plain = (
        config.model_dump(exclude_none=True)
        if isinstance(config, MachineConfig)
        else mapping("a config", config)
    )
    metadata = mapping("a config's metadata", plain.get("metadata") or {})
    return {**plain, "metadata": {**metadata, CREATE_ID: fresh_id}}


def _look(name: str, app: str, path: str, create_id: str) -> Call[Machine | None]:
    def read(answer: Answer) -> Machine | None:
        return _ours(_read_all(answer), create_id)

    return Call(
        doing=f"looking for machine {name!r} of app {app!r}",
        method="GET",
        path=path,
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
