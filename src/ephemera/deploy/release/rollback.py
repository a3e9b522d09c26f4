"""Which release to go back to."""

from __future__ import annotations

from collections.abc import Sequence

from ephemera.client import Client
from ephemera.deploy.release import history, labels, restarting
from ephemera.deploy.release.history import Release
from ephemera.errors import ConfigError


def earlier(client: Client, app: str, version: int | None) -> Release:
    """Return the release of a version; else the last one that succeeded before that of now.

    Raises:
        ConfigError: there is no such release.
        NotFound: there is no such app.
    """
    machines = labels.there(client.machines.list(app))
    known = history.read(machines)
    found = chosen(app, known, restarting.current(machines).version, version)
    if found.place and client.local and not found.place.is_there:
        raise ConfigError(
            f"what release v{found.version} of app '{app}' was built to is gone",
            hint="the last ten builds are kept; go to its source, and deploy that",
        )
    return found


def chosen(app: str, known: Sequence[Release], now: int, version: int | None) -> Release:
    """Return the release to go back to, of those that are known.

    Args:
        now: The version of the release that runs.
        version: The one that is asked for, or None.

    Raises:
        ConfigError: there is none.
    """
    image_now = next((one.image_of() for one in known if one.version == now), None)
    for one in known:
        if one.version == version:
            return one
        other = one.version < now and one.image_of() != image_now
        if version is None and one.status == "succeeded" and other:
            return one
    which = f"release v{version}" if version else "release with another image"
    raise ConfigError(
        f"app '{app}' has no {which} to go back to",
        hint=f"`ephemera releases -a {app}` lists the last ones",
    )
