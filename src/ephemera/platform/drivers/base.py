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

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
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
    #: Whether a machine has its own private network and address.
    private_network: bool
    #: Whether a machine's memory can be frozen and resumed.
    suspends: bool
    #: Whether volumes can be mounted.
    mounts: bool
    #: Whether a machine can run several programs (`config.processes`).
    processes: bool = False
    #: Whether the memory of a running machine can be limited and taken back.
    balloons: bool = False
    #: Whether a program can have a terminal (`config.init.tty`).
    terminals: bool = False
    #: The users that a program can run as, by name and by number; None for any.
    users: frozenset[str] | None = frozenset()
    #: Whether `terminal` can run commands with a terminal beside a program.
    consoles: bool = False
    #: Whether the file system of a boot that ended can be looked into: `look` and `export`.
    remains: bool = False
    #: Whether volumes can be disks of a stated size, files with a file system in them.
    disks: bool = False


@dataclass(frozen=True, slots=True)
class GuestFile:
    """A file that must be there when the program starts."""

    guest_path: str
    content: bytes = field(repr=False)
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class GuestMount:
    """A volume that must be there when the program starts."""

    #: Where it is in the machine: absolute.
    path: str
    volume_id: str
    #: Where its data is, in words that the platform's volumes and the driver share: a folder of
    #: this computer for the drivers that run machines here, or where `capabilities.disks` a file
    #: with a file system in it, whose name ends with `.img`.
    source: str


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs beside the main one."""

    command: Sequence[str]
    #: Never printed: secrets are among it.
    env: Mapping[str, str] = field(repr=False)
    #: Whom it runs as: `NAME`, `UID`, or either with `:GROUP`; empty for the image's own user.
    user: str = ""


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
    #: Never printed: secrets are among it.
    env: Mapping[str, str] = field(repr=False)
    files: Sequence[GuestFile] = ()
    cpus: int = 1
    memory_mb: int = 256
    #: Where the driver's monitor appends what the program prints, see `platform/logs.py`.
    log_folder: str = ""
    mounts: Sequence[GuestMount] = ()
    #: The programs beside the main one. The boot ends when any of them ends, the main one
    #: included, and its exit is that of the one that ended first.
    beside: Sequence[Program] = ()
    #: Whether `command` comes after the image's entrypoint, in the place of its own command.
    after_entrypoint: bool = False
    #: Whom the main program runs as, as in `Program`.
    user: str = ""
    #: Whether the main program has a terminal.
    tty: bool = False
    swap_mb: int = 0
    #: The version of the machine's config: an image reference means the same image for all
    #: boots of one version.
    version: str = ""
    #: The private network that the machine is in, as its IPv6 prefix; empty where there is none.
    network: str = ""
    #: The machine's address in that network, IPv6.
    address: str = ""
    #: Whether the machine may reach the world outside of its private network.
    outside: bool = True
    #: The socket of the API inside the machine, on this computer; empty where there is none.
    api_socket: str = ""


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


class Terminal(Protocol):
    """A command that runs with a terminal of its own, for somebody who sits at another."""

    async def read(self) -> bytes:
        """Return what it printed next; empty once it has ended and all is read."""
        ...

    def write(self, data: bytes) -> None:
        """Type something."""
        ...

    def resize(self, rows: int, columns: int) -> None:
        """Tell it how large the other terminal is now."""
        ...

    async def wait(self) -> int:
        """Return its exit code; 128 + n where signal n ended it, -1 where nobody saw the end."""
        ...

    async def close(self) -> None:
        """Hang up: what still runs is killed. Repeating is safe."""
        ...


@dataclass(frozen=True, slots=True)
class Socket:
    """An address that a process listens on."""

    #: Such as `tcp` or `udp6`.
    proto: str
    #: `ADDRESS:PORT`.
    address: str


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """One process of a machine."""

    pid: int
    command: str
    directory: str
    #: Percent of one cpu over its life.
    cpu: int
    #: Memory in use; bytes.
    rss: int
    #: Seconds it has lived.
    rtime: int
    #: Seconds of processor time it has used.
    stime: int
    listen_sockets: Sequence[Socket] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a machine that runs; MB."""

    limit_mb: int
    available_mb: int


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
            StartCancelled: likewise, because `cancel_start` was called.
        """
        ...

    def cancel_start(self, machine_id: str) -> None:
        """Have a `start` of the machine that waits for its image fail now.

        One that is past that, and a machine that is not being started or is unknown, is let be:
        what `start` returns can be ended as ever. Repeating is safe.
        """
        ...

    async def wait(self, handle: str) -> Exit:
        """Return how the boot ended, once every process of it is dead.

        Works for a boot that ended long ago and after a restart of the server. A boot whose
        monitor was killed is ended here, and reported with `exit_code` -1.
        """
        ...

    def ended(self, handle: str) -> Exit | None:
        """Return how the boot ended where that is known already; else None, and `wait` tells.

        For who has a program that was started just now: one that ended at once is dealt with whole.
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

    async def terminal(
        self, handle: str, command: Sequence[str], *, rows: int, columns: int
    ) -> Terminal:
        """Run a command beside the program, as `exec` does, with a terminal.

        Asked only where `capabilities.consoles`.

        Raises:
            BootFailed: the command could not be started, or the boot has ended.
        """
        ...

    async def look(
        self, spec: BootSpec, command: Sequence[str], *, rows: int, columns: int
    ) -> Terminal:
        """Run a command in a copy of the file system that a boot left when it ended.

        It has the boot's environment, no network and no volumes; what it writes is gone with it.
        Asked only where `capabilities.remains`.

        Args:
            spec: The boot, as it was started.

        Raises:
            BootFailed: the command could not be started, or there is nothing left of the boot.
        """
        ...

    def export(self, spec: BootSpec) -> AsyncIterator[bytes]:
        """Yield the file system of a boot as a tar archive. The boot may be running.

        Of image `host` that is what the machine wrote, and nothing of what it only saw. Asked
        only where `capabilities.remains`.

        Args:
            spec: The boot, as it was started.

        Raises:
            BootFailed: there is nothing left of the boot, or it could not be read to the end.
        """
        ...

    async def suspend(self, handle: str) -> None:
        """Freeze every process of the boot, and return once none of them runs any more.

        Asked only where `capabilities.suspends`. A boot that has ended is not an error: `wait`
        tells how. A frozen boot can be resumed, signalled with SIGKILL, and destroyed; any other
        signal reaches it when it is resumed, and `exec` is refused.

        Raises:
            BootFailed: it cannot be frozen. It runs on as if nobody had asked.
        """
        ...

    async def resume(self, handle: str) -> None:
        """Let a frozen boot go on. One that is not frozen, or has ended, is not an error."""
        ...

    async def ps(self, handle: str) -> Sequence[ProcessStat]:
        """Return the processes of the boot; none where it has ended."""
        ...

    async def memory(self, handle: str) -> Memory:
        """Return how much memory the boot may use, and how much of that it does not.

        Asked only where `capabilities.balloons`.
        """
        ...

    async def set_memory_limit(self, handle: str, limit_mb: int) -> None:
        """Limit the memory of the boot until it ends. Asked only where `capabilities.balloons`."""
        ...

    async def reclaim_memory(self, handle: str, amount_mb: int) -> int:
        """Take memory back that the boot does not need, and return how much that was; MB.

        Asked only where `capabilities.balloons`.
        """
        ...

    async def written(self, machine_ids: Collection[str]) -> Mapping[str, int]:
        """Return how much of this computer's disk each machine takes with what it wrote; bytes.

        Volumes are not counted. Those that are unknown, or are nowhere on a disk, are left out.
        """
        ...

    async def destroy(self, machine_id: str) -> None:
        """Kill whatever of the machine lives, and remove what it left. Unknown is fine."""
        ...

    async def machines(self) -> set[str]:
        """Return the ids of all machines of which the driver holds anything."""
        ...
