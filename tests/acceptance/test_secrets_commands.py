"""`ephemera secrets`: what is set is found by machines, and shown to nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ephemera.wire.models import Machine
from tests.acceptance.inside import Inside, Said
from tests.acceptance.shop import PAUSE, Shop


@pytest.fixture
def inside(shop: Shop, tmp_path: Path) -> Inside:
    """The command line in a project whose fly.toml names the app."""
    (tmp_path / "fly.toml").write_text(f'app = "{shop.app}"\n')
    return Inside(shop.ephemera, tmp_path)


def machine_of_a_release(shop: Shop) -> Machine:
    labels = {"fly_process_group": "app", "fly_platform_version": "v2"}
    config = {"image": "host", "init": {"exec": list(PAUSE)}, "metadata": labels}
    machine = shop.client.machines.create(shop.app, config=config)
    shop.client.machines.wait(shop.app, machine.id, "started")
    return machine


def seen_by(shop: Shop, machine: str, name: str) -> str:
    command = ["sh", "-c", f'printf %s "${{{name}-none}}"']
    return shop.client.machines.exec(shop.app, machine, command).stdout


def values(shop: Shop) -> dict[str, str | None]:
    return {one.name: one.value for one in shop.client.secrets.list(shop.app, show_secrets=True)}


def test_setting_and_removing_restarts_the_machines_of_releases_and_no_others(
    inside: Inside, shop: Shop
) -> None:
    machine, of_a_job = machine_of_a_release(shop), shop.run(PAUSE)
    said = inside("secrets", "set", "A=hunter2", "B=x=y")
    assert "2 secrets set: A, B" in said.stderr
    assert "restarted 1 machine" in said.stderr
    (now,) = shop.client.machines.list(shop.app, metadata={"fly_process_group": "app"})
    assert seen_by(shop, now.id, "A") == "hunter2"
    assert seen_by(shop, now.id, "B") == "x=y"
    assert seen_by(shop, of_a_job.id, "A") == "none"
    assert shop.client.machines.get(shop.app, of_a_job.id).instance_id == of_a_job.instance_id
    shown: Any = json.loads(inside("secrets", "unset", "A", "--json").stdout)
    assert (shown["unset"], shown["set"], shown["restarted"]) == (["A"], [], 1)
    assert seen_by(shop, now.id, "A") == "none"
    assert machine.instance_id != now.instance_id


def test_what_is_staged_waits_for_secrets_deploy(inside: Inside, shop: Shop) -> None:
    machine = machine_of_a_release(shop)
    assert "`ephemera secrets deploy`" in inside("secrets", "set", "A=1", "--stage").stderr
    assert seen_by(shop, machine.id, "A") == "none"
    assert json.loads(inside("secrets", "deploy", "--json").stdout) == {"restarted": 1}
    assert seen_by(shop, machine.id, "A") == "1"


def test_while_somebody_else_makes_a_release_it_is_said_how_to_restart_later(
    inside: Inside, shop: Shop
) -> None:
    machine = machine_of_a_release(shop)
    with shop.client.leases.hold(shop.app, machine.id):
        busy = inside("secrets", "set", "A=1", code=1)
    assert "`ephemera secrets deploy`" in busy.stderr
    assert values(shop) == {"A": "1"}


def test_secrets_are_listed_by_name_and_digest(inside: Inside) -> None:
    inside("secrets", "set", "A=hunter2")
    said = [inside("secrets", "list").stdout, inside("secrets", "list", "--json").stdout]
    (listed,) = json.loads(said[1])
    assert set(listed) >= {"name", "digest", "created_at", "updated_at"}
    assert listed["digest"] in said[0]
    assert not any("hunter2" in one for one in said)


def test_values_come_from_stdin_where_nobody_is_to_see_them(inside: Inside, shop: Shop) -> None:
    inside("secrets", "set", "KEY=-", "B=2", stdin="-----\nkey\n-----\n")
    assert values(shop) == {"KEY": "-----\nkey\n-----", "B": "2"}
    inside("secrets", "import", stdin="# mine\nexport C='three'\nB=\n")
    assert values(shop) == {"KEY": "-----\nkey\n-----", "B": "", "C": "three"}


def wrong(said: Said, *, shows: str) -> None:
    assert shows in said.stderr
    assert "hunter2" not in said.stderr + said.stdout
    assert said.stdout == ""


def test_what_is_wrong_is_told_without_the_value_and_changes_nothing(
    inside: Inside, shop: Shop
) -> None:
    inside("secrets", "set", "A=1")
    set_ = ("secrets", "set")
    wrong(inside(*set_, "B=2", "hunter2", code=1), shows="argument 2 is not NAME=VALUE")
    wrong(inside(*set_, "=hunter2", code=1), shows="argument 1 is not NAME=VALUE")
    wrong(inside(*set_, "no-dash=hunter2", code=1), shows="in front, such as no_dash")
    wrong(inside(*set_, "1A=hunter2", code=1), shows="'1A' is no name of a secret")
    wrong(inside(*set_, "B=-", "C=-", code=1), shows="only one value can come from stdin")
    wrong(inside("secrets", "import", stdin="A=2\nhunter2", code=1), shows="line 2 of the standard")
    wrong(inside("secrets", "import", stdin="A=2\na.b=hunter2", code=1), shows="such as a_b")
    wrong(inside("secrets", "import", code=1), shows="has no NAME=VALUE")
    wrong(inside("secrets", "unset", "A", "hunter", code=1), shows="has no secret hunter;")
    wrong(inside(*set_, "B=hunter2", "-a", "elsewhere", code=1), shows="app not found")
    assert values(shop) == {"A": "1"}
