"""An app on a platform that plays its machines, for tests of releases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from ephemera import Client
from ephemera.deploy import flytoml
from ephemera.deploy.release import history, labels
from ephemera.deploy.release.deploying import Deployed, Order, deploy
from ephemera.deploy.release.history import Release
from ephemera.deploy.release.image import Image, Place
from ephemera.deploy.release.making import Manner
from ephemera.testing.serving import Server
from ephemera.wire.models import Machine

#: What is played listens nowhere, so a service that it offers is one that nobody can look at. Its
#: releases are what those of a web app are, but for its checks.
WEB_OFFERS = """\
[[services]]
protocol = "udp"
internal_port = 5000
processes = ["web"]
[[services.ports]]
port = 5000
"""

#: A process that was killed says nothing any more, whatever it was doing.
Fault = type[BaseException]


class Killed(BaseException):
    """The process ended between two requests."""


class Refused(Exception):
    """Not raised, but answered: 400, which asking again does not change."""


def playing(*command: str) -> Image:
    """Return an image whose machines play a command."""
    return Image("host", Place(command, (), {}))


@dataclass
class Failing(httpx2.BaseTransport):
    """Carries requests to a platform, but for one that changes something, and those after it.

    Attributes:
        at: Which one, from 1.
        fault: `Killed` for that one and all after it, `Refused` for that one alone.
        changes: How many there were.
    """

    at: int
    fault: Fault
    changes: int = 0
    _carrier: httpx2.HTTPTransport = field(default_factory=httpx2.HTTPTransport)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        lease = "/lease" in request.url.path
        self.changes += request.method != "GET" and not lease
        if self.fault is Killed and self.changes >= self.at:
            raise Killed
        if request.method != "GET" and not lease and self.changes == self.at:
            return httpx2.Response(400, json={"error": "a fault"}, request=request)
        return self._carrier.handle_request(request)

    def close(self) -> None:
        self._carrier.close()


class World:
    """One app, and what its `fly.toml` says.

    Attributes:
        said: The lines that were said of its releases.
    """

    def __init__(self, server: Server, folder: Path, app: str) -> None:
        self.server = server
        self.app = app
        self.client = Client(server.endpoint.url, server.token)
        self.said: list[str] = []
        self._file = folder / f"{app}.toml"
        self.write("")

    def write(self, text: str) -> None:
        """Have the `fly.toml` say something else."""
        self._file.write_text(f'app = "{self.app}"\n{text}')

    @property
    def manner(self) -> Manner:
        return Manner(self.said.append, patience_s=40)

    def deploy(
        self, image: Image | Callable[[], Image], *, client: Client | None = None, **how: Any
    ) -> Deployed:
        build = (lambda: image) if isinstance(image, Image) else image
        toml = flytoml.load(self._file)
        order = Order(app=self.app, toml=toml, manner=how.pop("manner", self.manner), **how)
        return deploy(client or self.client, order, build)

    def failing(self, at: int, fault: Fault) -> tuple[Client, Failing]:
        """Return a client whose request number `at` fails that changes something."""
        transport = Failing(at, fault)
        client = Client(self.server.endpoint.url, self.server.token, transport=transport)
        return client, transport

    @property
    def machines(self) -> list[Machine]:
        """All machines that are not gone or going."""
        found = self.client.machines.list(self.app)
        return [one for one in found if one.state not in ("destroying", "destroyed")]

    @property
    def releases(self) -> list[Release]:
        return history.read(self.client.machines.list(self.app))

    def serving(self) -> list[tuple[str, Sequence[str]]]:
        """Return the group and the command of each machine that requests go to."""
        return sorted(
            (labels.group(one), command_of(one))
            for one in labels.managed(self.machines)
            if one.state == "started" and not one.cordoned
        )

    def close(self) -> None:
        self.client.apps.delete(self.app, force=True)
        self.client.close()


def command_of(machine: Machine) -> tuple[str, ...]:
    """Return what a machine plays."""
    init = machine.config and machine.config.init
    return tuple((init and init.exec) or ())


def labels_of(machine: Machine) -> Mapping[str, str]:
    """Return the labels of a machine without those that every machine has."""
    usual = {
        labels.GROUP,
        labels.PLATFORM,
        labels.RELEASE_ID,
        labels.RELEASE_VERSION,
        labels.RELEASES,
        labels.PORT,
        "ephemera_create_id",
    }
    return {key: value for key, value in labels.of(machine).items() if key not in usual}
