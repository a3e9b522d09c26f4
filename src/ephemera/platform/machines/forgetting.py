"""What is known of machines for a while only: of those that are gone, and what happened long ago.

Each function forgets so much at a time that nobody waits for it, and says how much that was.
"""

from __future__ import annotations

from sqlalchemy import Engine, delete, func, select, text

from ephemera.platform import schema

#: How long a destroyed machine is remembered.
_DESTROYED_KEPT_S = 7 * 24 * 3600.0
#: How many events are kept of a machine: its policy may start it again for months.
EVENTS_KEPT = 1000
#: How many machines, or events, are forgotten in one go; the loop has other things to do.
_AT_ONCE = 200

_machine, _event = schema.machines.c, schema.events.c


def forget_destroyed(engine: Engine, now: float) -> int:
    """Forget machines that were destroyed a week ago, with all that refers to them.

    Args:
        now: Seconds since 1970.
    """
    before = now - _DESTROYED_KEPT_S
    # The text is that of the index; with a parameter in it SQLite would not use the index.
    gone = text("state = 'destroyed'") & (_machine.updated_at < before)
    query = select(_machine.id).where(gone).order_by(_machine.updated_at).limit(_AT_ONCE)
    with engine.connect() as connection:
        ids = connection.execute(query).scalars().all()
    if not ids:
        return 0
    with engine.begin() as connection:
        for table in (schema.events, schema.leases, schema.machine_versions):
            connection.execute(delete(table).where(table.c.machine_id.in_(ids)))
        connection.execute(delete(schema.machines).where(_machine.id.in_(ids)))
    return len(ids)


def forget_events(engine: Engine) -> int:
    """Forget the oldest events of a machine that has more than are kept of one."""
    too_many = func.count() > EVENTS_KEPT
    query = select(_event.machine_id).group_by(_event.machine_id).having(too_many).limit(1)
    with engine.connect() as connection:
        machine_id = connection.execute(query).scalar()
    if machine_id is None:
        return 0
    with engine.begin() as connection:
        its = _event.machine_id == machine_id
        newest = select(_event.id).where(its).order_by(_event.id.desc())
        oldest_kept = newest.offset(EVENTS_KEPT - 1).limit(1).scalar_subquery()
        old = select(_event.id).where(its, _event.id < oldest_kept).limit(_AT_ONCE)
        return connection.execute(delete(schema.events).where(_event.id.in_(old))).rowcount
