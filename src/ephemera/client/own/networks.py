"""Private networks on the embedded platform, and where its machines reach this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ephemera.client.call import Call, app_path, encode, reader
from ephemera.client.own.face import OwnFace
from ephemera.wire.own import AppNetwork, Reach

if TYPE_CHECKING:
    from ephemera.client import AsyncClient


class OwnNetworks(OwnFace):
    """The platform's own endpoints for networks. Safe to use from any thread."""

    about = "looking into private networks, and closing them,"
    instead = "`--network NAME` of `ephemera apps create` gives an app a network of its own there"

    def get(self, app: str) -> AppNetwork:
        """Return the private network of an app.

        Raises:
            NotFound: there is no such app, or this is no platform of ours.
        """
        return self._link.run(
            Call(
                doing=f"reading the network of app {app!r}",
                method="GET",
                path=_path(app),
                read=reader(AppNetwork),
                repeatable=True,
            )
        )

    def set_outside(self, app: str, *, outside: bool) -> AppNetwork:
        """Let the machines of an app's network reach the world outside, or not; return it.

        It is so at once, for machines that run and connections that are open too. Apps that
        share a network share this.

        Raises:
            Invalid: this platform's driver has no private networks.
            NotFound: there is no such app, or this is no platform of ours.
        """
        doing = f"changing the network of app {app!r}"
        return self._link.run(
            Call(
                doing=doing,
                method="PUT",
                path=_path(app),
                body=encode(doing, {"outside": outside}),
                read=reader(AppNetwork),
                repeatable=True,
            )
        )


async def reach(client: AsyncClient) -> str:
    """Return the address at which the machines of a platform reach the computer it is on.

    Raises:
        NotFound: this is no platform of ours.
    """
    call = Call(
        doing="asking where machines reach this computer",
        method="GET",
        path="/ephemera/reach",
        read=reader(Reach),
        repeatable=True,
    )
    return (await client.link.run(call)).host


def _path(app: str) -> str:
    return app_path(app, "/network").replace("/v1/", "/ephemera/", 1)
