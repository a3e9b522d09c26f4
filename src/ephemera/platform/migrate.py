"""Brings a platform's database to the schema of this version, at each start of a server."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from ephemera.migrating import Schema
from ephemera.platform.schema import metadata

#: The newest migration in `migrations/versions`; a test compares the two.
HEAD = "0003"

SCHEMA = Schema(metadata, HEAD, Path(__file__).parent / "migrations")


def current(engine: Engine) -> str | None:
    """Return the version the database is at, or None for an empty one."""
    with engine.connect() as connection:
        return SCHEMA.current(connection)


def upgrade(engine: Engine) -> None:
    """Bring the database to `HEAD`. Repeating is safe.

    Raises:
        ConfigError: the database was written by a newer version of Ephemera.
    """
    what = f"the database {engine.url.database}"
    SCHEMA.upgrade(engine, what=what, hint="use the newest Ephemera, or another EPHEMERA_HOME")
