"""The process: contained first, then fed. See the package for what goes where."""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any

from ephemera.platform.unpacker.extract import Extraction
from ephemera.platform.unpacker.problems import BadLayer, NoRoom
from ephemera.platform.unpacker.source import Source
from ephemera.platform.unpacker.streams import Stream, opener

_CLONE_NEWUSER = 0x10000000
#: As many bytes as tell how the layer is packed.
_HEAD_BYTES = 4


def main() -> None:
    """Unpack the layer that comes through stdin into the folder that the first argument names."""
    folder = sys.argv[1]
    # Nothing here makes circles, and looking for them takes a tenth of the time.
    gc.disable()
    try:
        answer = _unpack(folder)
    except BadLayer as error:
        answer = {"bad": str(error)}
    except NoRoom as error:
        answer = {"full": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    # The thread may still wait to be rid of what nobody wants any more.
    os._exit(0)


def _unpack(folder: str) -> dict[str, Any]:
    head = _head()
    unpack = opener(head)  # before the root changes, and with it what can be imported
    as_root = os.geteuid() == 0
    trusted = as_root and not _in_user_namespace()
    _contain(folder, as_root=as_root)
    stream = Stream(head, lambda count: os.read(0, count), unpack)
    stream.start()
    extraction, source = Extraction(as_root=as_root, trusted=trusted), Source(stream.next)
    extraction.run(source)
    source.drain()
    digest, diff_id = stream.digests()
    return {
        "digest": digest,
        "diff_id": diff_id,
        "entries": extraction.entries,
        "written_bytes": extraction.written_bytes,
    }


def _in_user_namespace() -> bool:
    """Whether the root that we are is not the computer's."""
    try:
        with open("/proc/self/uid_map") as file:
            return file.read().split() != ["0", "0", str(2**32 - 1)]
    except FileNotFoundError:  # a system without
        return False


def _head() -> bytes:
    head = b""
    while len(head) < _HEAD_BYTES:
        piece = os.read(0, 64 * 1024)
        if not piece:
            break
        head += piece
    return head


def _contain(folder: str, *, as_root: bool) -> None:
    """Make the folder the root of this process. There is no way back.

    Without root, it becomes one in a user namespace of its own, which may then do it.
    """
    if not as_root:
        _become_root_of_nothing()
    # What is inside is somebody else's. Not even a traceback may import anything from there.
    sys.meta_path.clear()
    os.chroot(folder)
    os.chdir("/")
    os.umask(0)


def _become_root_of_nothing() -> None:
    import ctypes

    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        why = os.strerror(ctypes.get_errno())
        raise OSError(f"this computer does not allow user namespaces: {why}")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
