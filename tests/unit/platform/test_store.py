from __future__ import annotations

from pathlib import Path

from ephemera.platform.store import Store

_NORMAL, _FULL = 1, 2


def _synchronous(store: Store) -> int:
    with store.engine.connect() as connection:
        return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())


def test_only_what_need_not_outlive_the_computer_is_not_flushed(tmp_path: Path) -> None:
    store = Store(tmp_path / "platform.db")
    try:
        with store.flushing(flushed=False):
            assert _synchronous(store) == _NORMAL
        assert _synchronous(store) == _FULL
        with store.flushing(flushed=True):
            assert _synchronous(store) == _FULL
    finally:
        store.close()
