"""The server's end of the zygote: gets it going, and gets monitors from it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ephemera.errors import DriverError
from ephemera.platform.drivers.monitoring.frames import Message, encode
from ephemera.platform.drivers.monitoring.link import Link
from ephemera.platform.drivers.monitoring.zygote import READY

L = TypeVar("L", bound=Link)

#: The folder that holds the `ephemera` package, which the zygote has to find without `site`.
_PACKAGES = Path(__file__).parents[4]
_PROGRAM = "import sys; sys.path.insert(0, {packages!r}); from {module} import main; main()"
#: Boots under way at once. More forks than this at a time are slower than a queue of them, and
#: it is well below what the zygote's socket holds, so sending to it never has to wait.
BOOTS_AT_ONCE = 32


class Nursery:
    """Starts the zygote when it is needed, and again when it was killed.

    Args:
        module: Has the `main` of the zygote.
        home: Whose it is, for those who read command lines.
        what: Who cannot start without it, for messages.
    """

    def __init__(self, module: str, home: Path, what: str) -> None:
        self._module = module
        self._home = home
        self._what = what
        #: What the zygote is told first, and descriptors that it is to have.
        self.told: Message = {}
        self.descriptors: Sequence[int] = ()
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._starting = asyncio.Lock()
        self.places = asyncio.Semaphore(BOOTS_AT_ONCE)

    async def open(self) -> None:
        """Start the zygote where there is none. Repeating is safe.

        Raises:
            DriverError: it did not come up; the message has its last words.
        """
        async with self._starting:
            if self._control is not None:
                return
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            try:
                with theirs:
                    self._zygote = self._spawn(theirs)
            except OSError as error:
                ours.close()
                raise DriverError(f"{self._what} cannot start: {error}") from error
            if not await self._is_ready(ours):
                ours.close()
                raise DriverError(f"{self._what} cannot start: {self._reap()}")
            self._control = ours

    def close(self) -> None:
        """Let the zygote end. Monitors go on. Repeating is safe."""
        if self._control is not None:
            self._control.close()
            self._control = None
            self._reap()

    async def monitor(self, make: Callable[[], L], request: Message) -> L:
        """Return a link to a new monitor, which was asked something for the first time.

        Args:
            make: Makes the link.
            request: What it is asked. It comes with the link, and does not wait for our loop.

        Raises:
            DriverError: there is no zygote, and none can be started.
        """
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise DriverError(f"no monitor can be had: {error.strerror}") from error
        try:
            ours.setblocking(False)
            with theirs:
                data = encode(request)
                rest = data[ours.send(data) :]
                await self._send(theirs)
            loop = asyncio.get_running_loop()
            transport, link = await loop.create_unix_connection(make, sock=ours)
        except BaseException:
            ours.close()
            raise
        transport.write(rest)
        return link

    async def _send(self, link: socket.socket) -> None:
        while True:
            await self.open()
            assert self._control is not None
            try:
                socket.send_fds(self._control, [b"m"], [link.fileno()])
            except (BrokenPipeError, ConnectionResetError):
                self.close()  # it was killed; the next round starts another
            else:
                return

    async def _is_ready(self, control: socket.socket) -> bool:
        """Tell a new zygote what it is to know; whether it says that it waits for links."""
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(control, encode(self.told))
            return await loop.sock_recv(control, len(READY)) == READY
        except (BrokenPipeError, ConnectionResetError):
            return False

    def _reap(self) -> str:
        """Wait for a zygote that is ending, and return what it had to say."""
        assert self._zygote is not None
        assert self._zygote.stderr is not None
        with self._zygote.stderr as words:
            said = words.read().decode(errors="replace").strip()
        self._zygote.wait()
        self._zygote = None
        return said.rpartition("\n")[2]

    def _spawn(self, control: socket.socket) -> subprocess.Popen[bytes]:
        program = _PROGRAM.format(packages=str(_PACKAGES), module=self._module)
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program, str(control.fileno()), str(self._home)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[control.fileno(), *self.descriptors],
            start_new_session=True,
            cwd="/",
            env={},  # theirs is that of the machines; the server's may hold secrets
        )
