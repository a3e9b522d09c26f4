"""Tries out what the container driver asks of the kernel: `main` of a small program.

A program of its own, because a process that has tried a namespace cannot leave it again. Each
thing is tried in a child, in namespaces that end with the child: nothing of it is left, and nobody
else ever sees it. Its arguments are an empty folder, where what concerns a disk is tried and which
is the caller's to remove, the paths of `crun` and `nft`, empty where they are not there, and the
state folder. Standard library only.

It prints one JSON object: under `tried` for each probe why it failed, empty where it works; under
`crun` what `crun --version` says; and under `tree`, `controllers` and `group_lacks` which groups a
server has. The scope that it is given for that, as the server of a user is, ends with it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ephemera.platform.drivers.container import (
    controllers,
    programs,
    rootless_groups,
    syscalls,
)
from ephemera.platform.drivers.container.calls import Calls
from ephemera.platform.drivers.container.cgroups import Tree
from ephemera.platform.drivers.container.launch import WAKE, Launch
from ephemera.platform.drivers.container.mapping import user_namespace
from ephemera.platform.network import netlink

_ALL_BUT_USERS = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWCGROUP
    | syscalls.CLONE_NEWNET
)
#: Whom the root of the probed user namespace is on the host, as in the driver.
_BASE = 100_000
_MASQUERADE = """
table inet probe {
    chain out { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }
}
"""


def main() -> None:
    """Try everything, and print what came of it."""
    folder, crun, nft, home = sys.argv[1:]
    probes: dict[str, Callable[[], None]] = {
        "user_namespaces": _user_namespace,
        "namespaces": lambda: _enter(_ALL_BUT_USERS),
        "overlay": lambda: _overlay(folder),
        "idmap": lambda: _idmapped_overlay(folder),
        "veth": lambda: _link(netlink.pair("probe0", peer=())),
        "bridge": lambda: _link(netlink.bridge("probe0")),
        "nft": lambda: _masquerade(nft),
        "launches": lambda: _launch(folder),
    }
    found = {name: _attempt(probe) for name, probe in probes.items()}
    print(json.dumps({"tried": found, "crun": _version(crun) if crun else "", **_groups(home)}))


def _groups(home: str) -> dict[str, Any]:
    """Return which groups a server that is started like this has, and why it has none."""
    found = rootless_groups.Given(rootless_groups.given_to_container())
    if os.geteuid():
        found = rootless_groups.given(Path(home))
    tree = Tree(2, {"": found.folder}) if found.folder else Tree.find()
    can = controllers.usable(tree, is_given=bool(found.folder))
    return {"tree": tree._asdict(), "controllers": can, "group_lacks": found.lacks}


def _attempt(probe: Callable[[], None]) -> str:
    """Run a probe in a child; return why it failed, or nothing."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            probe()
            status = 0
        except OSError as error:
            os.write(theirs, (error.strerror or str(error)).encode()[:2000])
            status = 0
        finally:
            os._exit(status)
    os.close(theirs)
    with os.fdopen(ours) as reader:
        why = reader.read()
    _, ended = os.waitpid(pid, 0)
    return why if ended == 0 else f"the probe ended with status {ended}"


def _user_namespace() -> None:
    with user_namespace(_map_users) as pid:
        os.readlink(f"/proc/{pid}/ns/user")


def _map_users(pid: int) -> None:
    """Give it 65,536 users where we are root, and else one."""
    mine = (os.geteuid(), os.getegid())
    if mine[0] != 0:
        _write(f"/proc/{pid}/setgroups", "deny")
    for file, own in (("uid_map", mine[0]), ("gid_map", mine[1])):
        _write(f"/proc/{pid}/{file}", f"0 {_BASE} 65536" if mine[0] == 0 else f"0 {own} 1")


def _enter(namespaces: int) -> None:
    """Move into new namespaces; through a user namespace first where we are not root."""
    if os.geteuid() == 0:
        syscalls.unshare(namespaces)
        return
    own = {"uid_map": os.geteuid(), "gid_map": os.getegid()}
    syscalls.unshare(namespaces | syscalls.CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    for file, number in own.items():
        _write(f"/proc/self/{file}", f"0 {number} 1")


def _overlay(folder: str) -> None:
    _enter_mounts()
    lower = _made(folder, "lower")
    _mount_overlay(folder, lower, "plain")


def _idmapped_overlay(folder: str) -> None:
    """See files of our root as those of another root, those in the folder through an overlay."""
    _enter_mounts()
    lower, shown = _made(folder, "files"), _made(folder, "shown")
    with open(f"{lower}/file", "w") as file:
        owner = os.fstat(file.fileno()).st_uid
    with user_namespace(_map_users) as pid:
        users = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
        syscalls.idmapped(lower, users, shown)
        # the computer's own files, which machines with image `host` have
        syscalls.idmapped("/", users, _made(folder, "computer"))
    merged = _mount_overlay(folder, shown, "mapped")
    seen = os.stat(f"{merged}/file").st_uid
    if seen != owner + _BASE:
        raise OSError(0, f"a file of user {owner} is shown as one of user {seen}")


def _enter_mounts() -> None:
    _enter(syscalls.CLONE_NEWNS)
    syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)


def _mount_overlay(folder: str, lower: str, name: str) -> str:
    """Write through an overlay whose writable layer is in `folder`; return where it is."""
    for what in ("upper", "work", "merged"):
        _made(folder, f"{name}-{what}")
    os.chdir(folder)  # its path may be long, and have a colon or a comma in it
    below = os.path.basename(lower)
    layers = f"lowerdir={below},upperdir={name}-upper,workdir={name}-work"
    if syscalls.in_user_namespace():
        layers += ",userxattr"
    merged = f"{folder}/{name}-merged"
    syscalls.mount("overlay", merged, "overlay", 0, layers)
    with open(f"{merged}/written", "w"):
        return merged


def _link(request: netlink.Request) -> None:
    """Make a network link, as the driver does, in a network of its own."""
    _enter(syscalls.CLONE_NEWNET)
    with netlink.connect() as sock:
        netlink.ask(sock, request)


def _masquerade(nft: str) -> None:
    """Load a rule as the driver does for the way outside, in a network of its own."""
    if not nft:
        raise OSError(0, "nft is not installed")
    _enter(syscalls.CLONE_NEWNET)
    done = subprocess.run([nft, "-f", "-"], input=_MASQUERADE.encode(), capture_output=True)
    if done.returncode != 0:
        raise OSError(0, done.stderr.decode(errors="replace").strip().partition("\n")[0])


def _launch(folder: str) -> None:
    """Make such system calls as start a machine, by the program that makes them there."""
    code = programs.here()
    if code is None:
        raise OSError(0, f"there are no programs of ours for {platform.machine()}")
    _enter_mounts()
    place = _made(folder, "programs")
    syscalls.mount("tmpfs", place, "tmpfs")  # the folder may be one that nothing is executed from
    with open(f"{place}/caller", "wb", opener=partial(os.open, mode=0o700)) as file:
        file.write(programs.caller(code))
    calls = Calls(code, range(WAKE))
    Launch(calls).attempt()
    given = [(os.POSIX_SPAWN_DUP2, calls.fileno(), programs.CALLS_FD)]
    pid = os.posix_spawn(f"{place}/caller", ["caller"], {}, file_actions=given)
    _, status = os.waitpid(pid, 0)
    if status:
        raise OSError(0, calls.failure or f"the program ended with status {status}")


def _version(crun: str) -> str:
    try:
        done = subprocess.run([crun, "--version"], capture_output=True, text=True)
    except OSError:  # it is no program, which says no version
        return ""
    return done.stdout


def _made(folder: str, name: str) -> str:
    path = f"{folder}/{name}"
    os.mkdir(path)
    return path


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
