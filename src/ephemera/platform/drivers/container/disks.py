"""Volumes that are disks: a file with an ext4 file system in it, mounted in a monitor.

```
<volume>/data.img          the disk; its flock is held by the loop device while it is mounted
<volume>/data.img.mounted  who mounted it last: a pid, and where in the mount namespace of that
```

A mount is gone with the mount namespace it is in, the loop device with the mount, and the flock
with the loop device. So whatever is killed, nothing is left; and a disk is never mounted twice,
not even while the kernel still writes what a killed machine had left to write.

All functions raise OSError whose text says what was being done. Linux only, standard library only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from contextlib import suppress

from ephemera.platform.drivers.container import ext4, loops, syscalls

#: A file system that found an error is left as it is; what is deleted is given back to the disk
#: that the file is on.
_OPTIONS = "errors=remount-ro,discard"
_FIFREEZE, _FITHAW, _RESIZE_FS = 0xC0045877, 0xC0045878, 0x40086610
#: What the kernel says of a file system that it cannot read.
_DAMAGED = (errno.EUCLEAN, errno.EINVAL, errno.EBADMSG, errno.EIO)
#: How long a disk may still be in use by whatever is ending, and how often that is looked at.
_LOCK_WAIT_S, _LOCK_PAUSE_S = 30.0, 0.01
#: What is ending takes milliseconds. After this long somebody may have left it frozen.
_FROZEN_AFTER_S = 1.0


def attach(image: str, target: str) -> None:
    """Mount a disk at a folder, as large as its file is by now, without devices or setuid.

    To be called by the process that has the mount namespace for as long as that is there. Waits
    for whatever had the disk before and is ending. `target` shows the owners of the disk itself.

    Raises:
        OSError: somebody else has it (EBUSY), it is damaged (EUCLEAN), or is not there.
    """
    lock = _locked(image, target, _LOCK_WAIT_S)
    try:
        _write_down(image, target)
        ext4.fit(image, lock)
        with loops.attached(lock, image) as device:
            _mount(image, device, target)
    finally:
        os.close(lock)


def detach(target: str) -> None:
    """Unmount a disk; its device and its lock go once nobody has a file of it open."""
    syscalls.unmount(target)


def grow(image: str, target: str) -> None:
    """Have a mounted disk be as large as its file has become. Repeating is safe.

    Raises:
        OSError: it cannot be done while it is mounted: the kernel wants CAP_SYS_RESOURCE for it
            (EPERM). The next `attach` does it.
    """
    folder = _opened(target)
    try:
        number = loops.number_of(os.fstat(folder).st_dev)
        if number is None:
            raise OSError(errno.ENODEV, f"{target} is not a disk that could grow")
        loops.set_capacity(number)
        blocks = os.stat(image).st_size // os.fstatvfs(folder).f_bsize
        _ask(folder, _RESIZE_FS, struct.pack("=Q", blocks), f"growing {ext4.volume_of(image)}")
    finally:
        os.close(folder)


def grow_unmounted(image: str) -> None:
    """Have a disk that nobody has mounted be as large as its file. Repeating is safe.

    Raises:
        OSError: somebody has it (EBUSY), or its file system must be looked at first.
    """
    lock = _locked(image, "", 0)
    try:
        ext4.fit(image, lock)
    finally:
        os.close(lock)


def freeze(target: str) -> int:
    """Have all writes to a mounted disk wait, with everything before them on the disk.

    Returns:
        What to `thaw`: a descriptor that keeps the disk mounted, whoever is killed meanwhile.
    """
    folder = _opened(target)
    try:
        _ask(folder, _FIFREEZE, bytes(4), f"freezing {target}")
    except OSError as error:
        if error.errno != errno.EBUSY:  # by somebody who was killed
            os.close(folder)
            raise
    return folder


def thaw(folder: int) -> None:
    """Let writes go on, and close the descriptor. One that is not frozen is not an error."""
    try:
        _ask(folder, _FITHAW, bytes(4), "thawing")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(folder)


def mounted(image: str) -> str | None:
    """Return where a disk is mounted, as a path that root can use anywhere; None for nowhere.

    Nobody else than root is told: `is_idle` is what everybody may rely on.
    """
    try:
        with open(f"{image}.mounted") as file:
            pid, target = file.read().split("\n", 1)
        where = f"/proc/{pid}/root{target}"
        number = loops.number_of(os.stat(where).st_dev)
        is_it = number is not None and loops.file_of(number) == loops.backing(image)
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError, ValueError):
        return None  # whoever had it is gone, or is about to mount it
    except PermissionError:
        return None
    return where if is_it else None


def is_idle(image: str) -> bool:
    """Whether nobody has a disk mounted, or mounts it, or has it grow."""
    fd = os.open(image, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _mount(image: str, device: str, target: str) -> None:
    flags = syscalls.MS_NODEV | syscalls.MS_NOSUID
    try:
        syscalls.mount(device, target, "ext4", flags, _OPTIONS)
    except OSError as error:
        if error.errno in _DAMAGED:
            raise ext4.damaged(image, os.strerror(error.errno)) from error
        raise OSError(error.errno, f"mounting {ext4.volume_of(image)}: {error.strerror}") from error


def _locked(image: str, target: str, wait_s: float) -> int:
    """Return a descriptor of a disk that nobody else has.

    Raises:
        OSError: somebody has it, and still after `wait_s` seconds.
    """
    try:
        fd = os.open(image, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise OSError(
            errno.ENOENT, f"{ext4.volume_of(image)} has no data: {image} is gone"
        ) from error
    began = time.monotonic()
    thawed = False
    while not _try_lock(fd):
        waited = time.monotonic() - began
        if waited >= wait_s:
            os.close(fd)
            raise OSError(errno.EBUSY, f"{ext4.volume_of(image)} is in use: {_holder(image)}")
        if target and not thawed and waited > _FROZEN_AFTER_S and mounted(image) is None:
            thawed = True
            _thaw_leftover(image, target)
        time.sleep(_LOCK_PAUSE_S)  # nobody tells when a loop device is gone
    return fd


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(image: str) -> str:
    where = mounted(image)
    return f"it is mounted at {where}" if where else "something has its file locked"


def _thaw_leftover(image: str, target: str) -> None:
    """Thaw a disk that is mounted nowhere, and there only because somebody was killed who froze it.

    Such a disk can be reached by mounting its device again, wherever.
    """
    device = loops.of(loops.backing(image))
    if device is None:
        return
    with suppress(OSError):  # it went by itself just now
        syscalls.mount(device, target, "ext4", syscalls.MS_NODEV | syscalls.MS_NOSUID, _OPTIONS)
        try:
            thaw(_opened(target))
        finally:
            detach(target)


def _write_down(image: str, target: str) -> None:
    """Say where a disk will be mounted. As long as the words are not whole, it is not."""
    with open(f"{image}.mounted", "w") as file:
        file.write(f"{os.getpid()}\n{target}")


def _opened(target: str) -> int:
    return os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _ask(folder: int, what: int, argument: bytes, doing: str) -> None:
    try:
        fcntl.ioctl(folder, what, argument)
    except OSError as error:
        raise OSError(error.errno, f"{doing}: {error.strerror}") from error
