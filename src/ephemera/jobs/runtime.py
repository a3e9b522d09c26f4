"""What the job layer keeps for the whole process: settings, the store, the supervisor's thread.

All of it is made when it is first needed, and made afresh in a forked child: a connection and a
thread of the parent are of no use there (web servers that fork their workers after loading the
application).
"""

from __future__ import annotations

import atexit
import contextlib
import http.client
import logging
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ephemera.errors import ConfigError
from ephemera.home import home, make_home
from ephemera.jobs import settings as settings_module
from ephemera.jobs.endings import Endings
from ephemera.jobs.settings import ReportMode, Settings

if TYPE_CHECKING:
    from ephemera.jobs.background import Background
    from ephemera.jobs.store import Store

_log = logging.getLogger("ephemera.jobs")

#: A supervisor that does not take a poke in this time finds the job by itself.
_POKE_TIMEOUT_S = 1.0


class Runtime:
    """The state of one process. Safe to use from any thread."""

    def __init__(self) -> None:
        self.endings = Endings()
        self._lock = threading.RLock()
        self._changes: dict[str, Any] = {}
        #: A store that the application made itself, as an object.
        self._given: Store | None = None
        self._store: Store | None = None
        self._background: Background | None = None

    def configure(self, *, store: Store | str | None, changes: dict[str, Any]) -> None:
        """Take settings over; see `configure`."""
        if isinstance(store, str):
            changes = {**changes, "store": store}
        with self._lock:
            changed = {**self._changes, **changes}
            replace(settings_module.from_environment(os.environ), **changed)
            if store is None and self._given is not None:
                self._stop()
            else:
                self.close()
                self._given = store if not isinstance(store, str) else None
            self._changes = changed

    def settings(self) -> Settings:
        """Return the settings in force."""
        return replace(settings_module.from_environment(os.environ), **self._changes)

    def store(self) -> Store:
        """Return the process's store, opening it if need be.

        Raises:
            ConfigError: it cannot be opened.
        """
        with self._lock:
            if self._store is None:
                self._store = self._given or _open_store(self.settings().store)
            return self._store

    def wake(self) -> None:
        """Make the active supervisor look into the store; be the one, where there is none."""
        settings = self.settings()
        store = self.store()
        if settings.supervise:
            background = self._supervise()
            background.nudge()
            if background.is_active:
                return
            ours = background.holder
        else:
            ours = ""
        lease = store.lease()
        if lease is not None and lease.expires_at > time.time() and lease.holder != ours:
            _poke(lease.url)

    def supervise(self) -> None:
        """Have this process's supervisor run, if it may."""
        if self.settings().supervise:
            self._supervise()

    def check(self) -> None:
        """Find out whether this process's supervisor can work, as far as is known.

        Raises:
            ConfigError: its settings lead to no API.
        """
        error = self._background.hindrance if self._background else None
        if error is not None:
            raise ConfigError(error.message, hint=error.hint) from error

    def _supervise(self) -> Background:
        from ephemera.jobs.background import Background
        from ephemera.jobs.supervisor import Supervisor

        with self._lock:
            if self._background is None:
                supervisor = Supervisor(self.store(), self.settings(), ended=self.endings.ended)
                self._background = Background(supervisor)
            return self._background

    def close(self) -> None:
        """Stop the thread and close the store. Both come back when they are needed."""
        self._stop()
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def _stop(self) -> None:
        with self._lock:
            background, self._background = self._background, None
        if background is not None:
            background.stop()

    def reset(self) -> None:
        """Close, and forget what `configure` was told, so that the next test starts afresh."""
        self.close()
        self._changes = {}
        self._given = None

    def forget(self) -> None:
        """Start afresh in a forked child, without touching what belongs to the parent."""
        if self._store is not None:
            self._store.forget_connections()
        self._lock = threading.RLock()
        self.endings = Endings()
        self._store = self._background = None


def _open_store(url: str) -> Store:
    from ephemera.jobs.stores.sql import SqlStore

    if url == f"sqlite:///{home() / 'jobs.db'}":
        make_home(home())
    return SqlStore(url)


def _poke(url: str) -> None:
    """Tell another process's supervisor that there is something to do."""
    address = urlsplit(url)
    if not address.hostname:
        return
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=_POKE_TIMEOUT_S)
    try:
        with contextlib.closing(connection):
            connection.request("POST", "/poke", headers={"Content-Length": "0"})
            connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        _log.debug("The supervisor at %s was not reached, it will look by itself: %s", url, error)


runtime = Runtime()
os.register_at_fork(after_in_child=runtime.forget)
atexit.register(runtime.close)


def supervise() -> None:
    """Have this process supervise jobs from now on, not only from its first job on.

    For the start of a web application: jobs that were under way when it was killed go on at
    once, and the first job it enqueues does not wait for imports. Does nothing where
    `EPHEMERA_SUPERVISE` is 0. Repeating is safe.

    Raises:
        ConfigError: the job store cannot be opened.
    """
    runtime.supervise()


def configure(
    *,
    store: Store | str | None = None,
    app: str | None = None,
    image: str | None = None,
    region: str | None = None,
    supervise: bool | None = None,
    report: ReportMode | None = None,
    report_url: str | None = None,
    concurrency: int | None = None,
    keep: int | None = None,
    keep_for: float | None = None,
) -> None:
    """Set what the job layer of this process works with; what is left out stays as it is.

    Call it before jobs are enqueued: the store is closed and the supervisor's thread ended,
    and both are made again, with the new settings, when they are needed.

    Args:
        store: A store, or an SQLAlchemy URL such as `sqlite:////var/lib/app/jobs.db`.
        app: The app that jobs get machines of.
        image: The image they run on.
        region: The region they run in.
        supervise: Whether this process may supervise jobs, in a thread of its own.
        report: `push`, `pull` or `auto`; see `ephemera.jobs.settings.Settings`.
        report_url: The URL below which a web application takes reports; see `webside`.
        concurrency: How many jobs have a machine at the same time at most.
        keep: How many machines of jobs that went wrong are kept at most.
        keep_for: Seconds such a machine is kept at most.

    Raises:
        ConfigError: a value is out of range.
    """
    given = {
        "app": app,
        "image": image,
        "region": region,
        "supervise": supervise,
        "report": report,
        "report_url": report_url,
        "concurrency": concurrency,
        "keep": keep,
        "keep_for_s": keep_for,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    runtime.configure(store=store, changes=changes)
