"""The platform's memory: one SQLite file, written before anything is answered.

All calls are synchronous and made on the server's event loop: a commit that is on disk
(`synchronous=FULL`) takes 0.2 to 0.4 ms, less than handing it to a thread and back.
See docs/decisions/0004-store-calls-on-the-loop.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    select,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import StaticPool

from ephemera.errors import Stale
from ephemera.platform import schema
from ephemera.platform.columns import columns_of, row_of
from ephemera.platform.machines import versions
from ephemera.platform.records import EventRecord, LeaseRecord, MachineRecord
from ephemera.platform.states import State
from ephemera.platform.transactions import Statement, Transaction, Transactions
from ephemera.platform.volumes import attachments

#: How long the log before the database may get until it is brought there, which takes two flushes
#: and writes what changed often once: 16 MB. SQLite's own default is a quarter of that.
_CHECKPOINT_PAGES = 4000


class NameTaken(Exception):
    """A live app, or a live machine of the app, has this name already."""


class Store:
    """Apps, machines, events and leases in one database, for one server at a time."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)  # the environments of machines are in it
        # One connection for good: the server's loop is the only user, and a pool's checkout
        # would cost as much as the statement.
        self._engine: Engine = create_engine(
            f"sqlite:///{path}",
            poolclass=StaticPool,
            hide_parameters=True,  # environments are among them, and errors are logged
            connect_args={"check_same_thread": False},
        )
        event.listen(self._engine, "connect", _prepare_sqlite)
        event.listen(self._engine, "begin", _begin)
        self._transactions = Transactions(self._engine)

    @property
    def engine(self) -> Engine:
        """The engine, for migrations."""
        return self._engine

    def close(self) -> None:
        """Close the file. The store cannot be used afterwards."""
        self._engine.dispose()

    # machines

    def live_machines(self) -> list[MachineRecord]:
        """Return every machine that is not destroyed, oldest first."""
        return self._machines(schema.machines.c.state != State.DESTROYED)

    def destroyed_machines(self, app_id: str) -> list[MachineRecord]:
        """Return the destroyed machines of an app, oldest first."""
        gone = schema.machines.c.state == State.DESTROYED
        return self._machines(gone & (schema.machines.c.app_id == app_id))

    def destroyed_after(
        self, app_ids: Sequence[str], after: tuple[float, str], region: str, limit: int
    ) -> list[MachineRecord]:
        """Return destroyed machines of some apps in the order in which they were destroyed.

        Args:
            after: The `updated_at` and the id of the one before the first.
            region: Empty for any.
        """
        machine = schema.machines.c
        # The text is that of the index; with a parameter in it SQLite would not use the index.
        gone = text("state = 'destroyed'") & machine.app_id.in_(app_ids)
        later = tuple_(machine.updated_at, machine.id) > tuple_(*after)
        here = machine.region == region if region else true()
        order = (machine.updated_at, machine.id)
        return self._machines(gone & later & here, order, limit)

    def machine(self, app_id: str, machine_id: str) -> MachineRecord | None:
        """Return one machine of an app, alive or destroyed."""
        this = schema.machines.c.id == machine_id
        found = self._machines(this & (schema.machines.c.app_id == app_id))
        return found[0] if found else None

    def _machines(
        self,
        condition: Any,
        order: Sequence[Any] = (schema.machines.c.created_at, schema.machines.c.id),
        limit: int | None = None,
    ) -> list[MachineRecord]:
        columns = columns_of(schema.machines, MachineRecord)
        query = select(*columns).where(condition).order_by(*order).limit(limit)
        with self._engine.connect() as connection:
            return [
                MachineRecord(**{**row, "state": State(row["state"])})
                for row in connection.execute(query).mappings()
            ]

    def add_machine(
        self,
        machine: MachineRecord,
        happened: Sequence[EventRecord],
        lease: LeaseRecord | None,
    ) -> None:
        """Write down a new machine with its first events, and the lease it was born with.

        Raises:
            NameTaken: a live machine of the app has this name.
        """
        try:
            with self._transactions.begin() as transaction:
                transaction.run(_ADD_MACHINE, row_of(machine))
                versions.add(transaction, machine)
                attachments.attach(transaction, machine)
                _add_events(transaction, happened)
                if lease:
                    transaction.run(_ADD_LEASE, row_of(lease))
        except IntegrityError as error:
            raise NameTaken(machine.name) from error

    def move_machine(
        self, old: MachineRecord, happened: Sequence[EventRecord], **changes: Any
    ) -> MachineRecord:
        """Change a machine and write down what happened to it, in one transaction.

        Raises:
            Stale: the machine is not any more what `old` says; nothing was written.
        """
        fresh = replace(old, generation=old.generation + 1, **changes)
        columns = (*_MOVING, "config") if "config" in changes else _MOVING
        values = {name: getattr(fresh, name) for name in columns}
        guard = {"old_id": old.id, "old_state": old.state, "old_generation": old.generation}
        with self._transactions.begin() as transaction:
            if transaction.run(_UPDATES[columns], values | guard) != 1:
                raise Stale(f"machine {old.id} is not any more at generation {old.generation}")
            _add_events(transaction, happened)
            if fresh.instance_id != old.instance_id:
                versions.add(transaction, fresh)
                versions.forget_oldest(transaction, fresh)
            elif fresh.state is State.DESTROYED:
                versions.keep_last(transaction, fresh)
                attachments.detach(transaction, fresh)
        return fresh

    # events

    def events(self, machine_id: str, limit: int) -> list[EventRecord]:
        """Return the newest events of a machine, newest first."""
        query = (
            select(*columns_of(schema.events, EventRecord))
            .where(schema.events.c.machine_id == machine_id)
            .order_by(schema.events.c.id.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [EventRecord(**row) for row in connection.execute(query).mappings()]

    def has_event(self, machine_id: str, event_id: str) -> bool:
        """Whether this ever happened to the machine."""
        this = (schema.events.c.machine_id == machine_id) & (schema.events.c.id == event_id)
        with self._engine.connect() as connection:
            return connection.execute(select(schema.events.c.id).where(this)).first() is not None

    # leases

    def leases(self) -> list[LeaseRecord]:
        """Return every lease, expired ones included."""
        query = select(*columns_of(schema.leases, LeaseRecord))
        with self._engine.connect() as connection:
            return [LeaseRecord(**row) for row in connection.execute(query).mappings()]

    def put_lease(self, lease: LeaseRecord) -> None:
        """Write down a lease in the place of any older one of the same machine."""
        with self._engine.begin() as connection:
            connection.execute(_lease_of(lease.machine_id))
            connection.execute(insert(schema.leases), row_of(lease))

    def drop_lease(self, machine_id: str) -> None:
        """Forget the lease of a machine. Repeating is safe."""
        with self._engine.begin() as connection:
            connection.execute(_lease_of(machine_id))


#: What a move may change. The config has a statement of its own, because it may be a megabyte of
#: files.
_MOVING = (
    "state",
    "generation",
    "instance_id",
    "launch",
    "boot",
    "handle",
    "stop_signal",
    "stop_by",
    "restarts",
    "cordoned",
    "secrets_version",
    "run_at",
    "updated_at",
)


def _update(columns: Sequence[str]) -> Statement:
    machine = schema.machines.c
    return Statement(
        update(schema.machines)
        .where(machine.id == bindparam("old_id"))
        .where(machine.state == bindparam("old_state"))
        .where(machine.generation == bindparam("old_generation"))
        .values({name: bindparam(name) for name in columns})
    )


_UPDATES = {columns: _update(columns) for columns in (_MOVING, (*_MOVING, "config"))}
_ADD_MACHINE = Statement(insert(schema.machines), MachineRecord.__dataclass_fields__)
_ADD_EVENT = Statement(insert(schema.events), EventRecord.__dataclass_fields__)
_ADD_LEASE = Statement(insert(schema.leases), LeaseRecord.__dataclass_fields__)


def _lease_of(machine_id: str) -> Any:
    return delete(schema.leases).where(schema.leases.c.machine_id == machine_id)


def _add_events(transaction: Transaction, happened: Iterable[EventRecord]) -> None:
    for one in happened:
        transaction.run(_ADD_EVENT, row_of(one))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """FULL, so that what was answered survives the host; foreign keys are off by default."""
    connection.isolation_level = None  # or the driver begins late, and never for a migration
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
        "foreign_keys=ON",
        "busy_timeout=5000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
