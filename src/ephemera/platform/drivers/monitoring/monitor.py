"""The monitor of one boot: takes its lock, finds out what is to be done, and does it.

```
lock is gone ──► "gone"      lock is held ──► "held"
it has ended before ──► "exited"
a program is on record ──► its monitor was killed: end what is left, write the exit ──► "exited"
nothing is on record ──► start it, watch it, write the exit ──► "started", "exited"
                    └──► it cannot be started ──► "failed"
```

One process per boot, forked by the zygote, or one that has had a boot before, see `renewal`;
nothing is imported here. It ignores SIGINT, SIGTERM
and SIGHUP, and has a session of its own: what ends the server must not end the machines.
Standard library only.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import time
from contextlib import redirect_stderr, suppress
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple

from ephemera.platform.drivers.monitoring import frames, kernel, program
from ephemera.platform.drivers.monitoring.body import Kind, Ready, Streams
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.output import Output
from ephemera.platform.drivers.monitoring.peer import Peer
from ephemera.platform.drivers.monitoring.watch import Watch

#: Links that were asked for and not yet accepted: each console has one of its own.
_BACKLOG = 64
#: Room for a pid, a start time and a UUID.
_RECORD_BYTES = 128


class _Taken(NamedTuple):
    """A boot whose lock this process holds."""

    folder: BootFolder
    lock: int
    listener: socket.socket
    #: The server that asked.
    link: socket.socket
    ready: Ready
    kind: Kind


def lead() -> None:
    """Have this process be what every monitor is: a reaper, in a session of its own."""
    kernel.adopt_orphans()
    os.setsid()


def prepare(kind: Kind) -> Ready:
    """Do all that can be done for a boot while nobody waits for it."""
    pipe, printed = os.pipe()
    os.set_blocking(pipe, False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    prepared, lacking = None, ""
    try:
        prepared = kind.prepare(Streams(nothing, printed, printed))
    except OSError as error:  # for whoever asks for a machine, and not for the zygote to try again
        lacking = f"no machine can be made: {error.strerror or error}"
    return Ready(_wake_on_child(), pipe, printed, nothing, prepared, lacking)


def main(link: socket.socket, ready: Ready, kind: Kind) -> bool:
    """Be the monitor that this link asks for.

    Returns:
        Whether a boot was started, has ended, and its end is on disk: then `kind.renew` may be
        asked for another. Else what was prepared is discarded.
    """
    request = frames.receive(link)
    has_run = False
    try:
        if request is not None and request["do"] == "visit":
            _visit(request, link, ready, kind)
        elif request is not None:
            folder = BootFolder(request["machine"], request["boot"])
            sys.excepthook = partial(_write_last_words, folder)
            has_run = _attend(folder, request, link, ready, kind)
    finally:
        if not has_run:
            kind.discard(ready.prepared)
    return has_run


def _visit(request: Message, link: socket.socket, ready: Ready, kind: Kind) -> None:
    if ready.lacking:
        frames.send_last(link, {"say": "failed", "error": ready.lacking})
    else:
        kind.visit(request, link, ready)


def _write_last_words(
    folder: BootFolder,
    kind: type[BaseException],
    error: BaseException,
    where: TracebackType | None,
) -> None:
    """Leave the traceback where somebody can find it: a monitor has no terminal."""
    with open(folder.errors, "w") as file, redirect_stderr(file):
        sys.__excepthook__(kind, error, where)


def _attend(
    folder: BootFolder, request: Message, link: socket.socket, ready: Ready, kind: Kind
) -> bool:
    """Do what is asked of a boot; whether it was run to its end."""
    try:
        if request.get("patient"):
            _await_holder(folder)
        lock, listener = _take(folder)
    except FileNotFoundError:
        frames.send_last(link, {"say": "gone"})
    except BlockingIOError:
        frames.send_last(link, {"say": "held"})
    else:
        has_run = _decide(_Taken(folder, lock, listener, link, ready, kind), request)
        listener.close()  # before the lock: whoever finds nobody here waits for that
        os.close(lock)
        return has_run
    return False


def _await_holder(folder: BootFolder) -> None:
    """Return when the lock is free: its holder does not listen any more, so it is ending."""
    lock = os.open(folder.lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


def _take(folder: BootFolder) -> tuple[int, socket.socket]:
    """Take the lock of the boot, and listen.

    Raises:
        BlockingIOError: another monitor has it; that one listens already.
        FileNotFoundError: the boot was destroyed.
    """
    gate = os.open(folder.machine, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # whoever finds the lock held has passed this gate later than its holder
        fcntl.flock(gate, fcntl.LOCK_EX)
        lock = os.open(folder.lock, os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return lock, _listen(folder)
    finally:
        os.close(gate)


def _listen(folder: BootFolder) -> socket.socket:
    # relative to the current folder: an address holds a path of 103 bytes at most on macOS
    os.chdir(folder.machine)
    address = os.path.basename(folder.socket)
    with suppress(FileNotFoundError):
        os.unlink(address)  # of a monitor that was killed
    listener = socket.socket(socket.AF_UNIX)
    usual = os.umask(0o177)  # nobody else may speak to it
    listener.bind(address)
    os.umask(usual)
    listener.listen(_BACKLOG)
    return listener


def _decide(taken: _Taken, request: Message) -> bool:
    folder, lock, link = taken.folder, taken.lock, taken.link
    exit_ = folder.read_exit()
    # in this order: whoever destroys a boot takes away the lock before anything else
    if exit_ is None and os.fstat(lock).st_nlink == 0:
        frames.send_last(link, {"say": "gone"})
        return False
    record = os.pread(lock, _RECORD_BYTES, 0)
    if exit_ is None and not record and request["do"] == "start":
        return _run(taken, request)
    try:
        late = exit_ is None
        exit_ = exit_ or _resolve(taken, record)
    except OSError as error:
        said = f"the end of the machine cannot be written down: {error.strerror}"
        frames.send_last(link, {"say": "failed", "error": said})
        return False
    if request["do"] == "end":
        folder.bury()
    frames.send_last(link, {"say": "exited", "exit": exit_, "late": late})
    return False


def _resolve(taken: _Taken, record: bytes) -> dict[str, Any]:
    """End a boot that has no monitor, and write down that nobody saw its end."""
    error = "the machine was never started"
    if record:
        taken.kind.end_leftovers(taken.folder, _read(record))
        error = "the machine's monitor was killed, and the machine with it"
    exit_ = {"exit_code": -1, "error": error, "exited_at": time.time()}
    taken.folder.write_exit(exit_)
    return exit_


def _run(taken: _Taken, request: Message) -> bool:
    """Run the boot to its end; whether it could be started."""
    ready, peer = taken.ready, Peer(taken.link)
    if ready.lacking:
        peer.say({"say": "failed", "error": ready.lacking})
        peer.part()
        return False
    body = taken.kind.body(taken.folder, ready.prepared)

    def record(pid: int) -> None:
        os.pwrite(taken.lock, _record(pid), 0)

    with suppress(OSError):  # then it is tried again when there is an end to write
        taken.folder.reserve_exit()  # before a program runs that may fill the disk
    try:
        streams = Streams(ready.nothing, ready.printed, ready.printed)
        pids = body.start(request, streams, record)
    except (program.NotStarted, OSError) as error:
        os.ftruncate(taken.lock, 0)
        peer.say({"say": "failed", "error": str(error)})
        peer.part()
        return False
    # before the rest is made ready: the server goes on meanwhile
    peer.say(frames.started(taken.kind.questions))
    os.close(ready.printed)
    printed = [ready.pipe]  # also where there is a terminal: by the programs beside the main one
    if body.terminal is not None:
        os.set_blocking(body.terminal, False)
        printed.append(body.terminal)
    told = request["log_folder"], request["instance"], request["region"]
    outputs = [Output(one, *told) for one in printed]
    watch = Watch(taken.folder, taken.listener, ready.wake, outputs, body, taken.kind.questions)
    watch.attach(peer)
    watch.run(pids)
    return True


def _wake_on_child() -> int:
    """Return a descriptor that becomes readable when a child has ended."""
    wake, woken = os.pipe()
    for one in (wake, woken):
        os.set_blocking(one, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return wake


def _record(pid: int) -> bytes:
    """Return what the boot's lock says of its program; pid 0 for one about to be executed.

    Whatever was executed is on record, if not with its pid then with this, and a boot on record
    is never run again. Of a fixed length, so that the second replaces the first.
    """
    record = {"pid": pid, "start": kernel.start_of_child(pid), "host": kernel.HOST_BOOT}
    return json.dumps(record).encode().ljust(_RECORD_BYTES)


def _read(record: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(record)
    except ValueError:  # the computer ended before it was on the disk, and the program with it
        return {"pid": 0, "start": 0, "host": ""}
    return found
