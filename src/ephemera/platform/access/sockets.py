"""The API inside a machine: a unix socket for each, through which no token is needed.

On Fly.io it is at `/.fly/api`. A driver that gives a machine its own file system shows it the
folder that its socket is in, as `/.fly`; other programs find its path in the environment. Who
comes through it is the machine it belongs to, so only the machine may see it: the folder of all
is its owner's alone. The machine's own folder and the socket are for everybody who gets there,
since a program in a machine is another user than the platform.

A socket is there from before a boot until the machine rests or goes. Its file is put in place
all at once, and stays when the server ends: a program that comes while there is none is refused,
and tries again. The next server puts another file into the same folder.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ephemera.platform.access.principal import Principal, of_machine
from ephemera.platform.chores import Chores
from ephemera.platform.records import EventRecord, MachineRecord
from ephemera.platform.spreading import spread
from ephemera.platform.states import LIVE

_log = logging.getLogger(__name__)

#: As long as a path may be on every system: macOS has room for 103 bytes, Linux for 107.
_PATH_BYTES_MAX = 103
#: How many requests of one machine may wait until they are accepted.
_BACKLOG = 64
#: What the socket is called in its folder.
_NAME = "api"

#: From Python 3.13 on the end of a server would be that of its socket's file.
_LEAVE_SOCKET: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}

#: Makes the protocol that answers those who come through a machine's socket.
Serve = Callable[[Principal], asyncio.BaseProtocol]


@dataclass(slots=True, eq=False)
class _Socket:
    """The socket of a machine."""

    machine: Principal
    listener: socket.socket
    #: What accepts those who come, where somebody answers them.
    server: asyncio.Server | None = None

    async def accept(self, serve: Serve) -> None:
        """Have those who come answered, unless it has been closed."""
        if self.listener.fileno() < 0:
            return
        loop = asyncio.get_running_loop()
        self.server = await loop.create_unix_server(
            lambda: serve(self.machine), sock=self.listener, **_LEAVE_SOCKET
        )
        if self.listener.fileno() < 0:
            self.server.close()

    def close(self) -> None:
        """Accept nobody any more."""
        if self.server:
            self.server.close()
        self.listener.close()


class Sockets:
    """The sockets of all machines of one platform.

    Args:
        folder: Where they are; made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._serve: Serve | None = None
        self._open: dict[str, _Socket] = {}
        self._chores = Chores("the API sockets of machines")

    def path(self, machine_id: str) -> str:
        """Return where a machine's socket is; empty where no program could connect to it."""
        path = f"{self._folder}/{machine_id}/{_NAME}"
        return path if len(os.fsencode(path)) <= _PATH_BYTES_MAX else ""

    def open(self, records: Iterable[MachineRecord]) -> None:
        """Begin, with the machines that are up: what others left behind is removed."""
        up = {record.id: record for record in records if record.state in LIVE}
        if not self.path("f" * 14):
            _log.warning("machines have no API socket: the path %s is too long", self._folder)
        if os.path.exists(self._folder):
            spread(Path(self._folder))
            for left in os.listdir(self._folder):
                path = f"{self._folder}/{left}"
                if left not in up or not os.path.isdir(path):
                    _remove(path)
        for record in up.values():
            self.moved(record)

    def moved(self, record: MachineRecord, _happened: Sequence[EventRecord] = ()) -> None:
        """Have a socket for a machine that is up, and none for one that rests or goes."""
        if record.state not in LIVE:
            self._close(record.id)
        elif record.id not in self._open and (path := self.path(record.id)):
            self._listen(record, path)

    def serve(self, serve: Serve) -> None:
        """Answer those who come; those who came before wait until now."""
        self._serve = serve
        for one in self._open.values():
            self._chores.begin(one.accept(serve))

    async def stop(self) -> None:
        """Stop answering. The files stay, for the server that comes next."""
        self._serve = None
        await self._chores.finish()
        for one in self._open.values():
            one.close()
        self._open.clear()

    def _listen(self, record: MachineRecord, path: str) -> None:
        try:
            listener = self._bound(path)
        except OSError as error:  # the machine can do without it
            _log.error("machine %s has no API socket: %s", record.id, error)
            return
        one = self._open[record.id] = _Socket(of_machine(record.id, record.app_id), listener)
        if self._serve:
            self._chores.begin(one.accept(self._serve))

    def _close(self, machine_id: str) -> None:
        one = self._open.pop(machine_id, None)
        if one:
            one.close()
            try:
                _remove(f"{self._folder}/{machine_id}")
            except OSError as error:  # the next server does
                _log.warning(
                    "the API socket of machine %s cannot be removed: %s", machine_id, error
                )

    def _bound(self, path: str) -> socket.socket:
        try:
            return _bound(path)
        except FileNotFoundError:  # the first of all
            os.mkdir(self._folder, 0o700)
            spread(Path(self._folder))
            return _bound(path)


def _bound(path: str) -> socket.socket:
    """Return a listening socket at a path, in the place of any that was there."""
    folder, fresh = os.path.dirname(path), path
    try:
        os.mkdir(folder)
    except FileExistsError:  # and with it perhaps one that a program connects to
        fresh = f"{folder}/new"
        with suppress(FileNotFoundError):
            os.unlink(fresh)
    os.chmod(folder, 0o755)  # noqa: S103 - who gets there may enter it
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.bind(fresh)
        os.chmod(fresh, 0o666)  # noqa: S103 - and ask
        listener.listen(_BACKLOG)
        if fresh != path:
            os.rename(fresh, path)
    except OSError:
        listener.close()
        raise
    return listener


def _remove(left: str) -> None:
    """Remove the folder of a machine, or what else is in its place."""
    try:
        with suppress(FileNotFoundError):
            os.unlink(f"{left}/{_NAME}")
        os.rmdir(left)  # most often nothing else is in it
    except NotADirectoryError:
        os.unlink(left)
    except FileNotFoundError:
        pass
    except OSError:
        shutil.rmtree(left)
