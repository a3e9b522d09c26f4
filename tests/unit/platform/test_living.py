"""What lives in a state folder is found without a server, whichever version wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from ephemera.errors import ConfigError
from ephemera.platform import migrate
from ephemera.platform.living import LiveMachine, living

_APPS = "INSERT INTO app (id, name, org_slug, network, created_at, deleted_at) VALUES "
_MACHINES = (
    "INSERT INTO machine (id, app_id, state, created_at, name, generation, region, instance_id,"
    " config, launch, boot, handle, restarts, log_from, updated_at) VALUES "
)
_REST = "1, 'local', 'v1', '{}', 0, 1, '', '[]', '0:0', 1.0"


def filled(home: Path, version: str) -> None:
    """Have a database of a version of the schema, with machines in it."""
    engine = create_engine(f"sqlite:///{home / 'platform.db'}")
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        for row in ("('a', 'shop', 'o', '', 1, NULL)", "('b', 'gone', 'o', '', 1, 2)"):
            connection.execute(text(_APPS + row))
        for id_, app, state in [
            ("3", "a", "started"),
            ("1", "b", "stopping"),
            ("2", "a", "stopped"),
            ("4", "a", "destroyed"),
            ("5", "a", "destroying"),
        ]:
            row = f"('{id_}', '{app}', '{state}', {id_}, 'm{id_}', {_REST})"
            connection.execute(text(_MACHINES + row))
    engine.dispose()


@pytest.mark.parametrize("version", ["0001", "head"])
def test_live_machines_are_found_in_every_version_of_the_schema(
    tmp_path: Path, version: str
) -> None:
    filled(tmp_path, version)
    assert living(tmp_path) == [
        LiveMachine("", "1"),
        LiveMachine("shop", "3"),
        LiveMachine("shop", "5", is_going=True),
    ]


def test_a_folder_without_tables_has_none(tmp_path: Path) -> None:
    assert living(tmp_path) == []
    (tmp_path / "platform.db").touch()
    assert living(tmp_path) == []


def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "platform.db").write_text("no database at all, but many letters" * 100)
    with pytest.raises(ConfigError, match=r"platform\.db cannot be read"):
        living(tmp_path)
