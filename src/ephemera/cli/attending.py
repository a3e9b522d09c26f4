"""Being there while a machine runs: its lines are shown, and Ctrl-C ends it.

```
 Ctrl-C, SIGTERM, SIGHUP: once ──► the machine is told to stop, as its config says
                          twice ─► it is killed
                          again ─► it is left as it is
```
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ephemera.cli.following import BOOTED, OVER, Show, follow
from ephemera.cli.screen import complain, note
from ephemera.client import AsyncClient
from ephemera.errors import BootFailed, EphemeraError, NotFound, WaitTimeout, WrongState
from ephemera.wire.models import ExitEvent, Machine

#: The exit status where the time that was given is over, as that of `timeout`.
TIMED_OUT = 124
#: The exit status where there is no other, as after any Ctrl-C.
INTERRUPTED = 130
#: Destroying kills, which takes a moment; what is not gone after that does not depend on us.
_GONE_MAX_S = 30.0

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class End:
    """How it ended."""

    machine: Machine
    is_over_time: bool

    @property
    def exit(self) -> ExitEvent:
        """What is known of the program's end; exit code -1 where nothing is."""
        return self.machine.last_exit() or ExitEvent(exit_code=-1)

    @property
    def status(self) -> int:
        """The exit status that says so to a shell."""
        if self.is_over_time:
            return TIMED_OUT
        if self.exit.signal > 0:
            return 128 + self.exit.signal
        return self.exit.exit_code if self.exit.exit_code >= 0 else 1


class LeftAlone(Exception):
    """Somebody had no patience: the machine is as it was."""


class _Told:
    """How often somebody has said that it is to end."""

    def __init__(self) -> None:
        self.times = 0
        self.is_over_time = False
        self._again = asyncio.Event()

    def tell(self) -> None:
        """Say it."""
        self.times += 1
        self._again.set()

    def tell_the_time(self) -> None:
        """Say it because it took too long."""
        self.is_over_time = self.times == 0
        self.tell()

    async def more_than(self, times: int) -> None:
        """Return once it was said more often than that."""
        while self.times <= times:
            self._again.clear()
            await self._again.wait()


async def run_to_end(
    client: AsyncClient,
    app: str,
    machine: Mapping[str, Any],
    show: Show,
    *,
    timeout: float | None = None,
    remove: bool = False,
) -> End:
    """Create a machine, and return when its program has ended.

    Args:
        machine: The arguments of `client.machines.create`.
        timeout: Seconds after which it is stopped.
        remove: Destroy it, however it ends.

    Raises:
        BootFailed: its program could not be started.
        LeftAlone: somebody did not want to wait for its end.
        ApiError, NoAnswer: the API said no, or is gone.
    """
    with _heard() as told:
        created = await client.machines.create(app, **machine)
        if timeout is not None:
            asyncio.get_running_loop().call_later(timeout, told.tell_the_time)
        try:
            await _attended(client, app, created.id, show, told)
            found = await client.machines.get(app, created.id)
            if not found.last_exit() and not told.times:
                raise boot_failed(found)
            return End(found, told.is_over_time)
        finally:
            if remove:
                await removed(client, app, created.id)


@contextlib.contextmanager
def _heard() -> Iterator[_Told]:
    """Hear signals instead of ending by them. What was ignored before stays ignored."""
    told, loop = _Told(), asyncio.get_running_loop()
    before = {one: signal.getsignal(one) for one in _SIGNALS}
    heard = [one for one, handler in before.items() if handler is not signal.SIG_IGN]
    for one in heard:
        loop.add_signal_handler(one, told.tell)
    try:
        yield told
    finally:
        for one in heard:
            loop.remove_signal_handler(one)
            signal.signal(one, before[one])


async def _attended(client: AsyncClient, app: str, machine: str, show: Show, told: _Told) -> None:
    """Show the machine's lines until it is over, and end it when told to."""
    following = asyncio.ensure_future(follow(client, app, machine, OVER, show))
    ending = asyncio.ensure_future(_end_when_told(client, app, machine, told))
    try:
        await asyncio.wait([following, ending], return_when=asyncio.FIRST_COMPLETED)
        await (following if following.done() else ending)
    finally:
        following.cancel()
        ending.cancel()
        await asyncio.wait([following, ending])


async def _end_when_told(client: AsyncClient, app: str, machine: str, told: _Told) -> None:
    await told.more_than(0)
    why = "it took too long" if told.is_over_time else "Ctrl-C again kills it"
    note(f"stopping machine {machine}: {why}")
    await _stop(client, app, machine)
    await told.more_than(1)
    note(f"killing machine {machine}")
    await _stop(client, app, machine, signal="SIGKILL", timeout=0)
    await told.more_than(2)
    raise LeftAlone


async def _stop(client: AsyncClient, app: str, machine: str, **how: Any) -> None:
    """Have a machine stopped. One that has ended by then is fine: whoever follows it is told."""
    with contextlib.suppress(NotFound):
        try:
            await client.machines.stop(app, machine, **how)
        except WrongState:  # it does not run yet, or is being destroyed
            if await _booted(client, app, machine) == "started":
                await client.machines.stop(app, machine, **how)


async def _booted(client: AsyncClient, app: str, machine: str) -> str:
    """Return the state of a machine once it is known whether it could be started."""
    try:
        reached = await client.machines.wait(app, machine, BOOTED)
        return reached.state or (await client.machines.get(app, machine)).state
    except WaitTimeout as error:
        error.hint = (
            "what has not started cannot be stopped: `ephemera machine destroy --force"
            f" {machine}` takes it away"
        )
        raise


def boot_failed(machine: Machine) -> BootFailed:
    """Return the error that it is when a machine's program could not be started."""
    said = (event.request or {} for event in machine.events or ())
    why = next((str(one["error"]) for one in said if one.get("error")), "nobody says why")
    return BootFailed(
        f"machine {machine.id} could not be started: {why}",
        hint=f"`ephemera machine inspect {machine.id}` has what is known of it",
    )


async def removed(client: AsyncClient, app: str, machine: str) -> None:
    """Return when a machine is destroyed, or say that it may not be."""
    try:
        await client.machines.destroy(app, machine, force=True)
        await client.machines.wait(app, machine, "destroyed", timeout=_GONE_MAX_S)
    except EphemeraError as error:
        complain(error)
        note(f"machine {machine} may still be there: `ephemera machine destroy --force {machine}`")
