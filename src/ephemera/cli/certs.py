"""`ephemera certs`: an app's own host names, and their TLS certificates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ephemera.cli.asking import ask
from ephemera.cli.choosing import needed_app
from ephemera.cli.options import App, ConfigFile, Json, Yes
from ephemera.cli.screen import say, say_json, say_record, say_table
from ephemera.errors import ConfigError, Invalid

if TYPE_CHECKING:
    from ephemera.client import Client
    from ephemera.wire.certificates import Certificate

group = typer.Typer(no_args_is_help=True, help="An app's own host names, and their certificates.")

Host = Annotated[str, typer.Argument(metavar="HOST", help="Such as `shop.example.com`.")]


@group.command("list")
def list_(app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """List the host names of an app."""
    from ephemera.client import Client

    with Client() as client:
        found = list(client.certificates.list(needed_app(app, config)))
    if as_json:
        say_json([one.model_dump(mode="json") for one in found])
    else:
        say_table(
            ("HOST", "STATUS", "CREATED"),
            [(one.hostname, one.status, one.created_at) for one in found],
        )


@group.command()
def add(
    host: Host,
    app: App = None,
    config: ConfigFile = None,
    cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A certificate of your own, with its chain, as PEM."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The private key of it, as PEM.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Have a host name of your own lead to an app.

    Fly.io gets a certificate for it, unless you bring your own. The embedded platform asks no
    authority: bring one, such as `mkcert` makes.
    """
    from ephemera.client import Client

    if (cert is None) != (key is None):
        raise typer.BadParameter("--cert and --key belong together")
    named = needed_app(app, config)
    with Client() as client:
        if cert and key:
            added = client.certificates.create_custom(
                named, host, fullchain=_read(cert), private_key=_read(key)
            )
        else:
            added = _requested(client, named, host)
    _show(added, as_json=as_json)


@group.command()
def show(host: Host, app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Show a host name, its certificates, and the DNS records that it should have."""
    from ephemera.client import Client

    with Client() as client:
        found = client.certificates.get(needed_app(app, config), host)
    _show(found, as_json=as_json)


@group.command()
def check(host: Host, app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Look at the DNS records of a host name anew, and show what is found."""
    from ephemera.client import Client

    with Client() as client:
        found = client.certificates.check(needed_app(app, config), host)
    _show(found, as_json=as_json)


@group.command()
def remove(host: Host, app: App = None, config: ConfigFile = None, yes: Yes = False) -> None:
    """Remove a host name from an app, with its certificates."""
    from ephemera.client import Client

    named = needed_app(app, config)
    ask(f"Remove {host} and its certificates from app {named}?", yes=yes)
    with Client() as client:
        client.certificates.delete(named, host)
    say(f"removed {host}")


@group.command()
def ca() -> None:
    """Print the certificate of the authority that the platform has for APP.localhost.

    Whoever trusts it, a browser or `curl --cacert`, sees no warning at the HTTPS URLs of apps.
    """
    from ephemera.client.own.addresses import OwnAddresses

    with OwnAddresses() as own:
        say(own.authority().strip())


def _requested(client: Client, app: str, host: str) -> Certificate:
    try:
        return client.certificates.create_acme(app, host)
    except Invalid as error:
        error.hint = error.hint or "bring one of your own: --cert FILE --key FILE"
        raise


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not PEM"
        raise ConfigError(f"{file} cannot be read: {why}") from error


def _show(found: Certificate, *, as_json: bool) -> None:
    if as_json:
        say_json(found.model_dump(mode="json"))
        return
    wanted = found.dns_requirements
    say_record(
        {
            "host": found.hostname,
            "status": found.status,
            "issuers": ", ".join(one.issuer or one.source for one in found.certificates),
            "expires": ", ".join(one.expires_at for one in found.certificates if one.expires_at),
            "A": ", ".join(wanted.a) if wanted else "",
            "AAAA": ", ".join(wanted.aaaa) if wanted else "",
            "CNAME": wanted.cname if wanted else "",
        }
    )
    for problem in found.validation_errors:
        say(f"problem: {problem.message}{f' ({problem.remediation})' * bool(problem.remediation)}")
