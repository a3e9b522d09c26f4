"""`ephemera machine`: single machines."""

from __future__ import annotations

from typing import Annotated

import typer

from ephemera.cli import consoles, inspecting, runs
from ephemera.cli.choosing import usual_app_there
from ephemera.cli.locating import app_of
from ephemera.cli.options import App, AppOfMachine, ConfigFile, Json, MachineId, parsed_duration
from ephemera.cli.screen import duration, say, say_json, say_record, say_table
from ephemera.errors import EphemeraError

group = typer.Typer(no_args_is_help=True, help="Machines: run them, look at them, end them.")

# What follows the image is the command's own, also where it looks like an option of ours.
group.command(context_settings={"allow_interspersed_args": False})(runs.run)
group.command()(consoles.exec)
group.command()(consoles.shell)
group.command()(inspecting.inspect)
group.command()(inspecting.export)

#: Of those that can be sent, by their numbers in machines: another system has other numbers.
_SIGNALS = {
    "1": "SIGHUP", "2": "SIGINT", "3": "SIGQUIT", "4": "SIGILL", "5": "SIGTRAP", "6": "SIGABRT",
    "8": "SIGFPE", "9": "SIGKILL", "10": "SIGUSR1", "11": "SIGSEGV", "12": "SIGUSR2",
    "13": "SIGPIPE", "14": "SIGALRM", "15": "SIGTERM",
}  # fmt: skip

Timeout = Annotated[
    float | None,
    typer.Option(
        parser=parsed_duration,
        metavar="DURATION",
        help="Kill it if it takes longer: `30s`; 5 minutes at most.",
    ),
]


@group.command("list")
def list_(
    app: App = None,
    config: ConfigFile = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are destroyed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the machines of an app."""
    from ephemera.client import Client

    with usual_app_there(app, config) as named, Client() as client:
        machines = client.machines.list(named, include_deleted=everything)
    if as_json:
        say_json([machine.model_dump(mode="json", exclude_none=True) for machine in machines])
    else:
        say_table(
            ("ID", "STATE", "NAME", "REGION", "CREATED"),
            [
                (one.id, one.state_for_people, one.name, one.region, one.created_at)
                for one in machines
            ],
        )


@group.command()
def show(
    machine: MachineId, app: AppOfMachine = None, config: ConfigFile = None, as_json: Json = False
) -> None:
    """Show a machine, and what happened to it."""
    from ephemera.client import Client

    app = app_of(machine, app, config)
    with Client() as client:
        found = client.machines.get(app, machine)
    if as_json:
        say_json(found.model_dump(mode="json", exclude_none=True))
        return
    ended = found.last_exit()
    known = found.config or found.incomplete_config
    say_record(
        {
            "id": found.id,
            "name": found.name,
            "state": found.state_for_people,
            "region": found.region,
            "image": (known and known.image) or "",
            "created": found.created_at,
            "exit code": str(ended.exit_code) if ended else "",
            "events": ", ".join(event.type for event in found.events or ()),
        }
    )


@group.command()
def start(machine: MachineId, app: AppOfMachine = None, config: ConfigFile = None) -> None:
    """Start a stopped machine."""
    from ephemera.client import Client

    app = app_of(machine, app, config)
    with Client() as client:
        client.machines.start(app, machine)
        client.machines.wait(app, machine, ("started", "stopped", "failed"))
        say(f"{machine} is {client.machines.get(app, machine).state}")


@group.command()
def stop(
    machine: MachineId,
    app: AppOfMachine = None,
    config: ConfigFile = None,
    timeout: Timeout = None,
) -> None:
    """Stop a machine; returns when it has stopped."""
    from ephemera.client import Client

    app = app_of(machine, app, config)
    with Client() as client:
        client.machines.stop(app, machine, timeout=timeout)
        client.machines.wait(app, machine, ("stopped", "destroyed"), timeout=330)
    say(f"{machine} is stopped")


@group.command()
def suspend(machine: MachineId, app: AppOfMachine = None, config: ConfigFile = None) -> None:
    """Freeze a machine where it is; `start` has it go on. Returns when it is suspended."""
    from ephemera.client import Client

    app = app_of(machine, app, config)
    with Client() as client:
        client.machines.suspend(app, machine)
        client.machines.wait(app, machine, ("suspended", "stopped", "destroyed"))
        state = client.machines.get(app, machine).state
    if state != "suspended":
        raise EphemeraError(
            f"machine {machine} could not be suspended, and is {state}",
            hint=f"`ephemera machine inspect {machine}` says why",
        )
    say(f"{machine} is suspended")


@group.command()
def restart(
    machine: MachineId, app: AppOfMachine = None, config: ConfigFile = None, timeout: Timeout = None
) -> None:
    """End a machine's program and start it again; returns when it runs."""
    from ephemera.client import Client

    app = app_of(machine, app, config)
    with Client() as client:
        client.machines.restart(app, machine, timeout=timeout)
        client.machines.wait(app, machine, ("started", "stopped", "failed"))
        say(f"{machine} is {client.machines.get(app, machine).state}")


@group.command()
def signal(
    machine: MachineId,
    name: Annotated[str, typer.Argument(metavar="SIGNAL", help="Such as `SIGUSR1`, `HUP` or 15.")],
    app: AppOfMachine = None,
    config: ConfigFile = None,
) -> None:
    """Send a signal to a machine's program."""
    from ephemera.client import Client

    chosen = _SIGNALS.get(name) or "SIG" + name.upper().removeprefix("SIG")
    app = app_of(machine, app, config)
    with Client() as client:
        client.machines.signal(app, machine, chosen)
    say(f"sent {chosen} to {machine}")


@group.command()
def ps(
    machine: MachineId, app: AppOfMachine = None, config: ConfigFile = None, as_json: Json = False
) -> None:
    """List the processes of a running machine."""
    from ephemera.client import Client

    app = app_of(machine, app, config)
    with Client() as client:
        processes = client.machines.ps(app, machine)
    if as_json:
        say_json([one.model_dump(mode="json") for one in processes])
        return
    say_table(
        ("PID", "CPU", "MEMORY", "RUNNING", "COMMAND"),
        [
            (
                str(one.pid),
                f"{one.cpu}%",
                f"{one.rss / 1024**2:.1f} MB",
                duration(one.rtime),
                one.command,
            )
            for one in processes
        ],
    )


@group.command()
def destroy(
    machine: MachineId,
    app: AppOfMachine = None,
    config: ConfigFile = None,
    force: Annotated[bool, typer.Option("--force", help="Also if it is running.")] = False,
) -> None:
    """Destroy a machine. Its log is kept."""
    from ephemera.client import Client

    app = app_of(machine, app, config)
    with Client() as client:
        client.machines.destroy(app, machine, force=force)
    say(f"destroyed {machine}")
