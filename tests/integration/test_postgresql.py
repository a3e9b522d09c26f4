"""A job store in a real PostgreSQL, as several computers would share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from ephemera.errors import ConfigError, StoreError
from ephemera.jobs.records import Work
from ephemera.jobs.store import Store
from ephemera.jobs.stores import migrate
from ephemera.jobs.stores.sql import SqlStore
from ephemera.testing.stores import STORE_CHECKS
from tests import needs
from tests.jobstores import forked, identities_of_many, job, migrated, shape
from tests.postgresql import PostgreSQL, running_postgresql

pytestmark = [pytest.mark.postgresql, needs.postgresql]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with running_postgresql() as server:
        yield server


@pytest.fixture
def url(server: PostgreSQL) -> str:
    return server.new_database()


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    store = SqlStore(url)
    yield store
    store.close()


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_the_contract(check: Callable[[Store], None], store: SqlStore) -> None:
    check(store)


def test_several_processes_may_open_a_new_store_at_once(url: str) -> None:
    assert len(identities_of_many(url)) == 1


def test_the_migrations_make_the_same_tables_as_a_new_store_gets(server: PostgreSQL) -> None:
    new, old = server.new_database(), server.new_database()
    SqlStore(new).close()
    assert migrated(old) == migrate.HEAD
    assert shape(old) == shape(new)


def test_a_server_that_was_started_again_is_gone_on_with(
    server: PostgreSQL, store: SqlStore
) -> None:
    first, second = job(), job()
    store.add_job(first)
    server.restart()
    store.add_job(second)
    assert {one.id for one in store.jobs(state=None, limit=10)} == {first.id, second.id}


def test_a_server_that_is_away_is_named_without_the_password() -> None:
    with running_postgresql() as server:
        store = SqlStore(server.new_database().replace("app@", "app:secret@"))
    with pytest.raises(StoreError, match="cannot be used") as caught:
        store.add_job(job())
    assert "app:***@" in str(caught.value)
    store.close()


def test_a_database_that_is_not_there_is_a_wrong_setting(url: str) -> None:
    nosuch = make_url(url).set(database="nosuch")
    with pytest.raises(ConfigError, match='"nosuch" does not exist'):
        SqlStore(nosuch.render_as_string(hide_password=False))


def test_what_jobs_are_given_is_in_no_message_of_the_database(store: SqlStore) -> None:
    record = replace(job(), work=Work("jobs", "host", command=("true",), env={"KEY": "secret"}))
    store.add_job(record)
    with pytest.raises(IntegrityError) as caught:
        store.add_job(record)
    assert "secret" not in str(caught.value)


def test_a_process_that_was_forked_has_connections_of_its_own(store: SqlStore) -> None:
    store.add_job(job())
    assert [forked(lambda: _add_one(store)) for _ in range(3)] == [0] * 3
    store.add_job(job())
    assert len(store.jobs(state=None, limit=10)) == 5


def _add_one(store: SqlStore) -> None:
    store.forget_connections()
    store.add_job(job())
