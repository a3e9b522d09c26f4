"""Private networks as they are shown and changed over HTTP, where the driver has none."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from ephemera.client import AsyncClient
from ephemera.client.own.networks import OwnNetworks, reach
from ephemera.errors import Invalid, NotFound
from ephemera.testing.machines_api import AppUnderTest, Subject, answered, refused
from ephemera.testing.serving import Server


def test_the_network_of_an_app_is_the_one_that_the_app_shows(app: AppUnderTest) -> None:
    shown = answered(app.http.get(f"/ephemera/apps/{app.name}/network")).json()
    whole = answered(app.http.get(f"/v1/apps/{app.name}")).json()
    assert shown == {
        "network": whole["network"],
        "prefix": whole["network_cidr"],
        "outside": True,
    }


def test_a_network_without_a_way_out_is_refused_where_there_are_no_networks(
    app: AppUnderTest,
) -> None:
    path = f"/ephemera/apps/{app.name}/network"
    said = refused(app.http.put(path, json={"outside": False}), 400)
    assert "the driver 'process' has no private networks" in said
    assert answered(app.http.put(path, json={"outside": True})).json()["outside"]
    bodies: list[object] = [{}, {"outside": "no"}, []]
    for body in bodies:
        refused(app.http.put(path, json=body), 400)


def test_only_the_owner_of_the_platform_changes_it(
    app: AppUnderTest, subject: Subject, http: httpx2.Client
) -> None:
    path = f"/ephemera/apps/{app.name}/network"
    made = answered(http.post(f"/v1/apps/{app.name}/deploy_token", json={}))
    token = {"Authorization": f"Bearer {made.json()['token']}"}
    assert answered(http.get(path, headers=token)).json()["outside"]
    refused(http.put(path, headers=token, json={"outside": True}), 403)
    refused(http.get(path, headers={"Authorization": ""}), 401)
    refused(http.get("/ephemera/apps/no-such-app/network"), 404)
    assert answered(http.get("/ephemera/reach", headers=token)).json() == {"host": "127.0.0.1"}


def test_the_client_asks_where_machines_reach_this_computer(server: Server) -> None:
    async def main() -> str:
        async with AsyncClient(server.endpoint.url, server.token) as client:
            return await reach(client)

    assert asyncio.run(main()) == "127.0.0.1"


def test_the_client_shows_and_changes_a_network(server: Server, app: AppUnderTest) -> None:
    with OwnNetworks(server.endpoint.url, server.token) as own:
        found = own.get(app.name)
        assert found == own.set_outside(app.name, outside=True)
        assert found.prefix.startswith("fdaa:")
        with pytest.raises(Invalid, match="no private networks"):
            own.set_outside(app.name, outside=False)
        with pytest.raises(NotFound):
            own.get("no-such-app")
