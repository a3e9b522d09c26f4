"""The first schema: the store's identity, jobs, attempts, their logs, the supervisor's lease."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "identity",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity"),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("work", sa.JSON, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("cancel_requested_at", sa.Float),
        sa.Column("ended_at", sa.Float),
        sa.Column("outcome", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
    )
    op.create_index("ix_job_state_id", "job", ["state", "id"])
    _create_attempts()
    op.create_table(
        "supervisor_lease",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("holder", sa.String(255), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_supervisor_lease"),
    )


def _create_attempts() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("job_id", sa.String(26), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("app", sa.String(63), nullable=False),
        sa.Column("machine_name", sa.String(255), nullable=False),
        sa.Column("machine_id", sa.String(64), nullable=False),
        sa.Column("report_url", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("started_at", sa.Float),
        sa.Column("asked_at", sa.Float),
        sa.Column("asked", sa.String(16)),
        sa.Column("ending", sa.JSON),
        sa.Column("ended_at", sa.Float),
        sa.Column("outcome", sa.JSON),
        sa.Column("spoke_at", sa.Float),
        sa.Column("report", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_attempt"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_attempt_job_id_job"),
    )
    op.create_index("ix_attempt_job_id_number", "attempt", ["job_id", "number"], unique=True)
    op.create_index("ix_attempt_stage_id", "attempt", ["stage", "id"])
    op.create_table(
        "log_line",
        sa.Column("attempt_id", sa.String(26), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("entry", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", "number", name="pk_log_line"),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempt.id"], name="fk_log_line_attempt_id_attempt"
        ),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("supervisor_lease", "log_line", "attempt", "job", "identity"):
        op.drop_table(table)
