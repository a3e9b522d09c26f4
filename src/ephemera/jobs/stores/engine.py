"""Opening the database of a job store.

SQLite is opened with WAL, so that readers never wait, and `synchronous=FULL`, so that what was
answered is on disk. A write takes the database's lock when it begins (`BEGIN IMMEDIATE`): a
transaction that reads first and writes later could not get it any more and would fail.

Nobody is told when that lock is free, and whoever writes without a pause leaves it free for some
microseconds only. SQLite would soon look for it ten times a second, and miss them all: so a write
looks by itself, and often.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError

from ephemera.errors import ConfigError, StoreError
from ephemera.jobs.stores.forking import gate

#: How long a write waits for those of other threads and processes; each takes milliseconds.
_PATIENCE_S = 10.0
#: Between two looks whether the lock is free, at most: not the same each time, or all could miss.
_LOOK_MAX_S = 0.004
_URL_HINT = (
    "set EPHEMERA_STORE to sqlite:////var/lib/app/jobs.db, for example, or to"
    " postgresql+psycopg://USER:PASSWORD@HOST/DATABASE with psycopg installed"
)
#: The execution option of connections on which every statement is one `SELECT` by itself.
READS_ONLY = {"ephemera_reads_only": True}
#: What else has to wait, as at the first opening of a database, does so within SQLite.
_WAIT, _DO_NOT_WAIT = f"PRAGMA busy_timeout={_PATIENCE_S * 1000:.0f}", "PRAGMA busy_timeout=0"


def open_engine(url: str) -> Engine:
    """Return an engine for a job store.

    Raises:
        ConfigError: not an SQLAlchemy URL, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.get_dialect().is_async:
            raise ArgumentError(f"the driver '{parsed.drivername}' is for asyncio only")
        is_file = parsed.get_backend_name() == "sqlite"
        # Arguments and environments of jobs are parameters, and must reach no log. A connection to
        # a server is looked at before it is used: the server may have been started again.
        engine = create_engine(parsed, hide_parameters=True, pool_pre_ping=not is_file)
    except (ArgumentError, ModuleNotFoundError) as error:
        raise ConfigError(f"the job store's URL cannot be used: {error}", hint=_URL_HINT) from error
    event.listen(engine, "handle_error", _name_the_store)
    if is_file:
        _make_private(parsed.database)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediately)
        gate.guard(engine)
    return engine


def _name_the_store(context: ExceptionContext) -> None:
    """Turn what the database cannot do into an error of ours, in this one place.

    A row that exists already (`IntegrityError`) is an answer, which the store reads itself. That a
    connection was lost while nobody used it is for the pool, which makes another one.
    """
    if context.is_pre_ping and context.is_disconnect:
        return
    error = context.sqlalchemy_exception
    if isinstance(error, DatabaseError) and not isinstance(error, IntegrityError):
        where = context.engine.url.render_as_string(hide_password=True) if context.engine else ""
        said = f"the job store {where} cannot be used: {context.original_exception}"
        raise StoreError(
            said,
            hint="see that it is a job store, has room, and that nothing holds it; then try again",
        ) from context.original_exception


def _make_private(database: str | None) -> None:
    """Create the file for its owner alone: arguments and the store's secret are in it."""
    if not database or database == ":memory:":
        return
    # where it cannot be created, opening it says why
    with contextlib.suppress(OSError):
        Path(database).touch(mode=0o600)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    cursor.execute(_WAIT)
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_immediately(connection: Connection) -> None:
    # a single SELECT needs no transaction of ours
    if connection.get_execution_options().keys() & READS_ONLY.keys():
        return
    database: Any = connection.connection.driver_connection
    database.execute(_DO_NOT_WAIT)
    try:
        _await_turn(database)
        if not database.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # raises what `_name_the_store` explains
    finally:
        database.execute(_WAIT)


def _await_turn(database: sqlite3.Connection) -> None:
    """Begin a transaction as soon as nobody else writes; none where that takes too long."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            database.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            is_taken = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_taken or time.monotonic() >= end:
                return
        time.sleep(random.uniform(0, _LOOK_MAX_S))  # noqa: S311 - it guards nothing
