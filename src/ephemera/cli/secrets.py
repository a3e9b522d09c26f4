"""`ephemera secrets`: what an app's machines find in their environment only."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ephemera.cli.choosing import needed_app
from ephemera.cli.options import App, ConfigFile, Json
from ephemera.cli.screen import counted, note, say_json, say_table
from ephemera.errors import AppBusy, ConfigError

if TYPE_CHECKING:
    from ephemera.client import Client

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

group = typer.Typer(
    no_args_is_help=True,
    help="Secrets: variables that an app's machines have, and that are shown to nobody.",
)

Stage = Annotated[
    bool, typer.Option("--stage", help="Restart nothing: machines have it from their next update.")
]


@group.command("list")
def list_(app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """List the secrets of an app. A digest changes with the value, and does not tell it."""
    from ephemera.client import Client

    with Client() as client:
        secrets = client.secrets.list(needed_app(app, config))
    if as_json:
        say_json([one.model_dump(mode="json", exclude={"value"}) for one in secrets])
    else:
        say_table(
            ("NAME", "DIGEST", "CHANGED"),
            [(one.name, one.digest, one.updated_at or one.created_at) for one in secrets],
        )


@group.command("set")
def set_(
    settings: Annotated[
        list[str],
        typer.Argument(metavar="NAME=VALUE", help="`NAME=-` reads the value from stdin."),
    ],
    app: App = None,
    config: ConfigFile = None,
    stage: Stage = False,
    as_json: Json = False,
) -> None:
    """Set secrets, and restart the app's machines one after another so that they have them.

    A value on a command line is seen by others on the computer, and kept by the shell: `NAME=-`
    reads one from stdin, without the line break at its end, and `import` several.
    """
    values = _given(settings)
    _check_names(values)
    _change(needed_app(app, config), values, stage=stage, as_json=as_json)


@group.command("import")
def import_(
    app: App = None, config: ConfigFile = None, stage: Stage = False, as_json: Json = False
) -> None:
    """Set the secrets that stdin has, `NAME=VALUE` on each line as in a `.env` file.

    `ephemera secrets import < .env`. Quotes around a value are taken away, `export` and comments
    too; within quotes a value may have several lines.
    """
    from ephemera.cli.dotenv import parse

    values = parse(_stdin(), "the standard input")
    if not values:
        raise ConfigError(
            "the standard input has no NAME=VALUE in it", hint="ephemera secrets import < .env"
        )
    _check_names(values)
    _change(needed_app(app, config), values, stage=stage, as_json=as_json)


@group.command()
def unset(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="The secrets' names.")],
    app: App = None,
    config: ConfigFile = None,
    stage: Stage = False,
    as_json: Json = False,
) -> None:
    """Remove secrets, and restart the app's machines one after another without them."""
    _change(needed_app(app, config), dict.fromkeys(names), stage=stage, as_json=as_json)


@group.command()
def deploy(app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Restart the app's machines one after another, so that they have the secrets of now.

    For what was set with `--stage`, and where restarting broke off.
    """
    from ephemera.client import Client

    with Client() as client:
        restarted = _restarted(client, needed_app(app, config), "secrets deployed")
    if as_json:
        say_json({"restarted": restarted})


def _check_names(names: Iterable[str]) -> None:
    """Let names pass that variables can have. Others are refused here, where it is said why.

    Raises:
        ConfigError: with the first one that is none.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            fixed = re.sub(r"\W", "_", name, flags=re.ASCII)
            proposal = f", such as {fixed}" if _NAME.fullmatch(fixed) else ""
            raise ConfigError(
                f"{name[:80]!r} is no name of a secret, and nothing was set",
                hint="secrets are variables: letters, digits and _, and no digit in front"
                + proposal,
            )


def _given(settings: Sequence[str]) -> dict[str, str | None]:
    """Return the secrets that `NAME=VALUE` words set. What a wrong word says is not shown."""
    found: dict[str, str | None] = {}
    for number, word in enumerate(settings, start=1):
        name, is_set, value = word.partition("=")
        if not name or not is_set:
            raise ConfigError(
                f"argument {number} is not NAME=VALUE",
                hint='a value with spaces is in quotes: ephemera secrets set MOTTO="to be or not"',
            )
        found[name] = value
    from_stdin = [name for name, value in found.items() if value == "-"]
    if len(from_stdin) > 1:
        raise ConfigError(
            f"only one value can come from stdin, not {' and '.join(from_stdin)}",
            hint="`ephemera secrets import` reads several, NAME=VALUE on each line",
        )
    for name in from_stdin:
        found[name] = _stdin().removesuffix("\n").removesuffix("\r")
    return found


def _stdin() -> str:
    if sys.stdin.isatty():
        note("reading from stdin; Ctrl-D ends it")
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigError("the standard input is not text", hint="a secret is UTF-8") from error


def _change(app: str, values: Mapping[str, str | None], *, stage: bool, as_json: bool) -> None:
    from ephemera.client import Client

    with Client() as client:
        unset = [name for name, value in values.items() if value is None]
        _check_there(client, app, unset)
        version = client.secrets.update(app, values).version
        done = f"{counted(len(values), 'secret')} {'removed' if unset else 'set'}"
        note(f"{done}: {', '.join(values)}")
        client.secrets.list(app, min_version=version)  # returns when they are known everywhere
        restarted = 0 if stage else _restarted(client, app, done)
        if stage:
            note("no machine was restarted: `ephemera secrets deploy` does that")
    if as_json:
        set_ = [name for name in values if name not in unset]
        said = {"version": version, "set": set_, "unset": unset, "restarted": restarted}
        say_json(said)


def _check_there(client: Client, app: str, names: Sequence[str]) -> None:
    """Let names pass that the app has secrets of: the API forgives others, which hides mistakes."""
    there = {one.name for one in client.secrets.list(app)} if names else set()
    missing = [name for name in names if name not in there]
    if missing:
        raise ConfigError(
            f"app {app} has no secret {' and no secret '.join(missing)}; nothing was removed",
            hint=f"it has {', '.join(sorted(there)) or 'none'}",
        )


def _restarted(client: Client, app: str, why: str) -> int:
    """Restart the app's machines as a release of it, and return how many there are."""
    from ephemera.cli.deploying import tell
    from ephemera.deploy.release.making import Manner
    from ephemera.deploy.release.restarting import restart_all

    try:
        restarted = restart_all(client, app, Manner(tell), why)
    except AppBusy as error:
        error.hint = "the secrets are as you want them: `ephemera secrets deploy` restarts later"
        raise
    if restarted:
        note(f"restarted {counted(restarted, 'machine')}")
    else:
        note("the app has no machines to restart: those to come have them")
    return restarted
