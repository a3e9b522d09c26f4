"""What a driver is: the few things the platform asks of whatever really runs a machine.

```
            start(spec) ──► handle ──► wait(handle) ──► Exit
                              │  signal, exec              │
                              └────────► destroy ◄─────────┘
```

Every method is repeat-safe, because the server may be killed between any two of them and asks
again when it is back. One *boot* is one run of a machine's program; the pair (machine id, boot
number) names it for ever, so a repeated `start` finds what the first one made. The handle is
text that the driver wrote and alone can read. Nothing here assumes that a machine is on this
host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

#: A driver calls it for each line that it has to say about a boot: (level, message).
Say = Callable[[str, str], None]
#: A driver calls it with a machine's id when the machine's program has printed something, so
#: that those who follow the log are woken. May be called too often, never too seldom.
Printed = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver can do, as data: the platform refuses the rest before anything is tried."""

    #: The image references it can run; None for any OCI image.
    images: frozenset[str] | None
    #: Whether `guest` sizes are enforced as limits.
    enforces_limits: bool
    #: Whether a machine has its own private network and address.
    private_network: bool
    #: Whether a machine's memory can be frozen and resumed.
    suspends: bool
    #: Whether volumes can be mounted.
    mounts: bool


@dataclass(frozen=True, slots=True)
class GuestFile:
    """A file that must be there when the program starts."""

    guest_path: str
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class BootSpec:
    """Everything a driver needs to know for one boot of one machine."""

    machine_id: str
    #: Counts the boots of this machine, from 1. A higher one starts from a fresh file system.
    boot: int
    app_name: str
    image: str
    region: str
    #: The program and its arguments; empty to run the image's own command.
    command: Sequence[str]
    env: Mapping[str, str]
    files: Sequence[GuestFile] = ()
    cpus: int = 1
    memory_mb: int = 256
    #: Where the driver's monitor appends what the program prints, see `platform/logs.py`.
    log_folder: str = ""


@dataclass(frozen=True, slots=True)
class Exit:
    """How one boot ended. Exactly one is ever reported for a boot."""

    #: 0 to 255; 128 + n where signal n ended it; -1 where nobody saw the end.
    exit_code: int
    #: The signal that ended it, or -1.
    signal: int = -1
    oom_killed: bool = False
    #: Why there is no true exit code, where there is none; else empty.
    error: str = ""
    #: Seconds since 1970, UTC.
    exited_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Executed:
    """What a command run beside the program printed, and how it ended."""

    exit_code: int
    #: The signal that ended it, or 0.
    exit_signal: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    timed_out: bool = False


class Driver(Protocol):
    """Runs machines. All methods may be called again, and from one event loop only."""

    name: str
    capabilities: Capabilities

    async def open(self, printed: Printed) -> None:
        """Get ready. Called once, before anything else; `printed` is for all machines.

        Raises:
            DriverError: this computer cannot run this driver; the message says why.
        """
        ...

    async def close(self) -> None:
        """Let go of everything without touching a machine: they outlive the server."""
        ...

    async def start(self, spec: BootSpec, say: Say) -> str:
        """Start the boot, or find it where it was started before, and return its handle.

        Returning means that the program was executed. It may have ended since: `wait` tells.

        Raises:
            Unsupported, ImageUnavailable, BootFailed: nothing of the boot is left running.
        """
        ...

    async def wait(self, handle: str) -> Exit:
        """Return how the boot ended, once every process of it is dead.

        Works for a boot that ended long ago and after a restart of the server. A boot whose
        monitor was killed is ended here, and reported with `exit_code` -1.
        """
        ...

    async def signal(self, handle: str, signum: int, *, everyone: bool = False) -> None:
        """Send a signal to the main program, or to every process of the boot.

        A boot that has ended is not an error: `wait` tells how.
        """
        ...

    async def exec(
        self, handle: str, command: Sequence[str], *, stdin: bytes = b"", timeout: float
    ) -> Executed:
        """Run a command beside the program, with its environment and file system.

        Args:
            timeout: Seconds; then the command is killed and `timed_out` is set.

        Raises:
            BootFailed: the command could not be started, or the boot has ended.
        """
        ...

    async def destroy(self, machine_id: str) -> None:
        """Kill whatever of the machine lives, and remove what it left. Unknown is fine."""
        ...

    async def machines(self) -> set[str]:
        """Return the ids of all machines of which the driver holds anything."""
        ...
