from __future__ import annotations

import dataclasses
from ipaddress import IPv6Address

from ephemera.platform.edge import networks
from ephemera.platform.records import AppRecord

APP = AppRecord("p547t1nphp45ujp0", "shop", "personal", "", 0.0)


def test_the_numbers_of_an_app_never_change() -> None:
    """They are not stored: what they were in an older version they must be in this one."""
    assert networks.numeric_id(APP.id) == 1701265925
    assert str(networks.cidr("personal", "")) == "fdaa:5eef:7436::/48"
    private = networks.private_address(APP, networks.cidr("personal", ""))
    assert str(private) == "fdaa:5eef:7436:0:1:cace:840b:4248"


def test_numeric_ids_fit_into_what_flys_client_reads_them_into() -> None:
    ids = {networks.numeric_id(f"app{number}") for number in range(1000)}
    assert len(ids) == 1000
    assert all(0 < one < 2**31 for one in ids)


def test_the_default_network_has_a_name() -> None:
    assert networks.cidr("acme", "") == networks.cidr("acme", "default")


def test_networks_are_apart_from_each_other_and_so_are_organisations() -> None:
    found = {networks.cidr(org, name) for org in ("a", "b") for name in ("", "x", "y")}
    assert len(found) == 6


def test_apps_of_a_network_have_addresses_of_their_own_in_it() -> None:
    other = dataclasses.replace(APP, id="another")
    one, two = (
        networks.private_address(app, networks.cidr("personal", "x")) for app in (APP, other)
    )
    assert one != two
    assert {one in networks.cidr("personal", "x"), two in networks.cidr("personal", "x")} == {True}


def test_an_app_that_names_no_network_has_its_own() -> None:
    other = dataclasses.replace(APP, id="another")
    named = [dataclasses.replace(app, network="default") for app in (APP, other)]
    assert networks.of_app(APP) != networks.of_app(other)
    assert networks.of_app(named[0]) == networks.of_app(named[1]) == networks.cidr("personal", "")
    assert networks.of_app(APP) not in {
        networks.of_app(named[0]),
        networks.cidr("personal", APP.id),
    }


def test_a_machine_has_an_address_of_its_own_that_never_changes() -> None:
    address = IPv6Address(networks.machine_address(APP, "4d89069b74e768"))
    assert address in networks.of_app(APP)
    assert str(address) == "fdaa:af4b:8ea5:a7b:f9b:1285:ca20:d412"
    many = {IPv6Address(networks.machine_address(APP, f"{one:014x}")) for one in range(1000)}
    assert len(many) == 1000
    gateway, proxy = networks.of_app(APP)[1], networks.private_address(APP, networks.of_app(APP))
    assert not {gateway, proxy} & many
    assert all(str(one).split(":")[3] == "a7b" for one in many), "apart from all other addresses"
