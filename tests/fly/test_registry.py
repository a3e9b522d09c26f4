"""Fly.io's registry as far as it is known: which login it is shown, and where images go."""

from __future__ import annotations

import asyncio
import base64

import httpx2
import pytest

from ephemera import Client
from ephemera.deploy.release.building import _destination
from ephemera.oci.credentials import Credentials
from ephemera.oci.entrance import Entrance

#: Measured at registry.fly.io on 2026-08-27, for an image that is there and one that is not:
#: https://github.com/superfly/flyctl/issues/104 has the user's name.
CHALLENGE = 'Basic realm="flyio-registry.fly.dev"'


@pytest.mark.parametrize("given", ["fm2_a,fm2_b", "FlyV1 fm2_a,fm2_b", "Bearer FlyV1 fm2_a,fm2_b"])
def test_the_registry_is_shown_the_token_without_its_scheme(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FLY_FLAPS_BASE_URL", "EPHEMERA_URL", "FLY_MACHINE_ID", "EPHEMERA_API_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLY_API_TOKEN", given)
    with Client() as client:
        there = _destination(client)
    assert (there.name, there.address) == ("registry.fly.io", "registry.fly.io")
    login = Credentials(there.user, there.token)
    assert asyncio.run(_answered(login)) == ["x", "fm2_a,fm2_b"]


async def _answered(login: Credentials) -> list[str]:
    """Return user and password of what is sent after the registry's challenge."""
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(_nobody)) as http:
        entrance = Entrance(http, "registry.fly.io", "shop", login, "pull,push")
        await entrance.answer([CHALLENGE])
    scheme, _, pair = entrance.authorization.partition(" ")
    assert scheme == "Basic"
    return base64.b64decode(pair).decode().split(":", 1)


def _nobody(request: httpx2.Request) -> httpx2.Response:
    raise AssertionError(f"nobody is to be asked for a token: {request.url}")
