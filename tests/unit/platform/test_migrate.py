from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from ephemera.errors import ConfigError
from ephemera.platform import migrate, schema
from ephemera.platform.machines.versions import Versions
from ephemera.platform.store import Store

MIGRATIONS = Path(migrate.__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        return list(compare_metadata(context, schema.metadata))


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(_config()).get_current_head() == migrate.HEAD


def test_a_new_database_is_current_and_stays_so(tmp_path: Path) -> None:
    store = Store(tmp_path / "platform.db")
    migrate.upgrade(store.engine)
    migrate.upgrade(store.engine)
    assert migrate.current(store.engine) == migrate.HEAD
    store.close()


def test_the_migrations_lead_to_the_same_schema_as_a_new_database(tmp_path: Path) -> None:
    store = Store(tmp_path / "platform.db")
    config = _config()
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    assert _differences(store.engine) == []
    assert migrate.current(store.engine) == migrate.HEAD
    store.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "platform.db")
    migrate.upgrade(store.engine)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"platform\.db was written by another version"):
        migrate.upgrade(store.engine)
    assert migrate.current(store.engine) == "9999"
    store.close()


def test_machines_of_the_first_schema_are_still_there_with_a_version(tmp_path: Path) -> None:
    store = Store(tmp_path / "platform.db")
    config = _config()
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO app VALUES ('a', 'demo', 'personal', '', 1.0, NULL)"))
        connection.execute(
            text(
                "INSERT INTO machine VALUES ('m', 'a', 'web', 'stopped', 3, 'local', 'v1',"
                " '{\"image\": \"host\"}', 0, 1, '', NULL, NULL, '[]', '0:0', 1.0, 2.0)"
            )
        )
    migrate.upgrade(store.engine)
    machine = store.machine("a", "m")
    assert machine is not None
    assert (machine.name, machine.cordoned, machine.secrets_version, machine.run_at) == (
        *("web", False),
        *(0, None),
    )
    assert [one.version for one in Versions(store.engine).of("m")] == ["v1"]
    store.close()
