"""Whether the machines of an app may reach the world outside of their private network."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the machines of all apps, as before."""
    op.add_column(
        "app", sa.Column("outside", sa.Boolean, nullable=False, server_default=sa.text("1"))
    )


def downgrade() -> None:
    """Forget it: all may."""
    op.drop_column("app", "outside")
