"""Brings the platform of a user into a group of version 2 that the user was given.

```
 monitors of this folder live in one ────────► the same
 our group is below one that was delegated ──► that         a service with `DelegateSubgroup=`
 systemd of the user makes us a scope ───────► that         most computers
 our own group was delegated ────────────────► that         a service with `Delegate=`, a container
 else: none, and why
```

A scope is for machines what their monitors are: it is there until the last process in it has ended,
whatever becomes of the server, and of the service or the session that it was started in. Standard
library only.

Source: https://systemd.io/CGROUP_DELEGATION/ and `man 5 org.freedesktop.systemd1`.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import select
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ephemera.platform.drivers.container import groups, survivors
from ephemera.platform.drivers.container.cgroups import Tree
from ephemera.platform.drivers.container.groups import LEAF, Unified
from ephemera.platform.drivers.monitoring import kernel

#: What lacks, and what to do.
Lack = tuple[str, str]

_SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
_NO_LIMIT = str(2**64 - 1)
#: It takes some hundredths of a second, unless the computer has just been started, or is busy.
_ANSWERED_WITHIN_S = 30
_MOVED_WITHIN_S = 30.0
_LOOK_S = 0.002
#: Of processes that are moved while they make others.
_ROUNDS_MAX = 100
_OF_A_USER = re.compile(r"/user@(\d+)\.service(?:/|$)")
_LINGERING = Path("/var/lib/systemd/linger")


class Given(NamedTuple):
    """A group below which we may make others."""

    #: Where it is; empty where there is none.
    folder: str
    #: Why there is none.
    lacks: Lack | None = None


def enter(home: Path) -> Lack | None:
    """Bring this process into a group in which it may make some for machines.

    Children that it has already stay where they are. Repeating is safe.

    Args:
        home: The state folder. Where machines of it live, their group is entered.

    Returns:
        Why there is none, and what to do about it; nothing where it is in one.
    """
    group = given(home)
    if group.lacks or os.path.basename(_own()) == LEAF:
        return group.lacks
    return _settle(group.folder)


def enter_of_container() -> None:
    """Have root of a container be in a leaf of the container's group, with all who are in that."""
    group = given_to_container()
    if group:
        _settle(group)


def given(home: Path) -> Given:
    """Return the group that a user was given, which is asked for where there is none.

    In the first and the third case of those above this process is in it afterwards.
    """
    unified = Unified.find(kernel.mounts())
    if unified is None or Tree.find().version != 2:
        why = "control groups are of version 1, of which users get none"
        hint = "boot with systemd.unified_cgroup_hierarchy=1, or start the platform as root"
        return Given("", (why, hint))
    own, theirs = _own(), _leaf_of_monitors(home, unified)
    above = os.path.dirname(own)
    if os.path.basename(own) == LEAF:
        return Given(above)
    if _move(theirs):
        return Given(os.path.dirname(theirs))
    if _is_delegated(above):
        return Given(above)
    lacks = _enter_scope(home)
    if lacks is None:
        return Given(os.path.dirname(theirs) if _move(theirs) else _own())
    if _is_delegated(own) or given_to_container():
        return Given(own)
    return Given("", lacks)


def given_to_container() -> str:
    """Return the folder of the group that we are in, if a container has it for its first."""
    unified = Unified.find(kernel.mounts())
    if unified is None or Tree.find().version != 2 or _own() != unified.place:
        return ""
    files = ("", "cgroup.procs", "cgroup.subtree_control")
    is_ours = all(os.access(f"{unified.place}/{one}", os.W_OK) for one in files)
    is_root = not os.path.exists(f"{unified.place}/cgroup.type")
    return unified.place if is_ours and not is_root else ""


def ends_with(folder: str, lingering: Path = _LINGERING) -> str:
    """Return the user at whose last logout systemd ends everything in a group; empty where none.

    Args:
        lingering: The folder with a file for each user of whom systemd ends nothing.
    """
    found = _OF_A_USER.search(folder)
    if not found:
        return ""
    name = _name(int(found[1]))
    return "" if (lingering / name).exists() else name


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _own() -> str:
    """Return the folder of the group that this process is in; empty where it is not seen."""
    unified = Unified.find(kernel.mounts())
    return unified.folder(groups.of()) if unified else ""


def _is_delegated(folder: str) -> bool:
    """Whether systemd, of version 251 or newer, says of a group that it leaves it to its owner.

    The group of a user's systemd is left to that, and not to us.
    """
    if _OF_A_USER.fullmatch("/" + os.path.basename(folder)):
        return False
    try:
        return os.getxattr(folder, "user.delegate") == b"1" and os.access(folder, os.W_OK)
    except OSError:
        return False


def _leaf_of_monitors(home: Path, unified: Unified) -> str:
    """Return the folder of the leaf that monitors live in; empty where there is none."""
    for monitor in survivors.monitors(str(home / "machines")):
        folder = unified.folder(groups.of(monitor))
        if os.path.basename(folder) == LEAF:
            return folder
    return ""


def _settle(folder: str) -> Lack | None:
    """Have everybody who is in a group be in its leaf, so that it can pass its controllers on."""
    leaf = f"{folder}/{LEAF}"
    try:
        os.makedirs(leaf, exist_ok=True)
        _put(leaf, os.getpid())
        for _ in range(_ROUNDS_MAX):
            others = Path(folder, "cgroup.procs").read_text().split()
            for pid in others:
                with suppress(ProcessLookupError):
                    _put(leaf, int(pid))
            if not others:
                break
    except OSError as error:
        return f"control group {folder} cannot be used: {error}", "start the platform as root"
    return None


def _move(leaf: str) -> bool:
    """Move this process into a leaf; whether that is there and may be entered from here."""
    if not leaf:
        return False
    try:
        _put(leaf, os.getpid())
    except OSError:
        return False
    return True


def _put(folder: str, pid: int) -> None:
    with open(f"{folder}/cgroup.procs", "w") as file:
        file.write(str(pid))


def _enter_scope(home: Path) -> Lack | None:
    """Have the systemd of the user put this process into a scope of its own."""
    runtime = f"/run/user/{os.getuid()}"
    busctl = shutil.which("busctl")
    if busctl is None:
        return "there is no systemd to be asked for control groups", "start the platform as root"
    if not os.path.exists(f"{runtime}/bus"):
        why = f"no systemd of this user can be asked: there is no {runtime}/bus"
        hint = f"apt-get install dbus-user-session; loginctl enable-linger {_name(os.getuid())}"
        return why, hint
    name = f"ephemera-{os.getpid()}-{secrets.token_hex(4)}.scope"
    problem = _ask([busctl, *scope_call(name, os.getpid(), str(home))], runtime)
    deadline = time.monotonic() + _MOVED_WITHIN_S
    while not problem and os.path.basename(groups.of()) != name:
        if time.monotonic() > deadline:
            problem = f"{name} was not there after {_MOVED_WITHIN_S:g} s"
        select.select([], [], [], _LOOK_S)
    if problem:
        return f"systemd gives us no control group: {problem}", "see: journalctl --user -n 20"
    return None


def scope_call(name: str, pid: int, home: str) -> list[str]:
    """Return what `busctl` is told, to have a process in a scope that is left to us."""
    properties = [
        ("Description", "s", f"Ephemera: machines of {home}"),
        ("Delegate", "b", "true"),
        ("CollectMode", "s", "inactive-or-failed"),
        ("TasksMax", "t", _NO_LIMIT),  # the default is a share of what the user may have
        ("PIDs", "au", "1", str(pid)),
    ]
    call = ["org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))"]
    told = [name, "fail", str(len(properties)), *(word for one in properties for word in one), "0"]
    timeout = f"--timeout={_ANSWERED_WITHIN_S}"
    return ["--user", "--quiet", timeout, "call", *_SYSTEMD, *call, *told]


def _ask(words: list[str], runtime: str) -> str:
    """Run a command of systemd's; return why it failed, or nothing.

    Whoever became this user by `su` or `sudo` has variables of somebody else.
    """
    bus = f"unix:path={runtime}/bus"
    env = {**os.environ, "XDG_RUNTIME_DIR": runtime, "DBUS_SESSION_BUS_ADDRESS": bus}
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, check=False
    )
    if done.returncode == 0:
        return ""
    return done.stderr.strip().rpartition("\n")[2] or f"busctl ended with {done.returncode}"
