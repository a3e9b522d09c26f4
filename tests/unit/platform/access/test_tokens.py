from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select

from ephemera.platform import schema
from ephemera.platform.access.door import Door
from ephemera.platform.access.principal import NOBODY, OWNER, of_machine
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import State
from tests.unit.platform.world import World, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]
HOUR = 3600.0
OWNERS = "eph_" + "x" * 43


class TestTokens:
    def test_a_token_is_found_until_its_time_is_over(self, play: Play) -> None:
        async def scene(world: World) -> None:
            tokens = world.platform.tokens
            token = tokens.create(world.app().id, HOUR)
            world.now += HOUR - 1
            found = tokens.find(token)
            assert found
            assert found.app_id == world.app().id
            assert tokens.usable() == [found]
            world.now += 1
            assert tokens.find(token) is None
            assert tokens.usable() == []
            with pytest.raises(Refusal, match="token not found"):
                tokens.revoke(found.id)

        play(scene)

    def test_a_token_is_the_same_after_a_restart(self, play: Play) -> None:
        async def scene(world: World) -> None:
            token = world.platform.tokens.create(world.app().id, HOUR)
            before = world.platform.tokens.find(token)
            await world.reopen()
            assert before
            assert world.platform.tokens.find(token) == before

        play(scene)

    def test_a_revoked_token_is_gone_for_good(self, play: Play) -> None:
        async def scene(world: World) -> None:
            token = world.platform.tokens.create(world.app().id, HOUR)
            other = world.platform.tokens.create(world.app().id, HOUR)
            found = world.platform.tokens.find(token)
            assert found
            world.platform.tokens.revoke(found.id)
            for _ in range(2):
                assert world.platform.tokens.find(token) is None
                assert world.platform.tokens.find(other)
                with pytest.raises(Refusal, match="token not found"):
                    world.platform.tokens.revoke(found.id)
                await world.reopen()

        play(scene)

    def test_what_has_expired_is_forgotten_when_a_server_starts(self, play: Play) -> None:
        async def scene(world: World) -> None:
            world.platform.tokens.create(world.app().id, HOUR)
            world.now += HOUR
            await world.reopen()
            with world.store.engine.connect() as connection:
                assert connection.execute(select(schema.tokens)).all() == []

        play(scene)

    def test_the_tokens_of_a_deleted_app_are_worth_nothing(self, play: Play) -> None:
        async def scene(world: World) -> None:
            token = world.platform.tokens.create(world.app().id, HOUR)
            await world.platform.delete_app("demo", force=True)
            assert world.platform.tokens.find(token) is None
            assert world.platform.tokens.usable() == []
            world.app()  # another of the same name
            assert world.platform.tokens.find(token) is None
            await world.reopen()
            assert world.platform.tokens.find(token) is None

        play(scene)

    def test_nothing_of_what_is_secret_is_in_the_database(self, play: Play) -> None:
        async def scene(world: World) -> None:
            token = world.platform.tokens.create(world.app().id, HOUR)
            secret = token.split("_", 2)[2].encode()
            for file in world.home.glob("platform.db*"):
                assert secret not in file.read_bytes()
            assert secret.decode() not in repr(world.platform.tokens.usable())

        play(scene)

    @pytest.mark.parametrize("changed", [0, 5, 25, -1])
    def test_a_token_with_a_character_changed_is_none(self, play: Play, changed: int) -> None:
        async def scene(world: World) -> None:
            token = world.platform.tokens.create(world.app().id, HOUR)
            letters = list(token)
            letters[changed] = "A" if letters[changed] != "A" else "B"
            assert world.platform.tokens.find("".join(letters)) is None

        play(scene)

    @pytest.mark.parametrize("shown", ["", "ephd_", "ephd__", "ephd_é_x", "fm2_x", "x" * 100_000])
    def test_what_has_not_the_form_of_a_token_is_none(self, play: Play, shown: str) -> None:
        async def scene(world: World) -> None:
            world.platform.tokens.create(world.app().id, HOUR)
            assert world.platform.tokens.find(shown) is None

        play(scene)


class TestDoor:
    def test_who_comes_is_told_by_what_is_shown(self, play: Play) -> None:
        async def scene(world: World) -> None:
            door = Door(world.platform, OWNERS)
            token = world.platform.tokens.create(world.app().id, HOUR)
            assert door.admit(f"Bearer {OWNERS}", "GET", "/v1/apps", None) == OWNER
            scoped = door.admit(f"FlyV1 fm2_x,{token}", "GET", "/v1/apps", None)
            assert scoped.apps == frozenset({world.app().id})
            assert door.admit(f"{token},{OWNERS}", "GET", "/v1/apps", None) == OWNER
            assert door.admit("", "GET", "/", None) == NOBODY

        play(scene)

    @pytest.mark.parametrize(
        ("header", "why"),
        [
            ("", "Authenticate: token validation error"),
            ("Bearer wrong", "Authenticate: token validation error"),
            ("FlyV1 fm2_bm90aGluZw", "Authenticate: token validation error"),
            (f"Bearer {OWNERS}x", "Authenticate: token validation error"),
            (f"Bearer {OWNERS[:-1]}", "Authenticate: token validation error"),
            ("Bearer ÿ\udcff", "Authenticate: token validation error"),
            ("Basic dXNlcjpwYXNz", "verify: invalid token: no tokens found in header"),
            ("Bearer", "verify: invalid token: no tokens found in header"),
        ],
    )
    def test_who_shows_nothing_of_ours_stays_outside(
        self, play: Play, header: str, why: str
    ) -> None:
        async def scene(world: World) -> None:
            with pytest.raises(Refusal) as refused:
                Door(world.platform, OWNERS).admit(header, "GET", "/v1/apps", None)
            assert refused.value.status == 401
            assert refused.value.error == why

        play(scene)

    def test_a_machine_needs_no_token_for_what_it_may_do(self, play: Play) -> None:
        async def scene(world: World) -> None:
            owner = world.create("run")
            await reach(owner, State.STARTED)
            door, machine = Door(world.platform, OWNERS), of_machine(owner.record.id, "its app")
            assert door.admit("", "POST", "/v1/tokens/oidc", machine) is machine
            with pytest.raises(Refusal, match="unauthorized") as refused:
                door.admit("", "POST", "/v1/apps/demo/machines", machine)
            assert refused.value.status == 403

        play(scene)

    def test_a_token_that_a_machine_shows_counts_instead_of_the_machine(self, play: Play) -> None:
        async def scene(world: World) -> None:
            door, machine = Door(world.platform, OWNERS), of_machine("m", world.app().id)
            shown = door.admit(f"Bearer {OWNERS}", "POST", "/v1/apps/demo/machines", machine)
            assert shown == OWNER
            with pytest.raises(Refusal, match="token validation error"):
                door.admit("Bearer wrong", "POST", "/v1/tokens/oidc", machine)

        play(scene)
