"""The transactions that every launch makes, at about the price that SQLite asks for them.

SQLAlchemy says what the statements are, once. To run them through its engine costs several times
what SQLite takes for it, and a launch makes four transactions. What is asked seldom goes through
the engine all the same; both are the same connection, on one thread, so they never mix.
See docs/decisions/0043-a-launch-writes-without-the-engine.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, cast

from sqlalchemy import Delete, Engine, Insert, Update, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

_DIALECT = sqlite.dialect()

#: Makes of a value what SQLite is given for it.
_Process = Callable[[Any], Any]


class Statement:
    """An INSERT, UPDATE or DELETE, made ready once.

    Args:
        clause: What it is. Its parameters are named.
        columns: Of an INSERT without values: which columns it sets.
    """

    def __init__(
        self, clause: Insert | Update | Delete, columns: Collection[str] | None = None
    ) -> None:
        keys = None if columns is None else list(columns)
        compiled = clause.compile(dialect=_DIALECT, column_keys=keys)
        self.text = str(compiled)
        places = compiled.positiontup or []
        self._places = [(name, _processor(compiled, name)) for name in places]
        #: What the clause itself says, and nobody gives.
        self._said = {
            name: compiled.binds[name].effective_value
            for name in places
            if not compiled.binds[name].required
        }

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        """Return in the order of its question marks what SQLite is given.

        Args:
            values: By the names of the parameters; more than these is no error.
        """
        given = {**self._said, **values}
        return [
            given[name] if process is None else process(given[name])
            for name, process in self._places
        ]


def _processor(compiled: SQLCompiler, name: str) -> _Process | None:
    found = compiled.binds[name].type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
    return cast("_Process | None", found)


class Transaction:
    """What is written in it is there whole, or not at all."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """Run a statement, and return how many rows it is about."""
        parameters = statement.parameters(values)
        return self._connection.execute(statement.text, parameters).rowcount


class Transactions:
    """Makes transactions on the one connection of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: sqlite3.Connection | None = None
        event.listen(engine, "connect", self._connected)

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Have what is done in the block on disk at its end, or nothing of it.

        Raises:
            DBAPIError: the database does not take it; nothing was written. They are the same
                as those of the engine.
        """
        connection, dialect = self._open(), self._engine.dialect
        with self._as_errors_of_the_engine():
            connection.execute("BEGIN")
            try:
                yield Transaction(connection)
                dialect.do_commit(cast("Any", connection))
            except BaseException:
                dialect.do_rollback(cast("Any", connection))
                raise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            with closing(self._engine.raw_connection()) as found:
                self._connection = cast("sqlite3.Connection", found.driver_connection)
        return self._connection

    def _connected(self, connection: sqlite3.Connection, _record: Any) -> None:
        self._connection = connection

    @contextmanager
    def _as_errors_of_the_engine(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DBAPIError.instance(
                None, None, error, sqlite3.Error, hide_parameters=True, dialect=self._engine.dialect
            ) from error
