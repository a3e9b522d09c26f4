"""A driver whose machines are a script: for tests of everything above drivers.

It keeps every promise of `drivers/base.py` without starting a process. What a machine does is
its command:

| Command                   | What the machine does                                               |
|---------------------------|---------------------------------------------------------------------|
| `["exit", "3"]`           | is started and ends at once with that exit code (0 where none)      |
| `["run"]`                 | runs until a signal ends it, with 128 + its number                  |
| `["ignore-term"]`         | the same, but only SIGKILL ends it                                  |
| `["print", "a", "b"]`     | writes these lines to its log and ends with 0                       |
| `["oom"]`                 | runs out of memory: exit code 137, signal 9, `oom_killed`           |
| `["lose"]`                | runs, and its end is seen by nobody: exit code -1                   |
| `["fail-boot", "why"]`    | cannot be started: `BootFailed`                                     |
| `["no-image"]`            | cannot be started: `ImageUnavailable`                               |
| anything else             | cannot be started: `BootFailed`, as for a command that is not found |

`exec` knows `exit`, `print` (to its standard output), `run` (which ends by its timeout) and
`cat` (prints its standard input); anything else is not found.

What it holds lives as long as the object: to play a restart of the server, close it and open it
again, from another event loop if need be.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ephemera.errors import BootFailed, ImageUnavailable
from ephemera.platform import logfile
from ephemera.platform.drivers.base import BootSpec, Capabilities, Executed, Exit, Printed, Say

#: Signals that end no program by themselves.
_HARMLESS = frozenset({0, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH})


@dataclass(eq=False, slots=True)
class _Boot:
    """One machine that somebody believes to run."""

    spec: BootSpec
    exit: Exit | None = None
    waiters: set[asyncio.Future[Exit]] = field(default_factory=set)

    def end(self, exit_code: int, *, signum: int = -1, oom: bool = False, error: str = "") -> None:
        """End it, unless it has ended before, and tell all who wait."""
        if self.exit is not None:
            return
        self.exit = Exit(exit_code, signum, oom, error, exited_at=time.time())
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(self.exit)

    async def ended(self) -> Exit:
        """Return how it ended, once it has."""
        if self.exit is not None:
            return self.exit
        waiter: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.waiters.add(waiter)
        try:
            return await waiter
        finally:
            self.waiters.discard(waiter)


class MockDriver:
    """Plays machines in memory, by the script in this module's docstring.

    Attributes:
        specs: Every boot that was started, by its handle; kept after it was destroyed.
        signals: Every signal that was sent to a living boot: handle, number, everyone.
    """

    name = "mock"
    capabilities = Capabilities(
        images=None,
        enforces_limits=True,
        private_network=False,
        suspends=False,
        mounts=False,
    )

    def __init__(self) -> None:
        self.specs: dict[str, BootSpec] = {}
        self.signals: list[tuple[str, int, bool]] = []
        self._boots: dict[str, _Boot] = {}
        self._printed: Printed | None = None

    async def open(self, printed: Printed) -> None:
        """Get ready; machines of an earlier opening are still there."""
        self._printed = printed

    async def close(self) -> None:
        """Let go of everything without touching a machine."""
        self._printed = None

    async def start(self, spec: BootSpec, say: Say) -> str:
        """Start the boot, or find it where it was started before, and return its handle.

        Raises:
            ImageUnavailable: the script says so.
            BootFailed: the script says so, or does not know the command.
        """
        handle = f"{spec.machine_id}/{spec.boot}"
        if handle in self._boots:
            return handle
        word, arguments = _split(spec.command)
        _refuse(word, arguments)
        boot = _Boot(spec)
        self._boots[handle] = boot
        self.specs[handle] = spec
        say("info", f"playing '{word}'")
        self._play(boot, word, arguments)
        return handle

    async def wait(self, handle: str) -> Exit:
        """Return how the boot ended, once it has."""
        boot = self._boots.get(handle)
        if boot is None:
            return Exit(-1, error=f"nothing is left of '{handle}': it was destroyed")
        return await boot.ended()

    async def signal(self, handle: str, signum: int, *, everyone: bool = False) -> None:
        """Send a signal. A boot that has ended is not an error."""
        boot = self._boots.get(handle)
        if boot is None or boot.exit is not None:
            return
        self.signals.append((handle, signum, everyone))
        ignores = boot.spec.command[0] == "ignore-term" and signum != signal.SIGKILL
        if signum not in _HARMLESS and not ignores:
            boot.end(128 + signum, signum=signum)

    async def exec(
        self, handle: str, command: Sequence[str], *, stdin: bytes = b"", timeout: float
    ) -> Executed:
        """Play a command beside the program.

        Raises:
            BootFailed: the script does not know the command, or the boot has ended.
        """
        boot = self._boots.get(handle)
        if boot is None or boot.exit is not None:
            raise BootFailed(f"the machine of '{handle}' has ended")
        word, arguments = _split(command)
        if word == "exit":
            return Executed(_exit_code(arguments), 0, b"", b"")
        if word == "print":
            return Executed(0, 0, "".join(f"{line}\n" for line in arguments).encode(), b"")
        if word == "cat":
            return Executed(0, 0, stdin, b"")
        if word == "run":
            with suppress(TimeoutError):
                await asyncio.wait_for(boot.ended(), timeout)
            return Executed(128 + signal.SIGKILL, signal.SIGKILL, b"", b"", boot.exit is None)
        raise BootFailed(f"command '{word}' not found in PATH")

    async def destroy(self, machine_id: str) -> None:
        """Kill whatever of the machine lives, and forget it. Unknown is fine."""
        for handle in [one for one in self._boots if one.startswith(f"{machine_id}/")]:
            boot = self._boots.pop(handle)
            boot.end(128 + signal.SIGKILL, signum=signal.SIGKILL)

    async def machines(self) -> set[str]:
        """Return the ids of all machines of which the driver holds anything."""
        return {boot.spec.machine_id for boot in self._boots.values()}

    def _play(self, boot: _Boot, word: str, arguments: Sequence[str]) -> None:
        if word == "exit":
            boot.end(_exit_code(arguments))
        elif word == "print":
            self._print(boot.spec, arguments)
            boot.end(0)
        elif word == "oom":
            boot.end(128 + signal.SIGKILL, signum=signal.SIGKILL, oom=True)
        elif word == "lose":
            boot.end(-1, error="the machine's monitor was killed, and the machine with it")

    def _print(self, spec: BootSpec, lines: Sequence[str]) -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        entry = {
            "timestamp": now,
            "provider": "app",
            "instance": spec.machine_id,
            "region": spec.region,
            "level": "info",
        }
        said = "".join(json.dumps({**entry, "message": line}) + "\n" for line in lines)
        logfile.append(spec.log_folder, said.encode())
        if self._printed is not None:
            self._printed(spec.machine_id)


_WORDS = frozenset({"exit", "run", "ignore-term", "print", "oom", "lose"})


def _refuse(word: str, arguments: Sequence[str]) -> None:
    if word == "no-image":
        raise ImageUnavailable("there is no such image")
    if word == "fail-boot":
        raise BootFailed(" ".join(arguments) or "the machine cannot be started")
    if word not in _WORDS:
        raise BootFailed(f"command '{word}' not found in PATH")


def _split(command: Sequence[str]) -> tuple[str, Sequence[str]]:
    if not command:
        raise BootFailed("there is no command to run")
    return command[0], command[1:]


def _exit_code(arguments: Sequence[str]) -> int:
    return int(arguments[0]) if arguments else 0
