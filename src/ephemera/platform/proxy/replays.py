"""How an app says that another machine is to answer: the header `fly-replay`, or a body of JSON.

Source: https://fly.io/docs/networking/dynamic-request-routing/. What is not there: the caching
of replays (`fly-replay-cache`), which Fly calls an optimisation that no app may depend on.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, replace
from typing import Any

from ephemera.platform.proxy.requests import checked2
from ephemera.platform.proxy.routing import ProxyRefusal, Replay, Seat
from ephemera.platform.proxy.streams import Headers, RequestHead
from ephemera.wire.durations import parse_duration

CONTENT_TYPE = b"application/vnd.fly.replay+json"
#: Of the body that says so.
ORDER_BYTES_MAX = 64 * 1024
#: How often one request is sent on; Fly's limit.
REPLAYS_MAX = 10

_FIELD = re.compile(r'\s*([a-z_]+)\s*=\s*(?:"([^"]*)"|([^;"]*))\s*(?:;|$)')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FIELDS = frozenset(
    ("app", "instance", "prefer_instance", "region", "elsewhere", "state", "timeout", "fallback")
)
_TRANSFORMS = frozenset(("path", "delete_headers", "set_headers"))
_FALLBACKS = ("", "force_self", "prefer_self")


@dataclass(frozen=True, slots=True)
class Order:
    """What an app wants done with a request: where it goes, and what of it is changed."""

    replay: Replay
    path: str = ""
    delete_headers: tuple[str, ...] = ()
    set_headers: tuple[tuple[str, str], ...] = ()
    #: What it says beside, and is not done: names of fields.
    ignored: tuple[str, ...] = ()

    def complaint(self) -> str:
        """Return what is said of that which is not done; empty where all of it is."""
        names = ", ".join(repr(name[:40]) for name in sorted(self.ignored)[:5])
        return f"a replay was asked for with {names}, which means nothing here" if names else ""

    def changed(self, head: RequestHead, seat: Seat) -> RequestHead:
        """Return the request as the next machine is to get it.

        Args:
            seat: Of the machine that sent it away.

        Raises:
            ProxyRefusal: what it would be is no request (PA03).
        """
        gone = {name.lower().encode() for name in self.delete_headers}
        gone |= {name.lower().encode() for name, _ in self.set_headers}
        headers = [pair for pair in head.headers if pair[0] not in gone]
        headers += [(name.lower().encode(), value.encode()) for name, value in self.set_headers]
        target = self.path.encode() if self.path else head.target
        pseudo: Headers = [
            (b":method", head.method),
            (b":path", target),
            (b":authority", head.authority),
        ]
        try:
            whole = checked2([*pseudo, *headers])
        except ProxyRefusal as error:
            raise invalid(f"its transform makes no request: {error.message}", seat) from error
        return replace(head, target=whole.target, headers=whole.headers)


def from_header(value: bytes, seat: Seat) -> Order:
    """Read the header `fly-replay`.

    Raises:
        ProxyRefusal: it says nothing that can be done (PA03).
    """
    text = value.decode("latin-1").strip()
    fields: dict[str, Any] = {}
    at = 0
    while at < len(text):
        found = _FIELD.match(text, at)
        if not found:
            raise invalid(f"fly-replay: {text[:100]!r} is not a list of NAME=VALUE", seat)
        name, quoted, bare = found.groups()
        fields[name] = (bare if quoted is None else quoted).strip()
        at = found.end()
    return Order(_replay(fields, seat), ignored=tuple(fields.keys() - _FIELDS))


def from_json(body: bytes, seat: Seat) -> Order:
    """Read a body of type `application/vnd.fly.replay+json`.

    Raises:
        ProxyRefusal: it says nothing that can be done (PA03).
    """
    try:
        fields = json.loads(body)
        transform = fields.get("transform") or {}
        ignored = [name for name in fields if name not in {"transform", *_FIELDS}]
        ignored += [f"transform.{name}" for name in transform if name not in _TRANSFORMS]
        return Order(
            _replay(fields, seat),
            str(transform.get("path") or ""),
            tuple(str(name) for name in transform.get("delete_headers") or ()),
            tuple(
                (str(one["name"]), str(one["value"])) for one in transform.get("set_headers", ())
            ),
            tuple(ignored),
        )
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
        raise invalid("its body is not what a replay is written in", seat) from error


def source(replay: Replay) -> tuple[bytes, bytes]:
    """Return the header that tells the next machine where a request came from."""
    said = f"instance={replay.source_machine};region={replay.source_region}"
    said += f";t={time.time_ns() // 1000}"
    if replay.state:
        said += f";state={replay.state}"
    return b"fly-replay-src", said.encode("latin-1", "replace")


def invalid(why: str, seat: Seat) -> ProxyRefusal:
    """Return how a replay is refused that the proxy does not understand."""
    return ProxyRefusal(
        502,
        f"the app wants the request replayed, but {why}",
        hint="for example `fly-replay: region=ams` or `fly-replay: instance=ID`",
        code="PA03",
        app_id=seat.app_id,
        machine_id=seat.machine_id,
    )


def _replay(fields: dict[str, Any], seat: Seat) -> Replay:
    def text(name: str) -> str:
        found = str(fields.get(name) or "")
        if _CONTROL.search(found):  # the next machine is told of it in a header
            raise invalid(f"{name} has a control character", seat)
        return found

    elsewhere = text("elsewhere").lower()
    fallback = text("fallback")
    regions = tuple(one.strip() for one in text("region").split(",") if one.strip())
    places = (text("app"), text("instance"), text("prefer_instance"), *regions)
    if not any(places) and elsewhere != "true":
        raise invalid("it does not say where", seat)
    if elsewhere not in ("", "true", "false") or fallback not in _FALLBACKS:
        raise invalid(f"elsewhere={elsewhere}, fallback={fallback} is not understood", seat)
    return Replay(
        app=text("app"),
        instance=text("instance"),
        prefer_instance=text("prefer_instance"),
        regions=regions,
        elsewhere=elsewhere == "true",
        state=text("state"),
        timeout_s=_timeout(text("timeout"), seat),
        fallback=fallback,
        source_app_id=seat.app_id,
        source_machine=seat.machine_id,
        source_region=seat.region,
    )


def _timeout(value: str, seat: Seat) -> float | None:
    if not value:
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        raise invalid(f"timeout={value} is not a duration", seat) from error
