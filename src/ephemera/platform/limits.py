"""How often one may ask: the published limits of Fly.io, for a platform that is to have them.

Each action (a method and a path of the API) has a bucket of its own for each machine it is asked
of, or for each app where it is about no machine, or for each token where it is about no app.

Source: the Machines API's documentation of rate limits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ephemera.platform import refusals
from ephemera.platform.refusals import Refusal
from ephemera.platform.routes.scope import app_of, principal_of

#: How many buckets there may be before those that are full again are thrown away.
_SWEEP_AT = 1024
#: Times of day are not exact to the last bit, and sums of them less so.
_EXACT_S = 0.001


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests are let through."""

    per_second: float
    #: How many may come at once after a while without any.
    burst: int


#: Of each action that is not named below.
USUAL = Rate(1, 3)
#: "Get Machine" may be asked more often.
GET_MACHINE = Rate(5, 10)
#: 100 a minute. The identifier is the token, because the app is another each time.
DELETE_APP = Rate(100 / 60, 100)

_EXCEPTIONS = {
    "GET /v1/apps/{app_name}/machines/{machine_id}": GET_MACHINE,
    "DELETE /v1/apps/{app_name}": DELETE_APP,
}


class Buckets:
    """Token buckets, one for each key; a full one takes no memory for long.

    Of a bucket only the time is kept at which it will be full again. One request makes that
    later by the time in which one token drops in; it is refused where the bucket would take
    longer to fill than `burst` drops do.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._full_at: dict[Hashable, float] = {}
        self._sweep_at = _SWEEP_AT

    def take(self, key: Hashable, rate: Rate) -> float:
        """Take a token; return 0, or how many seconds there will be none.

        A refused request takes nothing.
        """
        now = self._clock()
        drop = 1 / rate.per_second
        full_at = max(now, self._full_at.get(key, now))
        full_at = min(full_at, now + rate.burst * drop)  # should the clock have been put back
        wait = full_at - now - (rate.burst - 1) * drop
        if wait > _EXACT_S:
            self._full_at[key] = full_at
            return wait
        self._full_at[key] = full_at + drop
        if len(self._full_at) > self._sweep_at:
            self._sweep(now)
        return 0.0

    def __len__(self) -> int:
        """Return how many buckets take memory."""
        return len(self._full_at)

    def _sweep(self, now: float) -> None:
        self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        # Not at each request where there are many that are used.
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._full_at))


def limited(route: Route, buckets: Buckets) -> Route:
    """Return a route of the API that asks the buckets first; others as they are."""
    if not route.path.startswith("/v1/"):
        return route
    ask: Callable[[Request], Awaitable[Response]] = route.endpoint

    async def endpoint(request: Request) -> Response:
        action = f"{request.method} {route.path}"
        wait = buckets.take((action, _identifier(request, action)), _EXCEPTIONS.get(action, USUAL))
        if wait:
            raise refusals.rate_limited(wait)
        return await ask(request)

    return Route(route.path, endpoint, methods=sorted(route.methods or ()))


def _identifier(request: Request, action: str) -> tuple[str, ...]:
    """Return what the limit is for; a machine's id counts within its app only."""
    path = request.path_params
    if "app_name" not in path or action == "DELETE /v1/apps/{app_name}" or _is_foreign(request):
        return ("token", principal_of(request).token_id)
    return (path["app_name"], path.get("machine_id", ""))


def _is_foreign(request: Request) -> bool:
    """Whether it is about an app that is not for the sender, who must not use up its limits."""
    try:
        app_of(request)
    except Refusal as refusal:
        return refusal.status == 403
    return False
