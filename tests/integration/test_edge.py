"""What apps have at the edge outlives the server, and the key of a certificate is locked away."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from ephemera.platform.settings import Settings
from ephemera.testing.authority import Authority
from ephemera.testing.machines_api import MOCK, AppUnderTest, Subject, answered, refused
from ephemera.testing.serving import Server, serving

DRIVER = "mock"
HOST = "shop.example.com"


@pytest.fixture
def app(server: Server) -> Iterator[AppUnderTest]:
    subject = Subject(server.endpoint.url, server.token, programs=MOCK)
    with subject.connect() as http, AppUnderTest.made(subject, http) as app:
        yield app


def _furnish(app: AppUnderTest) -> str:
    """Give the app addresses and a certificate; return the certificate's key."""
    for kind in ("v4", "shared_v4", "private_v6"):
        app.post("/ip_assignments", json={"type": kind})
    issued = Authority().issue(HOST)
    app.post("/certificates/custom", json={"hostname": HOST, **issued})
    return issued["private_key"]


def test_a_killed_server_gives_the_same_answers_when_it_is_back(
    server: Server, app: AppUnderTest
) -> None:
    _furnish(app)
    app.ended()
    paths = ["", "/ip_assignments", "/certificates", f"/certificates/{HOST}"]
    org = f"/v1/orgs/{app.subject.org}/machines?limit=1"
    before = [app.get(path) for path in paths] + [app.http.get(org).json()]
    server.kill()
    server.restart()
    with Subject(server.endpoint.url, server.token).connect() as http:
        again = AppUnderTest(app.subject, http)
        again.name = app.name
        assert [again.get(path) for path in paths] + [http.get(org).json()] == before


def test_the_key_of_a_certificate_is_in_no_file_that_the_platform_writes(
    server: Server, app: AppUnderTest
) -> None:
    # The third and last line is the public half, which is in the certificate too.
    lines = [line for line in _furnish(app).splitlines() if "-----" not in line][:2]
    wrong = {"hostname": HOST, "fullchain": "x", "private_key": "\n".join(lines)}
    assert lines[0] not in refused(app.ask("POST", "/certificates/custom", json=wrong), 422)
    server.kill()
    written = b"".join(path.read_bytes() for path in server.home.rglob("*") if path.is_file())
    assert HOST.encode() in written
    assert not [line for line in lines if line.encode() in written]
    server.restart()


def test_two_deletions_at_once_end_with_one_that_was_first(app: AppUnderTest) -> None:
    for _ in range(3):
        app.running()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: _delete(app), range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 404, 404, 404]


def _delete(app: AppUnderTest) -> httpx2.Response:
    with app.subject.connect() as http:
        return http.delete(f"/v1/apps/{app.name}?force=true")


def test_a_host_name_that_two_apps_ask_for_at_once_goes_to_one_of_them(app: AppUnderTest) -> None:
    body = {"hostname": HOST, **Authority().issue(HOST)}
    with AppUnderTest.made(app.subject, app.http) as other, ThreadPoolExecutor(2) as pool:
        urls = [f"/v1/apps/{one.name}/certificates/custom" for one in (app, other)]
        answers = list(pool.map(lambda url: _post(app.subject, url, body), urls))
        assert sorted(answer.status_code for answer in answers) == [201, 422]


def _post(subject: Subject, url: str, body: object) -> httpx2.Response:
    with subject.connect() as http:
        return http.post(url, json=body)


@pytest.fixture(scope="module")
def server_with_regions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = Settings(regions=("iad", "fra", "attic"), testing=True)
    home = tmp_path_factory.mktemp("regions")
    with serving(home, driver="mock", settings=settings) as server:
        yield server


class TestConfiguredRegions:
    """A platform that is told of regions keeps them apart."""

    @pytest.fixture
    def server(self, server_with_regions: Server) -> Server:
        return server_with_regions

    def test_they_are_listed_with_where_they_are(self, app: AppUnderTest) -> None:
        said = answered(app.http.get("/v1/platform/regions")).json()
        assert [one["code"] for one in said["regions"]] == ["iad", "fra", "attic"]
        assert said["nearest"] == "iad"
        assert said["regions"][1]["geo_region"] == "europe"

    @pytest.mark.parametrize(
        ("asked", "given"), [("", "iad"), ("fra", "fra"), ("lhr,eu", "fra"), ("attic,iad", "attic")]
    )
    def test_a_machine_goes_where_it_is_meant_to(
        self, app: AppUnderTest, asked: str, given: str
    ) -> None:
        config = app.config(MOCK.runs)
        machine = app.post("/machines", json={"config": config, "region": asked})
        assert machine["region"] == given
        listed = answered(app.http.get(f"/v1/orgs/personal/machines?region={given}")).json()
        assert [one["id"] for one in listed["machines"]] == [machine["id"]]

    def test_a_region_that_is_not_there_is_refused_with_those_that_are(
        self, app: AppUnderTest
    ) -> None:
        body = {"config": app.config(MOCK.runs), "region": "syd"}
        why = refused(app.ask("POST", "/machines", json=body), 400)
        assert "'syd'" in why
        assert "iad, fra, attic" in why
        assert app.get("/machines") == []

    def test_placements_name_regions_in_the_order_of_the_expression(
        self, app: AppUnderTest
    ) -> None:
        wanted = {"org_slug": "personal", "region": "eu,any", "compute": {"memory_mb": 64}}
        rows = answered(app.http.post("/v1/platform/placements", json=wanted)).json()["regions"]
        assert [row["region"] for row in rows] == ["fra", "iad", "attic"]

    def test_an_address_may_be_for_one_region(self, app: AppUnderTest) -> None:
        given = app.post("/ip_assignments", json={"type": "v4", "region": "fra"})
        assert given["region"] == "fra"
        refused(app.ask("POST", "/ip_assignments", json={"type": "v4", "region": "syd"}), 400)
