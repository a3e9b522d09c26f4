"""What a machine sees, as system calls of the process that becomes its program.

Whatever is mounted in a machine is mounted by paths of the machine, after its root has become the
root: where a link of an image leads, it does not lead out of it. What comes from outside has been
opened before. Standard library only.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from ephemera.platform.drivers.container import syscalls
from ephemera.platform.drivers.container.calls import AT_FDCWD, Calls

_CLOEXEC = os.O_CLOEXEC
_AT_EMPTY_PATH, _AT_RECURSIVE = 0x1000, 0x8000
_FSOPEN_CLOEXEC, _FSMOUNT_CLOEXEC, _FSCONFIG_CMD_CREATE = 1, 1, 6
_OPEN_TREE_CLONE = 1
#: What is mounted is what a descriptor is of; where, a path that is no link, or a descriptor.
_MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH = 0x4, 0x40
_RESOLVE_NO_MAGICLINKS = 2

#: Flags of mounts by the OCI's words, for `mount` and for `mount_setattr`.
_FLAGS = {
    "ro": (syscalls.MS_RDONLY, 1), "nosuid": (syscalls.MS_NOSUID, 2),
    "nodev": (syscalls.MS_NODEV, 4), "noexec": (syscalls.MS_NOEXEC, 8),
    "strictatime": (syscalls.MS_STRICTATIME, 0x20),
}  # fmt: skip
_QUIET = ("nosuid", "nodev", "noexec")
#: File systems of the kernel's that a user namespace may mount only where it sees all of one: they
#: are made before it is entered. By the OCI's names.
_EARLY = {"proc": "proc", "mqueue": "mqueue", "sysfs": "sysfs", "cgroup": "cgroup2"}
_DEVICES = ("null", "zero", "full", "tty", "random", "urandom")
_LINKS = {
    "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2", "core": "/proc/kcore", "ptmx": "pts/ptmx",
}  # fmt: skip
#: What is no failure where the kernel may have no such file.
_GONE = (errno.ENOENT, errno.ENOTDIR)


class Mounting:
    """The mounts of one machine.

    Args:
        calls: The list that they are added to.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._early: Mapping[str, int] = {}
        #: Where an empty folder is mounted already: each file system costs the kernel time when it
        #: goes, and more, the more machines there are.
        self._nothing = ""

    def make_early(self, *, unified: bool) -> Mapping[str, int]:
        """Make what cannot be made in the machine's user namespace; return it for `make`.

        Args:
            unified: Whether the machine sees its cgroup, which has to be of version 2.
        """
        kinds = [one for one in _EARLY if one != "cgroup" or unified]
        return {kind: self.file_system(_EARLY[kind]) for kind in kinds}

    def make(self, config: Mapping[str, Any], early: Mapping[str, int]) -> None:
        """Make mounts of the machine's own, and see nothing else.

        Args:
            config: Of the machine, as `bundle` writes it.
            early: Descriptors of file systems that are mounted here, by the OCI's names.
        """
        self._early = early
        self._calls.add("unshare", syscalls.CLONE_NEWNS, what="a mount namespace")
        self._calls.add("mount", None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        binds = [one for one in config["mounts"] if one["type"] == "bind"]
        trees = [self._tree(one["source"], one["options"]) for one in binds]
        root, others = config["root"]["path"], [one for one in config["mounts"] if one not in binds]
        masked = {path: _kind(path) for path in config["linux"]["maskedPaths"]}
        kept = config["linux"]["readonlyPaths"]
        key = repr((root, others, masked, kept, early))
        self._calls.part(key, lambda: self._make_usual(root, others, masked, kept))
        # last: what a volume holds may lie where the rest is mounted, or is mounted from
        for one, tree in zip(binds, trees, strict=True):
            self._make_folders(one["destination"])
            self._place_following(tree, one["destination"])

    def _make_usual(
        self,
        root: str,
        mounts: Sequence[Mapping[str, Any]],
        masked: Mapping[str, int],
        kept: Sequence[str],
    ) -> None:
        """Make what is the same for all machines."""
        # read-only, so that nobody who is root here, too, gives them another mode or owner
        quiet = ("ro", "nosuid", "noexec")
        devices = {name: self._tree(f"/dev/{name}", quiet) for name in _DEVICES}
        self._change_root(root)
        for one in mounts:
            self._mount(one)
        self._devices(devices)
        for path, kind in masked.items():
            self._mask(path, kind)
        for path in kept:
            self._keep(path)

    def file_system(self, kind: str) -> int:
        """Make a file system of the kernel's, and return a descriptor of it."""
        configured = self._calls.open("fsopen", kind, _FSOPEN_CLOEXEC, what=kind)
        self._calls.add("fsconfig", configured, _FSCONFIG_CMD_CREATE, None, None, 0, what=kind)
        how = (configured, _FSMOUNT_CLOEXEC, 0)
        mounted = self._calls.open("fsmount", *how, what=kind)
        self._calls.close(configured)
        self._set(mounted, _QUIET, kind)
        return mounted

    def _tree(self, source: str, options: Sequence[str]) -> int:
        """Return a descriptor of what is at a path of this computer, to be shown in the machine."""
        flags = _OPEN_TREE_CLONE | _CLOEXEC | _AT_RECURSIVE
        tree = self._calls.open("open_tree", AT_FDCWD, source, flags, what=source)
        self._set(tree, options, source)
        return tree

    def _set(self, tree: int, options: Sequence[str], what: str) -> None:
        """Have a mount, and those below it, be used in fewer ways."""
        attributes = sum(_FLAGS[one][1] for one in options if one in _FLAGS)
        wanted = struct.pack("=4Q", attributes, 0, 0, 0)
        how = _AT_EMPTY_PATH | _AT_RECURSIVE
        self._calls.add("mount_setattr", tree, "", how, wanted, len(wanted), what=what)

    def _place(self, tree: int, target: str) -> None:
        """Mount what a descriptor is of, at what is no link, and be done with that."""
        move = ("move_mount", tree, "", AT_FDCWD, target, _MOVE_MOUNT_F_EMPTY_PATH)
        self._calls.add(*move, what=f"mount at {target}")
        self._calls.close(tree)

    def _place_following(self, tree: int, target: str) -> None:
        """Mount it where a link of the image leads, but not one of `/proc`."""
        what = f"mount at {target}"
        how = struct.pack("=3Q", os.O_PATH | _CLOEXEC, 0, _RESOLVE_NO_MAGICLINKS)
        place = self._calls.open("openat2", AT_FDCWD, target, how, len(how), what=what)
        flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
        self._calls.add("move_mount", tree, "", place, "", flags, what=what)
        self._calls.close(place)
        self._calls.close(tree)

    def _change_root(self, root: str) -> None:
        """See the machine's files, and no others."""
        add = self._calls.add
        # a mount that comes from another user namespace cannot be moved, and this one can
        add("mount", root, root, None, syscalls.MS_BIND | syscalls.MS_REC, what=root)
        flags = os.O_DIRECTORY | os.O_PATH | _CLOEXEC
        folder = self._calls.open("openat", AT_FDCWD, root, flags, what=root)
        add("fchdir", folder)
        self._calls.close(folder)
        add("pivot_root", ".", ".", what="change of root")
        add("umount2", ".", syscalls.MNT_DETACH)  # the root of before lies on top of it now
        add("chdir", "/")

    def _mount(self, mount: Mapping[str, Any]) -> None:
        target, kind, given = mount["destination"], mount["type"], mount["options"]
        self._make_folders(target)
        if kind in self._early:
            self._set(self._early[kind], given, target)
            self._place(self._early[kind], target)
            return
        flags = sum(_FLAGS[one][0] for one in given if one in _FLAGS)
        options = ",".join(one for one in given if one not in _FLAGS)
        what = f"mount at {target}"
        self._calls.add("mount", mount["source"], target, kind, flags, options or None, what=what)

    def _make_folders(self, path: str) -> None:
        """Have a folder be there, and those above it."""
        parts = path.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            folder = "/" + "/".join(parts[:count])
            self._calls.add(
                "mkdirat", AT_FDCWD, folder, 0o755, expected=(errno.EEXIST,), what=folder
            )

    def _devices(self, trees: Mapping[str, int]) -> None:
        for name, tree in trees.items():
            self._calls.make_file(f"/dev/{name}")
            self._place(tree, f"/dev/{name}")
        for name, target in _LINKS.items():
            self._calls.add("symlinkat", target, AT_FDCWD, f"/dev/{name}", what=f"/dev/{name}")

    def _mask(self, path: str, found: int) -> None:
        """Have nothing be at a path of the kernel's, whatever is there.

        Args:
            found: What was found there; 0 for nothing, where there may be something by now.
        """
        what = f"mask of {path}"
        flags = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV
        empty = ("mount", "tmpfs", path, "tmpfs", flags, "size=4k")
        if found == stat.S_IFDIR and self._nothing:
            nothing = ("mount", self._nothing, path, None, syscalls.MS_BIND)
            self._calls.add(*nothing, expected=_GONE, what=what)
        elif found == stat.S_IFDIR:
            # which is to be there: others that are shown this must not see what is behind it
            self._calls.add(*empty, what=what)
            self._nothing = path
        else:
            if not found:  # where that can be mounted, the two calls for a file are passed over
                self._calls.add(*empty, expected=_GONE, over_zero=2, what=what)
            null = ("mount", "/dev/null", path, None, syscalls.MS_BIND)
            self._calls.add(*null, expected=_GONE, what=what)
            self._make_read_only(path, what)

    def _keep(self, path: str) -> None:
        """Have what is at a path of the kernel's be read-only."""
        what = f"protection of {path}"
        itself = ("mount", path, path, None, syscalls.MS_BIND | syscalls.MS_REC)
        self._calls.add(*itself, expected=_GONE, what=what)
        self._make_read_only(path, what)

    def _make_read_only(self, path: str, what: str) -> None:
        flags = syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY
        flags |= syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        self._calls.add("mount", None, path, None, flags, expected=_GONE, what=what)


#: What is at paths of the kernel's where no folder is. It is not looked for again: what is there
#: later is masked whatever it is, and what is not there any more need not be.
_no_folders = dict[str, int]()


def _kind(path: str) -> int:
    """Return what is at a path of the kernel's, which machines see as this computer does."""
    found = _no_folders.get(path)
    if found is None:
        try:
            found = stat.S_IFMT(os.stat(path).st_mode)
        except OSError:
            found = 0
        if found != stat.S_IFDIR:
            _no_folders[path] = found
    return found
