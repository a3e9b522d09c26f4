"""`.../exec` and `.../signal`: what reaches the programs inside a machine."""

from __future__ import annotations

import shlex

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.errors import BootFailed
from ephemera.platform import refusals, requests
from ephemera.platform.bodies import Exec, SendSignal
from ephemera.platform.routes.scope import machine_of, ok
from ephemera.platform.signals import ANY_SIGNALS, signal_number

#: The real API cuts an exec off after about half a minute; ours says so and allows a minute.
_EXEC_TIMEOUT_S = 30
_EXEC_TIMEOUT_MAX_S = 60
#: Splitting it holds up everybody else, 1 MiB for a quarter of a second. `command` has no limit.
_CMD_CHARS_MAX = 16 * 1024


async def exec_in_machine(request: Request) -> Response:
    """Run a command in a machine and answer with what it printed."""
    owner = machine_of(request)
    body = await requests.model(request, Exec)
    timeout = _EXEC_TIMEOUT_S if body.timeout is None else body.timeout
    if not 0 < timeout <= _EXEC_TIMEOUT_MAX_S:
        raise refusals.invalid(f"timeout {timeout} is not from 1 to {_EXEC_TIMEOUT_MAX_S} seconds")
    if body.container:
        raise refusals.unsupported("exec in a container of the machine")
    command, stdin = _command(body), (body.stdin or "").encode()
    try:
        done = await owner.inside.exec(command, stdin, timeout)
    except BootFailed as error:
        raise refusals.invalid(error.message) from error
    if done.timed_out:
        raise refusals.exec_timed_out(timeout)
    return JSONResponse(
        {
            "exit_code": done.exit_code,
            "exit_signal": done.exit_signal,
            "stdout": done.stdout.decode(errors="replace"),
            "stderr": done.stderr.decode(errors="replace"),
        }
    )


async def signal_machine(request: Request) -> Response:
    """Send a signal to a machine's program."""
    owner = machine_of(request)
    body = await requests.model(request, SendSignal)
    await owner.inside.tell(signal_number(body.signal, None, ANY_SIGNALS))
    return ok()


def _command(body: Exec) -> list[str]:
    if body.command:
        command = body.command
    elif len(body.cmd or "") > _CMD_CHARS_MAX:
        raise refusals.invalid(f"cmd is longer than {_CMD_CHARS_MAX} characters: use command")
    else:
        try:
            command = shlex.split(body.cmd or "")
        except ValueError as error:
            raise refusals.invalid(f"cmd cannot be split into words: {error}") from None
    if not command:
        raise refusals.invalid("command is required")
    if any("\0" in word for word in command):
        raise refusals.invalid("command holds a NUL character")
    return command


_MACHINE = "/v1/apps/{app_name}/machines/{machine_id}"
ROUTES = [
    Route(_MACHINE + "/exec", exec_in_machine, methods=["POST"]),
    Route(_MACHINE + "/signal", signal_machine, methods=["POST"]),
]
