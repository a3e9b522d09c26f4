"""Runs the migrations on the connection that `stores.migrate.upgrade` hands over."""

from alembic import context

from ephemera.jobs.stores.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
