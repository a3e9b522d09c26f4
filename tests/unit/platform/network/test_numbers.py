"""Who has which IPv4 address, and that it is still so after any end of a server."""

from __future__ import annotations

import resource
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from ephemera.errors import BootFailed
from ephemera.platform.network import journal, numbers
from ephemera.platform.network.numbers import Numbers

ONE, OTHER = "fdaa:1:2::/48", "fdaa:1:3::/48"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "network.json"


def opened(path: Path) -> Numbers:
    made = Numbers(path)
    made.open()
    return made


def test_machines_have_addresses_of_their_own_in_the_subnet_of_their_network(path: Path) -> None:
    made = opened(path)
    one, other = (made.network(name, outside=True) for name in (ONE, OTHER))
    found = [made.take(one, f"m{number}") for number in range(3)]
    assert [str(address) for address in found] == ["100.64.16.2", "100.64.16.3", "100.64.16.4"]
    assert str(made.take(other, "m9")) == "100.64.32.2"
    assert not one.subnet.overlaps(other.subnet)
    assert (str(one.gateway4), str(one.gateway6)) == ("100.64.16.1", "fdaa:1:2::1")


def test_a_machine_keeps_its_address_until_it_is_gone(path: Path) -> None:
    made = opened(path)
    network = made.network(ONE, outside=True)
    first = made.take(network, "m0")
    assert made.take(network, "m0") == first
    made.give_back("m0")
    made.give_back("m0")
    assert made.take(network, "m1") != first, "neighbours may remember who had it"


def test_a_machine_that_moves_to_another_network_leaves_the_first(path: Path) -> None:
    made = opened(path)
    one, other = (made.network(name, outside=True) for name in (ONE, OTHER))
    made.take(one, "m0")
    made.take(other, "m0")
    assert not one.places
    assert list(other.places) == ["m0"]


class TestManyThatCameAndWent:
    def come_and_go(self, made: Numbers, count: int) -> None:
        network = made.network(ONE, outside=True)
        made.take(network, "stays")
        for number in range(count):
            made.take(network, f"m{number}")
            made.give_back(f"m{number}")

    def test_they_do_not_make_the_file_longer_for_ever(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal, "_APPENDED_MAX", 10)
        made = opened(path)
        self.come_and_go(made, 100)
        assert len(path.read_bytes().splitlines()) < 13
        assert opened(path).ipv4("stays") == made.ipv4("stays") == "100.64.16.2"

    def test_a_full_disk_costs_none_of_it(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal, "_APPENDED_MAX", 10)
        made = opened(path)
        path.with_suffix(".new").mkdir()  # what cannot be written either
        self.come_and_go(made, 20)
        path.with_suffix(".new").rmdir()
        assert opened(path).ipv4("stays") == "100.64.16.2"
        self.come_and_go(made, 20)
        assert len(path.read_bytes().splitlines()) < 13


def test_whatever_was_given_is_known_to_the_next_server_also_without_a_close(path: Path) -> None:
    made = opened(path)
    network = made.network(ONE, outside=True)
    made.network(OTHER, outside=True)
    made.network(OTHER, outside=False)
    kept, gone = made.take(network, "kept"), made.take(network, "gone")
    made.give_back("gone")
    again = opened(path)
    assert again.take(again.networks[ONE], "kept") == kept
    assert again.take(again.networks[ONE], "new") not in {kept, gone}
    assert [one.outside for one in again.networks.values()] == [True, False]


def test_a_line_that_was_cut_off_is_as_if_it_never_was(path: Path) -> None:
    made = opened(path)
    made.take(made.network(ONE, outside=True), "m0")
    made.close()
    with path.open("ab") as file:
        file.write(b'["machine","fdaa:1:2::/48","m1"')
    again = opened(path)
    assert list(again.networks[ONE].places) == ["m0"]
    again.take(again.networks[ONE], "m1")
    assert list(opened(path).networks[ONE].places) == ["m0", "m1"]


def test_a_line_that_a_full_disk_takes_half_of_is_taken_back(path: Path) -> None:
    made = opened(path)
    known = made.network(ONE, outside=True)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 5, usual[1]))
    try:
        with pytest.raises(OSError, match="the disk is full"):
            made.take(known, "m0")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    made.take(known, "m1")
    assert list(opened(path).networks[ONE].places) == ["m1"]


def test_the_record_does_not_grow_with_what_is_over(path: Path) -> None:
    made = opened(path)
    network = made.network(ONE, outside=True)
    for number in range(100):
        made.take(network, f"m{number}")
        made.give_back(f"m{number}")
    assert len(path.read_bytes().splitlines()) == 201
    opened(path)
    assert len(path.read_bytes().splitlines()) == 1


def test_a_dropped_network_gives_its_subnet_to_the_next(path: Path) -> None:
    made = opened(path)
    subnet = made.network(ONE, outside=True).subnet
    made.drop(ONE)
    made.drop(ONE)
    assert made.network(OTHER, outside=True).subnet == subnet
    assert list(opened(path).networks) == [OTHER]


def test_a_full_network_says_so_and_has_room_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "_LAST", 4)
    made = opened(path)
    network = made.network(ONE, outside=True)
    held = {made.take(network, f"m{number}") for number in range(3)}
    assert len(held) == 3
    with pytest.raises(BootFailed, match="fdaa:1:2::/48 is full"):
        made.take(network, "m3")
    made.give_back("m1")
    assert made.take(network, "m3") in held


def test_there_are_only_so_many_networks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "NETWORKS_MAX", 1)
    made = opened(path)
    made.network(ONE, outside=True)
    with pytest.raises(BootFailed, match="no room for another"):
        made.network(OTHER, outside=True)


def test_all_subnets_are_apart_from_those_of_the_platform(path: Path) -> None:
    last = numbers.Network(numbers.prefix(ONE), numbers.NETWORKS_MAX, outside=True).subnet
    assert str(last) == "100.127.224.0/20"
    assert not last.overlaps(IPv4Network("100.127.240.0/20"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("100.64.16.77", ONE),
        ("::ffff:100.64.32.2", OTHER),
        ("fdaa:1:2:a7b::9", ONE),
        ("fdaa:1:3::1", OTHER),
        ("fdaa:1:4::1", ""),
        ("fdaa:1:2:a7b::9%n1", ONE),
        ("100.64.0.3", ""),
        ("100.64.48.1", ""),
        ("10.0.0.1", ""),
        ("203.0.113.9", ""),
        ("::1", ""),
    ],
)
def test_an_address_tells_the_network(path: Path, address: str, expected: str) -> None:
    made = opened(path)
    for name in (ONE, OTHER):
        made.network(name, outside=True)
    assert made.at(address) == expected


@pytest.mark.parametrize("name", ["fdaa:1:2::/64", "fd00:1:2::/48", "fdaa::/48", "10.0.0.0/8", "x"])
def test_what_is_no_private_network_is_refused(path: Path, name: str) -> None:
    with pytest.raises(ValueError):
        opened(path).network(name, outside=True)
    assert opened(path).networks == {}


def test_names_and_hardware_addresses_follow_from_what_they_are_of() -> None:
    assert numbers.bridge_name(numbers.prefix("fdaa:ab:cdef::/48")) == "n00abcdef"
    assert len(f"eph{numbers.home_number(Path('/some/home'))}") <= 15
    assert numbers.mac("m0") == numbers.mac("m0") != numbers.mac("m1")
    first = int(numbers.mac("m0")[:2], 16)
    assert first & 0b11 == 0b10, "of no maker, and of one computer"
