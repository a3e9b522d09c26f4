"""Brings a job store to the schema of this version; every first `enqueue()` comes by here."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from ephemera.jobs.stores.schema import metadata
from ephemera.migrating import Schema

#: The newest migration in `jobs/migrations/versions`; a test compares the two.
HEAD = "0001"

SCHEMA = Schema(metadata, HEAD, Path(__file__).parent.parent / "migrations")


def upgrade(engine: Engine) -> None:
    """Bring the store to `HEAD`. Safe to repeat, and when several processes do it at once.

    Raises:
        ConfigError: the store was written by a newer version of Ephemera.
    """
    SCHEMA.upgrade(engine, what="the job store", hint="use the newest Ephemera, or another store")
