"""What has to be there before a machine that somebody wishes for can be made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ephemera.cli.screen import note
from ephemera.cli.wishes import Wish, mount
from ephemera.errors import Conflict, NotFound

if TYPE_CHECKING:
    from ephemera.client import AsyncClient


async def prepared(client: AsyncClient, app: str, wish: Wish, volume: str | None) -> dict[str, Any]:
    """Return the config of a machine, and have its app there, made if need be.

    Raises:
        ConfigError: the app has no such volume that is free.
        NotFound: there is no such app, on Fly.io.
    """
    try:
        await client.apps.get(app)
    except NotFound:
        if not client.local:
            raise
        try:
            await client.apps.create(app)
            note(f"created app {app}")
        except Conflict:
            pass  # somebody else has made it just now
    config = wish.config()
    if volume is not None:
        volumes = await client.volumes.list(app)
        config["mounts"] = [mount(volume, lambda: volumes)]
    return config
