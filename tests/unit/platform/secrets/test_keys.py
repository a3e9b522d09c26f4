"""Secret keys without HTTP: every refusal says what is wrong, and leaves things as they were."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from ephemera.platform.refusals import Refusal
from ephemera.platform.secrets.keys import SecretKeys
from ephemera.platform.secrets.keytypes import TYPES
from tests.unit.platform.world import World

Play = Callable[[Callable[[World], Awaitable[None]]], None]


def keys_of(world: World) -> tuple[SecretKeys, str]:
    return world.platform.secret_keys, world.app().id


@pytest.mark.parametrize("kind", TYPES)
def test_a_value_of_a_wrong_length_is_told_which_would_be_right(play: Play, kind: str) -> None:
    async def scene(world: World) -> None:
        keys, app_id = keys_of(world)
        words = TYPES[kind].lengths_in_words()
        with pytest.raises(Refusal, match=f"type '{kind}': it has 7 bytes, not {words}"):
            keys.put(app_id, "key", kind, b"7 bytes")
        assert keys.all(app_id) == []
        assert world.platform.secrets.version(app_id) == 0

    play(scene)


def test_an_unknown_type_is_told_which_there_are(play: Play) -> None:
    async def scene(world: World) -> None:
        keys, app_id = keys_of(world)
        for ask in (
            lambda: keys.generate(app_id, "key", "rsa"),
            lambda: keys.put(app_id, "key", "rsa", b"x"),
            lambda: keys.all(app_id, ["es256", "rsa"]),
        ):
            with pytest.raises(Refusal, match=r"'rsa' is not one of es256, .*nacl_sign") as caught:
                ask()
            assert caught.value.status == 400

    play(scene)


def test_no_refusal_tells_the_value(play: Play) -> None:
    async def scene(world: World) -> None:
        keys, app_id = keys_of(world)
        pair = b"a seed of 32 bytes, to be hidden" + b"and not its own public key......"
        with pytest.raises(Refusal) as caught:
            keys.put(app_id, "key", "nacl_sign", pair)
        assert "hidden" not in caught.value.error

    play(scene)


def test_a_key_that_takes_the_place_of_another_keeps_its_birthday(play: Play) -> None:
    async def scene(world: World) -> None:
        keys, app_id = keys_of(world)
        born = world.now
        assert keys.generate(app_id, "key", "es256").version == 1
        world.now += 10
        again = keys.generate(app_id, "key", "nacl_box")
        assert (again.version, again.type) == (2, "nacl_box")
        assert (again.created_at, again.updated_at) == (born, born + 10)
        assert keys.all(app_id) == [again]

    play(scene)


def test_keys_and_secrets_are_counted_together(play: Play) -> None:
    async def scene(world: World) -> None:
        keys, app_id = keys_of(world)
        assert world.platform.secrets.write(app_id, {"A": "one"}) == 1
        assert keys.generate(app_id, "key", "hs256").version == 2
        assert world.platform.secrets.environment(app_id, 2) == {"A": "one"}
        assert keys.remove(app_id, "key") == 3
        assert world.platform.secrets.write(app_id, {"A": "two"}) == 4

    play(scene)
