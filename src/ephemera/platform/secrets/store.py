"""Secrets and secret keys in the platform's database: one transaction for each write.

Each write of an app's secrets or keys makes the next version of the app, in the same
transaction. The versions are in memory too: every creation of a machine asks for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update

from ephemera.platform import schema
from ephemera.platform.columns import columns_of, row_of
from ephemera.platform.secrets.history import superfluous
from ephemera.platform.secrets.records import KeyRecord, SecretRecord
from ephemera.platform.secrets.vault import Vault
from ephemera.platform.states import State

_THIS_SECRET = delete(schema.secrets).where(
    schema.secrets.c.app_id == bindparam("of"),
    schema.secrets.c.name == bindparam("its"),
    schema.secrets.c.version == bindparam("at"),
)


class SecretStore:
    """The rows of all apps, on the engine of the platform's store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        versions = select(schema.secret_versions.c.app_id, schema.secret_versions.c.version)
        with engine.connect() as connection:
            rows = connection.execute(versions).all()
        self._versions: dict[str, int] = {row.app_id: row.version for row in rows}

    def vault(self, home: Path) -> Vault:
        """Return the vault of a state folder, whose key is made at the first start.

        Raises:
            ConfigError: the key is gone, or is not the one that this database was written with.
        """
        with self._engine.connect() as connection:
            known = connection.execute(select(schema.vault.c.fingerprint)).scalar()
        vault = Vault(home, known or "")
        if known is None:
            with self._engine.begin() as connection:
                connection.execute(insert(schema.vault), {"fingerprint": vault.fingerprint})
        return vault

    def version(self, app_id: str) -> int:
        """Return how many times an app's secrets or keys were written."""
        return self._versions.get(app_id, 0)

    # secrets

    def history(self, app_id: str) -> list[SecretRecord]:
        """Return what is known of an app's secrets, by name and for each name by version."""
        if not self.version(app_id):
            return []
        with self._engine.connect() as connection:
            return _history(connection, app_id)

    def add_secrets(self, app_id: str, version: int, rows: Sequence[SecretRecord]) -> None:
        """Write down what secrets are from the next version on, and drop what nobody sees."""
        with self._engine.begin() as connection:
            _count(connection, app_id, version)
            connection.execute(insert(schema.secrets), [row_of(row) for row in rows])
            wanted = {version, *_versions_of_machines(connection, app_id)}
            unseen = superfluous(_history(connection, app_id), wanted)
            if unseen:  # thousands, where somebody writes as many at once
                connection.execute(
                    _THIS_SECRET, [{"its": r.name, "at": r.version, "of": app_id} for r in unseen]
                )
        self._versions[app_id] = version

    # secret keys

    def keys(self, app_id: str) -> list[KeyRecord]:
        """Return the secret keys of an app, by name."""
        this = schema.secret_keys.c.app_id == app_id
        query = select(*columns_of(schema.secret_keys, KeyRecord)).where(this)
        with self._engine.connect() as connection:
            found = connection.execute(query.order_by(schema.secret_keys.c.name))
            return [KeyRecord(**row) for row in found.mappings()]

    def key(self, app_id: str, name: str) -> KeyRecord | None:
        """Return a secret key of an app."""
        query = select(*columns_of(schema.secret_keys, KeyRecord)).where(_this_key(app_id, name))
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
            return KeyRecord(**row) if row else None

    def put_key(self, key: KeyRecord) -> None:
        """Write down a key, in the place of an older one of the name, as the next version."""
        with self._engine.begin() as connection:
            _count(connection, key.app_id, key.version)
            connection.execute(delete(schema.secret_keys).where(_this_key(key.app_id, key.name)))
            connection.execute(insert(schema.secret_keys), row_of(key))
        self._versions[key.app_id] = key.version

    def drop_key(self, app_id: str, name: str, version: int) -> None:
        """Forget a key, which makes the next version."""
        with self._engine.begin() as connection:
            _count(connection, app_id, version)
            connection.execute(delete(schema.secret_keys).where(_this_key(app_id, name)))
        self._versions[app_id] = version

    # apps

    def forget_app(self, app_id: str) -> None:
        """Forget an app that is gone; its rows go with it. Repeating is safe."""
        self._versions.pop(app_id, None)


def _count(connection: Connection, app_id: str, version: int) -> None:
    """Write down the next version of an app."""
    counters = schema.secret_versions
    this = counters.c.app_id == app_id
    if connection.execute(update(counters).where(this).values(version=version)).rowcount == 0:
        connection.execute(insert(counters), {"app_id": app_id, "version": version})


def _history(connection: Connection, app_id: str) -> list[SecretRecord]:
    secret = schema.secrets.c
    query = (
        select(*columns_of(schema.secrets, SecretRecord))
        .where(secret.app_id == app_id)
        .order_by(secret.name, secret.version)
    )
    return [SecretRecord(**row) for row in connection.execute(query).mappings()]


def _versions_of_machines(connection: Connection, app_id: str) -> Sequence[int]:
    """Return the versions with which machines of an app may still boot."""
    machine = schema.machines.c
    query = (
        select(machine.secrets_version)
        .distinct()
        .where(machine.app_id == app_id, machine.state != State.DESTROYED)
    )
    return connection.execute(query).scalars().all()


def _this_key(app_id: str, name: str) -> Any:
    return (schema.secret_keys.c.app_id == app_id) & (schema.secret_keys.c.name == name)
