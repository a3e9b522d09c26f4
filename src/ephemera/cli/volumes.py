"""`ephemera volumes`: what outlives machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ephemera.cli import snapshots
from ephemera.cli.asking import ask
from ephemera.cli.choosing import needed_app
from ephemera.cli.options import App, ConfigFile, Json, VolumeId, Yes
from ephemera.cli.screen import counted, megabytes, note, say, say_json, say_record, say_table

if TYPE_CHECKING:
    from ephemera.wire.volumes import Volume

group = typer.Typer(no_args_is_help=True, help="Volumes: what is kept when machines are gone.")
group.add_typer(snapshots.group, name="snapshots")

Size = Annotated[int | None, typer.Option("--size", "-s", min=1, metavar="GB", help="Its size.")]
Region = Annotated[
    str | None, typer.Option("--region", "-r", metavar="CODE", help="Where it is to be.")
]


@group.command("list")
def list_(app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """List the volumes of an app."""
    from ephemera.client import Client

    with Client() as client:
        volumes = client.volumes.list(needed_app(app, config))
    if as_json:
        say_json([one.model_dump(mode="json") for one in volumes])
    else:
        say_table(
            ("ID", "STATE", "NAME", "SIZE", "REGION", "MACHINE", "CREATED"),
            [_row(one) for one in volumes],
        )


@group.command()
def show(
    volume: VolumeId, app: App = None, config: ConfigFile = None, as_json: Json = False
) -> None:
    """Show a volume."""
    from ephemera.client import Client

    with Client() as client:
        found = client.volumes.get(needed_app(app, config), volume)
    _show(found, as_json=as_json)


@group.command()
def create(
    name: Annotated[str, typer.Argument(help="Letters, digits and underscores.")],
    app: App = None,
    config: ConfigFile = None,
    size: Size = None,
    region: Region = None,
    snapshot_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Begin with what this snapshot holds.")
    ] = None,
    snapshot_retention: Annotated[
        int | None,
        typer.Option(min=1, max=60, metavar="DAYS", help="How long its snapshots are kept."),
    ] = None,
    scheduled_snapshots: Annotated[
        bool | None,
        typer.Option(
            "--scheduled-snapshots/--no-scheduled-snapshots", help="Take one every day; or never."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a volume: 3 GB, with a snapshot every day that is kept for 5 days, unless you say so.

    A machine has one volume at most: an app with several machines needs as many of the same name.
    """
    from ephemera.client import Client

    with Client() as client:
        made = client.volumes.create(
            needed_app(app, config),
            name=name,
            region=region,
            size_gb=size,
            snapshot_id=snapshot_id,
            snapshot_retention=snapshot_retention,
            auto_backup_enabled=scheduled_snapshots,
        )
    _show(made, as_json=as_json)


@group.command()
def fork(
    volume: VolumeId,
    app: App = None,
    config: ConfigFile = None,
    name: Annotated[str | None, typer.Option(help="Its name; else that of the other.")] = None,
    region: Region = None,
    as_json: Json = False,
) -> None:
    """Create a volume with what another one holds now. It can be used when it is `created`."""
    from ephemera.client import Client

    with Client() as client:
        named = needed_app(app, config)
        source = client.volumes.get(named, volume)
        made = client.volumes.create(
            named, name=name or source.name, region=region, source_volume_id=volume
        )
    _show(made, as_json=as_json)


@group.command()
def extend(
    volume: VolumeId,
    size: Annotated[int, typer.Option("--size", "-s", min=1, metavar="GB", help="Its new size.")],
    app: App = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Make a volume larger. It cannot become smaller."""
    from ephemera.client import Client

    with Client() as client:
        extended = client.volumes.extend(needed_app(app, config), volume, size_gb=size)
    if extended.needs_restart:
        note(f"its machine sees it when it is restarted: {extended.volume.attached_machine_id}")
    _show(extended.volume, as_json=as_json)


@group.command()
def destroy(volume: VolumeId, app: App = None, config: ConfigFile = None, yes: Yes = False) -> None:
    """Destroy a volume with all that is in it. Its snapshots are kept for their time."""
    from ephemera.client import Client

    with Client() as client:
        named = needed_app(app, config)
        found = client.volumes.get(named, volume)
        ask(f"Destroy volume {found.name} ({volume}, {found.size_gb} GB) of app {named}?", yes=yes)
        client.volumes.delete(named, volume)
    say(f"destroyed {volume}")


def _row(one: Volume) -> tuple[str, ...]:
    machine = one.attached_machine_id or ""
    return one.id, one.state, one.name, f"{one.size_gb} GB", one.region, machine, one.created_at


def _show(one: Volume, *, as_json: bool) -> None:
    if as_json:
        say_json(one.model_dump(mode="json"))
        return
    used = megabytes(one.bytes_used) if one.bytes_total else ""
    say_record(
        {
            "id": one.id,
            "name": one.name,
            "state": one.state,
            "size": f"{one.size_gb} GB",
            "used": used,
            "region": one.region,
            "machine": one.attached_machine_id or "",
            "snapshots": f"kept for {counted(one.snapshot_retention, 'day')}",
            "daily": "yes" if one.auto_backup_enabled else "no",
            "created": one.created_at,
        }
    )
