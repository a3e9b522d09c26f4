"""Keeps SQLite out of the way of `fork`.

A web server that forks its workers does so while a supervisor's thread may be writing. SQLite
notes in memory which locks its process holds; a child forked in the middle of a transaction
believes for ever that somebody in it holds them, and finds every database locked. So a fork waits
until no connection is in use, and closes those that are open: the child starts with none.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

from sqlalchemy import Engine, event


class Gate:
    """Lets connections be used by any number of threads, or one thread fork."""

    def __init__(self) -> None:
        self._engines: weakref.WeakSet[Engine] = weakref.WeakSet()
        self._open_again()

    def guard(self, engine: Engine) -> None:
        """Have forks wait for this engine's connections."""
        self._engines.add(engine)
        event.listen(engine, "checkout", self._enter)
        event.listen(engine, "checkin", self._leave)

    def before_fork(self) -> None:
        """Wait until no connection is in use, keep it so, and close those that are open."""
        self._idle.acquire()
        self._forks = True
        while self._in_use:
            self._idle.wait()
        for engine in self._engines:
            engine.dispose()

    def after_fork_in_parent(self) -> None:
        """Let connections be used again."""
        self._forks = False
        self._idle.notify_all()
        self._idle.release()

    def after_fork_in_child(self) -> None:
        """Let connections be used again: the threads that used them are not in the child."""
        self._open_again()

    def _open_again(self) -> None:
        self._idle = threading.Condition(threading.RLock())
        self._in_use = 0
        self._forks = False

    def _enter(self, *_: Any) -> None:
        with self._idle:
            while self._forks:  # or a busy store would never let anybody fork
                self._idle.wait()
            self._in_use += 1

    def _leave(self, *_: Any) -> None:
        with self._idle:
            self._in_use -= 1
            self._idle.notify_all()


gate = Gate()
os.register_at_fork(
    before=gate.before_fork,
    after_in_parent=gate.after_fork_in_parent,
    after_in_child=gate.after_fork_in_child,
)
