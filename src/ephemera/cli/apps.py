"""`ephemera apps`: the names that machines belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ephemera.cli import completing
from ephemera.cli.asking import ask
from ephemera.cli.options import Json
from ephemera.cli.screen import counted, say, say_json, say_record, say_table
from ephemera.errors import EphemeraError

if TYPE_CHECKING:
    from ephemera.client import Client
    from ephemera.client.own.networks import OwnNetworks

group = typer.Typer(no_args_is_help=True, help="Apps: the names that machines belong to.")

Name = Annotated[str, typer.Argument(help="The app's name.", autocompletion=completing.apps)]
NewName = Annotated[
    str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and dashes.")
]
Org = Annotated[
    str, typer.Option("--org", "-o", metavar="SLUG", help="The organisation whose it is.")
]
#: Machines in these states have no program that runs.
_AT_REST = ("created", "stopped", "suspended", "failed", "destroyed")
#: Volumes in these states have something to lose.
_KEPT = ("created", "restoring", "hydrating")


@group.command("list")
def list_(org: Org = "personal", as_json: Json = False) -> None:
    """List the apps of an organisation."""
    from ephemera.client import Client

    with Client() as client:
        apps = client.apps.list(org_slug=org).apps
    if as_json:
        say_json([app.model_dump(mode="json") for app in apps])
    else:
        say_table(
            ("NAME", "MACHINES", "NETWORK"),
            [(app.name, str(app.machine_count), app.network or "") for app in apps],
        )


@group.command()
def create(
    name: NewName,
    org: Org = "personal",
    network: Annotated[
        str | None,
        typer.Option(help="A private network that apps share; else the app has one of its own."),
    ] = None,
    outside: Annotated[
        bool,
        typer.Option("--outside/--no-outside", help="Whether its machines may reach the world."),
    ] = True,
    as_json: Json = False,
) -> None:
    """Create an app."""
    from ephemera.client import Client
    from ephemera.client.own.networks import OwnNetworks

    with Client() as client, OwnNetworks() as own:
        if not outside:
            own.check_ours()
        made = client.apps.create(name, org_slug=org, network=network)
        if not outside:
            _close(client, own, name)
    if as_json:
        say_json(made.model_dump(mode="json"))
    else:
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
    yes: Annotated[bool, typer.Option("--yes", "-y", "--force", help="Do not ask.")] = False,
) -> None:
    """Destroy an app with its machines, running ones too, its volumes and secrets."""
    from ephemera.client import Client

    with Client() as client:
        if not yes:
            ask(_question(client, name), yes=False)
        client.apps.delete(name, force=True)
    say(f"destroyed app {name}")


def _question(client: Client, name: str) -> str:
    """Return what to ask before an app is destroyed: it says what goes with it."""
    machines = client.machines.list(name, summary=True)
    running = sum(one.state not in _AT_REST for one in machines)
    volumes = sum(one.state in _KEPT for one in client.volumes.list(name, summary=True))
    lost = [counted(len(machines), "machine") + f" ({running} running)" * bool(running)]
    lost += [counted(volumes, "volume")] if volumes else []
    goes_too = f" with its {' and '.join(lost)}" if machines or volumes else ""
    return f"Destroy app {name}{goes_too}?"
