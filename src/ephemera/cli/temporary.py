"""A machine that is there for a terminal in it, and for nothing else."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ephemera.cli.interrupts import uninterrupted
from ephemera.cli.seat import check_taken
from ephemera.cli.sitting import check_terminals, sit_in

if TYPE_CHECKING:
    from ephemera.cli.wishes import Wish

#: What a machine does that is there for its terminal only: nothing, and if everybody has forgotten
#: it for a day it goes by itself.
_IDLE = ("sleep", "86400")


def sit_in_temporary(
    app: str,
    wish: Wish,
    command: Sequence[str] | None = None,
    *,
    volume: str | None = None,
    name: str | None = None,
    region: str | None = None,
) -> int:
    """Open a terminal in a machine that is there for nothing else; return its exit code.

    Args:
        wish: What the machine is like; what it is to run, runs in the terminal.
        command: What runs in the terminal where the wish does not say; else a shell.
    """
    if not (command or wish.command):
        check_taken("name a command that needs no terminal")
    check_terminals()
    with _leaving_on_hang_up():
        machine = asyncio.run(_made(app, wish, volume, {"name": name, "region": region}))
        try:
            return sit_in(app, machine, wish.command or command)
        finally:
            with uninterrupted():
                asyncio.run(_removed(app, machine))


async def _made(app: str, wish: Wish, volume: str | None, asked: dict[str, Any]) -> str:
    """Return a machine that has been started and does nothing."""
    from ephemera.cli.attending import boot_failed, removed
    from ephemera.cli.following import BOOTED, follow, show_remarks
    from ephemera.cli.preparing import prepared
    from ephemera.client import AsyncClient

    async with AsyncClient() as client:
        config = await prepared(client, app, wish, volume)
        machine = await client.machines.create(app, config=_idle(config), **asked)
        try:
            state = await follow(client, app, machine.id, BOOTED, show_remarks)
            if state != "started":
                raise boot_failed(await client.machines.get(app, machine.id))
        except BaseException:
            await removed(client, app, machine.id)
            raise
    return machine.id


def _idle(config: dict[str, Any]) -> dict[str, Any]:
    program = {"exec": list(_IDLE)}
    idle = {name: value for name, value in config.items() if name not in ("init", "processes")}
    if "processes" in config:
        idle["processes"] = [{**program, "user": config["processes"][0]["user"]}]
    else:
        idle["init"] = program
    return {**idle, "restart": {"policy": "no"}, "auto_destroy": True}


async def _removed(app: str, machine: str) -> None:
    from ephemera.cli.attending import removed
    from ephemera.client import AsyncClient

    async with AsyncClient() as client:
        await removed(client, app, machine)


@contextmanager
def _leaving_on_hang_up() -> Iterator[None]:
    """Have a closed terminal end us as SIGTERM does, so that what was begun is taken back."""
    before = signal.getsignal(signal.SIGHUP)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda signum, _: sys.exit(128 + signum))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
