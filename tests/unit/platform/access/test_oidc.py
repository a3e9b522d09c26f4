from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
import pytest
from sqlalchemy import select

from ephemera.platform import schema
from ephemera.platform.machines.owner import Owner
from tests.unit.platform.world import World

Play = Callable[[Callable[[World], Awaitable[None]]], None]


async def token(world: World, owner: Owner, audience: str = "", *, aws: bool = False) -> str:
    issuer = world.platform.issuer
    return await issuer.token(world.app(), owner.record, audience, aws_principal_tags=aws)


async def verified(world: World, shown: str, **more: Any) -> dict[str, Any]:
    """Return the claims of a token, checked with the keys that the platform shows."""
    (key,) = (await world.platform.issuer.jwks())["keys"]
    assert jwt.get_unverified_header(shown)["kid"] == key["kid"]
    # The platform's time is not that of the computer.
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    if "audience" not in more:
        options["verify_aud"] = False
    return jwt.decode(shown, jwt.PyJWK(key), ["RS256"], options=options, **more)


def test_a_token_says_which_machine_it_is(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run", name="worker")
        claims = await verified(world, await token(world, owner))
        assert claims["iss"] == "http://127.0.0.1:4280/oidc/personal"
        assert claims["aud"] == claims["iss"]
        assert claims["sub"] == "personal:demo:worker"
        assert claims["app_name"] == "demo"
        assert claims["machine_id"] == owner.record.id
        assert claims["machine_name"] == "worker"
        assert claims["machine_version"] == owner.record.instance_id
        assert claims["org_name"] == "personal"
        assert claims["image"] == "host"
        assert claims["region"] == owner.record.region
        assert claims["app_id"].isdigit()
        assert claims["org_id"].isdigit()
        assert "https://aws.amazon.com/tags" not in claims

    play(scene)


def test_a_token_is_good_for_ten_minutes_from_now(play: Play) -> None:
    async def scene(world: World) -> None:
        claims = await verified(world, await token(world, world.create("run")))
        assert claims["iat"] == claims["nbf"] == int(world.now)
        assert claims["exp"] == int(world.now) + 600

    play(scene)


def test_a_token_is_for_whom_it_was_asked_for(play: Play) -> None:
    async def scene(world: World) -> None:
        shown = await token(world, world.create("run"), "sts.example")
        assert (await verified(world, shown, audience="sts.example"))["aud"] == "sts.example"
        with pytest.raises(jwt.InvalidAudienceError):
            await verified(world, shown, audience="another.example")

    play(scene)


def test_no_two_tokens_are_the_same(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        assert await token(world, owner) != await token(world, owner)

    play(scene)


def test_tags_for_aws_are_lists_of_one_value(play: Play) -> None:
    async def scene(world: World) -> None:
        claims = await verified(world, await token(world, world.create("run"), aws=True))
        tags = claims["https://aws.amazon.com/tags"]
        assert tags["principal_tags"]["app_name"] == ["demo"]
        assert set(tags["transitive_tag_keys"]) == set(tags["principal_tags"])

    play(scene)


def test_the_key_is_made_once_and_kept(play: Play) -> None:
    async def scene(world: World) -> None:
        issuer = world.platform.issuer
        shown = await asyncio.gather(*(issuer.jwks() for _ in range(3)))
        assert shown[0] == shown[1] == shown[2]
        made = await token(world, world.create("run"))
        await world.reopen()
        assert await world.platform.issuer.jwks() == shown[0]
        assert await verified(world, made)

    play(scene)


def test_nobody_else_sees_more_than_the_public_half(play: Play) -> None:
    async def scene(world: World) -> None:
        (key,) = (await world.platform.issuer.jwks())["keys"]
        assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}
        with world.store.engine.connect() as connection:
            (sealed,) = connection.execute(select(schema.signing_keys.c.sealed)).scalars()
        # 1.2.840.113549.1.1.1: with this inside, an RSA key would be there as it is.
        assert bytes.fromhex("2a864886f70d010101") not in sealed

    play(scene)


def test_each_organisation_is_an_issuer_of_its_own(play: Play) -> None:
    async def scene(world: World) -> None:
        issuer = world.platform.issuer
        for org, quoted in (("personal", "personal"), ("a b", "a%20b"), ("../x", "..%2Fx")):
            document = issuer.configuration(org)
            assert document["issuer"] == f"http://127.0.0.1:4280/oidc/{quoted}"
            assert document["jwks_uri"] == document["issuer"] + "/.well-known/jwks"
            assert document["id_token_signing_alg_values_supported"] == ["RS256"]

    play(scene)
