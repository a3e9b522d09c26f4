"""Apps in the platform's database: one transaction for each write."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from ephemera.platform import schema
from ephemera.platform.apps import rows
from ephemera.platform.columns import columns_of, row_of
from ephemera.platform.records import AppRecord
from ephemera.platform.store import NameTaken

_app = schema.apps.c


class AppStore:
    """The rows, on the engine of the platform's store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def living(self) -> list[AppRecord]:
        """Return the apps that live, oldest first."""
        return self._apps(_app.deleted_at.is_(None))

    def leaving(self) -> list[AppRecord]:
        """Return the apps whose deletion was written down and is not done, oldest first."""
        return self._apps(_app.deleted_at.is_not(None))

    def add(self, app: AppRecord) -> None:
        """Write down a new app.

        Raises:
            NameTaken: an app that lives has this name.
        """
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(schema.apps), row_of(app))
        except IntegrityError as error:
            raise NameTaken(app.name) from error

    def leave(self, app_id: str, deleted_at: float) -> None:
        """Write down that an app is to go, which frees its name. Repeating is safe.

        Args:
            deleted_at: Seconds since 1970.
        """
        query = update(schema.apps).where(_app.id == app_id)
        with self._engine.begin() as connection:
            connection.execute(query.values(deleted_at=deleted_at))

    def set_outside(self, app_ids: Sequence[str], *, outside: bool) -> None:
        """Write down whether the machines of some apps may reach the world outside."""
        query = update(schema.apps).where(_app.id.in_(app_ids))
        with self._engine.begin() as connection:
            connection.execute(query.values(outside=outside))

    def purge(self, app_id: str) -> None:
        """Delete an app and all rows that belong to it. Repeating is safe."""
        rows.purge_app(self._engine, app_id)

    def _apps(self, condition: ColumnElement[bool]) -> list[AppRecord]:
        query = select(*columns_of(schema.apps, AppRecord)).where(condition)
        with self._engine.connect() as connection:
            found = connection.execute(query.order_by(_app.created_at))
            return [AppRecord(**row) for row in found.mappings()]
