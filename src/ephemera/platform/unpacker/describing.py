"""Owner, mode, attributes and time of what was made, in the order that keeps them all.

A change of the owner takes setuid bits and capabilities away, and most changes change the time.
"""

from __future__ import annotations

import errno
import os

from ephemera.platform.unpacker import tar
from ephemera.platform.unpacker.problems import BadLayer, shown
from ephemera.platform.unpacker.tar import Entry

#: 1970 to 2446, which is what ext4 can write down.
_MTIME_MAX_NS = 15_032_385_535 * 1_000_000_000
#: The id above it means "leave it as it is".
_ID_MAX = 2**32 - 2
#: How many users a machine has, and the number of the one who is nobody.
_IDS, _NOBODY = 65536, 65534
#: Setuid, setgid, sticky.
_SPECIAL_MODES = 0o7000
_CAPABILITY = "security.capability"


def describe(fd: int, entry: Entry, *, as_root: bool) -> None:
    """Describe a file that has just been made with the entry's mode, or a folder."""
    if as_root and (entry.uid or entry.gid):
        _own(fd, entry)
    if entry.kind == tar.FOLDER or entry.mode & _SPECIAL_MODES:
        os.chmod(fd, entry.mode)
    for name, value in entry.xattrs.items():
        _attribute(fd, name, value, as_root=as_root)
    os.utime(fd, ns=_times(entry))


def describe_at(path: str, entry: Entry, *, as_root: bool) -> None:
    """Describe what cannot be opened: a symlink or a fifo, made with the entry's mode."""
    if as_root and (entry.uid or entry.gid):
        _own(path, entry)
    os.utime(path, ns=_times(entry), follow_symlinks=False)


def _attribute(fd: int, name: str, value: bytes, *, as_root: bool) -> None:
    """Set what images use of extended attributes. What overlayfs says in them is not for layers."""
    is_user = name.startswith("user.") and not name.startswith("user.overlay.")
    if not is_user and not (name == _CAPABILITY and as_root):
        return
    try:
        os.setxattr(fd, name, value)
    except OSError as error:
        if not (is_user and error.errno == errno.EOPNOTSUPP):
            raise


def _own(file: int | str, entry: Entry) -> None:
    """Give a file to its owner; where there is no such user, to nobody.

    So the kernel shows files of users that a user namespace, in which we may be, has not got.
    """
    uid, gid = _owner(entry)
    follow = isinstance(file, int)
    try:
        os.chown(file, uid, gid, follow_symlinks=follow)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        known = (one if one < _IDS else _NOBODY for one in (uid, gid))
        os.chown(file, *known, follow_symlinks=follow)


def _owner(entry: Entry) -> tuple[int, int]:
    if entry.uid > _ID_MAX or entry.gid > _ID_MAX:
        raise BadLayer(f"{shown(entry.name)} has an owner that cannot be, {entry.uid}:{entry.gid}")
    return entry.uid, entry.gid


def _times(entry: Entry) -> tuple[int, int]:
    moment = min(max(entry.mtime_ns, 0), _MTIME_MAX_NS)
    return moment, moment
