"""A platform that limits requests as Fly.io does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest

from ephemera.platform.settings import Settings
from ephemera.testing.clock import PlatformClock
from ephemera.testing.machines_api import MOCK, AppUnderTest, LimitsContract, Subject
from ephemera.testing.serving import Server, serving

LIMITED = Settings(fly_limits=True, testing=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("limited"), driver="mock", settings=LIMITED) as served:
        yield served


@pytest.fixture(scope="module")
def machines_api(server: Server) -> Subject:
    return Subject(server.endpoint.url, server.token, programs=MOCK)


@pytest.fixture(autouse=True)
def _rested(server: Server) -> Iterator[None]:
    """Begin and end each test with full buckets: two minutes later."""
    clock = PlatformClock(server.endpoint.url, server.token)
    clock.move(120)
    yield
    clock.move(120)
    clock.close()


def _until_limited(ask: Callable[[], httpx2.Response]) -> list[int]:
    """Ask again and again, faster than a bucket fills, and return what was answered."""
    asked = [ask().status_code]
    while asked[-1] != 429:  # or the test takes too long
        asked.append(ask().status_code)
    return asked


class TestLimits(LimitsContract): ...


def test_the_limit_goes_by_the_platforms_clock(server: Server) -> None:
    clock = PlatformClock(server.endpoint.url, server.token)
    with httpx2.Client(base_url=server.endpoint.url, headers=server.headers, timeout=30) as http:
        asked = _until_limited(lambda: http.get("/v1/apps?org_slug=personal"))
        assert asked[:3] == [200] * 3
        clock.move(60)
        assert http.get("/v1/apps?org_slug=personal").status_code == 200
    clock.close()


def test_who_may_not_touch_an_app_does_not_use_up_its_limits(
    machines_api: Subject, app: AppUnderTest
) -> None:
    token = app.post("/deploy_token", json={})["token"]
    with (
        AppUnderTest.made(machines_api, app.http) as other,
        machines_api.connect(authorization=token) as scoped,
    ):
        asked = _until_limited(lambda: scoped.get(f"/v1/apps/{other.name}/volumes"))
        assert set(asked) == {403, 429}
        assert other.ask("GET", "/volumes").status_code == 200


def test_what_is_not_fly_is_not_limited(server: Server) -> None:
    with httpx2.Client(base_url=server.endpoint.url, headers=server.headers, timeout=30) as http:
        for path in ("/", "/ephemera/status"):
            assert [http.get(path).status_code for _ in range(20)] == [200] * 20
