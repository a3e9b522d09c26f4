"""Machines on the embedded platform: terminals in them, and what they left when they ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from ephemera.client.call import Call, machine_path, nothing, reader, segment
from ephemera.client.own.face import OwnFace
from ephemera.wire.own import Location, Remains

if TYPE_CHECKING:
    from ephemera.client import Client
    from ephemera.client.own.terminals import Terminal


class OwnMachines(OwnFace):
    """The platform's own endpoints for machines. Safe to use from any thread."""

    about = "sitting in a machine, or having its files,"
    instead = "there it is `fly ssh console` and `fly ssh sftp`; commands go through `machine exec`"

    def locate(self, machine_id: str) -> str:
        """Return the name of the app that a machine is of, if it is not destroyed.

        Raises:
            NotFound: there is no such machine, or it is destroyed; or this is no platform of ours.
        """
        path = "/ephemera/machines/" + segment("a machine's id", machine_id)
        call = Call(
            doing=f"looking for machine {machine_id!r}",
            method="GET",
            path=path,
            read=reader(Location),
            repeatable=True,
        )
        return self._link.run(call).app

    def remains(self, app: str, machine_id: str) -> Remains:
        """Return what can be had of a machine as it is now.

        Raises:
            NotFound: there is no such machine, or this is no platform of ours.
        """
        call = Call(
            doing=f"asking what can be had of machine {machine_id!r} of app {app!r}",
            method="GET",
            path=_path(app, machine_id),
            read=reader(Remains),
            repeatable=True,
        )
        return self._link.run(call)

    def export(self, app: str, machine_id: str) -> AbstractContextManager[Iterator[bytes]]:
        """Open a machine's file system as a tar archive, to be read block by block.

        Raises:
            WrongState: there is nothing left of it.
            Invalid: this platform's driver keeps no files.
            NoAnswer: it broke off in the middle; what was read is not a whole archive.
        """
        call = Call(
            doing=f"exporting machine {machine_id!r} of app {app!r}",
            method="GET",
            path=_path(app, machine_id, "/export"),
            read=nothing,
            repeatable=True,
        )
        return self._link.download(call)

    @asynccontextmanager
    async def terminal(
        self,
        app: str,
        machine_id: str,
        command: Sequence[str],
        *,
        rows: int = 24,
        columns: int = 80,
        look: bool = False,
    ) -> AsyncIterator[Terminal]:
        """Run a command with a terminal in a machine; leaving the block hangs up.

        Args:
            rows: 1 to 9,999.
            columns: The same.
            look: In a copy of what a stopped or failed machine left, not beside its program.

        Raises:
            WrongState: the machine does not run; or with `look`, nothing is left of it.
            Invalid: the command cannot be started, or this platform's driver has no terminals.
            Unreachable: no connection could be made.
        """
        from ephemera.client.own.terminals import connect

        self.check_ours()

        what = "looking into" if look else "opening a terminal in"
        words = [("command", word) for word in command]
        call = Call(
            doing=f"{what} machine {machine_id!r} of app {app!r}",
            method="GET",
            path=_path(app, machine_id, "/look" if look else "/terminal"),
            query=(*words, ("rows", str(rows)), ("columns", str(columns))),
            read=nothing,
        )
        terminal = await connect(self._place, call)
        try:
            yield terminal
        finally:
            await terminal.close()


def requests_of(client: Client, app: str, machine_id: str) -> int:
    """Return how many requests and connections of the proxy a machine has now.

    Raises:
        NotFound: there is no such machine, or this is no platform of ours.
    """
    call = Call(
        doing=f"asking what machine {machine_id!r} of app {app!r} has to do",
        method="GET",
        path=_path(app, machine_id),
        read=reader(Remains),
        repeatable=True,
    )
    return client.link.run(call).requests


def _path(app: str, machine_id: str, tail: str = "") -> str:
    return machine_path(app, machine_id, tail).replace("/v1/", "/ephemera/", 1)
