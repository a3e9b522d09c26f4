"""The platform's tables. Every state that a caller can wait for is in here first."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
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
    #: Whether machines may reach the world outside; the same for all apps of one network.
    Column("outside", Boolean, nullable=False, default=True, server_default=text("1")),
    Column("created_at", Float, nullable=False),
    #: Null while the app lives; its name is free again once this is set.
    Column("deleted_at", Float),
)
Index(
    "ix_app_live_name",
    apps.c.name,
    unique=True,
    sqlite_where=text("deleted_at IS NULL"),
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
    #: What the driver calls the newest boot, also when that has ended; empty before it answered.
    Column("handle", String, nullable=False),
    #: What the program was told when it was asked to end, and when it is killed for not doing so.
    Column("stop_signal", Integer),
    Column("stop_by", Float),
    #: When the restart policy started it again, newest last; seconds since 1970.
    Column("restarts", JSON, nullable=False),
    #: Which version of the app's secrets its boots see; 0 for none of them.
    Column("secrets_version", Integer, nullable=False, server_default="0"),
    #: Where the machine's first line is in the app's log.
    Column("log_from", String(32), nullable=False),
    #: Whether it is kept out of what a proxy sends requests to.
    Column("cordoned", Boolean, nullable=False, default=False, server_default=text("0")),
    #: When its schedule starts it next; seconds since 1970. Null without a schedule.
    Column("run_at", Float),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)
Index(
    "ix_machine_live_name",
    machines.c.app_id,
    machines.c.name,
    unique=True,
    sqlite_where=text("state != 'destroyed'"),
)
Index("ix_machine_state", machines.c.state)
#: For the list of an organisation's machines, which goes by time and shows those that are gone.
Index(
    "ix_machine_destroyed",
    machines.c.state,
    machines.c.updated_at,
    machines.c.id,
    sqlite_where=text("state = 'destroyed'"),
)

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
    Column("expires_at", Integer, nullable=False),  # parts of seconds too: SQLite keeps them
    Column("version", String(26), nullable=False),
)

#: Every config that a machine has had, up to a number of them; see `platform/machines/versions.py`.
machine_versions = Table(
    "machine_version",
    metadata,
    Column("machine_id", String(32), ForeignKey("machine.id"), primary_key=True),
    #: The `instance_id` that the machine had with it.
    Column("version", String(26), primary_key=True),
    Column("config", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
)

#: The fingerprint of the key that values were sealed with, see `secrets/vault.py`: one row.
vault = Table("vault", metadata, Column("fingerprint", String(16), primary_key=True))

#: How many times the secrets or secret keys of an app were written. Never goes back.
secret_versions = Table(
    "secret_version",
    metadata,
    Column("app_id", String(32), ForeignKey("app.id"), primary_key=True),
    Column("version", Integer, nullable=False),
)

#: What an app's secrets were from a version on, for as long as that version is of use.
secrets = Table(
    "secret",
    metadata,
    Column("app_id", String(32), ForeignKey("app.id"), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("version", Integer, primary_key=True),
    #: Null where the secret was removed with this version.
    Column("sealed", LargeBinary),
    Column("digest", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

secret_keys = Table(
    "secret_key",
    metadata,
    Column("app_id", String(32), ForeignKey("app.id"), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("type", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    #: Empty where the key has no public part.
    Column("public_key", LargeBinary, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

#: Tokens that are for one app. The platform's own is in a file, see `access/owner_token.py`.
tokens = Table(
    "token",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("app_id", String(32), ForeignKey("app.id"), nullable=False, index=True),
    #: SHA-256 of the whole token, in hex: the token itself is nowhere.
    Column("digest", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)

#: What the identity tokens of machines are signed with, see `access/oidc.py`.
signing_keys = Table(
    "signing_key",
    metadata,
    Column("id", String(16), primary_key=True),
    #: The private key, in the vault's keeping.
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)

#: The addresses of apps, see `edge/addresses.py`.
ip_assignments = Table(
    "ip_assignment",
    metadata,
    Column("app_id", String(32), ForeignKey("app.id"), primary_key=True),
    Column("ip", String(45), primary_key=True),
    Column("type", String(16), nullable=False),
    Column("region", String(32), nullable=False),
    Column("service_name", String(63), nullable=False),
    Column("created_at", Float, nullable=False),
)

#: The host names of apps. Each is one app's only.
certificates = Table(
    "certificate",
    metadata,
    Column("hostname", String(255), primary_key=True),
    Column("app_id", String(32), ForeignKey("app.id"), nullable=False, index=True),
    #: In PEM form; empty where the certificate was removed, as are those that follow.
    Column("fullchain", Text, nullable=False),
    Column("sealed_key", LargeBinary, nullable=False),
    Column("issuer", String(255), nullable=False),
    Column("key_type", String(8), nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

volumes = Table(
    "volume",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("app_id", String(32), ForeignKey("app.id"), nullable=False, index=True),
    Column("name", String(30), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("region", String(32), nullable=False),
    Column("size_gb", Integer, nullable=False),
    #: Days that a snapshot which is made from now on is kept.
    Column("snapshot_retention", Integer, nullable=False),
    Column("auto_backup_enabled", Boolean, nullable=False),
    #: Written in the transaction that creates the machine, and in the one that ends it.
    Column("attached_machine_id", String(32)),
    #: The snapshot or volume that its data comes from; null where it began empty.
    Column("source_id", String(32)),
    #: When its next automatic snapshot is due; null for never. Seconds since 1970.
    Column("backup_at", Float, index=True),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

snapshots = Table(
    "snapshot",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("volume_id", String(32), ForeignKey("volume.id"), nullable=False, index=True),
    Column("app_id", String(32), ForeignKey("app.id"), nullable=False),
    Column("status", String(16), nullable=False),
    #: Bytes on the disk, and bytes that the volume was said to hold.
    Column("size", Integer, nullable=False),
    Column("volume_size", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("retention_days", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)
