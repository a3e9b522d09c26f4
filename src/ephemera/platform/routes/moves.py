"""`.../start`, `stop`, `suspend`, `restart`, `cordon`, `uncordon`: what moves a machine."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import configs, refusals, requests
from ephemera.platform.bodies import Stop
from ephemera.platform.machines import waiting
from ephemera.platform.machines.waiting import Wanted
from ephemera.platform.routes.holding import while_connected
from ephemera.platform.routes.scope import ok, writable_machine_of
from ephemera.platform.signals import STOP_SIGNALS, signal_number
from ephemera.platform.states import State
from ephemera.wire.models import StopConfig

#: How much longer than the program's grace a restart may take before the call gives up on it.
_RESTART_MARGIN_S = 30.0
_AT_REST_OR_UP = frozenset({State.STARTED, State.STOPPED, State.FAILED})


async def start_machine(request: Request) -> Response:
    """Start a machine that rests."""
    previous = writable_machine_of(request).ask_start()
    return JSONResponse({"previous_state": previous, "migrated": False, "new_host": ""})


async def stop_machine(request: Request) -> Response:
    """Have a machine's program end."""
    body = await requests.model(request, Stop, required=False)
    owner = writable_machine_of(request)
    stop = owner.config.stop_config
    signum = signal_number(body.signal, configs.stop_signal(stop), STOP_SIGNALS)
    owner.ask_stop(signum, _grace(body.timeout, stop))
    return ok()


async def suspend_machine(request: Request) -> Response:
    """Have a machine's program frozen."""
    writable_machine_of(request).ask_suspend()
    return ok()


async def restart_machine(request: Request) -> Response:
    """End a machine's program and start it again; answered when it is up."""
    owner = writable_machine_of(request)
    stop = owner.config.stop_config
    default = configs.stop_signal(stop)
    signum = signal_number(request.query_params.get("signal"), default, STOP_SIGNALS)
    grace = _grace(request.query_params.get("timeout"), stop)
    if requests.flag(request, "force_stop"):
        grace = 0.0
    owner.ask_restart(signum, grace)
    up = waiting.reach(owner, Wanted(_AT_REST_OR_UP), grace + _RESTART_MARGIN_S)
    await while_connected(request, up)
    return ok()


async def cordon_machine(request: Request) -> Response:
    """Keep requests of the proxy away from a machine."""
    writable_machine_of(request).ask_cordon(cordoned=True)
    return ok()


async def uncordon_machine(request: Request) -> Response:
    """Let requests of the proxy come to a machine again."""
    writable_machine_of(request).ask_cordon(cordoned=False)
    return ok()


def _grace(given: str | int | float | None, stop: StopConfig | None) -> float:
    seconds = requests.duration(given, configs.stop_timeout_s(stop), "timeout")
    if seconds > configs.STOP_TIMEOUT_MAX_S:
        raise refusals.stop_timeout_too_long()
    return seconds


_MACHINE = "/v1/apps/{app_name}/machines/{machine_id}"
ROUTES = [
    Route(_MACHINE + "/start", start_machine, methods=["POST"]),
    Route(_MACHINE + "/stop", stop_machine, methods=["POST"]),
    Route(_MACHINE + "/suspend", suspend_machine, methods=["POST"]),
    Route(_MACHINE + "/restart", restart_machine, methods=["POST"]),
    Route(_MACHINE + "/cordon", cordon_machine, methods=["POST"]),
    Route(_MACHINE + "/uncordon", uncordon_machine, methods=["POST"]),
]
