"""A platform that plays the machines of Fly.io, and an app on it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ephemera.testing.serving import Server, serving
from tests.fly.standin import StandIn, in_the_place_of_fly


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("platform"), driver="mock") as served:
        yield served


@pytest.fixture(scope="module")
def _no_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have nothing in the environment but what a user has who goes to Fly.io."""
    with pytest.MonkeyPatch.context() as environment:
        for name in [one for one in os.environ if one.startswith(("FLY_", "EPHEMERA_"))]:
            environment.delenv(name)
        environment.setenv("EPHEMERA_HOME", str(tmp_path_factory.mktemp("nothing") / "home"))
        environment.setattr("ephemera.deploy.release.watching.STAYS_S", 0.01)
        yield


@pytest.fixture(scope="module")
def fly(server: Server, _no_settings: None) -> Iterator[StandIn]:
    with in_the_place_of_fly(server) as standin:
        yield standin
