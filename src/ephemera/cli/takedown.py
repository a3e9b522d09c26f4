"""Taking a platform down so that nothing of it runs any more: its machines, then its server.

```
serves? ──yes──► stop the machines, wait ──► SIGTERM to the server ──► its folder is free
   │ no                                                  ▲
   └─► any machines alive? ──yes──► serve briefly ───────┘ (by way of the machines)
```

Machines outlive their server on purpose, so a folder whose server is dead may have live ones,
and it takes a server to stop them.
"""

from __future__ import annotations

import asyncio
import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

from ephemera.cli.running import Running, find_running
from ephemera.cli.screen import counted
from ephemera.errors import ConfigError, NotFound, WrongState
from ephemera.home import read_endpoint, read_token, remove_endpoint
from ephemera.platform.living import LiveMachine, living
from ephemera.platform.locking import FolderInUse, locked

if TYPE_CHECKING:
    from ephemera.client import AsyncClient

#: The longest grace a machine's config can ask for is 300 s; then the platform kills it.
_STOP_MAX_S = 330.0
#: One that is being destroyed should be gone by then; where it cannot be, the next server tries.
_GONE_MAX_S = 60.0
#: A server gives requests that are being answered 3 s; then it ends.
_SERVER_END_MAX_S = 15.0
#: What is killed ends at once, on a computer that has time for it.
_KILLED_END_MAX_S = 30.0
_PROCESS_END_MAX_S = 2.0
_POLL_S = 0.02
#: How often machines that came up while others were being stopped are stopped in turn.
_ROUNDS_MAX = 10


def take_down(
    folder: Path,
    *,
    keep_machines: bool = False,
    grace: float | None = None,
    tell: Callable[[str], None],
) -> bool:
    """Stop the platform of `folder` and its machines; return whether there was anything to stop.

    Repeating is safe. Machines that live afterwards are there on purpose, or an error is raised.

    Args:
        keep_machines: Stop the server only.
        grace: Seconds a machine may take to end before it is killed; else what its config says.
        tell: Called with each thing that was done.

    Raises:
        ConfigError: the server does not answer, or does not end.
        ApiError, NoAnswer: a machine could not be stopped; the server was not touched.
    """
    running = find_running(folder)
    if running is None:
        _check_no_silent_server(folder)
        if keep_machines or not live_at_rest(folder):
            return False
        running = _serve_briefly(folder)
    if not keep_machines and living(folder):
        stopped = asyncio.run(_stop_machines(folder, running, grace))
        if stopped:
            tell(f"stopped {counted(stopped, 'machine')}")
    _end_server(folder, running, tell)
    tell(f"the platform at {running.endpoint.url} is down")
    if not keep_machines and not all(one.is_going for one in live_at_rest(folder)):
        # They came up while the server was ending.
        take_down(folder, grace=grace, tell=tell)
    return True


def live_at_rest(folder: Path) -> list[LiveMachine]:
    """Return the live machines of a folder that no server runs on, and those that are going.

    Raises:
        FolderInUse: a server runs on it after all.
    """
    if not (folder / "platform.db").exists():
        return []
    with locked(folder):
        return living(folder)


def _check_no_silent_server(folder: Path) -> None:
    # One that was killed just now, or told to end, answers no more and gives the folder back soon.
    if folder.exists() and not _is_free_within(folder, _SERVER_END_MAX_S):
        known = read_endpoint(folder)
        raise ConfigError(
            f"a platform holds {folder} and does not answer"
            + (f": process {known.pid}" if known else ""),
            hint="killing it loses nothing: `ephemera down` stops its machines afterwards",
        )


def _serve_briefly(folder: Path) -> Running:
    from ephemera.client.local import ensure_platform

    endpoint = ensure_platform(folder, listen="127.0.0.1:0")
    running = find_running(folder)
    if running is None:
        raise ConfigError(
            f"the platform at {endpoint.url} was started to stop its machines, and is gone",
            hint=f"its log is {folder / 'platform.log'}",
        )
    return running


async def _stop_machines(folder: Path, running: Running, grace: float | None) -> int:
    """Stop all machines, also those that come up meanwhile; return how many there were.

    Those that are being destroyed are waited for, and are none of them.
    """
    from ephemera.client import AsyncClient

    stopped, awaited = set[str](), set[str]()
    async with AsyncClient(running.endpoint.url, read_token(folder)) as client:
        for _ in range(_ROUNDS_MAX):
            found = [one for one in living(folder) if one.id not in awaited]
            if not found:
                return len(stopped)
            going = [one for one in found if one.is_going or not one.app]
            await asyncio.gather(
                *(_gone(folder, one) for one in going),
                *(_stop(client, one, grace) for one in found if one not in going),
            )
            awaited |= {one.id for one in going}
            stopped |= {one.id for one in found if not one.is_going}
    raise ConfigError(
        f"machines keep coming up on {running.endpoint.url}",
        hint="stop what makes or starts them, then try again",
    )


async def _gone(folder: Path, machine: LiveMachine) -> None:
    """Return when a machine is gone that the server destroys, or when that takes too long."""
    deadline = time.monotonic() + _GONE_MAX_S
    while time.monotonic() < deadline and _is_there(folder, machine):  # noqa: ASYNC110 - of another process
        # The API may know the app no more, so nobody but the store tells.
        await asyncio.sleep(_POLL_S)


def _is_there(folder: Path, machine: LiveMachine) -> bool:
    return any(one.id == machine.id for one in living(folder))


async def _stop(client: AsyncClient, machine: LiveMachine, grace: float | None) -> None:
    app, id_ = machine.app, machine.id
    try:
        await client.machines.stop(app, id_, timeout=grace)
        await client.machines.wait(
            app, id_, ("stopped", "failed", "destroyed"), timeout=_STOP_MAX_S
        )
    except WrongState:
        await client.machines.wait(app, id_, "settled", timeout=_STOP_MAX_S)
    except NotFound:
        pass  # destroyed since it was read


def _end_server(folder: Path, running: Running, tell: Callable[[str], None]) -> None:
    """Have the server end and return once it has given its folder back.

    Killing it loses nothing, as everything it answered is on disk; its ending by itself spares
    the next one some work.
    """
    pid = running.endpoint.pid
    _signal(pid, SIGTERM)
    if not _is_free_within(folder, _SERVER_END_MAX_S):
        tell(f"process {pid} was told to end and has not, so it is killed")
        _signal(pid, SIGKILL)
        if not _is_free_within(folder, _KILLED_END_MAX_S):
            raise ConfigError(
                f"process {pid} was killed and {folder} is still held by a platform",
                hint=f"its log is {folder / 'platform.log'}",
            )
        remove_endpoint(folder)
    _see_off(pid)


def _signal(pid: int, signum: int) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        pass  # it ended by itself; its folder tells
    except PermissionError:
        raise ConfigError(
            f"the platform is process {pid} of another user", hint="run as that user"
        ) from None


def _is_free_within(folder: Path, seconds: float) -> bool:
    """Return True once no server holds the folder, False if one still does after `seconds`."""
    deadline = time.monotonic() + seconds
    while _is_held(folder):
        if time.monotonic() > deadline:
            return False
        # The end of a process that is not our child cannot be awaited on every system.
        time.sleep(_POLL_S)
    return True


def _see_off(pid: int) -> None:
    """Return when a process that has nothing more to do is gone, where the system can tell."""
    if sys.platform == "linux":
        try:
            process = os.pidfd_open(pid)
        except OSError:
            return  # gone already, or a kernel that cannot tell
        select.select([process], [], [], _PROCESS_END_MAX_S)
        os.close(process)


def _is_held(folder: Path) -> bool:
    try:
        with locked(folder):
            return False
    except FolderInUse:
        return True
