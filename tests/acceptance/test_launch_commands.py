"""`ephemera new` and `ephemera launch`, as a user meets them."""

from __future__ import annotations

from pathlib import Path

from ephemera import Client
from tests.acceptance.command_line import CommandLine


def test_a_new_application_is_launched(
    shared: CommandLine, shared_client: Client, tmp_path: Path
) -> None:
    shop = tmp_path / "my-launch"
    shared("new", str(shop), code=1)
    created = shared("new", shop.name, "--framework", "django", folder=tmp_path)
    assert created.stdout.endswith("next: cd my-launch && ephemera launch --serverless\n")
    launched = shared("launch", "--serverless", folder=shop)
    assert launched.stdout == (
        "created app my-launch\nwrote Dockerfile\nwrote .dockerignore\nwrote fly.toml\n"
        "next: ephemera deploy\n"
    )
    assert "framework  django, served as `gunicorn" in launched.stderr
    assert shared_client.apps.get("my-launch").name == "my-launch"
    (shop / "fly.toml").write_text("# mine\n" + (shop / "fly.toml").read_text())
    refused = shared("launch", folder=shop, code=1)
    assert "error: fly.toml in " in refused.stderr
    assert "--force" in refused.stderr
    assert "+++ b/fly.toml" in shared("launch", "--dry-run", folder=shop).stdout
    taken = shared("launch", "--name", "my-launch", "--force", folder=_another(tmp_path), code=1)
    assert "error: the name 'my-launch' is taken" in taken.stderr


def _another(folder: Path) -> Path:
    place = folder / "other"
    place.mkdir()
    (place / "app.py").write_text("import flask\napp = flask.Flask('other')\n")
    (place / "requirements.txt").write_text("flask\ngunicorn\n")
    return place
