"""The job layer's tables. All times are seconds since 1970, UTC."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
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
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: One row, drawn when the store was made.
identities = Table(
    "identity",
    metadata,
    Column("id", String(26), primary_key=True),
    #: What the tokens of attempts are derived from.
    Column("secret", LargeBinary, nullable=False),
)

jobs = Table(
    "job",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("state", String(16), nullable=False),
    #: Counts the moves: a write that read an older one is refused.
    Column("generation", Integer, nullable=False),
    Column("work", JSON, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("cancel_requested_at", Float),
    Column("ended_at", Float),
    Column("outcome", JSON(none_as_null=True)),
)
Index("ix_job_state_id", jobs.c.state, jobs.c.id)

attempts = Table(
    "attempt",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("job_id", String(26), ForeignKey("job.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("stage", String(16), nullable=False),
    #: Counts the moves: a write that read an older one is refused.
    Column("generation", Integer, nullable=False),
    Column("app", String(63), nullable=False),
    Column("machine_name", String(255), nullable=False),
    #: Empty until the API has told it.
    Column("machine_id", String(64), nullable=False),
    #: Where the runner sends its reports; empty where they are pulled.
    Column("report_url", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    #: When and why we decided to stop the machine.
    Column("asked_at", Float),
    Column("asked", String(16)),
    Column("ending", JSON(none_as_null=True)),
    Column("ended_at", Float),
    Column("outcome", JSON(none_as_null=True)),
    Column("spoke_at", Float),
    Column("report", JSON(none_as_null=True)),
)
Index("ix_attempt_job_id_number", attempts.c.job_id, attempts.c.number, unique=True)
Index("ix_attempt_stage_id", attempts.c.stage, attempts.c.id)

log_lines = Table(
    "log_line",
    metadata,
    Column("attempt_id", String(26), ForeignKey("attempt.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("entry", JSON, nullable=False),
)

#: One row: the active supervisor.
leases = Table(
    "supervisor_lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("holder", String(255), nullable=False),
    Column("url", Text, nullable=False),
    Column("expires_at", Float, nullable=False),
)
