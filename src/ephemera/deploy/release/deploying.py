"""A deploy: an image, and what the `fly.toml` says, become the machines of an app."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from ephemera.client import Client
from ephemera.deploy.flytoml import FlyToml
from ephemera.deploy.release import command, labels, preparing, unserved, wanted
from ephemera.deploy.release.command import ReleaseCommand
from ephemera.deploy.release.history import Release
from ephemera.deploy.release.image import Image
from ephemera.deploy.release.making import Making, Manner, making
from ephemera.deploy.release.plan import MAX_UNAVAILABLE, Strategy, Wanted, plan
from ephemera.wire.models import Machine, MachineConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be deployed, and how."""

    app: str
    toml: FlyToml
    manner: Manner
    org: str = "personal"
    #: Else that of the `fly.toml`, else `rolling`.
    strategy: Strategy | None = None
    #: Where new machines are made, in turn; else in the primary region of the `fly.toml`.
    regions: Sequence[str] = ()
    #: Two machines where a group with services has none yet. Else on Fly.io only: a computer
    #: that fails takes both with it where there is one.
    high_availability: bool | None = None
    runs_command: bool = True
    #: Seconds; else those of the `fly.toml`.
    command_timeout_s: float | None = None
    description: str = "deploy"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What came of it."""

    release: Release
    strategy: Strategy
    #: Ids of the machines that run it.
    machines: Sequence[str]
    seconds: float


def deploy(client: Client, order: Order, build: Callable[[], Image]) -> Deployed:
    """Make a release; where that cannot be, the one before it serves on.

    Args:
        build: Returns the image. Called while the app is held, so that nobody builds in vain.

    Raises:
        DeployError: a machine did not become well, or the release command failed.
        AppBusy: somebody else makes a release of it.
        BuildError: whatever `build` raises.
    """
    began = time.monotonic()
    tell = order.manner.tell
    preparing.have_app(client, order.app, order.org, tell)
    if not client.link.place.fly:
        for complaint in unserved.complaints(order.toml):
            tell(f"note: {complaint}")
    with making(client, order.app, "a deploy", order.manner) as made:
        with made.interruption.allowed():
            image = build()
        places = preparing.regions(client, order.regions, order.toml.primary_region, tell)
        release = made.begin(image, order.description)
        strategy = order.strategy or order.toml.deploy.strategy or "rolling"
        with _release_command(client, order, made, image, places[0]):
            made.look_again()  # building and the release command may have taken minutes
            found = plan(
                made.present,
                list(_wanted(client, order, made, release, image, places)),
                strategy,
                max_unavailable=order.toml.deploy.max_unavailable or MAX_UNAVAILABLE,
                names_taken=made.names,
            )
            made.roll_out(release, found)
        preparing.have_addresses(client, order.app, order.toml, tell)
    running = labels.managed(client.machines.list(order.app))
    return Deployed(release, strategy, [one.id for one in running], time.monotonic() - began)


def _wanted(
    client: Client,
    order: Order,
    made: Making,
    release: Release,
    image: Image,
    places: Sequence[str | None],
) -> Iterator[Wanted]:
    stamp, ports = made.stamp(release), made.free_ports()
    for group in order.toml.groups():
        base = image.applied(order.toml.machine_config(group, image.reference))
        there = sum(labels.group(one) == group for one in made.present)
        count = there or _first_count(client, order, base)
        yield Wanted(group, count, _configs(base, stamp, ports), places)


def _configs(
    base: MachineConfig, stamp: Mapping[str, str], ports: Iterator[int]
) -> Callable[[Machine | None, bool], MachineConfig]:
    def config(before: Machine | None, fresh: bool) -> MachineConfig:
        return wanted.labelled(wanted.merged(base, before, fresh, ports), stamp)

    return config


def _first_count(client: Client, order: Order, config: MachineConfig) -> int:
    """Return how many machines a group begins with; each volume is one that is not copied."""
    asked = order.high_availability
    two = client.link.place.fly if asked is None else asked
    return 2 if two and config.services and not config.mounts else 1


def _release_command(
    client: Client, order: Order, made: Making, image: Image, region: str | None
) -> AbstractContextManager[object]:
    settings = order.toml.deploy
    if settings.release_command is None or not order.runs_command:
        return nullcontext()
    order.manner.tell(f"running the release command: {settings.release_command}")
    runner = ReleaseCommand(client, order.app, made.leases, made.interruption, order.manner.tell)
    config = image.applied(order.toml.release_config(image.reference))
    timeout_s = order.command_timeout_s or settings.release_command_timeout or command.TIMEOUT_S
    return runner.run(config, region, timeout_s)
