"""What tests of job stores in databases share: a job, the shape of a database, and processes."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable

from sqlalchemy import create_engine, inspect, text

from ephemera.jobs.records import JobRecord, Work
from ephemera.jobs.stores import migrate
from ephemera.jobs.stores.engine import open_engine
from ephemera.wire.ids import new_ulid

_OPENS = (
    "import sys; from ephemera.jobs.stores.sql import SqlStore\n"
    "print(SqlStore(sys.argv[1]).identity().id)"
)


def job() -> JobRecord:
    """Return a new one."""
    return JobRecord(new_ulid(), Work("jobs", "host", command=("true",)), 1.0)


def shape(url: str) -> dict[str, object]:
    """Return what a database looks like: columns, indexes and keys of every table."""
    engine = create_engine(url)
    seen = inspect(engine)
    found: dict[str, object] = {
        table: (
            [(one["name"], str(one["type"]), one["nullable"]) for one in seen.get_columns(table)],
            sorted((one["name"], one["unique"]) for one in seen.get_indexes(table)),
            seen.get_pk_constraint(table)["constrained_columns"],
            sorted(str(one["name"]) for one in seen.get_foreign_keys(table)),
        )
        for table in seen.get_table_names()
        if table != "alembic_version"
    }
    engine.dispose()
    return found


def migrated(url: str) -> object:
    """Take an empty database through all migrations; return the version that it says it has."""
    engine = open_engine(url)
    with engine.begin() as connection:
        # a table of versions without one: nothing has been migrated yet
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        migrate.SCHEMA.migrate(connection, what="the job store", hint="")
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    engine.dispose()
    return version


def identities_of_many(url: str) -> set[str]:
    """Have several processes open a store at once; return whom each of them took it for."""
    command = [sys.executable, "-c", _OPENS, url]
    opened = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate()[0] for process in opened}
    assert {process.returncode for process in opened} == {0}
    return said


def forked(work: Callable[[], None], afterwards: Callable[[], None] = lambda: None) -> int:
    """Do something in a child of this process; return 0 where that went well.

    Args:
        afterwards: Done in this process as soon as there is the child.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except Exception:  # noqa: BLE001 - the child has nobody else to tell
            traceback.print_exc()
        finally:
            os._exit(code)
    afterwards()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
