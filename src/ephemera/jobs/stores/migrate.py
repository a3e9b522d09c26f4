"""Brings a job store to the schema of this version.

Alembic takes a tenth of a second to import, and every first `enqueue()` of a process comes by
here. So a new store is made from the tables as they are now, and Alembic is only imported for
an older one.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from ephemera.errors import ConfigError
from ephemera.jobs.stores.schema import metadata

#: The newest migration in `jobs/migrations/versions`; a test compares the two.
HEAD = "0001"

_FOLDER = Path(__file__).parent.parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Bring the store to `HEAD`. Safe to repeat, and when several processes do it at once.

    Raises:
        ConfigError: the store was written by a newer version of Ephemera.
    """
    with engine.begin() as connection:
        version = _current(connection)
        if version is None:
            _make(connection)
        elif version != HEAD:
            _migrate(connection)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _make(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(
        text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    )
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigError(
            f"the job store was written by another version of Ephemera: {error}",
            hint="use the newest Ephemera, or another store",
        ) from error
