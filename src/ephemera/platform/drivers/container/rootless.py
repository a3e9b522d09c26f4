"""The namespaces in which the platform of a user who is not root is root.

```
 bind the port ─► a control group ─► unshare users, network ─► newuidmap ─► lo, pasta ─► serve,
      │           of our own             or join those users that             as root of all this
      │                                  machines of the last server live in
      └ stays with the computer's own network
```

Root is the user, everybody else is one of the user's subordinate ids. The network's way outside is
`pasta`, which ends with the server. All that begins here is done before the process has a second
thread: the kernel lets no other into another user namespace. Standard library only.
"""

from __future__ import annotations

import logging
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ephemera.errors import DriverError
from ephemera.platform.drivers.container import (
    rootless_groups,
    subordinates,
    survivors,
    syscalls,
)
from ephemera.platform.drivers.container.subordinates import Ids
from ephemera.platform.network import netlink

_log = logging.getLogger(__name__)

#: Reads our pid, maps users and groups of that process, and says so.
_MAP = 'read -r pid || exit; newuidmap "$pid" {uids} && newgidmap "$pid" {gids} && echo mapped'
#: Reads our pid, and is the way outside until its input ends, which it does with us. Nothing of
#: this computer's loopback can be reached but by the server, and nothing of us from outside.
_CONNECT = (
    "read -r pid || exit; pasta --foreground --quiet --config-net --no-map-gw -t none -u none"
    ' -T auto -U auto "$pid" </dev/null & pasta=$!;'
    " exec >&- 2>&-; read -r end; kill $pasta; wait"
)
#: It takes a tenth of a second, where the computer has nothing else to do.
_CONNECTED_WITHIN_S = 60.0
_LOOK_S = 0.02
_LOOPBACK = 1


@contextmanager
def entered(home: Path) -> Iterator[None]:
    """Be root of namespaces of our own from now on, and connected while the block runs.

    Root stays where it is. There is no way back: the process is in them until it ends. Before that,
    be in a control group below which groups of machines can be made, where there is one to be had.

    Args:
        home: The state folder. Where machines of it live, their users are joined.

    Raises:
        DriverError: this user cannot have that; the message says why.
    """
    if sys.platform != "linux":
        yield
        return
    if os.geteuid() == 0:
        rootless_groups.enter_of_container()
        yield
        return
    os.environ["PATH"] = subordinates.PATH  # a user's has no `nft` and no `ip`
    ids = _ids()
    lacks = rootless_groups.enter(home)
    if lacks:
        _log.warning("machines have no control groups: %s (%s)", *lacks)
    connecting = _Helper(_connect_script())
    try:
        _enter(home, ids)
        try:
            problem = _connect(connecting)
        except OSError as error:
            raise DriverError(
                f"the container driver cannot run here: no network of our own: {error}",
                hint="as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0",
            ) from error
        if problem:
            _log.warning("neither machines nor pulls reach the world outside: %s", problem)
        yield
    finally:
        connecting.end()


class _Helper:
    """A shell that stays in the namespaces that we leave, and waits to be told our pid."""

    def __init__(self, script: str) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the server, which needs it to end well
        )
        assert self._process.stdin
        assert self._process.stdout
        self._input, self.output = self._process.stdin, self._process.stdout

    def go(self) -> None:
        """Have it begin."""
        self._input.write(f"{os.getpid()}\n".encode())

    def said(self) -> str:
        """Return all that it says until it ends."""
        return self.output.read().decode(errors="replace").strip()

    def end(self) -> None:
        """Have it end, and return when it has. Repeating is safe."""
        self._input.close()
        self.output.close()
        self._process.wait()


def _ids() -> Ids:
    ids, lacks = subordinates.find()
    if lacks or ids is None:
        says, hint = lacks[0]
        raise DriverError(f"the container driver cannot run here: {says}", hint=hint)
    return ids


def _enter(home: Path, ids: Ids) -> None:
    for monitor in survivors.monitors(str(home / "machines")):
        if _join(monitor):
            return
    mapping = _Helper(_MAP.format(uids=ids.uids.mapping(), gids=ids.gids.mapping()))
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNET)
        mapping.go()
        said = mapping.said()
    except OSError as error:
        said = str(error)
    finally:
        mapping.end()
    if said != "mapped":
        raise DriverError(
            f"the container driver cannot run here: no users of our own: {said}",
            hint="start the platform as root, or let users have user namespaces",
        )


def _join(monitor: int) -> bool:
    """Enter the users that a monitor lives with; whether it still lived."""
    try:
        users = os.open(f"/proc/{monitor}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return False
    try:
        syscalls.setns(users, syscalls.CLONE_NEWUSER)
        syscalls.unshare(syscalls.CLONE_NEWNET)
    except OSError as error:
        raise DriverError(
            f"the users of machines that live cannot be joined: {error}",
            hint="was the last server of this folder root? then this one has to be, too",
        ) from error
    finally:
        os.close(users)
    return True


def _connect_script() -> str:
    return _CONNECT if shutil.which("pasta") else "echo pasta is not installed"


def _connect(helper: _Helper) -> str:
    """Return why there is no way outside; nothing where there is one."""
    with netlink.connect() as sock:
        netlink.ask(sock, netlink.change(_LOOPBACK))
        try:
            helper.go()
        except BrokenPipeError:  # it had something to say instead
            return helper.said()
        deadline = time.monotonic() + _CONNECTED_WITHIN_S
        while not _leads_outside(sock):
            if select.select([helper.output], [], [], _LOOK_S)[0]:
                return helper.said() or "pasta has ended"
            if time.monotonic() > deadline:
                return f"pasta was not done after {_CONNECTED_WITHIN_S:g} s"
    return ""


def _leads_outside(sock: socket.socket) -> bool:
    routes = netlink.tell(sock, netlink.GETROUTE)
    return any(not one.fixed[1] and one.number(netlink.OUT_OF) > _LOOPBACK for one in routes)
