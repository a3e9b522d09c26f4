"""Brings a database to the schema of this version: the job store's and the platform's alike.

A new database is made from its tables as they are now and marked as current; only an older one is
taken through the migrations. So Alembic, a tenth of a second and several megabytes, is rarely
imported. Tests hold the two ways to the same schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, MetaData, inspect, text

from ephemera.errors import ConfigError

#: What PostgreSQL calls our lock: any number that nobody else has.
_LOCK = 0x6570_6865_6D65_7261


def be_alone(connection: Connection) -> None:
    """Wait until no other transaction that has called this goes on.

    With SQLite, where a write begins with the database's lock, that is so already.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one database, and how an older one comes to have them."""

    metadata: MetaData
    #: The newest migration; tests compare it with the folder.
    head: str
    #: Alembic's folder: `env.py` and `versions`.
    migrations: Path

    def current(self, connection: Connection) -> str | None:
        """Return the version the database is at, or None for an empty one."""
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    def upgrade(self, engine: Engine, *, what: str, hint: str) -> None:
        """Bring the database to `head`. Safe to repeat, and in several processes at once.

        Args:
            what: What the database is, for the error.
            hint: What to try where it cannot be done.

        Raises:
            ConfigError: it was written by a newer version of Ephemera; it is left alone.
        """
        with engine.begin() as connection:
            be_alone(connection)
            found = self.current(connection)
            if found is None:
                self._create(connection)
            elif found != self.head:
                self.migrate(connection, what=what, hint=hint)

    def migrate(self, connection: Connection, *, what: str, hint: str) -> None:
        """Take the database through the migrations, in the transaction of the connection.

        Raises:
            ConfigError: it was written by a newer version of Ephemera.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(self.migrations).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise ConfigError(
                f"{what} was written by another version of Ephemera: {error}", hint=hint
            ) from error

    def _create(self, connection: Connection) -> None:
        self.metadata.create_all(connection)
        connection.execute(
            text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        )
        mark = text("INSERT INTO alembic_version VALUES (:head)")
        connection.execute(mark, {"head": self.head})
