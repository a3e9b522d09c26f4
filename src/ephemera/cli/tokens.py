"""`ephemera tokens`: tokens that may do everything with one app, and nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from ephemera.cli.choosing import found_app, needed_app
from ephemera.cli.options import App, ConfigFile, Json, parsed_duration
from ephemera.cli.screen import say, say_json, say_table

group = typer.Typer(no_args_is_help=True, help="Tokens: who may do what with an app.")
create = typer.Typer(no_args_is_help=True, help="Make a token.")
group.add_typer(create, name="create")


@create.callback()
def _create() -> None:
    """Keep `deploy` a command of its own although it is the only one of its group."""


@create.command()
def deploy(
    app: App = None,
    config: ConfigFile = None,
    expiry: Annotated[
        float | None,
        typer.Option(
            "--expiry",
            "-x",
            parser=parsed_duration,
            metavar="DURATION",
            help="How long it is good for: `48h`; else 20 years.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token that may do everything with one app, and print it, this once.

    It goes into `FLY_API_TOKEN` of whatever is to deploy the app.
    """
    from ephemera.client import Client

    with Client() as client:
        made = client.tokens.create_deploy(needed_app(app, config), expiry=expiry)
    if as_json:
        say_json({"token": made})
    else:
        say(made)


@group.command("list")
def list_(app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """List the tokens of an app; where none is named, of all apps. They are not shown."""
    from ephemera.client.own.tokens import OwnTokens

    named = found_app(app, config)
    with OwnTokens() as own:
        tokens = [one for one in own.list() if named in (None, one.app_name)]
    if as_json:
        say_json([one.model_dump(mode="json") for one in tokens])
    else:
        say_table(
            ("ID", "APP", "CREATED", "EXPIRES"),
            [(one.id, one.app_name, one.created_at, one.expires_at) for one in tokens],
        )


@group.command()
def revoke(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="As `tokens list` has them.")],
) -> None:
    """Make tokens worthless, at once."""
    from ephemera.client.own.tokens import OwnTokens

    with OwnTokens() as own:
        for token_id in ids:
            own.revoke(token_id)
            say(f"revoked {token_id}")
