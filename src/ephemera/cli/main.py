"""All commands put together, and what every command has in common at its end.

```
0    done                      1    error: ... and hint: ... on stderr
2    called the wrong way      3    `status`: nothing runs
130  Ctrl-C                    143  SIGTERM
```
"""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from ephemera import __version__
from ephemera.cli.loading import Place, commands
from ephemera.cli.panels import APP, JOBS, MACHINES, PLATFORM, START
from ephemera.cli.screen import complain, say
from ephemera.errors import EphemeraError

#: In the order in which `--help` shows them, under their headings.
COMMANDS = {
    "new": Place("creating", "new", START),
    "launch": Place("launching", "launch", START),
    "deploy": Place("deploying", "deploy", START),
    "open": Place("opening", "open_", START),
    "demo": Place("demo", "demo", START),
    "status": Place("status", "status", APP),
    "logs": Place("logs", "logs", APP),
    "releases": Place("releases", "releases", APP),
    "rollback": Place("deploying", "rollback", APP),
    "scale": Place("scaling", "group", APP),
    "console": Place("consoles", "console", MACHINES),
    "secrets": Place("secrets", "group", APP),
    "volumes": Place("volumes", "group", APP),
    "checks": Place("checks", "group", APP),
    "certs": Place("certs", "group", APP),
    "ips": Place("ips", "group", APP),
    "tokens": Place("tokens", "group", APP),
    "apps": Place("apps", "group", APP),
    "machine": Place("machines", "group", MACHINES),
    "ssh": Place("ssh", "group", MACHINES),
    "images": Place("images", "group", MACHINES),
    "jobs": Place("jobs", "group", JOBS),
    "supervise": Place("jobs", "supervise", JOBS),
    "up": Place("platform", "up", PLATFORM),
    "down": Place("platform", "down", PLATFORM),
    "regions": Place("regions", "regions", PLATFORM),
    "doctor": Place("doctor", "doctor", PLATFORM),
    "auth": Place("platform", "auth", PLATFORM),
}

app = typer.Typer(
    name="ephemera",
    cls=commands(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Gives every background job of a Python web application its own machine.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        say(f"ephemera {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Have the options that come before any command."""


def main() -> None:
    """Run the command that the process was started with, and exit."""
    signal.signal(signal.SIGTERM, _leave)
    # who started us may have it ignored, and then no process of ours ends as far as we can tell;
    # or blocked, as any other, which all that we start would inherit
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        app(prog_name="ephemera")
    except EphemeraError as error:
        complain(error)
        sys.exit(1)


def _leave(signum: int, _: FrameType | None) -> NoReturn:
    """End as on Ctrl-C, so that what a command has begun is taken back."""
    sys.exit(128 + signum)
