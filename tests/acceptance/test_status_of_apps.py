"""`ephemera status` of an app, and `ephemera open`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ephemera.home import read_endpoint
from ephemera.wire.models import Machine
from tests.acceptance.inside import Inside
from tests.acceptance.shop import PAUSE, Shop

RELEASES = (
    '[{"version": 3, "image": "host", "status": "succeeded", "created_at": "2026-11-27T10:00:00Z"}]'
)
SERVICE = {"internal_port": 8080, "protocol": "tcp", "ports": [{"port": 80, "handlers": ["http"]}]}


@pytest.fixture
def inside(shop: Shop, tmp_path: Path) -> Inside:
    """The command line in a project whose fly.toml names the app."""
    (tmp_path / "fly.toml").write_text(f'app = "{shop.app}"\n')
    return Inside(shop.ephemera, tmp_path)


@pytest.fixture
def proxy(shop: Shop) -> str:
    """The address of the platform's proxy."""
    endpoint = read_endpoint(shop.ephemera.home)
    assert endpoint
    return endpoint.proxy_url


def serving(shop: Shop) -> Machine:
    """A machine as a release makes it."""
    labels = {
        "fly_process_group": "web",
        "fly_release_version": "3",
        "ephemera_releases": RELEASES,
    }
    config = {
        "image": "host",
        "init": {"exec": list(PAUSE)},
        "metadata": labels,
        "services": [SERVICE],
    }
    return shop.client.machines.create(shop.app, config=config, skip_launch=True)


def job(shop: Shop) -> Machine:
    config = {
        "image": "host",
        "init": {"exec": list(PAUSE)},
        "metadata": {"ephemera_job": "1"},
    }
    return shop.client.machines.create(shop.app, config=config, skip_launch=True)


def status(inside: Inside, *arguments: str) -> Any:
    return json.loads(inside("status", "--json", *arguments).stdout)


def test_the_status_in_a_project_has_the_platform_and_the_app(
    inside: Inside, shop: Shop, proxy: str
) -> None:
    web, at_work = serving(shop), job(shop)
    facts = status(inside)
    assert facts["running"] is True
    app = facts["app"]
    assert app["name"] == shop.app
    assert app["urls"][0] == f"http://{shop.app}.localhost:{proxy.rpartition(':')[2]}"
    assert (app["release"]["version"], app["release"]["image"]) == (3, "host")
    first, second = app["machines"]
    assert (first["id"], first["process_group"], first["release"]) == (web.id, "web", 3)
    assert (second["id"], second["process_group"], second["role"]) == (at_work.id, None, "job")
    said = inside("status").stdout
    assert "v3 of 2026-11-27T10:00:00Z, succeeded" in said
    assert str(shop.ephemera.home) in said
    assert {web.id, "web", "v3", "local"} <= set(said.split())


def test_an_app_elsewhere_is_shown_alone(inside: Inside, shop: Shop) -> None:
    token = shop.client.tokens.create_deploy(shop.app)
    inside.environment |= {
        "FLY_FLAPS_BASE_URL": shop.client.locate(),
        "FLY_API_TOKEN": token,
        "EPHEMERA_HOME": str(inside.folder / "nothing"),
    }
    assert set(status(inside)) == {"app"}
    assert inside("status").stdout == f"app      {shop.app}\n"


def test_an_app_that_is_not_there_yet_is_no_error_unless_it_was_named(
    inside: Inside, shop: Shop
) -> None:
    (inside.folder / "fly.toml").write_text('app = "not-yet"\n')
    said = inside("status", "--json")
    assert json.loads(said.stdout)["app"] is None
    assert "app not-yet is not there yet" in said.stderr
    assert "app not found" in inside("status", "-a", "not-yet", code=1).stderr
    assert status(inside, "-a", shop.app)["app"]["name"] == shop.app


def test_a_platform_that_does_not_run_is_not_started_by_looking(
    inside: Inside, tmp_path: Path
) -> None:
    inside.environment["EPHEMERA_HOME"] = str(tmp_path / "nothing")
    assert "no platform runs" in inside("status", code=3).stderr
    assert not (tmp_path / "nothing").exists()


def test_an_app_is_opened_in_the_browser(inside: Inside, shop: Shop, proxy: str) -> None:
    serving(shop)
    opened = inside.folder / "opened"
    browser = inside.folder / "browser"
    browser.write_text(
        f"#!{sys.executable}\nimport sys; open({str(opened)!r}, 'w').write(sys.argv[1])"
    )
    browser.chmod(0o700)
    url = f"http://{shop.app}.localhost:{proxy.rpartition(':')[2]}"
    assert inside("open", "--print").stdout == f"{url}/\n"
    assert not opened.exists()
    words = ["ephemera", "open", "admin?a=1", "-a", shop.app]
    program = f"import sys; sys.argv = {words}; from ephemera.cli.main import main; main()"
    said = shop.ephemera.python(program, BROWSER=f"{browser} %s")
    assert said == f"{url}/admin?a=1\n"
    assert opened.read_text() == f"{url}/admin?a=1"


def test_an_app_without_services_cannot_be_opened(inside: Inside, shop: Shop) -> None:
    job(shop)
    failed = inside("open", "--print", code=1)
    assert "has no URL" in failed.stderr
    assert "`ephemera deploy`" in failed.stderr
    assert failed.stdout == ""
