from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from ephemera.errors import ConfigError
from ephemera.jobs.records import Work
from ephemera.jobs.stores import engine, migrate
from ephemera.jobs.stores.engine import open_engine
from ephemera.jobs.stores.sql import SqlStore
from tests.jobstores import forked, identities_of_many, job, migrated, shape


def url_of(folder: Path, name: str = "jobs.db") -> str:
    return f"sqlite:///{folder / name}"


def test_a_store_is_read_by_whoever_opens_it_later(tmp_path: Path) -> None:
    first, record = SqlStore(url_of(tmp_path)), job()
    first.add_job(record)
    first.close()
    second = SqlStore(url_of(tmp_path))
    assert second.job(record.id) == record
    assert second.identity() == first.identity()
    second.close()


def test_a_file_that_is_no_database_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_bytes(b"not a database " * 1000)
    with pytest.raises(ConfigError, match=r"jobs\.db cannot be used: file is not a database"):
        SqlStore(url_of(tmp_path))


def test_what_jobs_are_given_is_in_no_message_of_the_database(tmp_path: Path) -> None:
    store = SqlStore(url_of(tmp_path))
    record = replace(job(), work=Work("jobs", "host", command=("true",), env={"KEY": "secret"}))
    store.add_job(record)
    with pytest.raises(IntegrityError) as caught:
        store.add_job(record)
    assert "secret" not in str(caught.value)
    store.close()


def test_two_stores_have_two_identities(tmp_path: Path) -> None:
    first, second = SqlStore(url_of(tmp_path, "a")), SqlStore(url_of(tmp_path, "b"))
    assert first.identity() != second.identity()
    first.close()
    second.close()


def test_several_processes_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    assert len(identities_of_many(url_of(tmp_path))) == 1


def test_what_was_written_is_on_disk_before_it_is_answered(tmp_path: Path) -> None:
    with open_engine(url_of(tmp_path)).connect() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_nobody_else_may_read_a_new_store(tmp_path: Path) -> None:
    store = SqlStore(url_of(tmp_path))
    assert [one.stat().st_mode & 0o077 for one in tmp_path.iterdir()] == [0, 0, 0]
    store.close()


def test_the_newest_migration_is_the_head_that_a_new_store_is_given() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parents[1] / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_the_migrations_make_the_same_tables_as_a_new_store_gets(tmp_path: Path) -> None:
    new, old = url_of(tmp_path, "new.db"), url_of(tmp_path, "old.db")
    SqlStore(new).close()
    assert migrated(old) == migrate.HEAD
    assert shape(old) == shape(new)


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    SqlStore(url_of(tmp_path)).close()
    with create_engine(url_of(tmp_path)).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="another version"):
        SqlStore(url_of(tmp_path))


@pytest.mark.parametrize("url", ["nonsense", "nosuch://x/y", ""])
def test_what_is_no_url_of_a_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        SqlStore(url)


def test_a_driver_for_asyncio_is_refused_with_one_that_is_not() -> None:
    with pytest.raises(ConfigError, match="is for asyncio only") as caught:
        open_engine("sqlite+aiosqlite:////jobs.db")
    assert "postgresql+psycopg://" in caught.value.hint


def test_a_database_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be used: unable to open database file"):
        SqlStore(url_of(tmp_path / "nosuch"))


def test_opening_a_current_store_does_not_import_alembic(tmp_path: Path) -> None:
    SqlStore(url_of(tmp_path)).close()
    program = (
        "import sys; from ephemera.jobs.stores.sql import SqlStore\n"
        "SqlStore(sys.argv[1]); print('alembic' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, url_of(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert ran.stdout == "False\n", ran.stderr


def test_a_fork_in_the_middle_of_a_transaction_leaves_the_child_a_store_it_can_use(
    tmp_path: Path,
) -> None:
    store = SqlStore(url_of(tmp_path))
    assert [_forked_while_busy(store, tmp_path) for _ in range(10)] == [0] * 10
    store.close()


def _forked_while_busy(store: SqlStore, folder: Path) -> int:
    """Fork while threads write; they go on until there is the child, which then has its turn."""
    stop, begun = threading.Event(), threading.Semaphore(0)

    def write() -> None:
        while not stop.is_set():
            store.add_job(job())
            begun.release()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        begun.acquire()
        return forked(lambda: _add_one(store, folder), stop.set)
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def _add_one(store: SqlStore, folder: Path) -> None:
    store.forget_connections()
    SqlStore(url_of(folder)).add_job(job())


@pytest.fixture
def held(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection to the store, in the middle of a write."""
    SqlStore(url_of(tmp_path)).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.db")) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        yield other


def test_a_write_looks_often_whether_another_one_is_over(
    tmp_path: Path, held: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            held.execute("COMMIT")

    monkeypatch.setattr(time, "sleep", sleep)
    store = SqlStore(url_of(tmp_path))
    assert len(slept) == 3
    assert max(slept) < 0.01, "where others write without a pause, it is free for less than that"
    store.close()


def test_a_write_that_never_has_its_turn_says_so(
    tmp_path: Path, held: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_PATIENCE_S", 0.0)
    with pytest.raises(ConfigError, match="cannot be used: database is locked"):
        SqlStore(url_of(tmp_path))
