"""Every store of the job layer keeps one contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ephemera.errors import StoreError
from ephemera.jobs.store import Store
from ephemera.jobs.stores.memory import MemoryStore
from ephemera.jobs.stores.sql import SqlStore
from ephemera.testing.stores import STORE_CHECKS, check_store


def memory(_: Path) -> Store:
    return MemoryStore()


def sqlite(folder: Path) -> Store:
    return SqlStore(f"sqlite:///{folder / 'jobs.db'}")


@pytest.fixture(params=[memory, sqlite], ids=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store: Store = request.param(tmp_path)
    yield store
    store.close()


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_store(check: Callable[[Store], None], store: Store) -> None:
    check(store)


def test_check_store_runs_every_check_on_a_fresh_store() -> None:
    check_store(MemoryStore)


def test_check_store_notices_a_store_that_breaks_the_contract() -> None:
    class Forgetful(MemoryStore):
        def under_way(self) -> list[str]:
            return []

    with pytest.raises(AssertionError):
        check_store(Forgetful)


def test_a_database_that_cannot_be_used_now_is_named_and_can_be_used_later(
    tmp_path: Path,
) -> None:
    path = tmp_path / "jobs.db"
    store = SqlStore(f"sqlite:///{path}")
    path.rename(tmp_path / "away.db")
    path.mkdir()
    store.forget_connections()
    with pytest.raises(StoreError, match=r"jobs\.db cannot be used"):
        store.jobs(state=None, limit=1)
    path.rmdir()
    (tmp_path / "away.db").rename(path)
    assert store.jobs(state=None, limit=1) == []
    store.close()
