"""The whole API: versions of machines, secrets, tokens, volumes, addresses and certificates."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: Each after those that it refers to.
_TABLES = (
    "machine_version",
    "vault",
    "secret_version",
    "secret",
    "secret_key",
    "token",
    "signing_key",
    "ip_assignment",
    "certificate",
    "volume",
    "snapshot",
)


def upgrade() -> None:
    """Add what machines have learned, and the tables of everything else."""
    _machines()
    _versions()
    _secrets()
    _access()
    _edge()
    _volumes()


def _machines() -> None:
    op.add_column(
        "machine", sa.Column("secrets_version", sa.Integer, nullable=False, server_default="0")
    )
    op.add_column(
        "machine",
        sa.Column("cordoned", sa.Boolean, nullable=False, server_default=sa.text("0")),
    )
    op.add_column("machine", sa.Column("run_at", sa.Float))
    destroyed = sa.text("state = 'destroyed'")
    op.create_index(
        "ix_machine_destroyed",
        "machine",
        ["state", "updated_at", "id"],
        sqlite_where=destroyed,
        postgresql_where=destroyed,
    )


def _versions() -> None:
    op.create_table(
        "machine_version",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("version", sa.String(26), nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("machine_id", "version", name="pk_machine_version"),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name="fk_machine_version_machine_id_machine"
        ),
    )
    # The one that each machine has now; those before it were not kept.
    op.execute(
        "INSERT INTO machine_version (machine_id, version, config, created_at)"
        " SELECT id, instance_id, config, updated_at FROM machine"
    )


def _secrets() -> None:
    op.create_table(
        "vault",
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_vault"),
    )
    op.create_table(
        "secret_version",
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("app_id", name="pk_secret_version"),
        _of_an_app("secret_version"),
    )
    op.create_table(
        "secret",
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("app_id", "name", "version", name="pk_secret"),
        _of_an_app("secret"),
    )
    op.create_table(
        "secret_key",
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("app_id", "name", name="pk_secret_key"),
        _of_an_app("secret_key"),
    )


def _access() -> None:
    op.create_table(
        "token",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        _of_an_app("token"),
    )
    op.create_index("ix_token_app_id", "token", ["app_id"])
    op.create_table(
        "signing_key",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_signing_key"),
    )


def _edge() -> None:
    op.create_table(
        "ip_assignment",
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("ip", sa.String(45), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("service_name", sa.String(63), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("app_id", "ip", name="pk_ip_assignment"),
        _of_an_app("ip_assignment"),
    )
    op.create_table(
        "certificate",
        sa.Column("hostname", sa.String(255), nullable=False),
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("fullchain", sa.Text, nullable=False),
        sa.Column("sealed_key", sa.LargeBinary, nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("key_type", sa.String(8), nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("hostname", name="pk_certificate"),
        _of_an_app("certificate"),
    )
    op.create_index("ix_certificate_app_id", "certificate", ["app_id"])


def _volumes() -> None:
    op.create_table(
        "volume",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(30), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("size_gb", sa.Integer, nullable=False),
        sa.Column("snapshot_retention", sa.Integer, nullable=False),
        sa.Column("auto_backup_enabled", sa.Boolean, nullable=False),
        sa.Column("attached_machine_id", sa.String(32)),
        sa.Column("source_id", sa.String(32)),
        sa.Column("backup_at", sa.Float),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_volume"),
        _of_an_app("volume"),
    )
    for column in ("app_id", "state", "backup_at"):
        op.create_index(f"ix_volume_{column}", "volume", [column])
    op.create_table(
        "snapshot",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("volume_id", sa.String(32), nullable=False),
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("volume_size", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("retention_days", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_snapshot"),
        sa.ForeignKeyConstraint(["volume_id"], ["volume.id"], name="fk_snapshot_volume_id_volume"),
        _of_an_app("snapshot"),
    )
    for column in ("volume_id", "expires_at"):
        op.create_index(f"ix_snapshot_{column}", "snapshot", [column])


def _of_an_app(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["app_id"], ["app.id"], name=f"fk_{table}_app_id_app")


def downgrade() -> None:
    """Drop the tables, and what machines have learned. What was in them is lost."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_index("ix_machine_destroyed", "machine")
    for column in ("run_at", "cordoned", "secrets_version"):
        op.drop_column("machine", column)
