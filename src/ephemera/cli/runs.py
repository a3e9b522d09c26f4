"""`ephemera machine run`: a machine made on the spot, from an image and a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ephemera.cli.choosing import usual_app
from ephemera.cli.options import App, ConfigFile, Json, parsed_duration
from ephemera.cli.screen import note, say, say_json

if TYPE_CHECKING:
    from ephemera.cli.attending import End
    from ephemera.cli.wishes import Wish

#: What `--restart` takes.
_POLICIES = ("no", "always", "on-failure")


def _policy(text: str) -> str:
    if text not in _POLICIES:
        raise typer.BadParameter(f"'{text}' is not one of {', '.join(_POLICIES)}")
    return text


def run(
    image: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE", help="What it runs: an image's reference, or `host`, this computer."
        ),
    ],
    command: Annotated[
        list[str] | None, typer.Argument(help="What to run, in the place of the image's own.")
    ] = None,
    app: App = None,
    config: ConfigFile = None,
    name: Annotated[
        str | None, typer.Option(help="Its name; one is made up where none is given.")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", "-r", metavar="CODE", help="Where it is to run.")
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            "-e",
            metavar="KEY=VALUE",
            help="A variable; KEY alone takes its value from here. Repeat it for more.",
        ),
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Variables, KEY=VALUE on each line.")
    ] = None,
    cpus: Annotated[int | None, typer.Option(min=1, metavar="N", help="Processors.")] = None,
    memory: Annotated[int | None, typer.Option(min=1, metavar="MB", help="Its memory.")] = None,
    volume: Annotated[
        str | None,
        typer.Option(metavar="VOLUME:/PATH", help="A volume, by id or name, and where it is."),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="USER", help="Whom it runs as.")
    ] = None,
    entrypoint: Annotated[
        str | None, typer.Option(metavar="PROGRAM", help="Instead of the image's entrypoint.")
    ] = None,
    restart: Annotated[
        str,
        typer.Option(
            parser=_policy, metavar="POLICY", help="no, always or on-failure: start it again."
        ),
    ] = "no",
    remove: Annotated[
        bool, typer.Option("--rm", help="Destroy it when it has ended, however it ends.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Print its id once it is started, and go.")
    ] = False,
    tty: Annotated[
        bool,
        typer.Option(
            "--tty", "-t", help="With a terminal, at which you sit; it is destroyed afterwards."
        ),
    ] = False,
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="Together with --tty: `-it`.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            parser=parsed_duration,
            metavar="DURATION",
            help="Stop it if it takes longer: `90s`; the exit status is 124.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a command in a new machine: `ephemera machine run --rm alpine uname -a`.

    Its output is ours, what is said about it goes to stderr, and its exit status is ours: 128 + n
    where signal n ended it, 137 where it ran out of memory. Ctrl-C stops it, a second one kills it.
    """
    from ephemera.cli.wishes import Wish, environment

    _check_together(
        tty=tty, interactive=interactive, other=detach or as_json or timeout is not None
    )
    wish = Wish(
        image=image,
        command=_own(command or []),
        entrypoint=entrypoint,
        user=user,
        env=environment(env or (), env_file),
        cpus=cpus,
        memory_mb=memory,
        restart=restart,
        destroyed_at_end=remove,
    )
    app = usual_app(app, config)
    asked = {"name": name, "region": region}
    if tty:
        from ephemera.cli.temporary import sit_in_temporary

        raise typer.Exit(sit_in_temporary(app, wish, volume=volume, **asked))
    if detach:
        import asyncio

        asyncio.run(_detached(app, wish, volume, asked, as_json=as_json))
        return
    end = _attached(app, wish, volume, asked, timeout, as_json=as_json)
    _say_last(end, removed=remove, as_json=as_json)
    raise typer.Exit(end.status)


def _own(command: list[str]) -> list[str]:
    """Return a command without the dashes that some put before it."""
    return command[1:] if command[:1] == ["--"] else command


def _check_together(*, tty: bool, interactive: bool, other: bool) -> None:
    if interactive and not tty:
        raise typer.BadParameter("a machine's program reads no input: use -it for a terminal")
    if tty and other:
        raise typer.BadParameter("--tty does not go with --detach, --json or --timeout")


def _attached(
    app: str,
    wish: Wish,
    volume: str | None,
    asked: dict[str, Any],
    timeout: float | None,
    *,
    as_json: bool,
) -> End:
    import asyncio

    from ephemera.cli.attending import INTERRUPTED, LeftAlone, run_to_end
    from ephemera.cli.following import show_apart, show_aside
    from ephemera.cli.preparing import prepared
    from ephemera.client import AsyncClient

    async def run() -> End:
        async with AsyncClient() as client:
            config = await prepared(client, app, wish, volume)
            return await run_to_end(
                client,
                app,
                {"config": config, **asked},
                show_aside if as_json else show_apart,
                timeout=timeout,
                remove=wish.destroyed_at_end,
            )

    try:
        return asyncio.run(run())
    except LeftAlone:
        note("the machine is left as it is")
        raise typer.Exit(INTERRUPTED) from None


async def _detached(
    app: str, wish: Wish, volume: str | None, asked: dict[str, Any], *, as_json: bool
) -> None:
    from ephemera.cli.attending import boot_failed
    from ephemera.cli.following import BOOTED, follow, show_remarks
    from ephemera.cli.preparing import prepared
    from ephemera.client import AsyncClient

    async with AsyncClient() as client:
        config = await prepared(client, app, wish, volume)
        machine = await client.machines.create(app, config=config, **asked)
        await follow(client, app, machine.id, BOOTED, show_remarks)
        found = await client.machines.get(app, machine.id)
        if found.state == "failed":
            raise boot_failed(found)
    if as_json:
        say_json(found.model_dump(mode="json", exclude_none=True))
    else:
        say(machine.id)


def _say_last(end: End, *, removed: bool, as_json: bool) -> None:
    machine, ended = end.machine, end.exit
    if ended.oom_killed:
        guest = machine.config.guest if machine.config else None
        had = f" of {guest.memory_mb} MB" if guest and guest.memory_mb else ""
        note(f"machine {machine.id} ran out of memory{had}: give it more with --memory")
    if as_json:
        say_json(
            {
                "id": machine.id,
                "name": machine.name,
                "state": "destroyed" if removed else machine.state,
                "status": end.status,
                "exit_code": ended.exit_code,
                "signal": ended.signal,
                "oom_killed": ended.oom_killed,
                "requested_stop": ended.requested_stop,
                "timed_out": end.is_over_time,
                "error": ended.error,
            }
        )
    elif end.status and not removed:
        note(f"hint: `ephemera machine inspect {machine.id}` says more, `destroy` removes it")
