"""`ephemera apps`: the names that machines belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ephemera.cli.options import Json
from ephemera.cli.screen import say, say_json, say_record, say_table
from ephemera.errors import EphemeraError

if TYPE_CHECKING:
    from ephemera.client import Client
    from ephemera.client.own.networks import OwnNetworks

group = typer.Typer(no_args_is_help=True, help="Apps: the names that machines belong to.")

Name = Annotated[str, typer.Argument(help="The app's name.")]


@group.command("list")
def list_(as_json: Json = False) -> None:
    """List the apps."""
    from ephemera.client import Client

    with Client() as client:
        apps = client.apps.list().apps
    if as_json:
        say_json([app.model_dump(mode="json") for app in apps])
    else:
        say_table(
            ("NAME", "MACHINES", "NETWORK"),
            [(app.name, str(app.machine_count), app.network or "") for app in apps],
        )


@group.command()
def create(
    name: Name,
    network: Annotated[
        str | None,
        typer.Option(help="A private network that apps share; else the app has one of its own."),
    ] = None,
    outside: Annotated[
        bool,
        typer.Option("--outside/--no-outside", help="Whether its machines may reach the world."),
    ] = True,
) -> None:
    """Create an app."""
    from ephemera.client import Client
    from ephemera.client.own.networks import OwnNetworks

    with Client() as client:
        client.apps.create(name, network=network)
        if not outside:
            with OwnNetworks() as own:
                _close(client, own, name)
    say(f"created app {name}")


def _close(client: Client, own: OwnNetworks, name: str) -> None:
    """Close the network of a new app; where that cannot be, there is no app."""
    try:
        own.set_outside(name, outside=False)
    except EphemeraError:
        client.apps.delete(name)
        raise


@group.command()
def network(
    name: Name,
    outside: Annotated[
        bool | None,
        typer.Option(
            "--outside/--no-outside",
            help="Let its machines reach the world outside of their private network, or not.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the private network of an app, or close and open it; it is so at once.

    Apps that share a network share this too. A closed network's machines reach each other and
    the platform. Needs a platform whose machines have private networks: the container driver.
    """
    from ephemera.client.own.networks import OwnNetworks

    with OwnNetworks() as own:
        found = own.get(name) if outside is None else own.set_outside(name, outside=outside)
    if as_json:
        say_json(found.model_dump(mode="json"))
    else:
        way = "yes" if found.outside else "no"
        say_record({"network": found.network, "prefix": found.prefix, "outside": way})


@group.command()
def destroy(
    name: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Also if some of its machines are running.")
    ] = False,
) -> None:
    """Destroy an app with its machines."""
    from ephemera.client import Client

    with Client() as client:
        client.apps.delete(name, force=force)
    say(f"destroyed app {name}")
