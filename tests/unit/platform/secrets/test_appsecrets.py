"""Secrets in a whole platform: versions that machines hold on to, and rows that go away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select, text

from ephemera.errors import BootFailed, ConfigError
from ephemera.platform import schema
from ephemera.platform.drivers.base import BootSpec
from ephemera.platform.machines.creation import Wish
from ephemera.platform.machines.owner import Owner
from ephemera.platform.refusals import Refusal
from ephemera.platform.secrets.appsecrets import ENVIRONMENT_BYTES_MAX, VALUE_BYTES_MAX
from ephemera.platform.states import State
from ephemera.wire.models import MachineConfig
from tests.unit.platform.world import World, happened, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]


def write(world: World, **values: str | None) -> int:
    return world.platform.secrets.write(world.app().id, values)


def seen(world: World, version: int) -> dict[str, str]:
    return world.platform.secrets.environment(world.app().id, version)


def kept(world: World) -> list[tuple[str, int]]:
    query = select(schema.secrets.c.name, schema.secrets.c.version)
    with world.store.engine.connect() as connection:
        return sorted((row.name, row.version) for row in connection.execute(query))


def pinned(world: World, version: int) -> Owner:
    """Return a machine that was created when the secrets were at a version."""
    config = {"image": "host", "init": {"exec": ["run"]}}
    wish = Wish(lease_owner="me", secrets_version=version)
    owner, _ = world.platform.creation.create(
        world.app(), MachineConfig.model_validate(config), wish
    )
    return owner


def test_a_value_is_kept_for_as_long_as_a_machine_may_boot_with_it(play: Play) -> None:
    async def scene(world: World) -> None:
        first = write(world, A="one", B="b")
        owner = pinned(world, first)
        await reach(owner, State.STARTED)
        write(world, A="two")
        write(world, A="three", B=None)
        assert kept(world) == [("A", 1), ("A", 3), ("B", 1), ("B", 3)]
        assert seen(world, first) == {"A": "one", "B": "b"}
        assert seen(world, 3) == {"A": "three"}
        owner.ask_destroy(force=True)
        await reach(owner, State.DESTROYED)
        write(world, C="c")
        assert kept(world) == [("A", 3), ("C", 4)]

    play(scene)


def test_versions_and_values_are_the_same_after_a_restart(play: Play) -> None:
    async def scene(world: World) -> None:
        write(world, A="one")
        write(world, A=None)
        write(world, B="two")
        await world.reopen()
        assert world.platform.secrets.version(world.app().id) == 3
        assert seen(world, 3) == {"B": "two"}
        assert write(world, B=None) == 4
        await world.reopen()
        assert write(world, A="again") == 5
        assert seen(world, 5) == {"A": "again"}

    play(scene)


def test_a_secret_remembers_when_it_was_first_set(play: Play) -> None:
    async def scene(world: World) -> None:
        begun = world.now
        write(world, A="one")
        world.now += 10
        write(world, A="two")
        record = world.platform.secrets.one(world.app().id, "A")
        assert (record.created_at, record.updated_at) == (begun, begun + 10)
        write(world, A=None)
        world.now += 10
        write(world, A="new")
        record = world.platform.secrets.one(world.app().id, "A")
        assert (record.created_at, record.updated_at) == (begun + 20, begun + 20)

    play(scene)


def test_a_write_that_changes_nothing_makes_no_version(play: Play) -> None:
    async def scene(world: World) -> None:
        assert write(world) == 0
        assert write(world, A="one") == 1
        assert write(world, B=None) == 1

    play(scene)


def test_a_write_is_refused_whole(play: Play) -> None:
    async def scene(world: World) -> None:
        write(world, A="one")
        with pytest.raises(Refusal, match="'B'"):
            write(world, A="two", B="x" * (VALUE_BYTES_MAX + 1))
        assert seen(world, 1) == {"A": "one"}
        assert world.platform.secrets.version(world.app().id) == 1

    play(scene)


def test_all_secrets_together_fit_into_an_environment(play: Play) -> None:
    async def scene(world: World) -> None:
        full = ENVIRONMENT_BYTES_MAX // VALUE_BYTES_MAX - 1
        write(world, **{f"A{number}": "x" * VALUE_BYTES_MAX for number in range(full)})
        with pytest.raises(Refusal, match="the secrets of the app would have"):
            write(world, B="x" * VALUE_BYTES_MAX)
        write(world, A0=None, B="x" * VALUE_BYTES_MAX)

    play(scene)


def test_the_same_value_has_another_digest_in_another_app(play: Play) -> None:
    async def scene(world: World) -> None:
        write(world, A="same", B="same")
        other = world.platform.apps.create("other", "personal", "")
        world.platform.secrets.write(other.id, {"A": "same"})
        ours = {record.digest for record in world.platform.secrets.all(world.app().id)}
        theirs = {record.digest for record in world.platform.secrets.all(other.id)}
        assert len(ours) == len(theirs) == 1
        assert ours != theirs

    play(scene)


@pytest.mark.parametrize(
    ("at_least", "status"), [(-1, 400), (2, 412)], ids=["no-version", "not-reached"]
)
def test_a_machine_cannot_insist_on_a_version_that_is_none(
    play: Play, at_least: int, status: int
) -> None:
    async def scene(world: World) -> None:
        write(world, A="one")
        with pytest.raises(Refusal) as caught:
            world.platform.secrets.pinned(world.app().id, at_least=at_least, skip=True)
        assert caught.value.status == status

    play(scene)


def test_a_machine_without_secrets_is_at_version_0(play: Play) -> None:
    async def scene(world: World) -> None:
        write(world, A="one")
        app_id = world.app().id
        assert world.platform.secrets.pinned(app_id, at_least=1, skip=True) == 0
        assert world.platform.secrets.pinned(app_id, at_least=1, skip=False) == 1
        assert seen(world, 0) == {}

    play(scene)


def test_a_machine_whose_secret_is_damaged_fails_to_start(play: Play) -> None:
    async def scene(world: World) -> None:
        version = write(world, A="one")
        with world.store.engine.begin() as connection:
            connection.execute(text("UPDATE secret SET sealed = x'01'"))
        with pytest.raises(BootFailed, match=r"secrets\.key"):
            seen(world, version)
        owner = pinned(world, version)
        await reach(owner, State.FAILED)
        assert happened(owner)[-1] == "start/failed"

    play(scene)


def test_one_row_cannot_be_put_in_the_place_of_another(play: Play) -> None:
    async def scene(world: World) -> None:
        version = write(world, A="mine", B="theirs")
        with world.store.engine.begin() as connection:
            swap = "UPDATE secret SET sealed = (SELECT sealed FROM secret WHERE name = 'B')"
            connection.execute(text(swap))
        with pytest.raises(BootFailed, match="/A/1"):
            seen(world, version)

    play(scene)


def test_a_deleted_app_leaves_nothing(play: Play) -> None:
    async def scene(world: World) -> None:
        app = world.app()
        write(world, A="one")
        world.platform.secret_keys.generate(app.id, "key", "es256")
        await world.platform.delete_app(app.name, force=True)
        with world.store.engine.connect() as connection:
            for table in (schema.secrets, schema.secret_keys, schema.secret_versions):
                assert connection.execute(select(table)).all() == []
        assert world.platform.secrets.version(app.id) == 0

    play(scene)


def test_without_its_key_a_platform_does_not_start(play: Play) -> None:
    async def scene(world: World) -> None:
        write(world, A="one")
        file = world.home / "secrets.key"
        key = file.read_bytes()
        await world.close()
        file.unlink()
        with pytest.raises(ConfigError, match=r"secrets\.key is missing"):
            await world.open()
        world.store.close()
        file.write_bytes(key)
        await world.open()
        assert seen(world, 1) == {"A": "one"}

    play(scene)


def test_a_key_that_was_made_and_not_written_down_yet_is_used(play: Play) -> None:
    async def scene(world: World) -> None:
        with world.store.engine.begin() as connection:
            connection.execute(text("DELETE FROM vault"))  # as a kill at the first start leaves it
        await world.reopen()
        write(world, A="one")
        await world.reopen()
        assert seen(world, 1) == {"A": "one"}

    play(scene)


def test_what_is_given_to_a_driver_shows_no_secret_when_it_is_printed() -> None:
    spec = BootSpec("id", 1, "app", "host", "local", ["run"], env={"A": "the value"})
    assert "the value" not in repr(spec)


def test_no_record_shows_a_secret_when_it_is_printed(play: Play) -> None:
    async def scene(world: World) -> None:
        write(world, A="the value")
        key = world.platform.secret_keys.put(world.app().id, "key", "hs256", b"k" * 32)
        shown: list[Any] = [*world.platform.secrets.all(world.app().id), key]
        assert "the value" not in repr(shown)
        assert "sealed" not in repr(shown)

    play(scene)


def test_a_key_survives_a_restart_and_is_not_kept_as_it_is(play: Play) -> None:
    async def scene(world: World) -> None:
        app_id, private = world.app().id, b"this is the private part, 32 by."
        world.platform.secret_keys.put(app_id, "key", "nacl_auth", private)
        signature = world.platform.secret_keys.sign(app_id, "key", b"hello")
        await world.reopen()
        world.platform.secret_keys.verify(app_id, "key", b"hello", signature)
        stored = b"".join(path.read_bytes() for path in world.home.glob("platform.db*"))
        assert private not in stored

    play(scene)


def test_two_writers_at_once_get_two_versions(play: Play) -> None:
    async def scene(world: World) -> None:
        async def one(number: int) -> int:
            return write(world, A=str(number))

        versions = await asyncio.gather(*(one(number) for number in range(10)))
        assert sorted(versions) == list(range(1, 11))
        last = versions.index(10)
        assert seen(world, 10) == {"A": str(last)}

    play(scene)
