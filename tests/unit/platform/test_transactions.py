from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from ephemera.platform import schema
from ephemera.platform.apps.store import AppStore
from ephemera.platform.store import Store
from ephemera.platform.transactions import Statement, Transactions

_APP = {"id": "a", "name": "n", "org_slug": "o", "network": "", "created_at": 1.0}
_ADD = Statement(insert(schema.apps), [*_APP, "outside"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "platform.db")
    schema.metadata.create_all(store.engine)
    yield store
    store.close()


def _names(store: Store) -> list[str]:
    return [app.name for app in AppStore(store.engine).living()]


def test_the_engine_reads_what_was_written_past_it(store: Store) -> None:
    with Transactions(store.engine).begin() as transaction:
        assert transaction.run(_ADD, _APP | {"outside": False}) == 1
    [app] = AppStore(store.engine).living()
    assert (app.id, app.created_at, app.outside) == ("a", 1.0, False)


def test_what_a_statement_says_by_itself_need_not_be_given(store: Store) -> None:
    app = schema.apps.c
    rename = Statement(update(schema.apps).where(app.id == bindparam("which")).values(name="new"))
    first = select(app.id).where(app.id == bindparam("which")).limit(1)
    forget = Statement(delete(schema.apps).where(app.id.not_in(first)))
    with Transactions(store.engine).begin() as transaction:
        transaction.run(_ADD, _APP | {"outside": True})
        transaction.run(_ADD, _APP | {"id": "b", "name": "m", "outside": True})
        assert transaction.run(rename, {"which": "a"}) == 1
        assert transaction.run(forget, {"which": "a"}) == 1
    assert _names(store) == ["new"]


def test_a_transaction_that_fails_leaves_nothing_and_says_so_as_the_engine_does(
    store: Store,
) -> None:
    with pytest.raises(IntegrityError):
        _write(store, {"id": "a"}, {"id": "b"})  # the name is taken
    assert _names(store) == []
    _write(store, {"id": "a"})
    assert _names(store) == ["n"]


def test_a_database_that_cannot_be_used_is_the_error_that_it_is_to_the_engine(
    store: Store,
) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE app")
    with pytest.raises(OperationalError, match="no such table"):
        _write(store, {"id": "a"})


def _write(store: Store, *rows: dict[str, str]) -> None:
    with Transactions(store.engine).begin() as transaction:
        for row in rows:
            transaction.run(_ADD, _APP | {"outside": True} | row)
