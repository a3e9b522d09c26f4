"""What is going on inside a machine, as it travels: processes and memory."""

from __future__ import annotations

from pydantic import Field

from ephemera.wire.golang import GoWire


class ListenSocket(GoWire):
    """An address at which a process listens."""

    #: `tcp`, `tcp6`, `udp` or `udp6`.
    proto: str = ""
    address: str = ""


class ProcessStat(GoWire):
    """A process of a machine."""

    pid: int = 0
    command: str = ""
    directory: str = ""
    # Fly.io does not say what these are counted in. On the embedded platform they are:
    #: Percent of one processor over its life.
    cpu: int = 0
    #: Bytes of memory in use.
    rss: int = 0
    #: Seconds it has lived.
    rtime: int = 0
    #: Seconds of processor time it has used.
    stime: int = 0
    listen_sockets: list[ListenSocket] = Field(default_factory=list)


class Memory(GoWire):
    """How much memory a machine may use, and how much of it is free."""

    limit_mb: int = 0
    available_mb: int = 0


class ReclaimedMemory(GoWire):
    """The answer to asking a machine for memory back."""

    actual_mb: int = 0
