"""`ephemera releases`: what was deployed, and what became of it."""

from __future__ import annotations

from dataclasses import asdict

from ephemera.cli.choosing import needed_app
from ephemera.cli.options import App, ConfigFile, Json
from ephemera.cli.screen import say_json, say_table


def releases(app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """List the last releases of an app, the newest first. `rollback VERSION` goes back to one."""
    from ephemera.client import Client
    from ephemera.deploy.release import history

    with Client() as client:
        machines = client.machines.list(needed_app(app, config))
    found = history.read(machines)
    if as_json:
        fields = ("version", "status", "image", "created_at", "description", "id")
        said = [asdict(one) for one in found]
        say_json([{name: one[name] for name in fields} for one in said])
        return
    say_table(
        ("VERSION", "STATUS", "WHEN", "DESCRIPTION", "IMAGE"),
        [
            (f"v{one.version}", one.status, one.created_at, one.description, one.image)
            for one in found
        ],
    )
