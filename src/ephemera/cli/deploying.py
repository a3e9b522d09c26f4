"""`ephemera deploy` and `rollback`: from a folder of source to machines that run it, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ephemera.cli.options import App, ConfigFile, Json
from ephemera.cli.resolving import note_how_to_reach
from ephemera.cli.screen import colours, note, say, say_json

if TYPE_CHECKING:
    from ephemera.client import Client
    from ephemera.deploy.flytoml import FlyToml
    from ephemera.deploy.release.deploying import Deployed
    from ephemera.deploy.release.making import Manner

#: The strategies, for typer, which reads annotations when the program runs.
Strategies = Literal["rolling", "bluegreen", "canary", "immediate"]

StrategyOption = Annotated[
    Strategies | None,
    typer.Option(
        help="How machines are replaced. Default: that of the fly.toml, else rolling.",
        show_default=False,
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for a deploy that is under way.")]
WaitTimeout = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="How long a machine has to become well, such as `90s`. Default: 5m to be started,"
        " then a minute and their `grace_period` for its checks.",
        show_default=False,
    ),
]


def _version(text: str) -> int:
    """Return the number of a release, which lists show as `v3`."""
    number = text.removeprefix("v")
    if not (number.isascii() and number.isdigit() and int(number)):
        raise typer.BadParameter(f"{text!r} is no version such as v3; `ephemera releases` has them")
    return int(number)


def deploy(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="The project's folder.")
    ] = Path(),
    app: App = None,
    config: ConfigFile = None,
    image: Annotated[
        str | None,
        typer.Option(metavar="REFERENCE", help="An image that is there; nothing is built."),
    ] = None,
    builder: Annotated[
        str | None,
        typer.Option(
            help="What builds the image: python, buildah, docker or host. Default: what fits.",
            show_default=False,
        ),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Build it without what was kept of earlier builds.")
    ] = False,
    strategy: StrategyOption = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            "-r",
            metavar="CODE",
            help="Where new machines are made; may be repeated.",
            show_default=False,
        ),
    ] = None,
    org: Annotated[str, typer.Option(help="The organisation of a new app.")] = "personal",
    ha: Annotated[
        bool | None,
        typer.Option(
            "--ha/--no-ha",
            help="Begin with two machines of each group with services. Default: on Fly.io.",
            show_default=False,
        ),
    ] = None,
    skip_release_command: Annotated[
        bool, typer.Option("--skip-release-command", help="Do not run the release command.")
    ] = False,
    release_command_timeout: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="How long the release command may take. Default: 5m.",
            show_default=False,
        ),
    ] = None,
    wait_timeout: WaitTimeout = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Build an app, and have its machines run it.

    Makes the app and its files where there is no fly.toml. Builds an image, runs the release
    command on a machine of its own, and replaces the machines of each process group. They serve
    all the while; if a new one does not become well, all are as before, and the exit status is 1.
    Ctrl-C goes back, too. The machines of jobs are left alone.

    Prints the URL of the app. What is said of the deploy goes to stderr.
    """
    from ephemera.client import Client
    from ephemera.deploy.release import building
    from ephemera.deploy.release.deploying import Order
    from ephemera.deploy.release.deploying import deploy as make

    with Client() as client:
        toml = _toml(client, folder, config, app, org)
        named = _app(app, toml)
        manner = _manner(toml, wait_timeout, waits=wait)
        order = Order(
            app=named,
            toml=toml,
            manner=manner,
            org=org,
            strategy=strategy,
            regions=region or (),
            high_availability=ha,
            runs_command=not skip_release_command,
            command_timeout_s=_seconds("--release-command-timeout", release_command_timeout),
        )
        wish = building.Wish(image, builder, no_cache)
        done = make(client, order, building.builder_of(client, named, toml, wish, manner.tell))
        _say_deployed(client, named, done, as_json=as_json)


def rollback(
    version: Annotated[
        int | None,
        typer.Argument(
            parser=_version,
            metavar="VERSION",
            help="The release to go back to: v3. Default: the last before this that succeeded.",
            show_default=False,
        ),
    ] = None,
    app: App = None,
    config: ConfigFile = None,
    strategy: StrategyOption = None,
    wait_timeout: WaitTimeout = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Deploy the image of an earlier release again, with the fly.toml of today.

    It is a new release. Its release command is not run: what that one has changed, another would
    have to change back.
    """
    from ephemera.client import Client
    from ephemera.deploy.release.deploying import Order
    from ephemera.deploy.release.deploying import deploy as make
    from ephemera.deploy.release.rollback import earlier

    with Client() as client:
        toml = _existing(config)
        named = _app(app, toml)
        release = earlier(client, named, version)
        manner = _manner(toml, wait_timeout, waits=wait)
        order = Order(
            app=named,
            toml=toml,
            manner=manner,
            strategy=strategy,
            runs_command=False,
            description=f"rollback to v{release.version}",
        )
        done = make(client, order, release.image_of)
        _say_deployed(client, named, done, as_json=as_json)


def _toml(client: Client, folder: Path, config: Path | None, app: str | None, org: str) -> FlyToml:
    """Return the `fly.toml` that is named, or that of the folder; one is made if there is none."""
    from ephemera.deploy import flytoml, launch

    found = config or flytoml.find(folder)
    if found is None:
        found = launch.launch_with_defaults(folder, client, tell, name=app, org=org)
    return flytoml.load(found, warn=_warn)


def _warn(line: str) -> None:
    note(f"warning: {line}")


def _existing(config: Path | None) -> FlyToml:
    """Return the `fly.toml` that is named, or that of this folder.

    Raises:
        ConfigError: there is none.
    """
    from ephemera.deploy import flytoml
    from ephemera.errors import ConfigError

    found = config or flytoml.find(Path())
    if found is None:
        raise ConfigError(
            "there is no fly.toml here, which says what the machines are like",
            hint="go to the folder of the app, or name its file with -c FILE",
        )
    return flytoml.load(found)


def _app(app: str | None, toml: FlyToml) -> str:
    """Return the app to deploy to.

    Raises:
        ConfigError: nobody names one.
    """
    from ephemera.cli.choosing import named_app
    from ephemera.errors import ConfigError

    found = app or toml.app or named_app(None, None)
    if found is None:
        raise ConfigError(f"{toml.path} names no app", hint="name it with -a APP")
    return found


def _manner(toml: FlyToml, wait_timeout: str | None, *, waits: bool) -> Manner:
    from ephemera.deploy.release.making import Manner

    patience_s = _seconds("--wait-timeout", wait_timeout) or toml.deploy.wait_timeout
    return Manner(tell, patience_s, waits)


def _seconds(option: str, text: str | None) -> float | None:
    from ephemera.wire.durations import parse_duration

    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def tell(line: str) -> None:
    """Say what is done, so that it is told from what programs print."""
    if line.startswith(" ") or not colours(sys.stderr):
        note(line if line.startswith(" ") else f"==> {line}")
    else:
        note(typer.style(f"==> {line}", bold=True))


def _say_deployed(client: Client, app: str, done: Deployed, *, as_json: bool) -> None:
    from ephemera.cli.urls import urls

    found = urls(client, app, client.machines.list(app))
    release = done.release
    tell(f"release v{release.version} of {app} runs, after {done.seconds:.1f} s")
    if as_json:
        say_json(
            {
                "app": app,
                "version": release.version,
                "image": release.image,
                "strategy": done.strategy,
                "machines": list(done.machines),
                "url": found[0] if found else None,
                "seconds": round(done.seconds, 3),
            }
        )
    elif found:
        say(found[0])
        note_how_to_reach(found[0])
