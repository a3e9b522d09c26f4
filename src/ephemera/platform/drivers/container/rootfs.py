"""The file system of a machine: layers that are shared, and one of its own that is written to.

Made by overlayfs in the mount namespace of the machine's monitor, and gone with that. What the
machine wrote stays in its folder: `upper` of `<boot>.layer`. Of image `host`, the layer below is
this computer's own file system, without what is nobody's business. Standard library only.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from ephemera.platform.drivers.container import syscalls
from ephemera.platform.drivers.container.inroot import Owner
from ephemera.platform.drivers.container.places import Places, above


class Layer(NamedTuple):
    """What a machine writes, on the disk."""

    folder: str

    @property
    def upper(self) -> str:
        """What it wrote to its own file system."""
        return f"{self.folder}/upper"

    def beside(self, place: str) -> Layer:
        """Return what it wrote to another file system of this computer (image `host`)."""
        return Layer(f"{self.folder}/beside{place.replace('/', '/=')}")

    def make(self, owner: Owner, like: str) -> None:
        """Make it anew, as empty as an unfinished start may not have left it.

        Args:
            owner: Whom the root of the file system belongs to.
            like: The folder whose mode its root has.

        Raises:
            OSError: there is no room for it.
        """
        try:
            os.makedirs(self.folder, 0o700)
        except FileExistsError:
            _run("rm", "-rf", self.folder)
            os.mkdir(self.folder, 0o700)
        for inner in ("upper", "work"):
            os.mkdir(f"{self.folder}/{inner}", 0o700)
        os.chown(self.upper, *owner)
        os.chmod(self.upper, stat.S_IMODE(os.stat(like).st_mode))


class HostFiles(NamedTuple):
    """The file systems of this computer that a machine with image `host` sees."""

    #: Where they are mounted beside `/`, outermost first.
    beside: Sequence[str]
    #: What no machine may see of them.
    hidden: Sequence[str]


def mount_image(places: Places, layers: Sequence[str], layer: Layer, owner: Owner) -> None:
    """Have a machine's file system at `places.root`.

    Args:
        layers: The names of the folders of its image, the lowest first.

    Raises:
        OSError: it cannot be mounted.
    """
    lower = _lower(places, layers)
    layer.make(owner, f"{places.layers}/{layers[-1]}" if layers else places.run)
    _mount(places, places.layers, lower, layer, places.root)


def mount_host(places: Places, host: HostFiles, layer: Layer, owner: Owner) -> None:
    """Have this computer's file system at `places.root`, to be written to without harm.

    Raises:
        OSError: it cannot be mounted.
    """
    layer.make(Owner(*_owner(places.host)), places.host)
    if places.user_namespace:
        _mount(places, places.layers, _stand_in(places, host.beside), layer, places.root)
    else:
        _hide(host.hidden, "/", host.beside, layer.upper)
        _mount(places, places.host, ".", layer, places.root)
    shown = "" if places.user_namespace else places.host
    for place in host.beside:
        below, inner = shown + place, layer.beside(place)
        if not os.path.isdir(places.root + place):
            continue  # it is hidden, or was taken away
        inner.make(Owner(*_owner(below)), below)
        others = [one for one in host.beside if one != place]
        _hide(host.hidden, place, others, inner.upper)
        _mount(places, below, ".", inner, places.root + place)
    _cover(places, owner)


def _cover(places: Places, owner: Owner) -> None:
    """Have nothing where programs of this computer listen."""
    for folder in ("/run", "/tmp/.X11-unix"):
        if os.path.isdir(places.root + folder):
            syscalls.mount("tmpfs", places.root + folder, "tmpfs", _SAFE, _owned(owner))


def mount_remains(
    places: Places,
    layers: Sequence[str],
    left: Layer,
    fresh: Layer | None,
    beside: Sequence[str] | None,
) -> None:
    """Have a copy at `places.root` of what a machine left; without `fresh` to be read only.

    Args:
        layers: The names of the folders of its image.
        beside: Of image `host`, where file systems are mounted beside `/`; None of others.

    Raises:
        OSError: it cannot be mounted, or there is nothing left.
    """
    os.stat(left.upper)
    if fresh and beside is not None and not places.user_namespace:
        _mount_host_remains(places, left, fresh, beside)
        return
    is_host = beside is not None
    base = _places(places, left, fresh, beside or ()) if is_host else _lower(places, layers)
    below = os.open(left.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    lower = f"/proc/self/fd/{below}/upper:{base}"
    if fresh is None:
        os.chdir(places.layers)
        syscalls.mount("overlay", places.root, "overlay", _SAFE | syscalls.MS_RDONLY,
                       f"lowerdir={lower}{_attributes(places)}")  # fmt: skip
    else:
        fresh.make(Owner(*_owner(left.upper)), left.upper)
        _mount(places, places.layers, lower, fresh, places.root)
    os.close(below)
    _mount_all_beside(places, beside or (), left, fresh)


def _places(places: Places, left: Layer, fresh: Layer | None, beside: Sequence[str]) -> str:
    """Make a layer that has folders where file systems of this computer are mounted.

    Returns:
        Its path, as `_lower` does.
    """
    if places.user_namespace:
        return _stand_in(places, beside, links=fresh is not None)
    made = f"{places.run}/apart"
    os.mkdir(made, 0o755)
    for place in beside:
        upper = left.beside(place).upper
        if os.path.isdir(upper) and os.listdir(upper):
            os.makedirs(made + place, 0o755, exist_ok=True)
    for folder, _, _ in os.walk(made):
        os.chown(folder, *_owner(left.upper))
    return os.path.relpath(made, places.layers)


def _mount_all_beside(
    places: Places, beside: Sequence[str], left: Layer, fresh: Layer | None
) -> None:
    for place in beside:
        if os.path.isdir(left.beside(place).upper) and os.path.isdir(places.root + place):
            _mount_remains_beside(places, place, left, fresh)


def _mount_remains_beside(places: Places, place: str, left: Layer, fresh: Layer | None) -> None:
    """Have what a machine left at a place that is shown apart; without `fresh` that alone."""
    inner = left.beside(place)
    if fresh is None:
        syscalls.mount(inner.upper, places.root + place, "", syscalls.MS_BIND)
        return
    below = place if places.user_namespace else places.host + place
    _copy(inner, fresh.beside(place))
    _mount(places, below, ".", fresh.beside(place), places.root + place)


def _mount_host_remains(places: Places, left: Layer, fresh: Layer, beside: Sequence[str]) -> None:
    """Have a copy of what a machine left above this computer's own file systems."""
    _copy(left, fresh)
    _mount(places, places.host, ".", fresh, places.root)
    _mount_all_beside(places, beside, left, fresh)
    _cover(places, Owner(*_owner(left.upper)))


def _copy(left: Layer, fresh: Layer) -> None:
    """Have what was written in a fresh layer: it lies below the one that it should be above."""
    fresh.make(Owner(*_owner(left.upper)), left.upper)
    if not _run("cp", "-a", f"{left.upper}/.", fresh.upper):
        raise OSError(errno.ENOSPC, "what the machine left does not fit into memory")


_SAFE = syscalls.MS_NODEV | syscalls.MS_NOSUID


def _run(*command: str) -> bool:
    """Run a program of this computer; whether it did its work."""
    _, status = os.waitpid(os.posix_spawnp(command[0], command, os.environ), 0)
    return status == 0


def _mount(places: Places, cwd: str, lower: str, layer: Layer, target: str) -> None:
    """Mount an overlay; names in `lower` are relative to `cwd`, so that many fit in a page."""
    os.chdir(cwd)
    # by a descriptor, because a path may have a colon or a comma in it
    own = os.open(layer.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        where = f"/proc/self/fd/{own}"
        # volatile: nothing is flushed, as nothing here has to outlive the computer
        options = f"lowerdir={lower},upperdir={where}/upper,workdir={where}/work,volatile"
        options += _attributes(places)
        syscalls.mount("overlay", target, "overlay", syscalls.MS_NODEV, options)
    finally:
        os.close(own)


def _lower(places: Places, layers: Sequence[str]) -> str:
    """Return the layers as overlayfs wants them: the topmost first, each once."""
    if not layers:
        os.makedirs(f"{places.run}/empty", 0o755, exist_ok=True)
        return os.path.relpath(f"{places.run}/empty", places.layers)  # a home may have a colon
    return ":".join(dict.fromkeys(reversed(layers)))


def _attributes(places: Places) -> str:
    """Return what tells overlayfs to write things down as the root of a user namespace may."""
    return ",userxattr" if places.user_namespace else ""


def _stand_in(places: Places, folders: Sequence[str], *, links: bool = True) -> str:
    """Make a layer that leads to folders that are shown apart: folders above them, and links.

    Returns:
        Its path, as `_lower` does.
    """
    made = f"{places.run}/apart"
    os.mkdir(made, 0o755)
    for folder in sorted({one for place in folders for one in above(place)}):
        for entry in os.scandir(folder):
            if entry.is_symlink():
                if links:
                    os.symlink(os.readlink(entry.path), made + entry.path)
            elif entry.is_dir():
                os.mkdir(made + entry.path, 0o755)
    return os.path.relpath(made, places.layers)


def _hide(hidden: Sequence[str], place: str, others: Sequence[str], upper: str) -> None:
    """Have files and folders not be there, by a whiteout in the layer above them.

    Args:
        hidden: Paths of this computer.
        place: Where the file system is mounted that the layer is above.
        others: Where others are mounted.
    """
    for path in hidden:
        inside = [one for one in (place, *others) if _is_below(path, one)]
        if max(inside, key=len, default="") != place or not os.path.lexists(path):
            continue
        parts = os.path.relpath(path, place).split("/")
        like, made = place.rstrip("/"), upper
        for name in parts[:-1]:
            like, made = f"{like}/{name}", f"{made}/{name}"
            _mirror(like, made, upper)
        os.mknod(f"{made}/{parts[-1]}", stat.S_IFCHR, 0)


def _mirror(path: str, made: str, upper: str) -> None:
    """Make a folder in the layer like the one that it is above, shifted as the layer's root is."""
    with suppress(FileExistsError):
        os.mkdir(made)
        shift = os.stat(upper).st_uid - _owner("/")[0]
        uid, gid = _owner(path)
        os.chown(made, uid + shift, gid + shift)
        os.chmod(made, stat.S_IMODE(os.stat(path).st_mode))


def _is_below(path: str, folder: str) -> bool:
    return folder == "/" or path == folder or path.startswith(folder + "/")


#: In a user namespace, whoever is not of it: nothing can be given to that one.
_NOBODY = 65534 if syscalls.in_user_namespace() else -1


def _owner(path: str) -> tuple[int, int]:
    found = os.stat(path)
    uid, gid = found.st_uid, found.st_gid
    return (0 if uid == _NOBODY else uid), (0 if gid == _NOBODY else gid)


def _owned(owner: Owner) -> str:
    return f"mode=755,size=64m,uid={owner.uid},gid={owner.gid}"
