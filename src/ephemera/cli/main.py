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
from ephemera.cli import (
    apps,
    certs,
    checks,
    consoles,
    creating,
    demo,
    deploying,
    doctor,
    images,
    ips,
    jobs,
    launching,
    logs,
    machines,
    opening,
    platform,
    regions,
    releases,
    scaling,
    secrets,
    ssh,
    status,
    tokens,
    volumes,
)
from ephemera.cli.panels import APP, JOBS, MACHINES, PLATFORM, START
from ephemera.cli.screen import complain, say
from ephemera.errors import EphemeraError

app = typer.Typer(
    name="ephemera",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Gives every background job of a Python web application its own machine.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
# In the order in which `--help` shows them, under their headings.
app.command(rich_help_panel=START)(creating.new)
app.command(rich_help_panel=START)(launching.launch)
app.command(rich_help_panel=START)(deploying.deploy)
app.command("open", rich_help_panel=START)(opening.open_)
app.command(rich_help_panel=START)(demo.demo)
app.command(rich_help_panel=APP)(status.status)
app.command(rich_help_panel=APP)(logs.logs)
app.command(rich_help_panel=APP)(releases.releases)
app.command(rich_help_panel=APP)(deploying.rollback)
app.add_typer(scaling.group, name="scale", rich_help_panel=APP)
app.command(rich_help_panel=MACHINES)(consoles.console)
app.add_typer(secrets.group, name="secrets", rich_help_panel=APP)
app.add_typer(volumes.group, name="volumes", rich_help_panel=APP)
app.add_typer(checks.group, name="checks", rich_help_panel=APP)
app.add_typer(certs.group, name="certs", rich_help_panel=APP)
app.add_typer(ips.group, name="ips", rich_help_panel=APP)
app.add_typer(tokens.group, name="tokens", rich_help_panel=APP)
app.add_typer(apps.group, name="apps", rich_help_panel=APP)
app.add_typer(machines.group, name="machine", rich_help_panel=MACHINES)
app.add_typer(ssh.group, name="ssh", rich_help_panel=MACHINES)
app.add_typer(images.group, name="images", rich_help_panel=MACHINES)
app.add_typer(jobs.group, name="jobs", rich_help_panel=JOBS)
app.command(rich_help_panel=JOBS)(jobs.supervise)
app.command(rich_help_panel=PLATFORM)(platform.up)
app.command(rich_help_panel=PLATFORM)(platform.down)
app.command(rich_help_panel=PLATFORM)(regions.regions)
app.command(rich_help_panel=PLATFORM)(doctor.doctor)
app.add_typer(platform.auth, name="auth", rich_help_panel=PLATFORM)


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
    try:
        app(prog_name="ephemera")
    except EphemeraError as error:
        complain(error)
        sys.exit(1)


def _leave(signum: int, _: FrameType | None) -> NoReturn:
    """End as on Ctrl-C, so that what a command has begun is taken back."""
    sys.exit(128 + signum)
