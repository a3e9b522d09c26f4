"""The configs that a machine has had, each written in the transaction that gave it to the machine.

What a version was made of stays as it was: metadata that is written later is not in it.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select

from ephemera.platform import schema
from ephemera.platform.records import MachineRecord, VersionRecord

#: Of each machine. A config may be a megabyte of files, and a machine that is deployed to every
#: day would otherwise grow without end.
VERSIONS_MAX = 50

_version = schema.machine_versions.c


class Versions:
    """What there is to read about the versions of machines."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, machine_id: str) -> list[VersionRecord]:
        """Return the versions of a machine, newest first, at most `VERSIONS_MAX`."""
        query = (
            select(schema.machine_versions)
            .where(_version.machine_id == machine_id)
            .order_by(_version.version.desc())
        )
        with self._engine.connect() as connection:
            return [VersionRecord(**row) for row in connection.execute(query).mappings()]

    def has(self, machine_id: str, version: str) -> bool:
        """Whether the machine is, or was, of this version, as far as that is remembered."""
        this = (_version.machine_id == machine_id) & (_version.version == version)
        with self._engine.connect() as connection:
            return connection.execute(select(_version.version).where(this)).first() is not None


def add(connection: Connection, machine: MachineRecord) -> None:
    """Write down the version that a machine has from now on."""
    row = {
        "machine_id": machine.id,
        "version": machine.instance_id,
        "config": machine.config,
        "created_at": machine.updated_at,
    }
    connection.execute(insert(schema.machine_versions), row)


def forget_oldest(connection: Connection, machine: MachineRecord) -> None:
    """Forget the versions of a machine that are too many."""
    connection.execute(_FORGET_OLDEST, {"machine": machine.id})


def keep_last(connection: Connection, machine: MachineRecord) -> None:
    """Keep of a destroyed machine's versions the last one, as the machine's record has it."""
    connection.execute(_FORGET_ALL, {"machine": machine.id})
    add(connection, machine)


_FORGET_ALL = delete(schema.machine_versions).where(_version.machine_id == bindparam("machine"))
_FORGET_OLDEST = _FORGET_ALL.where(
    _version.version.not_in(
        select(_version.version)
        .where(_version.machine_id == bindparam("machine"))
        .order_by(_version.version.desc())
        .limit(VERSIONS_MAX)
    )
)
