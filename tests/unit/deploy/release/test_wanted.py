"""What a machine of a new release is like."""

from __future__ import annotations

from collections.abc import Iterator

from ephemera.deploy.release import labels, ports, wanted
from ephemera.deploy.release.image import Image, Place
from ephemera.wire.config import Mount
from ephemera.wire.models import Guest, Init, Machine, MachineConfig
from ephemera.wire.services import Check, Service, ServiceCheck
from tests.unit.deploy.release.machines import config, machine

NO_PORTS: Iterator[int] = iter(())


def test_what_nobody_says_stays_as_it_was() -> None:
    before = machine("app-1", volume="vol_1", said={"theirs": "kept", "ephemera_busy": "1"})
    assert before.config
    before.config.guest = Guest(cpus=2)
    new = MachineConfig(image="new", mounts=[Mount(name="data", path="/data")])
    found = wanted.merged(new, before, False, NO_PORTS)
    assert found.guest == Guest(cpus=2)
    assert found.mounts == [Mount(name="data", path="/data", volume="vol_1")]
    assert found.metadata == {"theirs": "kept"}
    assert wanted.keeps_volume(before, found)


def test_what_the_files_say_goes_before_what_was() -> None:
    before = machine("app-1")
    assert before.config
    before.config.guest = Guest(cpus=2)
    found = wanted.merged(config(guest=Guest(cpus=4)), before, False, NO_PORTS)
    assert found.guest == Guest(cpus=4)


def test_another_machine_gets_a_volume_of_its_own() -> None:
    before = machine("app-1", volume="vol_1")
    new = MachineConfig(image="new", mounts=[Mount(name="data", path="/data")])
    for found in (
        wanted.merged(new, before, True, NO_PORTS),
        wanted.again(before, True, NO_PORTS),
    ):
        assert found.mounts == [Mount(name="data", path="/data")]
        assert not wanted.keeps_volume(before, found)


def test_a_service_without_a_check_is_seen_to_listen() -> None:
    checked = Service(internal_port=81, checks=[ServiceCheck(type="tcp")])
    udp = Service(protocol="udp", internal_port=82)
    new = MachineConfig(image="new", services=[Service(internal_port=80), checked, udp])
    found = wanted.merged(new, None, True, NO_PORTS)
    assert found.services == new.services
    assert {name: check.port for name, check in (found.checks or {}).items()} == {
        "listening-80": 80
    }


def test_a_machine_of_this_computer_listens_on_a_port_of_its_own() -> None:
    new = MachineConfig(
        image="host",
        env={"PORT": "8080", "A": "1"},
        services=[
            Service(internal_port=8080, checks=[ServiceCheck(type="tcp", port=8080)]),
            Service(internal_port=9000),
        ],
        checks={"up": Check(type="tcp", port=8080), "other": Check(type="tcp", port=1)},
    )
    found = ports.own(new, 5000)
    first, second = found.services or []
    assert (first.internal_port, second.internal_port) == (5000, 9000)
    assert first.checks
    assert first.checks[0].port == 5000
    assert {name: check.port for name, check in (found.checks or {}).items()} == {
        "up": 5000,
        "other": 1,
    }
    assert found.env == {"PORT": "5000", "UVICORN_PORT": "5000", "A": "1"}
    assert ports.of(found.metadata) == 5000


def test_a_machine_keeps_its_port_and_another_one_gets_another() -> None:
    new = config("host")
    first = wanted.merged(new, None, True, iter([5000]))
    before = Machine(name="app-1", config=first)
    assert ports.of(wanted.merged(new, before, False, iter([5001])).metadata) == 5000
    assert ports.of(wanted.merged(new, before, True, iter([5001])).metadata) == 5001
    assert wanted.again(before, False, NO_PORTS).services == first.services
    again = wanted.again(before, True, iter([5002]))
    assert again.env
    assert again.env["PORT"] == "5002"


def test_other_images_and_machines_that_offer_nothing_need_no_port() -> None:
    assert not ports.needs_own(config("registry.localhost/shop:1"))
    assert not ports.needs_own(config("host", offers=False))


def test_jobs_consoles_and_release_commands_are_no_machines_of_a_release() -> None:
    job = Machine(name="job", config=MachineConfig(image="x"))
    console = machine("c", group="fly_app_console")
    gone = machine("g", state="destroying")
    app = machine("app-1")
    assert labels.managed([job, console, gone, app]) == [app]


def test_an_image_that_is_this_computer_brings_what_runs() -> None:
    image = Image("host", Place(("sh", "run"), ("sh", "-c"), {"A": "2", "B": "1"}))
    own = image.applied(MachineConfig(image="host", env={"A": "1"}))
    assert own.init == Init(exec=["sh", "run"])
    assert own.env == {"A": "1", "B": "1"}
    named = image.applied(MachineConfig(image="host", init=Init(cmd=["work"], swap_size_mb=1)))
    assert named.init == Init(exec=["sh", "-c", "work"], swap_size_mb=1)


def test_other_images_know_by_themselves() -> None:
    said = MachineConfig(image="shop:1", init=Init(cmd=["work"]))
    assert Image("shop:1").applied(said) == said
