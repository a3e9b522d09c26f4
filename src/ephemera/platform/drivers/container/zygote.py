"""The zygote of the container driver: mounts what all machines share, then forks monitors.

It lives in the router's network namespace and in mounts of its own, and so do its monitors.
Standard library only, as everything that it imports.
"""

from __future__ import annotations

import os
from contextlib import suppress

from ephemera.platform.drivers.container import init, programs, syscalls
from ephemera.platform.drivers.container.body import ContainerKind
from ephemera.platform.drivers.container.cgroups import Tree
from ephemera.platform.drivers.container.setup import Setup, cgroup_tree
from ephemera.platform.drivers.monitoring import zygote
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.network import namespaces

#: Whatever whoever started the server has for its own files: what is made here is for machines,
#: whose users are others.
_UMASK = 0o022


def main() -> None:
    """Keep a spare ready until the server is gone."""
    zygote.main(_make)


def _make(told: Message) -> ContainerKind:
    setup = Setup(**told)
    os.umask(_UMASK)
    if setup.router >= 0:
        namespaces.enter(setup.router)
        os.close(setup.router)
    tree = cgroup_tree(setup.name)
    _mount(setup, tree)
    return ContainerKind(setup, tree)


def _mount(setup: Setup, tree: Tree) -> None:
    """Leave the mounts of this computer for a copy, and mount there what machines share."""
    places = setup.places
    syscalls.unshare(syscalls.CLONE_NEWNS)
    # what is unmounted outside is to be unmounted here, and not the other way round
    syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)
    syscalls.mount("tmpfs", places.base, "tmpfs", syscalls.MS_NODEV, "mode=755,size=1m")
    for folder in (places.layers, places.host, places.root, places.run, places.nowhere):
        os.mkdir(folder)
    _write_programs(setup)
    if not setup.launches:
        _mount_crun(setup.crun, places.crun)
        _hide_unified(setup)
    # a machine gets hold of a program that comes into it, and its root may be whose these are
    read_only = syscalls.MS_REMOUNT | syscalls.MS_RDONLY | syscalls.MS_NODEV
    syscalls.mount("tmpfs", places.base, "tmpfs", read_only)
    _forget_others(tree)
    if setup.own_ids:
        return  # each machine sees them with users of its own, see `prepared`
    syscalls.mount(places.stored_layers, places.layers, "", syscalls.MS_BIND)
    if setup.user_namespace:
        return  # nobody there may show what is below other mounts, see `rootfs.mount_host`
    # programs have it as a stream, and a machine's root is root of this computer here
    _mount_read_only(os.devnull, os.devnull)
    for place in ("/", *setup.beside):
        syscalls.mount(place, (places.host + place).rstrip("/"), "", syscalls.MS_BIND)


def _hide_unified(setup: Setup) -> None:
    """Have no cgroups of version 2 beside version 1: crun does not know what to do with them."""
    unified = Tree.find().hybrid
    if unified and setup.user_namespace:  # which may not unmount it
        syscalls.mount("tmpfs", unified, "tmpfs", syscalls.MS_RDONLY, "size=4k")
    elif unified:
        syscalls.unmount(unified)


#: What no monitor needs, and each of them and each crun would copy: the kernel's own file systems
#: but for `/proc`, `/sys` and `/dev`.
_NOT_NEEDED = frozenset(
    {"autofs", "binfmt_misc", "bpf", "cgroup", "configfs", "debugfs", "devpts", "efivarfs"}
    | {"fusectl", "hugetlbfs", "mqueue", "nsfs", "pstore", "rpc_pipefs", "securityfs"}
    | {"tracefs"}
)


def _forget_others(tree: Tree) -> None:
    """Have those mounts gone from here, which are not needed for the machines."""
    with open("/proc/self/mountinfo") as file:
        mounts = file.read().splitlines()
    needed = [os.path.dirname(root) for root in tree.roots.values()]
    for line in reversed(mounts):  # what is mounted on another comes after it
        before, _, after = line.partition(" - ")
        place, kind = before.split(" ")[4], after.split(" ")[0]
        if kind in _NOT_NEEDED and place not in needed:
            with suppress(OSError):  # its name is written in another way there, or it has gone
                syscalls.unmount(place)


#: nosuid, nodev, noexec, noatime, nodiratime: flags of mounts that `statvfs` has, too.
_KEPT = 2 | 4 | 8 | 1024 | 2048


def _mount_crun(program: str, place: str) -> None:
    """Have crun where no machine can write to it, so that it need not copy itself each time."""
    os.close(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    _mount_read_only(program, place)


def _mount_read_only(source: str, place: str) -> None:
    syscalls.mount(source, place, "", syscalls.MS_BIND)
    # what it is mounted with, a user namespace may not take away
    kept = os.statvfs(place).f_flag & _KEPT
    read_only = syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY | kept
    syscalls.mount("", place, "", read_only)


def _write_programs(setup: Setup) -> None:
    code, places = programs.here(), setup.places
    if code is None:
        return
    namespaces = init.namespaces(own_ids=setup.own_ids)
    for place, program in (
        (places.init, programs.first(code, namespaces)),
        (places.caller, programs.caller(code)),
        (places.enter, programs.enter(code)),
    ):
        fd = os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o755)
        os.write(fd, program)
        os.close(fd)
