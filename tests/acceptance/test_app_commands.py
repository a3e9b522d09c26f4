"""What belongs to an app: volumes, addresses, host names, tokens, checks; and where it may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ephemera.testing.authority import Authority
from tests.acceptance.command_line import CommandLine
from tests.acceptance.inside import Inside
from tests.acceptance.seat import seated
from tests.acceptance.shop import PAUSE, Shop


@pytest.fixture
def inside(shop: Shop, tmp_path: Path) -> Inside:
    """The command line in a project whose fly.toml names the app."""
    (tmp_path / "fly.toml").write_text(f'app = "{shop.app}"\n')
    return Inside(shop.ephemera, tmp_path)


def rows(inside: Inside, *arguments: str) -> Any:
    return json.loads(inside(*arguments, "--json").stdout)


def test_a_volume_is_made_shown_extended_forked_and_destroyed(inside: Inside) -> None:
    made = rows(inside, "volumes", "create", "data", "--size", "1", "--snapshot-retention", "7")
    assert (made["name"], made["size_gb"], made["snapshot_retention"]) == ("data", 1, 7)
    volume = made["id"]
    assert "7 days" in inside("volumes", "show", volume).stdout
    assert "2 GB" in inside("volumes", "extend", volume, "--size", "2").stdout
    copy = rows(inside, "volumes", "fork", volume)
    assert copy["name"] == "data"
    assert {one["id"] for one in rows(inside, "volumes", "list")} == {volume, copy["id"]}
    assert volume in inside("volumes", "list").stdout
    inside("volumes", "snapshots", "create", volume)
    assert len(rows(inside, "volumes", "snapshots", "list", volume)) == 1
    assert "STATUS" in inside("volumes", "snapshots", "list", volume).stdout
    refused = inside("volumes", "destroy", volume, code=1).stderr
    assert "Destroy volume data" in refused
    assert "--yes" in refused
    inside("volumes", "destroy", volume, "--yes")
    assert volume not in inside("volumes", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("volumes", "show", "vol_nothing"), "not found"),
        (("volumes", "create", "no spaces"), "'no spaces'"),
        (("volumes", "fork", "vol_nothing"), "not found"),
        (("ips", "release", "127.9.9.9", "--yes"), "127.9.9.9"),
        (("certs", "show", "nowhere.localhost"), "nowhere.localhost"),
        (("tokens", "revoke", "0123456789abcdef"), "not found"),
        (("apps", "destroy", "nothing-there"), "app not found"),
        (("ssh", "console", "-C", "'oops"), "is not complete"),
        (("ssh", "console"), "is not a terminal"),
        (("ssh", "console", "-C", "ls"), "no machine of app"),
    ],
)
def test_what_is_not_there_and_what_is_wrong_is_named(
    inside: Inside, arguments: tuple[str, ...], said: str
) -> None:
    failed = inside(*arguments, code=1)
    assert said in failed.stderr
    assert failed.stdout == ""


def test_addresses_are_given_and_taken_away(inside: Inside) -> None:
    shared = inside("ips", "allocate-v4", "--shared").stdout.strip()
    private = rows(inside, "ips", "allocate-v6", "--private")["ip"]
    assert private.startswith("fdaa:")
    assert {one["ip"] for one in rows(inside, "ips", "list")} == {shared, private}
    listed = inside("ips", "list").stdout
    assert "shared v4" in listed
    assert "private v6" in listed
    assert f"Take {shared}" in inside("ips", "release", shared, code=1).stderr
    inside("ips", "release", shared, private, "--yes")
    assert rows(inside, "ips", "list") == []


def test_a_host_name_is_served_with_a_certificate_of_ones_own(
    inside: Inside, tmp_path: Path
) -> None:
    issued = Authority().issue("shop.localhost")
    (tmp_path / "cert.pem").write_text(issued["fullchain"])
    (tmp_path / "key.pem").write_text(issued["private_key"])
    assert "--cert FILE" in inside("certs", "add", "shop.localhost", code=1).stderr
    inside("certs", "add", "shop.localhost", "--cert", "cert.pem", code=2)
    missing = ("certs", "add", "shop.localhost", "--cert", "cert.pem", "--key", "nothing.pem")
    assert "nothing.pem cannot be read" in inside(*missing, code=1).stderr
    added = inside("certs", "add", "shop.localhost", "--cert", "cert.pem", "--key", "key.pem")
    assert "active" in added.stdout
    assert [one["hostname"] for one in rows(inside, "certs", "list")] == ["shop.localhost"]
    assert "shop.localhost" in inside("certs", "list").stdout
    assert inside("certs", "show", "shop.localhost").stdout == added.stdout
    assert rows(inside, "certs", "check", "shop.localhost")["configured"] is True
    inside("certs", "remove", "shop.localhost", code=1)
    inside("certs", "remove", "shop.localhost", "-y")
    assert rows(inside, "certs", "list") == []


def test_a_token_opens_its_app_alone_until_it_is_revoked(inside: Inside, shop: Shop) -> None:
    token = inside("tokens", "create", "deploy", "--expiry", "48h").stdout.strip()
    assert rows(inside, "tokens", "create", "deploy")["token"] not in ("", token)
    first, second = rows(inside, "tokens", "list")
    assert first["app_name"] == shop.app
    assert token.split("_")[-1] not in inside("tokens", "list").stdout
    holder = Inside(shop.ephemera, inside.folder)
    holder.environment |= {"FLY_API_TOKEN": token, "FLY_FLAPS_BASE_URL": shop.client.locate()}
    assert [one["name"] for one in rows(holder, "apps", "list")] == [shop.app]
    assert "may not do this" in holder("tokens", "list", code=1).stderr
    inside("tokens", "revoke", first["id"], second["id"])
    assert rows(inside, "tokens", "list") == []
    holder("apps", "list", code=1)
    inside("tokens", "create", "deploy", "--expiry", "soon", code=2)


@pytest.mark.parametrize(
    ("arguments", "about", "hint"),
    [
        (("tokens", "list"), "listing and revoking tokens", "`fly tokens list`"),
        (("tokens", "revoke", "0123"), "listing and revoking tokens", "`fly tokens revoke`"),
        (("images", "list"), "looking after the images on a computer", ""),
        (("apps", "network", "shop"), "looking into private networks", ""),
        (("apps", "create", "shop", "--no-outside"), "looking into private networks", ""),
        (("machine", "export", "0123", "-o", "x.tar"), "having its files", "`fly ssh sftp`"),
    ],
)
def test_what_is_no_part_of_fly_ios_api_is_refused_by_name_there(
    inside: Inside, arguments: tuple[str, ...], about: str, hint: str
) -> None:
    inside.environment["FLY_API_TOKEN"] = "FlyV1 fm2_nothing"
    refused = inside(*arguments, code=1).stderr
    assert about in refused
    assert "is not a part of Fly.io's Machines API" in refused
    assert hint in refused


def test_regions_are_listed(inside: Inside) -> None:
    assert [one["code"] for one in rows(inside, "regions") if one["nearest"]] == ["local"]
    assert "This computer" in inside("regions").stdout


def test_checks_are_listed_with_what_they_found(inside: Inside, shop: Shop) -> None:
    port = {"type": "tcp", "port": 9, "interval": "1h", "grace_period": "1h"}
    config = {"image": "host", "init": {"exec": list(PAUSE)}, "checks": {"alive": port}}
    machine = shop.client.machines.create(shop.app, config=config)
    (found,) = rows(inside, "checks", "list")
    assert (found["machine_id"], found["name"]) == (machine.id, "alive")
    assert "alive" in inside("checks", "list").stdout
    assert "of 1 pass" in inside("status").stdout


def test_a_command_is_run_in_the_machine_that_runs(inside: Inside, shop: Shop) -> None:
    first = shop.run(PAUSE)
    second = shop.run(PAUSE)
    shop.client.machines.stop(shop.app, second.id)
    shop.client.machines.wait(shop.app, second.id, "stopped")
    said = inside("ssh", "console", "-C", "sh -c 'echo in $FLY_MACHINE_ID; exit 7'", code=7)
    assert said.stdout == f"in {first.id}\n"
    assert said.stderr == f"in machine {first.id}\n"
    said = inside(
        "machine", "exec", first.id, "--json", "--", "sh", "-c", "echo hi; exit 3", code=3
    )
    assert json.loads(said.stdout)["stdout"] == "hi\n"
    resting = inside("ssh", "console", "-m", second.id, "-C", "true", code=1).stderr
    assert f"`ephemera machine start {second.id}`" in resting


def test_an_app_is_destroyed_by_whoever_says_yes(shop: Shop) -> None:
    shop.run(PAUSE)
    shop.client.volumes.create(shop.app, name="data", size_gb=1)
    asked = shop.ephemera("apps", "destroy", shop.app, code=1).stderr
    question = f"Destroy app {shop.app} with its 1 machine (1 running) and 1 volume?"
    assert question in asked
    with seated(shop.ephemera, "apps", "destroy", shop.app) as seat:
        seat.see("[y/N] ")
        seat.type("n\n")
        seat.see("nothing was done")
    with seated(shop.ephemera, "apps", "destroy", shop.app) as seat:
        seat.see("[y/N] ")
        seat.type("y\n")
        seat.see(f"destroyed app {shop.app}")
    assert shop.app not in shop.ephemera("apps", "list").stdout


def test_an_app_may_be_another_organisations(inside: Inside) -> None:
    made = rows(inside, "apps", "create", "guests", "--org", "friends")
    assert made["name"] == "guests"
    assert [one["name"] for one in rows(inside, "apps", "list", "--org", "friends")] == ["guests"]
    inside("apps", "destroy", "guests", "--yes")


def test_without_a_fly_toml_and_a_name_it_is_said_how_to_name_one(
    shared: CommandLine, tmp_path: Path
) -> None:
    elsewhere = Inside(shared, tmp_path)
    for command in ("volumes", "ips", "certs", "checks", "secrets"):
        failed = elsewhere(command, "list", code=1).stderr
        assert failed.startswith("error: no app is named")
        assert "-a APP" in failed
