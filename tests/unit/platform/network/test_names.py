"""What each documented name means, to whom, and what is no name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pytest

from ephemera.platform.network.names import Meaning, Named, Names

HERE, ELSEWHERE = "fdaa:1:2::/48", "fdaa:1:3::/48"


def machine(number: int, region: str = "ams", *, started: bool = True, **metadata: str) -> Named:
    return Named(f"id{number}", region, f"fdaa:1:2:a7b::{number}", started, metadata)


WEB = [
    machine(1),
    machine(2, "fra", fly_process_group="worker"),
    machine(3, "fra", Role="Primary"),
    machine(4, "iad", started=False, fly_process_group="cron"),
]


class Shelf:
    """A directory of two networks."""

    def __init__(self) -> None:
        self.known: Mapping[str, Mapping[str, Sequence[Named]]] = {
            HERE: {"web": WEB, "idle": [], "resting": [machine(9, started=False)]},
            ELSEWHERE: {"secret": [machine(5)]},
        }

    def apps(self, network: str) -> Iterable[str]:
        return self.known[network]

    def machines(self, network: str, app_name: str) -> Sequence[Named]:
        return self.known[network][app_name]

    def serves(self, network: str, app_name: str) -> bool:
        return network == HERE and app_name in ("web", "neighbour")


NAMES = Names(Shelf(), ["fdaa::3"])


def look_up(name: str, network: str = HERE) -> Meaning | None:
    return NAMES.look_up(network, name)


def ids(name: str) -> list[str]:
    """Return which machines' addresses a name stands for."""
    meaning = look_up(name)
    assert meaning is not None, f"{name} is no name"
    by_address = {one.address: one.id for one in WEB}
    return [by_address[address] for address in meaning.addresses]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web.internal", ["id1", "id2", "id3"]),
        ("global.web.internal", ["id1", "id2", "id3"]),
        ("fra.web.internal", ["id2", "id3"]),
        ("iad.web.internal", []),
        ("top1.nearest.of.web.internal", ["id1"]),
        ("top2.nearest.of.web.internal", ["id1", "id2"]),
        ("top99.nearest.of.web.internal", ["id1", "id2", "id3"]),
        ("app.process.web.internal", ["id1", "id3"]),
        ("worker.process.web.internal", ["id2"]),
        ("cron.process.web.internal", []),
        ("primary.role.kv._metadata.web.internal", ["id3"]),
        ("id1.vm.web.internal", ["id1"]),
        ("id4.vm.web.internal", ["id4"]),
    ],
)
def test_a_name_stands_for_these_machines(name: str, expected: list[str]) -> None:
    assert ids(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("_apps.internal", "web,idle,resting"),
        ("vms.web.internal", "id1 ams,id2 fra,id3 fra"),
        ("all.vms.web.internal", "id1 ams,id2 fra,id3 fra,id4 iad"),
        ("regions.web.internal", "ams,fra"),
        ("all.regions.web.internal", "ams,fra,iad"),
        ("vms.idle.internal", ""),
        (
            "_instances.internal",
            ";".join(
                f"instance=id{number},app=web,ip=fdaa:1:2:a7b::{number},region={region}"
                for number, region in ((1, "ams"), (2, "fra"), (3, "fra"))
            ),
        ),
    ],
)
def test_a_name_has_this_text(name: str, expected: str) -> None:
    assert look_up(name) == Meaning(text=expected)


def test_all_instances_are_those_that_rest_too() -> None:
    meaning = look_up("all._instances.internal")
    assert meaning is not None
    assert meaning.text is not None
    assert [one.split(",")[0] for one in meaning.text.split(";")] == [
        *("instance=id1", "instance=id2", "instance=id3", "instance=id4", "instance=id9"),
    ]


def test_the_api_has_a_name() -> None:
    assert look_up("_api.internal") == Meaning(("fdaa::3",))


@pytest.mark.parametrize(
    "name",
    [
        *("internal", "idle.internal", "resting.internal", "_peer.internal"),
        *("vm.web.internal", "process.web.internal", "nearest.of.web.internal"),
        *("of.web.internal", "_metadata.web.internal", "kv._metadata.web.internal"),
    ],
)
def test_a_name_that_is_there_may_have_nothing_to_say(name: str) -> None:
    assert look_up(name) == Meaning()


@pytest.mark.parametrize(
    "name",
    [
        *("none.internal", "_none.internal", "me._peer.internal", "secret.internal"),
        *("id5.vm.secret.internal", "id9.vm.web.internal", "syd.web.internal"),
        *("none.process.web.internal", "no.role.kv._metadata.web.internal"),
        *("top.nearest.of.web.internal", "topx.nearest.of.web.internal"),
        *("a.id1.vm.web.internal", "all.fra.web.internal", ".web.internal", "web..internal"),
    ],
)
def test_what_is_no_name_is_none(name: str) -> None:
    assert look_up(name) is None


def test_an_app_of_another_network_is_not_there_and_its_own_network_knows_it() -> None:
    assert look_up("secret.internal", ELSEWHERE) == Meaning(("fdaa:1:2:a7b::5",))
    assert look_up("_apps.internal", ELSEWHERE) == Meaning(text="secret")
    assert look_up("web.internal", ELSEWHERE) is None


def test_a_flycast_name_is_the_proxy_for_those_who_may_reach_the_app() -> None:
    assert look_up("web.flycast") == look_up("neighbour.flycast") == Meaning(("fdaa::3",))
    for name in ("secret.flycast", "www.web.flycast"):
        assert look_up(name) is None
    assert look_up("web.flycast", ELSEWHERE) is None
    assert look_up("flycast") == Meaning()
