"""`ephemera volumes snapshots`: what a volume held at one moment."""

from __future__ import annotations

import typer

from ephemera.cli.choosing import needed_app
from ephemera.cli.options import App, ConfigFile, Json, VolumeId
from ephemera.cli.screen import counted, megabytes, say, say_json, say_table

group = typer.Typer(no_args_is_help=True, help="Snapshots of a volume.")


@group.command("list")
def list_(
    volume: VolumeId, app: App = None, config: ConfigFile = None, as_json: Json = False
) -> None:
    """List the snapshots of a volume; also of one that is destroyed, while they are kept."""
    from ephemera.client import Client

    with Client() as client:
        found = client.volumes.snapshots(needed_app(app, config), volume)
    if as_json:
        say_json([one.model_dump(mode="json") for one in found])
    else:
        say_table(
            ("ID", "STATUS", "SIZE", "KEPT", "CREATED"),
            [
                (
                    one.id,
                    one.status,
                    megabytes(one.size),
                    counted(one.retention_days, "day"),
                    one.created_at,
                )
                for one in found
            ],
        )


@group.command()
def create(volume: VolumeId, app: App = None, config: ConfigFile = None) -> None:
    """Begin to take a snapshot of a volume; `snapshots list` tells when it is `created`."""
    from ephemera.client import Client

    with Client() as client:
        client.volumes.create_snapshot(needed_app(app, config), volume)
    say(f"a snapshot of {volume} is being taken")
