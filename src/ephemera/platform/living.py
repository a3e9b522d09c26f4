"""The machines of a platform that may have live programs, read without anything of a server.

`ephemera down` needs no more of a database, and should not wait for what else a store brings. The
columns are those of every version of the schema since the first.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ephemera.errors import ConfigError
from ephemera.platform.states import LIVE, State

_QUERY = """
SELECT coalesce(app.name, ''), machine.id, machine.state FROM machine
LEFT JOIN app ON app.id = machine.app_id AND app.deleted_at IS NULL
WHERE machine.state != 'destroyed'
ORDER BY machine.created_at
"""
#: How long a server's transactions may hold it up.
_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class LiveMachine:
    """A machine that may have a live program."""

    #: Empty where its app is being deleted: the server destroys it without being told.
    app: str
    id: str
    #: Whether it is being destroyed, by a server that may not have got as far as its program.
    is_going: bool = False


def living(home: Path) -> list[LiveMachine]:
    """Return the live machines of a state folder, oldest first; none where it has no database.

    Raises:
        ConfigError: its database cannot be read.
    """
    database = home / "platform.db"
    if not database.exists():
        return []
    try:
        with closing(sqlite3.connect(database, timeout=_WAIT_S)) as connection:
            if not connection.execute("PRAGMA table_info(machine)").fetchall():
                return []  # its server was killed before it had made any table
            found = connection.execute(_QUERY).fetchall()
    except sqlite3.Error as error:
        raise ConfigError(
            f"the database {database} cannot be read: {error}",
            hint="move it aside, or set EPHEMERA_HOME to another folder",
        ) from error
    return [
        LiveMachine(app, id_, is_going=state == State.DESTROYING)
        for app, id_, state in found
        if state in (*LIVE, State.DESTROYING)
    ]
