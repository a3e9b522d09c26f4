"""Why a request is not passed on to any machine, in words that say what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from ephemera.platform.checks.watching import Checks
from ephemera.platform.proxy import listening
from ephemera.platform.proxy.choice import Choice
from ephemera.platform.proxy.fleet import Member, Post
from ephemera.platform.proxy.routing import HTTP_PORT, HTTPS_PORT, ProxyRefusal
from ephemera.platform.proxy.targets import Target
from ephemera.platform.records import AppRecord
from ephemera.platform.states import State

#: What a client may do that came while all machines were busy.
_RETRY_AFTER_S = 5


def nothing_there(
    app: AppRecord, port: int, members: Sequence[Member], *, tls: bool
) -> ProxyRefusal:
    """The app takes no requests of HTTP at this port."""
    if not members:
        return ProxyRefusal(
            503,
            f"app '{app.name}' has no machine with a service",
            hint="`ephemera deploy` makes one; `services` of a machine's config say where it is",
            code="PR01",
            retry_after_s=_RETRY_AFTER_S,
            app_id=app.id,
        )
    wanted = "a port with the handlers tls and http" if tls else "a port with the handler http"
    return ProxyRefusal(
        404,
        f"app '{app.name}' offers no {'HTTPS' if tls else 'HTTP'} at port {port}; it offers"
        f" {_offered(members)}",
        hint=f"{wanted} is needed; {HTTP_PORT} means the plain port of this proxy, {HTTPS_PORT}"
        " that of TLS",
        app_id=app.id,
    )


def nobody(
    target: Target, posts: Sequence[Post], avoided: frozenset[str], checks: Checks
) -> ProxyRefusal:
    """None of the machines can have it."""
    app, wish = target.app, target.wish
    if wish.instance and not any(one.record.id == wish.instance for one in posts):
        return ProxyRefusal(
            404,
            f"app '{app.name}' has no machine '{wish.instance[:40]}' that takes requests here",
            hint=f"`ephemera status -a {app.name}` shows its machines",
            code="PR02",
            app_id=app.id,
        )
    refused = next((one for one in posts if one.record.id in avoided), None)
    if refused:
        message, hint = listening.not_listening(refused.offer.internal_port, ())
        return ProxyRefusal(
            502, message, hint=hint, code="PM05", app_id=app.id, machine_id=refused.record.id
        )
    why, hint = _why(app, posts, checks)
    where = f" in region {', '.join(wish.regions)}" if wish.regions else ""
    return ProxyRefusal(
        503,
        f"app '{app.name}' has no machine{where} that can take the request{why}",
        hint=hint,
        code="PR01",
        retry_after_s=_RETRY_AFTER_S,
        app_id=app.id,
    )


def too_late(target: Target, posts: Sequence[Post], choice: Choice) -> ProxyRefusal:
    """It was held for as long as a request may be."""
    app, held = target.app, f"within {target.patience_s:g} s"
    if choice.bring:
        state = next(one.record.state for one in posts if one.record.id == choice.bring)
        return ProxyRefusal(
            503,
            f"the machine did not come up {held}: it is {state}",
            hint="`ephemera logs` shows how far it is",
            code="PM03",
            retry_after_s=_RETRY_AFTER_S,
            app_id=app.id,
            machine_id=choice.bring,
        )
    return ProxyRefusal(
        503,
        f"all machines of app '{app.name}' are at their hard limit; none was free {held}",
        hint="add machines with `ephemera scale count`, or raise concurrency.hard_limit",
        code="PR03",
        retry_after_s=_RETRY_AFTER_S,
        app_id=app.id,
    )


def queue_full(app: AppRecord, most: int) -> ProxyRefusal:
    """As many are held already as may be."""
    return ProxyRefusal(
        503,
        f"{most} requests wait for machines of app '{app.name}' already",
        hint="add machines with `ephemera scale count`, or raise concurrency.hard_limit",
        code="PR03",
        retry_after_s=_RETRY_AFTER_S,
        app_id=app.id,
    )


def _why(app: AppRecord, posts: Sequence[Post], checks: Checks) -> tuple[str, str]:
    """Return why none of some machines is used, and what to do about it."""
    for post in posts:
        complaint = checks.complaint(post.record.id, post.offer.checks)
        if post.record.state is State.STARTED and complaint and not post.record.cordoned:
            return f": {complaint}", f"`ephemera checks -a {app.name}` shows all checks"
    if any(one.record.cordoned for one in posts):
        return ": they are cordoned", "`uncordon` lets requests come again"
    states = ", ".join(sorted({one.record.state for one in posts}))
    hint = "start one with `ephemera machine start`, or set autostart in its service"
    return (f": they are {states}" if states else ""), hint


def _offered(members: Sequence[Member]) -> str:
    """Return the ports that some machines offer, in words."""
    ports = {
        f"{one.first}{f'-{one.last}' if one.last > one.first else ''}"
        f" ({', '.join(sorted(one.handlers)) or 'tcp'})"
        for member in members
        for offer in member.offers
        for one in offer.openings
    }
    return ", ".join(sorted(ports)[:8]) or "no ports at all"
