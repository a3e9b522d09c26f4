"""Tokens and signing keys in the platform's database: one transaction for each write."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, Table, delete, insert, select

from ephemera.platform import schema
from ephemera.platform.access.records import SigningKeyRecord, TokenRecord
from ephemera.platform.columns import columns_of, row_of


class AccessStore:
    """The rows, on the engine of the platform's store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def tokens(self) -> list[TokenRecord]:
        """Return every token, oldest first."""
        return [TokenRecord(**row) for row in self._rows(schema.tokens, TokenRecord)]

    def add_token(self, token: TokenRecord) -> None:
        """Write down a new token."""
        self._add(schema.tokens, token)

    def drop_token(self, token_id: str) -> None:
        """Forget a token. Repeating is safe."""
        with self._engine.begin() as connection:
            connection.execute(delete(schema.tokens).where(schema.tokens.c.id == token_id))

    def drop_expired_tokens(self, now: float) -> None:
        """Forget the tokens that nobody can use any more."""
        with self._engine.begin() as connection:
            connection.execute(delete(schema.tokens).where(schema.tokens.c.expires_at <= now))

    def signing_keys(self) -> list[SigningKeyRecord]:
        """Return every signing key, oldest first."""
        return [
            SigningKeyRecord(**row) for row in self._rows(schema.signing_keys, SigningKeyRecord)
        ]

    def add_signing_key(self, key: SigningKeyRecord) -> None:
        """Write down a new signing key."""
        self._add(schema.signing_keys, key)

    def _rows(self, table: Table, record: Any) -> list[Any]:
        with self._engine.connect() as connection:
            query = select(*columns_of(table, record)).order_by(table.c.created_at, table.c.id)
            return list(connection.execute(query).mappings())

    def _add(self, table: Table, record: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(insert(table), row_of(record))
