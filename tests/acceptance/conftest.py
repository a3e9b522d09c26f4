"""A command line and a platform for tests, of which nothing is left afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera import Client
from ephemera.cli.takedown import take_down
from ephemera.home import read_token
from ephemera.wire.ids import new_machine_name
from tests.acceptance.command_line import CommandLine, must_be_gone
from tests.acceptance.inside import Inside
from tests.acceptance.shop import Shop


@pytest.fixture
def ephemera(tmp_path: Path) -> Iterator[CommandLine]:
    """The command line on a fresh folder; what it has started is taken down at the end."""
    yield from _command_line(tmp_path)


@pytest.fixture
def inside(ephemera: CommandLine, tmp_path: Path) -> Inside:
    """The same within this process; what it starts are processes all the same."""
    return Inside(ephemera, tmp_path)


@pytest.fixture
def client(ephemera: CommandLine) -> Iterator[Client]:
    """A client of a platform of its own that was brought up by the command line."""
    yield from _client(ephemera)


@pytest.fixture
def own_shop(ephemera: CommandLine, client: Client) -> Shop:
    """An app on a platform of its own."""
    return Shop(ephemera, client, "shop")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    yield from _command_line(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def shared_client(shared: CommandLine) -> Iterator[Client]:
    yield from _client(shared)


@pytest.fixture
def shop(shared: CommandLine, shared_client: Client) -> Shop:
    """An app of its own on a platform with others: it is quicker to come by."""
    return Shop(shared, shared_client, new_machine_name())


def _command_line(folder: Path) -> Iterator[CommandLine]:
    ephemera = CommandLine(folder / "home")
    yield ephemera
    take_down(ephemera.home, grace=0, tell=print)
    must_be_gone(folder)


def _client(ephemera: CommandLine) -> Iterator[Client]:
    up = ("up", "--detach", "--listen", "127.0.0.1:0")
    url = Inside(ephemera, ephemera.home.parent)(*up).stdout.strip()
    with Client(url, read_token(ephemera.home)) as client:
        yield client
