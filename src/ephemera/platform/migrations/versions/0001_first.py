"""The first schema: apps, machines, events and leases."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the four tables."""
    op.create_table(
        "app",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("org_slug", sa.String(63), nullable=False),
        sa.Column("network", sa.String(255), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("deleted_at", sa.Float),
        sa.PrimaryKeyConstraint("id", name="pk_app"),
    )
    live_app = sa.text("deleted_at IS NULL")
    op.create_index(
        "ix_app_live_name",
        "app",
        ["name"],
        unique=True,
        sqlite_where=live_app,
        postgresql_where=live_app,
    )
    op.create_table(
        "machine",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("instance_id", sa.String(26), nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("launch", sa.Boolean, nullable=False),
        sa.Column("boot", sa.Integer, nullable=False),
        sa.Column("handle", sa.String, nullable=False),
        sa.Column("stop_signal", sa.Integer),
        sa.Column("stop_by", sa.Float),
        sa.Column("restarts", sa.JSON, nullable=False),
        sa.Column("log_from", sa.String(32), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_machine"),
        sa.ForeignKeyConstraint(["app_id"], ["app.id"], name="fk_machine_app_id_app"),
    )
    op.create_index("ix_machine_app_id", "machine", ["app_id"])
    op.create_index("ix_machine_state", "machine", ["state"])
    live_machine = sa.text("state != 'destroyed'")
    op.create_index(
        "ix_machine_live_name",
        "machine",
        ["app_id", "name"],
        unique=True,
        sqlite_where=live_machine,
        postgresql_where=live_machine,
    )
    op.create_table(
        "event",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("timestamp", sa.Integer, nullable=False),
        sa.Column("request", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name="fk_event_machine_id_machine"),
    )
    op.create_index("ix_event_machine_id_id", "event", ["machine_id", "id"])
    op.create_table(
        "lease",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("nonce", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.Column("version", sa.String(26), nullable=False),
        sa.PrimaryKeyConstraint("machine_id", name="pk_lease"),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name="fk_lease_machine_id_machine"),
    )


def downgrade() -> None:
    """Drop the four tables."""
    for table in ("lease", "event", "machine", "app"):
        op.drop_table(table)
