"""What has to be there before machines: the app, regions, and on Fly.io addresses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ephemera.client import Client
from ephemera.deploy.flytoml import FlyToml
from ephemera.deploy.release.telling import Tell
from ephemera.errors import ConfigError, Conflict, NotFound
from ephemera.wire.addresses import IpType

#: What a new web app on Fly.io is reached at: both cost nothing.
_ADDRESSES: tuple[IpType, ...] = ("shared_v4", "v6")


def have_app(client: Client, app: str, org: str, tell: Tell) -> None:
    """Have the app there. Repeating is safe.

    Raises:
        Unauthorized: the name belongs to somebody else.
    """
    try:
        client.apps.get(app)
    except NotFound:
        with suppress(Conflict):  # somebody else has made it just now
            client.apps.create(app, org_slug=org)
            tell(f"created app {app}")


def regions(
    client: Client, asked: Sequence[str], primary: str | None, tell: Tell
) -> tuple[str | None, ...]:
    """Return the regions in which new machines are made, in turn; None leaves it to the API.

    A platform on this computer has regions of its own. What the `fly.toml` says is for Fly.io
    then, and no mistake.

    Raises:
        ConfigError: one that was asked for is not there.
    """
    if not asked and not primary:
        return (None,)
    there = {one.code for one in client.platform.regions().regions}
    unknown = [one for one in asked if one not in there]
    if unknown:
        raise ConfigError(
            f"there is no region '{unknown[0]}'", hint=f"there are: {', '.join(sorted(there))}"
        )
    if asked:
        return tuple(asked)
    if primary in there:
        return (primary,)
    tell(f"region {primary} of the fly.toml is not here: machines are made in any")
    return (None,)


def have_addresses(client: Client, app: str, toml: FlyToml, tell: Tell) -> None:
    """Have a web app on Fly.io reached from outside. Repeating is safe."""
    offers = any(toml.services_of(group) for group in toml.groups())
    if not client.link.place.fly or not offers or client.ips.list(app):
        return
    for kind in _ADDRESSES:
        assigned = client.ips.assign(app, kind)
        tell(f"assigned address {assigned.ip}")
