"""The configs that a machine has had, each written in the transaction that gave it to the machine.

What a version was made of stays as it was: metadata that is written later is not in it.
"""

from __future__ import annotations

from sqlalchemy import Engine, bindparam, delete, insert, select

from ephemera.platform import schema
from ephemera.platform.records import MachineRecord, VersionRecord
from ephemera.platform.transactions import Statement, Transaction

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


def add(transaction: Transaction, machine: MachineRecord) -> None:
    """Write down the version that a machine has from now on, as its row says it already."""
    transaction.run(_ADD, {"machine": machine.id})


def forget_oldest(transaction: Transaction, machine: MachineRecord) -> None:
    """Forget the versions of a machine that are too many."""
    transaction.run(_FORGET_OLDEST, {"machine": machine.id})


def keep_last(transaction: Transaction, machine: MachineRecord) -> None:
    """Keep of a destroyed machine's versions the last one, as the machine's row has it."""
    transaction.run(_FORGET_ALL, {"machine": machine.id})
    add(transaction, machine)


_machine = schema.machines.c
_ADD = Statement(
    insert(schema.machine_versions).from_select(
        ["machine_id", "version", "config", "created_at"],
        select(_machine.id, _machine.instance_id, _machine.config, _machine.updated_at).where(
            _machine.id == bindparam("machine")
        ),
    )
)
_of_machine = delete(schema.machine_versions).where(_version.machine_id == bindparam("machine"))
_FORGET_ALL = Statement(_of_machine)
_FORGET_OLDEST = Statement(
    _of_machine.where(
        _version.version.not_in(
            select(_version.version)
            .where(_version.machine_id == bindparam("machine"))
            .order_by(_version.version.desc())
            .limit(VERSIONS_MAX)
        )
    )
)
