"""Looks into the file system that a boot left: a program in a copy of it, or an archive of it.

Neither is a boot: no lock, no exit. It is over when whoever asked goes, or the monitor is killed,
and leaves nothing. Standard library only.
"""

from __future__ import annotations

import base64
import os
import select
import selectors
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ephemera.platform.drivers.container import furnishing, mapping, ranges, rootfs, syscalls
from ephemera.platform.drivers.container.cgroups import Limits
from ephemera.platform.drivers.container.rootfs import Layer
from ephemera.platform.drivers.container.setup import Setup
from ephemera.platform.drivers.monitoring import ending, frames
from ephemera.platform.drivers.monitoring.body import Ready
from ephemera.platform.drivers.monitoring.consoles import Console, Listener
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.peer import Peer
from ephemera.platform.drivers.monitoring.program import NotStarted
from ephemera.platform.drivers.monitoring.sitting import Consoles, Ties

#: What may be written to a copy, in memory.
_COPY_OPTIONS = "mode=700,size=512m"
_BLOCK_BYTES = 64 * 1024
_WAKES = 64


def visit(request: Message, link: socket.socket, ready: Ready, setup: Setup) -> None:
    """Do what is asked, and tell of it through the link."""
    folder = BootFolder(request["machine"], request["boot"])
    try:
        if request["what"] == "look":
            _Look(request, folder, ready, setup).serve(link)
        else:
            _export(request, folder, ready, setup, link)
    except FileNotFoundError as error:
        frames.send_last(link, {"say": "failed", "error": f"nothing is left of it: {error}"})
    except (NotStarted, OSError) as error:
        frames.send_last(link, {"say": "failed", "error": str(error)})


class _Look:
    """A program with a terminal, in a copy."""

    def __init__(self, request: Message, folder: BootFolder, ready: Ready, setup: Setup) -> None:
        self._prepared, self._wake = ready.prepared, ready.wake
        owner = self._prepared.owner
        copy = f"{setup.places.run}/copy"
        os.mkdir(copy, 0o700)
        syscalls.mount("tmpfs", copy, "tmpfs", syscalls.MS_NODEV, _COPY_OPTIONS)
        fresh = Layer(f"{copy}/layer")
        left = _left(folder, ready, setup)
        if request["host"]:
            furnishing.show_host(setup, self._prepared)
        beside = setup.beside if request["host"] else None
        rootfs.mount_remains(setup.places, request["layers"], left, fresh, beside)
        self._furnished = furnishing.furnish_mounted(request, setup, self._prepared, owner)
        self._prepared.plug(None)
        limits = Limits(request["cpus"], request["memory_mb"], request["swap_mb"])
        self._prepared.cgroup.limit(limits)
        try:
            self._console = self._start(request, setup)
        except (NotStarted, OSError):
            self._end()
            raise
        self._selector = selectors.DefaultSelector()
        self._is_over = False

    def _start(self, request: Message, setup: Setup) -> Console:
        config = self._furnished.config()
        os.chdir(setup.places.run)
        with Listener("console") as listener:
            pid = self._prepared.runtime.start(config, "console")
            return Console(pid, listener.terminal(), {**request, "id": 0})

    def serve(self, link: socket.socket) -> None:
        """Return when the program has ended, or nobody looks any more."""
        peer = Peer(link)
        consoles = Consoles(Ties(self._on, self._off, lambda _, message: peer.say(message)))
        peer.say(frames.started())
        peer.say({"say": "data", "id": 0, "data": ""})
        consoles.add(peer, self._console)
        self._on(self._wake, lambda: self._woken(consoles))
        self._on(link.fileno(), lambda: self._hear(peer, consoles))
        while not self._is_over:
            for key, _ in self._selector.select():
                if self._selector.get_map().get(key.fd) is key:
                    key.data()
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.is_behind else 0)
            self._selector.modify(link, events, self._selector.get_key(link).data)
        self._end()
        peer.part()

    def _hear(self, peer: Peer, consoles: Consoles) -> None:
        peer.flush()
        consoles.caught_up(peer)
        messages = peer.hear()
        if messages is None:
            self._is_over = True
            return
        for message in messages:
            consoles.hear(peer, message)

    def _woken(self, consoles: Consoles) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake, _WAKES)
        ending.reap(consoles.reaped)
        self._is_over = self._is_over or not len(consoles)

    def _end(self) -> None:
        self._prepared.end(lambda *_: None)
        self._prepared.remove()

    def _on(self, fd: int, call: Any, events: int = selectors.EVENT_READ) -> None:
        self._selector.register(fd, events, call)

    def _off(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)


def _left(folder: BootFolder, ready: Ready, setup: Setup) -> Layer:
    """Return what the boot has written, with the owners that it has for whoever looks.

    Raises:
        FileNotFoundError: nothing of it is left.
    """
    left = Layer(folder.layer)
    if not setup.own_ids:
        os.stat(left.upper)
        return left
    before, after = ranges.root_of(left.upper), ready.prepared.owner.uid
    moved = Layer(f"{setup.places.run}/left")
    beside = [(left.beside(place).upper, moved.beside(place).upper) for place in setup.beside]
    shown = [(left.upper, moved.upper), *(one for one in beside if os.path.isdir(one[0]))]
    for _, place in shown:
        os.makedirs(place, 0o700)
    mapping.show_moved(shown, before, after)
    return moved


def _export(
    request: Message,
    folder: BootFolder,
    ready: Ready,
    setup: Setup,
    link: socket.socket,
) -> None:
    left = _left(folder, ready, setup)
    beside = setup.beside if request["host"] else None
    rootfs.mount_remains(setup.places, request["layers"], left, None, beside)
    userns = os.open(ready.prepared.init.namespace("user"), os.O_RDONLY) if setup.own_ids else -1
    archive, sink = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(archive)
        _pack(setup.places.root, userns, sink)
    os.close(sink)
    frames.send_last(link, frames.started())
    with suppress(BrokenPipeError, ConnectionResetError):  # whoever asked may have gone
        for block in _blocks(archive, link):
            data = base64.b64encode(block).decode()
            frames.send(link, {"say": "data", "id": 0, "data": data})
        # not reaped, so that its number is nobody else's below
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        frames.send(link, {"say": "done", "id": 0, "exit_code": ended.si_status if ended else 1})
    os.kill(pid, signal.SIGKILL)  # it would wait for ever to be read


def _blocks(pipe: int, link: socket.socket) -> Iterator[bytes]:
    """Yield what comes through a pipe.

    Raises:
        BrokenPipeError: whoever asked has gone.
    """
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(link, select.POLLRDHUP)
    while True:
        if link.fileno() in dict(poll.poll()):
            raise BrokenPipeError
        block = os.read(pipe, _BLOCK_BYTES)
        if not block:
            return
        yield block


def _pack(where: str, userns: int, sink: int) -> None:
    """Write an archive of a file system, as its own root sees it. Does not return."""
    # here, because monitors are small: the zygote has loaded no more than all of them need
    import tarfile

    from ephemera.platform.drivers.container.packing import pack

    code = 1
    try:
        os.chdir(where)
        if userns >= 0:
            syscalls.setns(userns, syscalls.CLONE_NEWUSER)
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
        syscalls.die_with_parent()  # after becoming another user, which would undo it
        # From here on every file is the machine's. Nothing of it may be executed by us: no module
        # be imported, and no name of a user be looked up, for which libc loads what `/etc` names.
        for lookup in ("pwd", "grp"):
            setattr(tarfile, lookup, None)
        sys.meta_path.clear()
        os.chroot(".")
        with open(sink, "wb") as file:
            pack("", file)
        code = 0
    finally:
        os._exit(code)
