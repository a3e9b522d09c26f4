"""Brings a platform's database to the schema of this version.

A new database is made from the tables of `schema.py` and marked as current; only an older one is
taken through the migrations. So Alembic, a tenth of a second and several megabytes, is rarely
imported. A test holds the two ways to the same schema.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text

from ephemera.errors import ConfigError
from ephemera.platform.schema import metadata

#: The newest migration in `migrations/versions`; a test compares the two.
HEAD = "0001"

_FOLDER = Path(__file__).parent / "migrations"


def current(engine: Engine) -> str | None:
    """Return the version the database is at, or None for an empty one."""
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine) -> None:
    """Bring the database to `HEAD`. Repeating is safe.

    Raises:
        ConfigError: the database was written by a newer version of Ephemera.
    """
    found = current(engine)
    if found is None:
        _create(engine)
    elif found != HEAD:
        _migrate(engine)


def _create(engine: Engine) -> None:
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise ConfigError(
                f"the database {engine.url.database} was written by another version: {error}",
                hint="use the newest Ephemera, or another EPHEMERA_HOME",
            ) from error
