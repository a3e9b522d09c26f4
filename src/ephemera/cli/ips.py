"""`ephemera ips`: the addresses at which an app is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ephemera.cli.asking import ask
from ephemera.cli.choosing import needed_app
from ephemera.cli.options import App, ConfigFile, Json, Yes
from ephemera.cli.screen import say, say_json, say_table

if TYPE_CHECKING:
    from ephemera.wire.addresses import IpAssignment, IpType

group = typer.Typer(no_args_is_help=True, help="Addresses at which an app is reached.")

Region = Annotated[
    str | None, typer.Option("--region", "-r", metavar="CODE", help="Only there; else everywhere.")
]


@group.command("list")
def list_(app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """List the addresses of an app."""
    from ephemera.client import Client

    with Client() as client:
        found = client.ips.list(needed_app(app, config))
    if as_json:
        say_json([one.model_dump(mode="json") for one in found])
    else:
        say_table(
            ("ADDRESS", "TYPE", "REGION", "CREATED"),
            [(one.ip, _type(one), one.region, one.created_at) for one in found],
        )


@group.command("allocate-v4")
def allocate_v4(
    app: App = None,
    config: ConfigFile = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="One that other apps have too; it costs nothing.")
    ] = False,
    region: Region = None,
    as_json: Json = False,
) -> None:
    """Give an app an IPv4 address. One of its own costs money on Fly.io."""
    _allocate(needed_app(app, config), "shared_v4" if shared else "v4", region, as_json=as_json)


@group.command("allocate-v6")
def allocate_v6(
    app: App = None,
    config: ConfigFile = None,
    private: Annotated[
        bool, typer.Option("--private", help="One in its private network: APP.flycast.")
    ] = False,
    region: Region = None,
    as_json: Json = False,
) -> None:
    """Give an app an IPv6 address."""
    _allocate(needed_app(app, config), "private_v6" if private else "v6", region, as_json=as_json)


@group.command()
def release(
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS", help="Which ones.")],
    app: App = None,
    config: ConfigFile = None,
    yes: Yes = False,
) -> None:
    """Take addresses from an app. Nobody may be able to give them back."""
    from ephemera.client import Client

    named = needed_app(app, config)
    ask(f"Take {', '.join(addresses)} from app {named}?", yes=yes)
    with Client() as client:
        for address in addresses:
            client.ips.release(named, address)
            say(f"released {address}")


def _allocate(app: str, kind: IpType, region: str | None, *, as_json: bool) -> None:
    from ephemera.client import Client

    with Client() as client:
        given = client.ips.assign(app, kind, region=region)
    if as_json:
        say_json(given.model_dump(mode="json"))
    else:
        say(given.ip or "")


def _type(one: IpAssignment) -> str:
    """Return what kind of address it is, as far as it can be seen."""
    if one.egress:
        return "egress"
    if one.ip.startswith("fdaa:"):
        return "private v6"
    version = "v6" if ":" in one.ip else "v4"
    return f"shared {version}" if one.shared else version
