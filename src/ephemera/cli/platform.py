"""`ephemera up`, `down` and `auth token`: the embedded platform as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ephemera.cli.options import Json
from ephemera.cli.screen import (
    counted,
    log_to_stderr,
    note,
    say,
    say_json,
)
from ephemera.errors import ConfigError
from ephemera.home import (
    DEFAULT_LISTEN,
    DEFAULT_PROXY,
    DEFAULT_PROXY_TLS,
    IDLE_TIMEOUT_S,
    home,
    read_token,
)
from ephemera.platform.drivers import NAMES

if TYPE_CHECKING:
    from ephemera.home import Endpoint
    from ephemera.platform.settings import Settings

auth = typer.Typer(no_args_is_help=True, help="Who may use the platform.")


def up(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to serve; port 0 takes any free one.")
    ] = DEFAULT_LISTEN,
    driver: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            envvar="EPHEMERA_DRIVER",
            help=f"How machines are run: {', '.join(NAMES)}.",
        ),
    ] = "process",
    region: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="A region it is to have; repeat it for more."),
    ] = None,
    proxy: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help=f"Where apps are served; {DEFAULT_PROXY}, or any free port, if it is left out.",
        ),
    ] = "",
    proxy_tls: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help=f"The same with TLS; {DEFAULT_PROXY_TLS}."),
    ] = "",
    idle_timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0,
            envvar="EPHEMERA_IDLE_TIMEOUT",
            help="How long a machine has no request before it is stopped, if its service says so.",
        ),
    ] = IDLE_TIMEOUT_S,
    fly_limits: Annotated[
        bool, typer.Option("--fly-limits", help="Limit the rate of requests as Fly.io does.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it serves, and leave it running.")
    ] = False,
) -> None:
    """Serve the embedded platform, and print its base URL.

    Its state is in the folder EPHEMERA_HOME. Its machines live on when it stops, and are found
    again when it is back.
    """
    from ephemera.platform.settings import DEFAULT_REGION, Settings

    regions = tuple(region or [DEFAULT_REGION])
    settings = Settings(
        regions, fly_limits, idle_timeout_s=idle_timeout, proxy=proxy, proxy_tls=proxy_tls
    )
    if detach:
        _serve_detached(home(), listen, driver, settings)
    else:
        _serve_here(home(), listen, driver, settings)


def _serve_here(folder: Path, listen: str, driver: str, settings: Settings) -> None:
    from ephemera.cli.takedown import live_at_rest
    from ephemera.platform.locking import FolderInUse
    from ephemera.platform.server import serve

    log_to_stderr()
    serve(folder, listen, driver, say, settings)
    try:
        living = live_at_rest(folder)
    except FolderInUse:
        return  # somebody has started another one meanwhile, which has the machines now
    if living:
        live = "lives" if len(living) == 1 else "live"
        note(f"{counted(len(living), 'machine')} {live} on; `ephemera down` stops what is left")


def _serve_detached(folder: Path, listen: str, driver: str, settings: Settings) -> None:
    from ephemera.cli.running import find_running
    from ephemera.client.local import ensure_platform

    running = find_running(folder)
    if running is None:
        endpoint = ensure_platform(folder, listen=listen, driver=driver, options=settings.options())
        if driver == "container":
            _note_of_logout(endpoint.pid)
    else:
        endpoint = running.endpoint
        _check_same(folder, endpoint, listen, driver, settings)
        note(f"it runs already, as process {endpoint.pid}")
    say(endpoint.url)


def _note_of_logout(pid: int) -> None:
    """Say it where systemd is going to end a platform together with its user's last session."""
    from ephemera.platform.drivers.container import groups, rootless_groups

    user = rootless_groups.ends_with(groups.of(pid))
    if user:
        keep = f"`loginctl enable-linger {user}` keeps them"
        note(f"the platform and its machines end when {user} logs out; {keep}")


def _check_same(
    folder: Path, endpoint: Endpoint, listen: str, driver: str, settings: Settings
) -> None:
    """Refuse to pass a platform for one that was asked to be another."""
    elsewhere = listen != DEFAULT_LISTEN and not endpoint.url.endswith(f"//{listen}")
    others = settings.options() not in ((), tuple(endpoint.options))
    if elsewhere or others or driver != endpoint.driver:
        raise ConfigError(
            f"a platform already runs on {folder} at {endpoint.url},"
            f" with the {' '.join((endpoint.driver, 'driver', *endpoint.options))}",
            hint="`ephemera down` stops it; EPHEMERA_HOME names another folder",
        )


def down(
    keep_machines: Annotated[
        bool, typer.Option("--keep-machines", help="Stop the server only.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=300,
            metavar="SECONDS",
            help="Kill machines that take longer to stop; else what their config says.",
        ),
    ] = None,
) -> None:
    """Stop every machine, then the platform. Nothing is deleted."""
    from ephemera.cli.takedown import take_down

    if not take_down(home(), keep_machines=keep_machines, grace=timeout, tell=say):
        say(f"nothing runs in {home()}")


@auth.command()
def token(as_json: Json = False) -> None:
    """Print the token that the platform asks for."""
    found = read_token(home())
    if found is None:
        raise ConfigError(
            f"there is no token in {home()} yet",
            hint="`ephemera up` makes one when it starts for the first time",
        )
    if as_json:
        say_json({"token": found})
    else:
        say(found)


@auth.callback()
def _group() -> None:
    """Keep `token` a command of its own although it is the only one of its group."""
