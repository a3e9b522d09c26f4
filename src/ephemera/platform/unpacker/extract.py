"""Entries become files, below the root of this process, in the form of an overlay's layer.

What a layer takes away from those below it is written as overlayfs reads it:

```
 .wh.NAME       ──► NAME, a character device 0:0
 .wh..wh..opq   ──► trusted.overlay.opaque=y on its folder (user.overlay.opaque but for the
                            computer's own root)
```

Both are about the layers below only: what the same layer has stays, whichever comes first.
Folders that an archive has things in and no entry for are made for root, with mode 0755.

Source: https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
"""

from __future__ import annotations

import os
import stat

from ephemera.platform.unpacker import describing, tar
from ephemera.platform.unpacker.problems import BadLayer, failed, shown
from ephemera.platform.unpacker.source import Source
from ephemera.platform.unpacker.tar import Entry

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
#: What aufs kept for itself; Docker leaves it out too.
_AUFS = ".wh..wh."
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Extraction:
    """One layer being made.

    Args:
        as_root: Whether files may be of anybody.
        trusted: Whether this is the computer's own root.

    Attributes:
        entries: How many there were.
        written_bytes: The contents of all files together.
    """

    def __init__(self, *, as_root: bool, trusted: bool) -> None:
        self._as_root = as_root
        self._opaque = "trusted.overlay.opaque" if trusted else "user.overlay.opaque"
        #: The folders that were made, and what their own entries say about them, where there are
        #: any. That is done last, since making something in a folder changes its time.
        self._folders: dict[str, Entry | None] = {"": None}
        #: Symlinks that were gone through as if they were folders.
        self._detours: set[str] = set()
        self.entries = 0
        self.written_bytes = 0

    def run(self, source: Source) -> None:
        """Make everything that an archive holds.

        Raises:
            BadLayer: something is in it that no image may hold.
            NoRoom: the disk is full.
        """
        for entry in tar.entries(source):
            self.entries += 1
            try:
                self._make(entry, source)
            except (OSError, ValueError, OverflowError, RecursionError) as error:
                raise failed(entry.name, error) from error
            source.skip(entry.padding)
        for path, described in reversed(self._folders.items()):
            if described:
                self._describe_folder(path, described)

    def _make(self, entry: Entry, source: Source) -> None:
        path = _path(entry.name)
        folder, _, name = path.rpartition("/")
        if folder not in self._folders and folder not in self._detours:
            self._make_folders(folder)
        if name.startswith(_WHITEOUT):
            self._take_away(folder, name)
            source.skip(entry.stored_bytes)
        elif entry.kind == tar.FILE:
            self._file(path, entry, source)
        elif entry.kind == tar.FOLDER:
            self._folder(path, entry)
        else:
            self._other(path, entry)

    def _file(self, path: str, entry: Entry, source: Source) -> None:
        try:
            fd = os.open(path, _NEW_FILE, entry.mode)
        except FileExistsError:
            self._clear(path)
            fd = os.open(path, _NEW_FILE, entry.mode)
        try:
            if entry.holes:
                self._portions(fd, entry, source)
            else:
                for portion in source.portions(entry.stored_bytes):
                    _write(fd, portion)
                self.written_bytes += entry.stored_bytes
            describing.describe(fd, entry, as_root=self._as_root)
        finally:
            os.close(fd)

    def _portions(self, fd: int, entry: Entry, source: Source) -> None:
        assert entry.holes
        stored = sum(length for _, length in entry.holes.portions)
        if stored > entry.stored_bytes:
            raise BadLayer(f"{shown(entry.name)} has a map of holes that does not fit")
        for offset, length in entry.holes.portions:
            os.lseek(fd, offset, os.SEEK_SET)
            for portion in source.portions(length):
                _write(fd, portion)
        source.skip(entry.stored_bytes - stored)
        os.ftruncate(fd, entry.holes.size_bytes)
        self.written_bytes += stored

    def _folder(self, path: str, entry: Entry) -> None:
        if path not in self._folders:
            try:
                os.mkdir(path, 0o755)
            except FileExistsError:
                if not stat.S_ISDIR(os.lstat(path).st_mode):
                    self._replace_by_folder(path)
        self._folders[path] = entry

    def _other(self, path: str, entry: Entry) -> None:
        if entry.kind in (tar.CHARACTER, tar.BLOCK_DEVICE):
            raise BadLayer(f"it holds a device, {shown(entry.name)}, which no image may")
        if entry.kind not in (tar.HARD_LINK, tar.SYMLINK, tar.FIFO):
            raise BadLayer(f"{shown(entry.name)} is of an unknown kind, {entry.kind}")
        try:
            _link(path, entry)
        except FileExistsError:
            if entry.kind == tar.HARD_LINK and _path(entry.link) == path:
                return
            self._clear(path)
            _link(path, entry)
        if entry.kind != tar.HARD_LINK:
            describing.describe_at(path, entry, as_root=self._as_root)

    def _take_away(self, folder: str, name: str) -> None:
        """Hide something of the layers below."""
        if name == _OPAQUE:
            os.setxattr(folder or ".", self._opaque, b"y")
            return
        hidden = name.removeprefix(_WHITEOUT)
        if name.startswith(_AUFS):
            return
        if hidden in ("", ".", ".."):
            raise BadLayer(f"{shown(name)} hides nothing")
        path = f"{folder}/{hidden}" if folder else hidden
        try:
            os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(path).st_mode):
                os.setxattr(path, self._opaque, b"y")

    def _make_folders(self, folder: str) -> None:
        """Make the folders of a path that are not there. Symlinks on the way are gone through."""
        parts = folder.split("/")
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end])
            if path in self._folders or path in self._detours:
                continue
            try:
                os.mkdir(path, 0o755)
            except FileExistsError:
                self._must_be_folder(path)
            else:
                self._folders[path] = None

    def _must_be_folder(self, path: str) -> None:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            # Contained as we are, wherever it leads is inside; what it leads to may be missing.
            os.makedirs(os.path.realpath(path), 0o755, exist_ok=True)
            self._detours.add(path)
        else:
            if not stat.S_ISDIR(mode):
                self._replace_by_folder(path)
            self._folders[path] = None

    def _replace_by_folder(self, path: str) -> None:
        """Put a folder where something else is; over a whiteout it hides what is below."""
        is_whiteout = stat.S_ISCHR(os.lstat(path).st_mode)
        self._clear(path)
        os.mkdir(path, 0o755)
        if is_whiteout:
            os.setxattr(path, self._opaque, b"y")

    def _clear(self, path: str) -> None:
        """Remove what is there: of two entries with one name the later one counts."""
        if not path:
            raise BadLayer("its root is not a folder")
        below = f"{path}/"
        self._detours = {one for one in self._detours if one != path and not one.startswith(below)}
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return
        for one in [one for one in self._folders if one == path or one.startswith(below)]:
            del self._folders[one]
        _remove_tree(path)

    def _describe_folder(self, path: str, entry: Entry) -> None:
        try:
            fd = os.open(path or ".", _FOLDER)
            try:
                describing.describe(fd, entry, as_root=self._as_root)
            finally:
                os.close(fd)
        except (OSError, ValueError, OverflowError) as error:
            raise failed(entry.name, error) from error


def _path(name: str) -> str:
    """Return where an entry belongs, from the root of the layer; empty for the root itself.

    Raises:
        BadLayer: the name leads upwards, which no honest archive has a use for.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadLayer(f"the name {shown(name)} leads out of the image")
    return "/".join(parts)


def _link(path: str, entry: Entry) -> None:
    if entry.kind == tar.SYMLINK:
        os.symlink(entry.link, path)
    elif entry.kind == tar.FIFO:
        os.mkfifo(path, entry.mode)
    else:
        os.link(_path(entry.link), path, follow_symlinks=False)


def _write(fd: int, portion: memoryview) -> None:
    written = os.write(fd, portion)
    while written < len(portion):
        written += os.write(fd, portion[written:])


def _remove_tree(path: str) -> None:
    """Remove a folder with all that is in it, however deep."""
    left = [path]
    while left:
        try:
            os.rmdir(left[-1])
            left.pop()
        except OSError:
            with os.scandir(left[-1]) as found:
                entries = list(found)
            if not entries:
                raise
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                else:
                    os.unlink(entry.path)
