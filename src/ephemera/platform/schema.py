"""The platform's tables. Every state a caller has been told is in here first."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

apps = Table(
    "app",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(63), nullable=False),
    Column("org_slug", String(63), nullable=False),
    Column("network", String(255), nullable=False),
    Column("created_at", Float, nullable=False),
    #: Null while the app lives; its name is free again once this is set.
    Column("deleted_at", Float),
)
Index(
    "ix_app_live_name",
    apps.c.name,
    unique=True,
    sqlite_where=text("deleted_at IS NULL"),
    postgresql_where=text("deleted_at IS NULL"),
)

machines = Table(
    "machine",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("app_id", String(32), ForeignKey("app.id"), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    #: Counts the moves: a write that read an older one is refused.
    Column("generation", Integer, nullable=False),
    Column("region", String(32), nullable=False),
    Column("instance_id", String(26), nullable=False),
    Column("config", JSON, nullable=False),
    #: Whether the machine is to be started when the move under way is done.
    Column("launch", Boolean, nullable=False),
    #: How many boots were asked of the driver; the pair (id, boot) names one of them for ever.
    Column("boot", Integer, nullable=False),
    #: What the driver calls the newest boot; empty before it answered.
    Column("handle", String, nullable=False),
    #: What the program was told when it was asked to end, and when it is killed for not doing so.
    Column("stop_signal", Integer),
    Column("stop_by", Float),
    #: When the restart policy started it again, newest last; seconds since 1970.
    Column("restarts", JSON, nullable=False),
    #: Where the machine's first line is in the app's log.
    Column("log_from", String(32), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)
Index(
    "ix_machine_live_name",
    machines.c.app_id,
    machines.c.name,
    unique=True,
    sqlite_where=text("state != 'destroyed'"),
    postgresql_where=text("state != 'destroyed'"),
)
Index("ix_machine_state", machines.c.state)

events = Table(
    "event",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("machine_id", String(32), ForeignKey("machine.id"), nullable=False),
    Column("type", String(32), nullable=False),
    Column("status", String(32), nullable=False),
    Column("source", String(16), nullable=False),
    #: Milliseconds since 1970.
    Column("timestamp", Integer, nullable=False),
    Column("request", JSON(none_as_null=True)),
)
Index("ix_event_machine_id_id", events.c.machine_id, events.c.id)

leases = Table(
    "lease",
    metadata,
    Column("machine_id", String(32), ForeignKey("machine.id"), primary_key=True),
    Column("nonce", String(32), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("description", String, nullable=False),
    #: Seconds since 1970.
    Column("expires_at", Integer, nullable=False),
    Column("version", String(26), nullable=False),
)
