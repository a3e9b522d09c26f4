"""What every machine needs, made before it is known which one it is for. Standard library only."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ephemera.platform.drivers.container import init, mapping, ranges, syscalls
from ephemera.platform.drivers.container.cgroups import Cgroup, Tree
from ephemera.platform.drivers.container.init import Init
from ephemera.platform.drivers.container.inroot import Owner
from ephemera.platform.drivers.container.runtime import Runtime, runtime
from ephemera.platform.drivers.container.setup import Setup
from ephemera.platform.drivers.monitoring.body import Streams
from ephemera.platform.drivers.monitoring.ending import Reaped
from ephemera.platform.network import namespaces, netlink, wiring

#: For binds, sockets, and what crun is told and says: a few pages of a machine.
_RUN_OPTIONS = "mode=711,size=16m"


class Prepared:
    """Namespaces, a cgroup with a process in it, and a cable, that are nobody's yet."""

    def __init__(
        self,
        init_: Init,
        ids_from: int | None,
        cgroup: Cgroup,
        runtime_: Runtime,
        router: socket.socket | None,
    ) -> None:
        self.init = init_
        #: The user and group of this computer that the machine's root is; None for the same.
        self.ids_from = ids_from
        self.cgroup = cgroup
        self.runtime = runtime_
        #: Whether a boot has volumes.
        self.has_disks = False
        self._router = router
        self._inside = self._open_inside()
        self._pair: wiring.Pair | None = None
        self._is_removed = False
        if router is None:
            return
        network = os.open(self.init.namespace("net"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            name = f"m{os.urandom(6).hex()}"
            self._pair = wiring.make_pair(router, self._inside, name, network)
        finally:
            os.close(network)

    @property
    def owner(self) -> Owner:
        """The root of the machine, as this computer has it."""
        return Owner(self.ids_from or 0, self.ids_from or 0)

    def plug(self, plug: Mapping[str, Any] | None) -> None:
        """Connect it with its network, where it has one, and be done with the cable.

        Raises:
            OSError: it was refused.
        """
        if plug is not None and self._pair is not None and self._router is not None:
            wiring.plug(self._router, self._inside, self._pair, dict(plug))
        else:
            wiring.set_up_alone(self._inside)
        self._inside.close()
        if self._router is not None:
            self._router.close()

    def _open_inside(self) -> socket.socket:
        home = namespaces.own()
        network = os.open(self.init.namespace("net"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return namespaces.connect_in(network, home)
        finally:
            os.close(home)
            os.close(network)

    def end(self, reaped: Reaped) -> None:
        """Kill whatever is left, and return when all of it is dead.

        Nothing of a container survives its first process: the kernel kills the rest, and lets it
        be reaped when the rest is dead. Repeating is safe.
        """
        self.runtime.give_up()
        for pid in filter(None, (self.init.pid, self.runtime.waiting)):
            _kill_child(pid)
        self.cgroup.thaw()  # what is frozen does not die
        with suppress(ChildProcessError):
            while True:
                reaped(*os.waitpid(-1, 0))

    def remove(self) -> bool:
        """Have the cgroup proved to be empty, and gone. Whether it is. Repeating is safe."""
        if not self._is_removed:
            self.cgroup.end()
            self._is_removed = self.cgroup.remove()
        return self._is_removed


def cgroup_name(pid: int, start: int) -> str:
    """Return what the cgroup of a machine is called whose first process is this."""
    return f"{pid}-{start}"


def prepare(setup: Setup, tree: Tree, streams: Streams, nowhere: int) -> Prepared:
    """Leave the mounts of the zygote, and make what a machine needs.

    Args:
        streams: What the standard streams of its program will be.
        nowhere: What its first process is to see.

    Raises:
        OSError: the kernel does not let us.
    """
    places = setup.places
    # held by a descriptor that is open until all of the machine is dead
    ids_from = ranges.take(places.ranges)[0] if setup.own_ids else None
    first = init.make(ids_from, places, nowhere)
    cgroup = tree.of(cgroup_name(first.pid, first.start))
    try:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("tmpfs", places.run, "tmpfs", syscalls.MS_NODEV, _RUN_OPTIONS)
        if setup.own_ids:
            mapping.show(places.stored_layers, places.layers, first.pid)
        cgroup.make()
        starts = runtime(setup, cgroup, first)
        starts.prepare(streams)
        router = netlink.connect() if setup.router >= 0 else None
        return Prepared(first, ids_from, cgroup, starts, router)
    except OSError:
        _kill_child(first.pid)
        cgroup.end()
        cgroup.remove()
        raise


def _kill_child(pid: int) -> None:
    """Kill a child unless it was reaped: its number may be somebody else's by now."""
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        os.kill(pid, signal.SIGKILL)
