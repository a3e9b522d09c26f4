"""The life of a monitor while its program runs: one loop over everything that may happen.

```
 program prints ─► log      program or command ends ─► reap      server asks ─► answer
 server attaches ─► another link                command is out of time ─► kill it
```

The loop ends when no process of the boot is left and the exit is on disk. Standard library only.
"""

from __future__ import annotations

import math
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from ephemera.platform.drivers.monitoring import ending, frames
from ephemera.platform.drivers.monitoring.beside import how_it_ended
from ephemera.platform.drivers.monitoring.body import Body, NotFrozen
from ephemera.platform.drivers.monitoring.commands import Commands
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.output import Output
from ephemera.platform.drivers.monitoring.peer import Peer
from ephemera.platform.drivers.monitoring.program import NotStarted
from ephemera.platform.drivers.monitoring.sitting import Consoles, Ties

#: How often an exit that found no room on the disk is tried again.
_RECORD_AGAIN_S = 1.0
#: At once; each holds three descriptors, and a process may have as few as 256.
_COMMANDS_MAX = 64
#: More signals than can have come at once; those that are left wake us again.
_WAKES = 64


class Watch:
    """Watches one boot to its end.

    Args:
        wake: A descriptor that becomes readable when a child may have ended.
        body: How the programs are reached and ended.
        questions: What the body answers by itself.
    """

    def __init__(
        self,
        folder: BootFolder,
        listener: socket.socket,
        wake: int,
        outputs: Sequence[Output],
        body: Body,
        questions: Sequence[str],
    ) -> None:
        self._folder = folder
        self._wake = wake
        self._outputs = outputs
        self._body = body
        self._questions = questions
        #: The main program first.
        self._programs: Sequence[int] = ()
        self._exit: dict[str, Any] | None = None
        self._is_buried = False
        self._peers: set[Peer] = set()
        ties = Ties(self._on, self._off, self._say)
        self._commands = Commands(ties)
        #: Commands that are to be started, one in a round: to start one may take a while where the
        #: machine is in the way of it, and nothing else is to wait for more than one of them.
        self._asked: deque[tuple[Peer, Message]] = deque()
        self._consoles = Consoles(ties)
        self._selector = selectors.DefaultSelector()
        self._on(listener.fileno(), lambda: self._accept(listener))
        self._on(wake, self._woken)
        for output in outputs:
            self._on(output.pipe, partial(self._printed, output))

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it has gone, or waits until there is a descriptor for it
            self.attach(Peer(listener.accept()[0]))

    def attach(self, peer: Peer) -> None:
        """Serve a server from now on."""
        self._peers.add(peer)
        self._on(peer.sock.fileno(), lambda: self._serve(peer))

    def run(self, programs: Sequence[int]) -> None:
        """Return when every process of the boot is dead and the exit is on disk and told.

        Args:
            programs: The pids of its programs, the main one first. It ends with any of them.
        """
        self._programs = programs
        while not self._is_over():
            for key, _ in self._selector.select(self._patience()):
                # what was called before it in this round may have closed what this is about
                if self._selector.get_map().get(key.fd) is key:
                    key.data()
            self._commands.time_out()
            if self._asked:
                self._start(*self._asked.popleft())
        for peer in self._peers:
            peer.say({"say": "exited", "exit": self._exit})
            peer.part()

    def _is_over(self) -> bool:
        """Whether the exit is known and recorded, or nobody will ever ask for it."""
        if self._exit is None:
            return False
        try:
            self._folder.write_exit(self._exit)
        except FileNotFoundError:
            return True  # somebody removed the folder
        except OSError:
            return self._is_buried
        return True

    def _patience(self) -> float | None:
        if self._asked:
            return 0.0
        if self._exit is not None:
            return _RECORD_AGAIN_S
        nearest = self._commands.deadline
        return None if nearest == math.inf else max(0.0, nearest - time.monotonic())

    # what the program does

    def _printed(self, output: Output) -> None:
        with suppress(BlockingIOError):
            if not output.read():
                self._off(output.pipe)
            for peer in self._peers:
                peer.poke()
                self._listen(peer)

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake, _WAKES)
        ending.reap(self._reaped)

    def _reaped(self, pid: int, status: int) -> None:
        self._commands.reaped(pid, status)
        self._consoles.reaped(pid, status)
        if pid in self._programs and self._exit is None:
            exit_code, signum = how_it_ended(status)
            self._exit = {
                "exit_code": exit_code,
                "signal": signum or -1,
                "exited_at": time.time(),
            }
            self._commands.end()
            self._consoles.end()
            self._body.end(self._reaped)
            self._exit |= self._body.facts(exit_code)
            for output in self._outputs:
                self._off(output.pipe)
                output.finish()

    # what a server asks

    def _serve(self, peer: Peer) -> None:
        peer.flush()
        self._consoles.caught_up(peer)
        try:
            messages = peer.hear()
        except ValueError:
            messages = None  # whoever speaks like that is no server of ours
        if messages is None:
            self._off(peer.sock.fileno())
            self._peers.discard(peer)
            self._consoles.leave(peer)
            peer.sock.close()
            return
        for message in messages:
            self._answer(peer, message)
        self._listen(peer)

    def _answer(self, peer: Peer, message: Message) -> None:
        asked = message["do"]
        if asked in ("exec", "terminal"):
            self._asked.append((peer, message))
        elif asked in ("signal", "suspend", "resume", "ps"):
            self._say(peer, {"say": "done", "id": message["id"], **self._do(asked, message)})
        elif asked in ("type", "resize", "hang up"):
            self._consoles.hear(peer, message)
        elif asked in self._questions:
            self._say(peer, {"say": "done", "id": message["id"], **self._ask(message)})
        elif asked == "end":
            self._is_buried = True
            # in this order: who is killed here leaves nothing alive that nobody knows of
            self._send_signal(signal.SIGKILL, everyone=True)
            self._folder.bury()
        else:  # another server found this boot running
            self._say(peer, frames.started(self._questions))

    def _do(self, asked: str, message: Message) -> Message:
        """Do what is done at once, and return what there is to say about it."""
        if self._exit is not None:
            return {"processes": []} if asked == "ps" else {}
        if asked == "ps":
            return {"processes": self._body.ps()}
        if asked == "signal":
            self._send_signal(message["signum"], everyone=message["everyone"])
        elif asked == "resume":
            self._body.thaw()
        else:
            try:
                self._body.freeze()
            except NotFrozen as error:
                return {"error": str(error)}
        return {}

    def _send_signal(self, signum: int, *, everyone: bool) -> None:
        if self._exit is not None:
            return
        if self._body.is_frozen and signum == signal.SIGCONT:
            return  # only `resume` ends what `suspend` began
        self._body.signal(signum, everyone=everyone)

    def _ask(self, message: Message) -> Message:
        if self._exit is not None:
            return {"error": "the machine has ended"}
        return self._body.answer(message)

    def _check_room(self) -> None:
        if self._exit is not None:
            raise NotStarted("the machine has ended")
        if self._body.is_frozen:
            raise NotStarted("the machine is suspended")
        if len(self._commands) + len(self._consoles) >= _COMMANDS_MAX:
            raise NotStarted(f"{_COMMANDS_MAX} commands are running already")

    def _start(self, peer: Peer, message: Message) -> None:
        if peer not in self._peers:
            return  # nobody would hear of it
        if message["do"] == "exec":
            self._start_command(peer, message)
        else:
            self._open_console(peer, message)

    def _start_command(self, peer: Peer, message: Message) -> None:
        try:
            self._check_room()
            command = self._body.command(message)
        except (NotStarted, OSError) as error:
            self._refuse(peer, message, error)
        else:
            self._commands.add(peer, command)

    def _open_console(self, peer: Peer, message: Message) -> None:
        try:
            self._check_room()
            console = self._body.console(message)
        except (NotStarted, OSError) as error:
            self._refuse(peer, message, error)
        else:
            self._say(peer, {"say": "data", "id": message["id"], "data": ""})
            self._consoles.add(peer, console)

    def _refuse(self, peer: Peer, message: Message, error: Exception) -> None:
        self._say(peer, {"say": "done", "id": message["id"], "error": str(error)})

    # descriptors

    def _on(self, fd: int, call: Callable[[], None], events: int = selectors.EVENT_READ) -> None:
        self._selector.register(fd, events, call)

    def _off(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def _say(self, peer: Peer, message: Message) -> None:
        if peer in self._peers:
            peer.say(message)
            self._listen(peer)

    def _listen(self, peer: Peer) -> None:
        """Wake up for what the peer says, and for when it can take what is unsent."""
        events = selectors.EVENT_READ
        if peer.is_behind:
            events |= selectors.EVENT_WRITE
        self._selector.modify(peer.sock.fileno(), events, lambda: self._serve(peer))
