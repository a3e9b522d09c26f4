"""What starts the programs of a machine: system calls of ours, or `crun`. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ephemera.platform.drivers.container.cgroups import Cgroup
from ephemera.platform.drivers.container.crun import Crun
from ephemera.platform.drivers.container.init import Init
from ephemera.platform.drivers.container.launcher import Launcher
from ephemera.platform.drivers.container.setup import Setup
from ephemera.platform.drivers.monitoring.body import Streams


class Runtime(Protocol):
    """Starts the programs of one machine, which are children of this process."""

    @property
    def waiting(self) -> int:
        """The pid of a child of ours that was begun ahead; 0 where there is none."""
        ...

    def prepare(self, streams: Streams) -> None:
        """Begin, before it is known what is to be started. What was begun ends with this process.

        Raises:
            OSError: the kernel does not let us.
        """
        ...

    def start(self, config: Mapping[str, Any], console: str = "") -> int:
        """Start the program of the machine, and return its pid.

        Args:
            config: Of the machine, as the OCI has it.
            console: The socket that is told of the terminal, where it has one.

        Raises:
            NotStarted, OSError: it was not executed, and nothing of it is left.
        """
        ...

    def exec(self, process: Mapping[str, Any], streams: Streams, console: str = "") -> int:
        """Start another program in the machine, and return its pid.

        Raises:
            NotStarted, OSError: it was not executed, and nothing of it is left.
        """
        ...

    def give_up(self) -> None:
        """Have what was begun end without a program. Repeating is safe."""
        ...


def runtime(setup: Setup, cgroup: Cgroup, first: Init) -> Runtime:
    """Return what starts the programs of a machine.

    Args:
        first: Its first process, in whose namespaces the others are.
    """
    if setup.launches:
        return Launcher(setup.places, cgroup, first)
    return Crun(setup.places, cgroup)
