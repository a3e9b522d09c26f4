"""`ephemera launch` where there is somebody to ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ephemera import client
from ephemera.cli import launching
from ephemera.cli.main import app
from tests.unit.deploy.test_launch import Client


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    (tmp_path / "requirements.txt").write_text("flask\ngunicorn\n")
    fake = Client()
    monkeypatch.setattr(client, "Client", lambda: Opened(fake))
    monkeypatch.setattr(launching, "_asks", lambda: True)
    return tmp_path


class Opened:
    """A client as a context."""

    def __init__(self, held: Client) -> None:
        self.held = held

    def __enter__(self) -> Client:
        return self.held

    def __exit__(self, *_: object) -> None: ...


def run(folder: Path, *options: str, keys: str = "") -> Result:
    return CliRunner().invoke(app, ["launch", str(folder), "--name", "shop", *options], input=keys)


def test_it_asks_before_it_goes_on(shop: Path) -> None:
    assert run(shop, keys="n\n").exit_code == 1
    assert not (shop / "fly.toml").exists()
    assert run(shop, keys="y\n").exit_code == 0
    assert (shop / "fly.toml").exists()


def test_yes_is_an_answer_to_that_but_not_to_the_loss_of_an_edit(shop: Path) -> None:
    assert run(shop, "--yes").exit_code == 0
    edited = (shop / "fly.toml").read_text() + "# mine\n"
    (shop / "fly.toml").write_text(edited)
    kept = run(shop, "--yes", keys="n\n")
    assert kept.exit_code == 0
    assert "-# mine" in kept.output
    assert "Write over it?" in kept.output
    assert (shop / "fly.toml").read_text() == edited
    assert run(shop, "--yes", keys="y\n").exit_code == 0
    assert "# mine" not in (shop / "fly.toml").read_text()


def test_force_asks_nothing_about_edits(shop: Path) -> None:
    run(shop, "--yes")
    (shop / "fly.toml").write_text("# mine\n" + (shop / "fly.toml").read_text())
    assert run(shop, "--yes", "--force").exit_code == 0
    assert "# mine" not in (shop / "fly.toml").read_text()


def test_a_dry_run_shows_the_difference_and_does_nothing(shop: Path) -> None:
    shown = run(shop, "--dry-run", "--terraform")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("--- /dev/null\n+++ b/Dockerfile\n")
    assert "+++ b/main.tf" in shown.stdout
    assert {path.name for path in shop.iterdir()} == {"app.py", "requirements.txt"}


def test_what_the_platform_does_not_do_is_said(shop: Path) -> None:
    (shop / "fly.toml").write_text(
        'app = "shop"\n[http_service]\ninternal_port = 8080\n'
        "[http_service.http_options]\nh2_backend = true\n"
    )
    (shop / "Dockerfile").write_text("FROM scratch\n")
    done = run(shop, "--yes", keys="n\n")
    assert done.output.count("note: http_options.h2_backend of internal_port 8080 is not") == 1
