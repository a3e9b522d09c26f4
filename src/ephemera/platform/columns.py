"""Records as rows of tables, and back: each field of a record is the column of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Table

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def columns_of(table: Table, record: type[DataclassInstance]) -> list[Column[Any]]:
    """Return the columns of a table that make a record; there may be more."""
    return [table.c[name] for name in record.__dataclass_fields__]


def row_of(record: DataclassInstance) -> dict[str, Any]:
    """Return a record as a row; `asdict` would copy a config's files down to the last one."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__}
