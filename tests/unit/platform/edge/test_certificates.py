from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest

from ephemera.platform.edge import certificate_views as views
from ephemera.platform.edge.certificates import UploadCertificate
from ephemera.platform.edge.records import CertificateRecord
from ephemera.platform.refusals import Refusal
from ephemera.testing.authority import Authority
from tests.unit.platform.world import World

Play = Callable[[Callable[[World], Awaitable[None]]], None]
HOST = "shop.example.com"
DAY_S = 24 * 3600.0


async def uploaded(world: World, host: str = HOST) -> CertificateRecord:
    """Upload a certificate which is good for a day from now on."""
    world.now = time.time()
    issued = Authority().issue(host)
    return await world.platform.certificates.upload(
        world.app(), UploadCertificate(hostname=host, **issued)
    )


def test_an_upload_shows_no_key_when_it_is_printed() -> None:
    given = UploadCertificate(hostname=HOST, fullchain="public", private_key="hush")
    assert "hush" not in repr(given)


def test_a_certificate_is_shown_as_expired_once_it_is(play: Play) -> None:
    async def scene(world: World) -> None:
        record = await uploaded(world)
        good = views.detail(record, world.app(), [], world.now)
        assert (good["status"], good["configured"]) == ("active", True)
        late = views.detail(record, world.app(), [], world.now + 2 * DAY_S)
        assert (late["status"], late["configured"]) == ("expired", False)
        assert late["certificates"][0]["status"] != "active"

    play(scene)


def test_the_key_opens_only_for_its_own_app_and_host_name(play: Play) -> None:
    async def scene(world: World) -> None:
        record = await uploaded(world)
        key = world.platform.vault.open(record.sealed_key, f"certificate/{record.app_id}/{HOST}")
        assert b"PRIVATE KEY" in key
        with pytest.raises(Exception, match="does not open"):
            world.platform.vault.open(record.sealed_key, f"certificate/another/{HOST}")
        assert "sealed_key" not in repr(record)

    play(scene)


def test_a_removed_certificate_leaves_no_key_behind(play: Play) -> None:
    async def scene(world: World) -> None:
        await uploaded(world)
        bare = world.platform.certificates.remove_custom(world.app(), HOST)
        assert (bare.fullchain, bare.sealed_key) == ("", b"")
        assert world.platform.certificates.get(world.app(), HOST) == bare
        assert views.detail(bare, world.app(), [], world.now)["status"] == "pending_validation"

    play(scene)


def test_the_records_that_lead_to_an_app_are_those_of_its_addresses(play: Play) -> None:
    async def scene(world: World) -> None:
        record, app = await uploaded(world), world.app()
        assert views.detail(record, app, [], world.now)["dns_requirements"] == {
            "a": ["127.0.0.1"],
            "aaaa": ["::1"],
            "cname": "demo.localhost",
        }

    play(scene)


def test_nothing_is_kept_for_an_app_that_was_deleted_meanwhile(play: Play) -> None:
    async def scene(world: World) -> None:
        app = world.app()
        await world.platform.delete_app(app.name, force=True)
        given = UploadCertificate(hostname=HOST, **Authority().issue(HOST))
        world.now = time.time()
        with pytest.raises(Refusal, match="app not found"):
            await world.platform.certificates.upload(app, given)
        new = world.platform.apps.create(app.name, "personal", "")
        assert world.platform.certificates.page(new, "", "", 10).total == 0

    play(scene)
