"""The programs of one boot as a container, in the hands of a monitor.

```
 prepare (in the spare)   own mounts ─► folder in memory ─► init in new namespaces ─► a cable
 start                    cgroup ─► file system, files, volumes ─► network ─► runtime ─► program
 end                      kill init: everything is dead ─► cgroup empty, removed
```

Mounts and namespaces are the monitor's alone: they are gone when it is, however it ended. What is
left to others is the cgroup, an empty folder by then. Standard library only.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ephemera.platform.drivers.container import furnishing, programs, remains, syscalls, unnamed
from ephemera.platform.drivers.container.bundle import process
from ephemera.platform.drivers.container.cgroups import Limits, Tree
from ephemera.platform.drivers.container.furnishing import Furnished
from ephemera.platform.drivers.container.prepared import Prepared, cgroup_name, prepare
from ephemera.platform.drivers.container.setup import Setup
from ephemera.platform.drivers.monitoring import kernel, usage
from ephemera.platform.drivers.monitoring.beside import Command
from ephemera.platform.drivers.monitoring.body import NotFrozen, Ready, Record, Streams
from ephemera.platform.drivers.monitoring.consoles import Console, Listener
from ephemera.platform.drivers.monitoring.ending import Reaped, kill_and_see_dead, send_signal
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.program import NotStarted

_MB = 1 << 20


class ContainerKind:
    """Bodies that are containers.

    Args:
        tree: Where their cgroups are.
    """

    #: What is made ahead takes several times as long as what is left to be done then.
    spares = 4
    questions: Sequence[str] = ("memory", "limit", "reclaim", "terminal", "unnamed")

    def __init__(self, setup: Setup, tree: Tree) -> None:
        self._setup = setup
        self._tree = tree
        #: The mounts of the zygote, to which a monitor goes back.
        self._mounts = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        #: For all first processes: to make one for each takes the kernel milliseconds.
        self._nowhere = syscalls.alone(setup.places.nowhere)
        self.kept: Sequence[int] = (self._mounts, self._nowhere)

    def prepare(self, streams: Streams) -> Prepared:
        """Make what every machine needs, before it is known which one it is for."""
        return prepare(self._setup, self._tree, streams, self._nowhere)

    def discard(self, prepared: Prepared | None) -> None:
        """Undo that, whatever a boot has left of it; the last also removes what all were below."""
        if prepared is not None:
            prepared.end(lambda *_: None)
            prepared.remove()
        self._tree.remove()

    def renew(self, prepared: Prepared) -> bool:
        """Give up what a boot has left of it: mounts, with them all that was mounted, and cgroup.

        Not where a disk was mounted, of which is written down whose mount that is; nor where the
        first process is a fork of this one, and would have the memory of earlier boots.
        """
        if prepared.has_disks or programs.here() is None or not prepared.remove():
            return False
        try:
            syscalls.setns(self._mounts, syscalls.CLONE_NEWNS)
        except OSError:  # a computer that does not let us leave them: they go with this process
            return False
        return True

    def body(self, folder: BootFolder, prepared: Prepared) -> ContainerBody:
        """Return the body of a boot that is about to be started."""
        return ContainerBody(folder, prepared, self._setup)

    def visit(self, request: Message, link: socket.socket, ready: Ready) -> None:
        """Look into what a boot left, or send it as an archive."""
        remains.visit(request, link, ready, self._setup)

    def end_leftovers(self, folder: BootFolder, record: dict[str, Any]) -> None:  # noqa: ARG002
        """Kill all that is left of a boot whose monitor was killed."""
        if record["host"] != kernel.HOST_BOOT:
            return  # the computer was started anew since
        cgroup = self._tree.of(cgroup_name(record["pid"], record["start"]))
        cgroup.thaw()  # what is frozen does not die, and its first process not before it
        found = kernel.process(record["pid"])
        if found and found.start == record["start"]:
            if self._tree.version:  # then an empty cgroup is the proof that all of it is dead
                send_signal([found], signal.SIGKILL)
            else:
                kill_and_see_dead([found])
        cgroup.end()
        cgroup.remove()


class ContainerBody:
    """One container."""

    def __init__(self, folder: BootFolder, prepared: Prepared, setup: Setup) -> None:
        self._folder = folder
        self._prepared = prepared
        self._cgroup = prepared.cgroup
        self._setup = setup
        self._runtime = prepared.runtime
        self._furnished: Furnished | None = None
        self._swap_mb = 0
        self._main = 0
        #: When the machine was begun; see `usage.now`.
        self._begun = 0
        #: The terminal of the main program, where it has one.
        self.terminal: int | None = None
        self.is_frozen = False
        #: Signals that came while it was frozen, and for whom; each once, as the kernel has them.
        self._held: dict[tuple[int, bool], None] = {}

    def start(self, request: Message, streams: Streams, record: Record) -> Sequence[int]:
        """Start the container, and the programs beside its first one.

        Raises:
            NotStarted, OSError: nothing of it is left running.
        """
        record(self._prepared.init.pid)
        self._begun = usage.now()
        try:
            return self._start(request, streams)
        except (NotStarted, OSError):
            self._prepared.end(lambda *_: None)
            self._prepared.remove()
            raise

    def _start(self, request: Message, streams: Streams) -> list[int]:
        prepared, self._swap_mb = self._prepared, request["swap_mb"]
        prepared.has_disks = bool(request["mounts"])
        limits = Limits(request["cpus"], request["memory_mb"], self._swap_mb)
        self._cgroup.limit(limits)
        self._furnished = furnished = furnishing.furnish(
            request, self._folder, self._setup, prepared
        )
        prepared.plug(request["plug"])
        os.chdir(self._setup.places.run)
        if self._setup.own_ids:
            for number in streams.pipes():  # a program may open its /dev/stdout anew
                os.fchown(streams[number], *furnished.owner)
        config = furnished.config()
        if request["tty"]:
            with Listener("console") as listener:
                self._main = self._runtime.start(config, "console")
                self.terminal = listener.terminal()
        else:
            self._main = self._runtime.start(config)
        pids = [self._main]
        for other in furnished.others:
            try:
                pids.append(self._runtime.exec(other, streams))
            except NotStarted:
                if not kernel.is_ending(self._main):
                    raise
                break  # the main program has ended, and with it the machine
        return pids

    def command(self, request: Message) -> Command:
        """Start a command in the container.

        Raises:
            NotStarted: it cannot be; nothing is left.
        """
        wanted = self._process(request, tty=False)
        return Command(request, lambda theirs: self._exec(wanted, Streams(*theirs)))

    def console(self, request: Message) -> Console:
        """Start a command in the container that has a terminal.

        Raises:
            NotStarted: it cannot be; nothing is left.
        """
        wanted = self._process(request, tty=True)
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            with Listener("console") as listener:
                streams = Streams(nothing, nothing, nothing)
                pid = self._exec(wanted, streams, "console")
                return Console(pid, listener.terminal(), request)
        finally:
            os.close(nothing)

    def _exec(self, wanted: Mapping[str, Any], streams: Streams, console: str = "") -> int:
        try:
            return self._runtime.exec(wanted, streams, console)
        except NotStarted as error:
            if not kernel.is_ending(self._main):
                raise
            raise NotStarted("the machine has ended") from error

    def _process(self, request: Message, *, tty: bool) -> dict[str, Any]:
        found = self._furnished
        assert found is not None
        env = {**found.env, "TERM": "xterm-256color"} if tty else found.env
        return process(request["command"], env, found.user, found.workdir, tty=tty)

    def signal(self, signum: int, *, everyone: bool) -> None:
        """Send a signal to the main program, or to every process; a frozen one gets it later."""
        if self.is_frozen and signum != signal.SIGKILL:
            self._held[signum, everyone] = None  # version 2 would have it end at once
            return
        if everyone and signum == signal.SIGKILL:
            targets = [self._prepared.init.pid]
        else:
            targets = self._pids() if everyone else [self._main]
        for pid in targets:
            with suppress(ProcessLookupError):
                os.kill(pid, signum)
        if signum == signal.SIGKILL:
            self._cgroup.thaw()  # what is frozen does not die

    def freeze(self) -> None:
        """Freeze the cgroup.

        Raises:
            NotFrozen: there is none, or a process of it cannot be stopped.
        """
        try:
            frozen = self._cgroup.freeze()
        except OSError as error:
            raise NotFrozen(f"there is no freezer: {error}") from error
        if not frozen:
            self._cgroup.thaw()
            raise NotFrozen("a process does not stop")
        self.is_frozen = True

    def thaw(self) -> None:
        """Let the cgroup go on, with the signals first that came meanwhile."""
        self.is_frozen = False
        held, self._held = self._held, {}
        for signum, everyone in held:
            self.signal(signum, everyone=everyone)
        self._cgroup.thaw()

    def ps(self) -> list[dict[str, Any]]:
        """Return what `ps` shows of the processes, by the numbers that they have inside."""
        found = (kernel.process(pid) for pid in self._pids())
        # the program has waited in a spare until then
        processes = (one._replace(start=max(one.start, self._begun)) for one in found if one)
        told = usage.listing(processes, f"/proc/{self._main}/net")
        return [{**one, "pid": kernel.inner_pid(one["pid"])} for one in told]

    def _pids(self) -> list[int]:
        """Return the processes of the machine but its first; without a cgroup, all we reap."""
        if self._cgroup.version:
            return self._cgroup.pids()
        ours = (one.pid for one in kernel.descendants(os.getpid()))
        return [one for one in ours if one != self._prepared.init.pid]

    def answer(self, request: Message) -> Message:
        """Tell of memory, or of files without names; limit the memory, or take some of it back."""
        try:
            if request["do"] == "unnamed":
                return {"bytes": unnamed.bytes_of(self._pids())}
            if request["do"] == "limit":
                self._cgroup.memory.limit(request["limit_mb"], self._swap_mb)
            if request["do"] == "reclaim":
                return {"reclaimed": self._cgroup.memory.reclaim(request["amount_mb"] * _MB)}
            limit, used = self._cgroup.memory.use()
            return {"limit": limit, "available": max(0, limit - used)}
        except OSError as error:
            return {"error": str(error)}

    def end(self, reaped: Reaped) -> None:
        """Kill whatever is left, and return when all of it is dead."""
        self._prepared.end(reaped)

    def facts(self, exit_code: int) -> dict[str, Any]:
        """Say whether it ended for want of memory, and have its cgroup gone."""
        killed = self._cgroup.memory.oom_kills()
        self._prepared.remove()
        return {"oom_killed": True} if killed and exit_code else {}
