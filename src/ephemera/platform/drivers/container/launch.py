"""What a process does on its way to being a program of a machine, as a list of system calls.

```
 wait      cgroup ─► process namespace ─► a child there ─► the other namespaces, by now as root of
           the machine ─► waits to be told more
 begin     mounts of its own, see `mounting`
 visit     what runs beside it: cgroup ─► all namespaces of the machine
 become    no right that the machine may not have ─► the program, see `becoming`
```
Everything is given in the OCI's words, as `bundle` writes them, and as `crun` would take it; of
those words only the ones that `bundle` uses are known here. Standard library only.
"""

from __future__ import annotations

import base64
import errno
import os
import signal
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ephemera.platform.drivers.container import becoming, syscalls
from ephemera.platform.drivers.container.calls import ANY, AT_FDCWD, Calls
from ephemera.platform.drivers.container.mounting import Mounting

#: What `wait` is told to go on by, which has to be open as the process begins.
WAKE: Final = 3
_CLONE_PARENT, _CLONE_PARENT_SETTID = 0x8000, 0x100000
_CLOSE_RANGE_CLOEXEC, _LAST_DESCRIPTOR = 4, 2**32 - 1
_KEYCTL_JOIN_SESSION_KEYRING = 1
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_UMASK = 0o022
_PRIO_PROCESS, _FIRST = 0, -20
#: Of a user who has more, the calls are not kept for other lists: nobody knows how many there are.
_GROUPS_USUAL = 64
_AF_UNIX, _SOCK_STREAM = 1, 1
#: Namespaces by the OCI's names of their kinds, in the order in which they are entered: with the
#: rights that we have, before those are only the machine's.
_BEFORE_USERS = {
    "network": syscalls.CLONE_NEWNET, "ipc": syscalls.CLONE_NEWIPC, "uts": syscalls.CLONE_NEWUTS,
    "cgroup": syscalls.CLONE_NEWCGROUP, "pid": syscalls.CLONE_NEWPID,
}  # fmt: skip


class Launch:
    """The calls of one process.

    Args:
        calls: The list, empty.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._mounting = Mounting(calls)
        self._console = -1
        #: What the program is to have, where it hurries on its way; as of `man 2 nice`.
        self._nice: int | None = None
        #: Descriptors of namespaces that are entered, by the OCI's names.
        self._opened: dict[str, int] = {}
        #: Descriptors of file systems that are mounted later, by the OCI's names.
        self._early: Mapping[str, int] = {}
        self._is_first = False

    def wait(self, cgroup: Sequence[str], namespaces: Mapping[str, str], *, unified: bool) -> None:
        """Have a process be in a machine that has no program yet, and wait there.

        Args:
            cgroup: The folders of the machine's cgroup.
            namespaces: The paths of those that are there already, by the OCI's names.
            unified: Whether the machine sees its cgroup, which has to be of version 2.
        """
        self._come(cgroup, namespaces)
        key = ("wait", unified, *self._opened.items())
        self._early = self._calls.part(key, lambda: self._wait_inside(unified=unified))

    def _wait_inside(self, *, unified: bool) -> Mapping[str, int]:
        self._enter()
        self._calls.add("unshare", syscalls.CLONE_NEWCGROUP, what="a cgroup namespace")
        early = self._mounting.make_early(unified=unified)
        self._be_root()
        self._calls.add("read", WAKE, b"\0", 1, over_more=1)
        self._calls.add("exit_group", 1)  # nobody is there any more who could tell
        return early

    def begin(self, config: Mapping[str, Any], console: str = "") -> None:
        """Have it see the machine's files, and no others.

        Args:
            config: Of the machine.
            console: The socket that is told of the terminal, where it has one.
        """
        self._speak_to(console)
        self._mounting.make(config, self._early)
        self._calls.add("sethostname", config["hostname"], len(config["hostname"]))
        self._is_first = True

    def visit(
        self,
        cgroup: Sequence[str],
        namespaces: Mapping[str, str],
        nowhere: str,
        console: str = "",
    ) -> None:
        """Have a process come into a machine that runs.

        Args:
            cgroup: The folders of the machine's cgroup.
            namespaces: The paths of all of the machine's, by the OCI's names.
            nowhere: A folder in which nothing is mounted.
            console: The socket that is told of the terminal, where it has one.
        """
        self._nice = os.getpriority(os.PRIO_PROCESS, 0)
        self._come(cgroup, namespaces, console)
        self._enter(nowhere)
        self._be_root()
        self._set_namespace("mount", syscalls.CLONE_NEWNS)

    def become(self, process: Mapping[str, Any], filter_: str, pipes: Sequence[int]) -> None:
        """Have it be a program, with the rights that the machine has.

        Args:
            process: What is executed, by whom, and with which rights.
            filter_: Of system calls, compiled, in base64; empty for none.
            pipes: The standard streams that are pipes.
        """
        calls, user = self._calls, process["user"]
        if process["terminal"]:
            becoming.have_terminal(calls, self._console, user["uid"], first=self._is_first)
        else:
            becoming.have_streams(calls, pipes, user)
        becoming.be_limited(calls, process["rlimits"])
        becoming.go_to(calls, process["cwd"])
        rights, have_less = process["capabilities"], self._have_less
        if len(user["additionalGids"]) > _GROUPS_USUAL:
            have_less(rights, user, filter_)
        else:
            calls.part(repr((rights, user, filter_)), lambda: have_less(rights, user, filter_))
        if self._nice is not None:
            calls.add("setpriority", _PRIO_PROCESS, 0, self._nice)
        becoming.execute(calls, process["args"], process["env"])

    def _have_less(
        self, rights: Mapping[str, Sequence[str]], user: Mapping[str, Any], filter_: str
    ) -> None:
        """Have it give up what its program must not have."""
        becoming.give_up_rights(self._calls, rights, user)
        # nothing of this list, and nothing of whoever began it, is open to the program
        self._calls.add("close_range", WAKE, _LAST_DESCRIPTOR, _CLOSE_RANGE_CLOEXEC)
        if filter_:
            becoming.be_filtered(self._calls, base64.b64decode(filter_))

    def attempt(self) -> None:
        """Have a process make those calls that a kernel may be too old for, and end."""
        for flags in (0, _CLOSE_RANGE_CLOEXEC):
            self._calls.add("close_range", WAKE, _LAST_DESCRIPTOR, flags)
        self._mounting.file_system("tmpfs")
        self._calls.add("exit_group", 0)

    def _come(
        self, cgroup: Sequence[str], namespaces: Mapping[str, str], console: str = ""
    ) -> None:
        """Enter a cgroup, and have the namespaces open."""
        add = self._calls.add
        add("prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        add("close_range", WAKE + 1, _LAST_DESCRIPTOR, 0)
        add("umask", _UMASK)
        if self._nice is not None:
            # else thousands of the machine's own may be before it, while its monitor waits for it;
            # refused where it is not root of this computer
            refused = (errno.EACCES, errno.EPERM)
            add("setpriority", _PRIO_PROCESS, 0, _FIRST, expected=refused)
        self._hide()
        self._speak_to(console)
        for folder in cgroup:
            file = f"{folder}/cgroup.procs"
            group = self._calls.open(
                "openat", AT_FDCWD, file, os.O_WRONLY | os.O_CLOEXEC, what=file
            )
            add("write", group, "0", 1, what=file)
            self._calls.close(group)
        for kind, path in namespaces.items():
            how = os.O_RDONLY | os.O_CLOEXEC
            opened = self._calls.open("openat", AT_FDCWD, path, how, what=f"{kind} namespace")
            self._opened[kind] = opened

    def _enter(self, nowhere: str = "") -> None:
        """Go on as another process, in most of the namespaces that are open.

        That other one can be seen by programs of the machine. Whoever sees a process may read
        which networks it has, and what is mounted below its root.
        """
        add = self._calls.add
        for kind, flag in _BEFORE_USERS.items():
            if kind in self._opened:
                self._set_namespace(kind, flag)
        if nowhere:
            add("chroot", nowhere)
        # a child of our parent, as this one is, that goes on with the list
        flags = _CLONE_PARENT | _CLONE_PARENT_SETTID | int(signal.SIGCHLD)
        add("clone", flags, 0, self._calls.pid_place, 0, 0, over_zero=1, what="one more process")
        add("exit_group", 0)
        add("setsid")
        # a place for keys of its own, unless its owner has too many of them
        add("keyctl", _KEYCTL_JOIN_SESSION_KEYRING, None, expected=ANY)

    def _be_root(self) -> None:
        """Be root of the machine, and of nothing else."""
        if "user" in self._opened:
            self._set_namespace("user", syscalls.CLONE_NEWUSER)
        self._calls.add("setresgid", 0, 0, 0)
        self._calls.add("setresuid", 0, 0, 0)
        # refused where the user who is root here is the only one that there is
        self._calls.add("setgroups", 0, None, expected=(errno.EPERM,))
        self._hide()

    def _hide(self) -> None:
        """Have nobody in the machine look into this process, or be it; another user undoes it."""
        self._calls.add("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)

    def _set_namespace(self, kind: str, flag: int) -> None:
        self._calls.add("setns", self._opened[kind], flag, what=f"{kind} namespace")
        self._calls.close(self._opened[kind])

    def _speak_to(self, console: str) -> None:
        """Connect with the socket that is told of the terminal, if there is to be one."""
        if not console:
            return
        what = "socket of the terminal"
        kind = _SOCK_STREAM | os.O_CLOEXEC
        self._console = self._calls.open("socket", _AF_UNIX, kind, 0, what=what)
        address = struct.pack("=H", _AF_UNIX) + os.fsencode(console) + b"\0"
        self._calls.add("connect", self._console, address, len(address), what=what)
