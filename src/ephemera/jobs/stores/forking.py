"""Keeps SQLite out of the way of `fork`.

A web server that forks its workers does so while a supervisor's thread may be at the database.
SQLite keeps its locks in memory, those between threads and a note of those on files: a child
forked in the middle of anything finds them held for ever. So a fork waits until nobody is at a
database, and closes the connections that are open: the child starts with none.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine


class Gate:
    """Lets any number of threads be at their databases, or one thread fork."""

    def __init__(self) -> None:
        self._engines: weakref.WeakSet[Engine] = weakref.WeakSet()
        self._inside = threading.local()
        self._open_again()

    def guard(self, engine: Engine) -> None:
        """Have the connections of this engine closed before a fork."""
        with self._idle:  # a fork may be going through them
            self._engines.add(engine)

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Keep forks waiting for as long as the block runs. May be nested."""
        depth = getattr(self._inside, "depth", 0)
        if depth == 0:
            self._enter()
        self._inside.depth = depth + 1
        try:
            yield
        finally:
            self._inside.depth = depth
            if depth == 0:
                self._leave()

    def before_fork(self) -> None:
        """Wait until nobody is inside, keep it so, and close the connections that are open."""
        self._idle.acquire()
        self._forks = True
        while self._in_use:
            self._idle.wait()
        for engine in self._engines:
            engine.dispose()

    def after_fork_in_parent(self) -> None:
        """Let everybody in again."""
        self._forks = False
        self._idle.notify_all()
        self._idle.release()

    def after_fork_in_child(self) -> None:
        """Open: the threads that were inside or waiting are not in the child."""
        self._open_again()

    def _open_again(self) -> None:
        self._idle = threading.Condition()
        self._in_use = 0
        self._forks = False

    def _enter(self) -> None:
        with self._idle:
            while self._forks:  # or a busy store would never let anybody fork
                self._idle.wait()
            self._in_use += 1

    def _leave(self) -> None:
        with self._idle:
            self._in_use -= 1
            self._idle.notify_all()


gate = Gate()
os.register_at_fork(
    before=gate.before_fork,
    after_in_parent=gate.after_fork_in_parent,
    after_in_child=gate.after_fork_in_child,
)
