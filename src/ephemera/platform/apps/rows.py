"""The rows of an app that is deleted, whatever table they are in.

What belongs to an app is read from the tables themselves: a table with a foreign key to `app`,
or to a table that belongs to an app, does too. So a table that is added is cleared with the rest.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Engine, Table, delete, or_, select

from ephemera.platform import schema


def purge_app(engine: Engine, app_id: str) -> None:
    """Delete an app and all rows that belong to it, in one transaction. Repeating is safe."""
    with engine.begin() as connection:
        for table in reversed(schema.metadata.sorted_tables):
            its = _belongs_to(table, app_id)
            if its is not None:
                connection.execute(delete(table).where(its))


def _belongs_to(table: Table, app_id: str) -> ColumnElement[bool] | None:
    """Return which rows of a table are an app's, or None where none ever are."""
    if table is schema.apps:
        return table.c.id == app_id
    if "app_id" in table.c:
        return table.c.app_id == app_id
    found: list[ColumnElement[bool]] = []
    for key in table.foreign_keys:
        owning = key.column.table
        theirs = None if owning is table else _belongs_to(owning, app_id)
        if theirs is not None:
            found.append(key.parent.in_(select(key.column).where(theirs)))
    return or_(*found) if found else None
