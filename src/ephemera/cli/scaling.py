"""`ephemera scale`: how many machines an app has, and how large they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ephemera.cli.choosing import needed_app
from ephemera.cli.deploying import Wait, tell
from ephemera.cli.options import App, ConfigFile, Json
from ephemera.cli.screen import say_json, say_table

if TYPE_CHECKING:
    from ephemera.client import Client
    from ephemera.deploy.release.making import Manner

T = TypeVar("T")

group = typer.Typer(
    no_args_is_help=True, help="How many machines an app has, and how large they are."
)

Group = Annotated[
    str | None,
    typer.Option(
        "--group", "-g", metavar="GROUP", help="Only of this process group.", show_default=False
    ),
]


@group.command()
def show(app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Show how many machines each process group has, and how large they are."""
    from ephemera.client import Client
    from ephemera.deploy.release.scaling import scales

    with Client() as client:
        found = scales(client, needed_app(app, config))
    if as_json:
        say_json([asdict(one) for one in found])
        return
    say_table(
        ("GROUP", "COUNT", "KIND", "CPUS", "MEMORY", "REGIONS"),
        [
            (
                one.group,
                str(one.count),
                one.cpu_kind,
                str(one.cpus),
                f"{one.memory_mb} MB",
                ", ".join(f"{region} ({count})" for region, count in one.regions.items()),
            )
            for one in found
        ],
    )


@group.command()
def count(
    counts: Annotated[list[str], typer.Argument(metavar="[GROUP=]N...", help="How many machines.")],
    app: App = None,
    config: ConfigFile = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Have as many machines: `scale count 3`, or `scale count web=2 worker=1`.

    New ones are like those that are there, with volumes of their own. With 0 the app is gone but
    for its name, secrets and volumes, and the history of its releases: `rollback` brings one back.
    """
    from ephemera.client import Client
    from ephemera.deploy.release.scaling import scale_count

    wanted = dict(map(_count, counts))
    with Client() as client:
        named = needed_app(app, config)
        scale_count(client, named, wanted, _manner(waits=wait))
    show(named, as_json=as_json)


@group.command()
def memory(
    megabytes: Annotated[int, typer.Argument(min=1, metavar="MB", help="The memory of each.")],
    only: Group = None,
    app: App = None,
    config: ConfigFile = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Give machines another amount of memory; they are started again with it, in turn.

    A later deploy leaves it so, unless the fly.toml has a `[[vm]]`.
    """
    from ephemera.deploy.release.scaling import scale_memory

    _resize(scale_memory, megabytes, only, needed_app(app, config), wait=wait, as_json=as_json)


@group.command()
def vm(
    size: Annotated[str, typer.Argument(metavar="SIZE", help="Such as `shared-cpu-2x`.")],
    only: Group = None,
    app: App = None,
    config: ConfigFile = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Give machines another size; they are started again with it, in turn.

    A later deploy leaves it so, unless the fly.toml has a `[[vm]]`.
    """
    from ephemera.deploy.release.scaling import scale_vm

    _resize(scale_vm, size, only, needed_app(app, config), wait=wait, as_json=as_json)


def _resize(
    scale: Callable[[Client, str, T, str | None, Manner], None],
    wanted: T,
    only: str | None,
    app: str,
    *,
    wait: bool,
    as_json: bool,
) -> None:
    from ephemera.client import Client

    with Client() as client:
        scale(client, app, wanted, only, _manner(waits=wait))
    show(app, as_json=as_json)


def _manner(*, waits: bool) -> Manner:
    from ephemera.deploy.release.making import Manner

    return Manner(tell, waits=waits)


def _count(word: str) -> tuple[str, int]:
    """Return what `GROUP=N` or `N` says; no name is that of the only group."""
    name, is_named, number = word.rpartition("=")
    if not number.isascii() or not number.isdigit() or (is_named and not name):
        raise typer.BadParameter(f"'{word}' is not a number, nor GROUP=NUMBER")
    return name, int(number)
