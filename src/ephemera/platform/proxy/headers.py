"""Which headers the proxy takes away and adds, on the way to a machine and on the way back.

What an app reads in `Fly-*` and `X-Forwarded-*` it believes, so whatever a client sends by these
names is replaced, or, in `X-Forwarded-For`, followed by what we know ourselves. A name with
underscores is the same name to many apps (WSGI writes both as `HTTP_FLY_CLIENT_IP`).

Source: https://fly.io/docs/networking/request-headers/, RFC 9110 section 7.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ephemera import __version__
from ephemera.platform.proxy.streams import Client, Headers, RequestHead
from ephemera.wire.services import HttpResponseOptions

SERVER = f"Ephemera/{__version__}".encode()
_PSEUDONYM = b"ephemera"

#: Of one connection only, never passed on.
_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    )
)
#: What only the proxy may tell an app.
_OURS = frozenset(
    (
        b"fly-client-ip",
        b"fly-region",
        b"fly-forwarded-port",
        b"fly-request-id",
        b"fly-replay-src",
        b"fly-replay-failed",
        b"fly-replay-cache-status",
        b"fly-preferred-instance-unavailable",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-port",
        b"x-forwarded-ssl",
        b"x-forwarded-host",
        b"forwarded",
        b"x-real-ip",
        b"via",
    )
)
#: What no client says by any name: also not what frames a request, by one with underscores.
_NOT_FROM_CLIENTS = _OURS | _HOP_BY_HOP | {b"host", b"content-length"}
#: What clients may say beside it, or before it.
_APPENDED = frozenset((b"x-forwarded-for", b"via", b"x-forwarded-host", b"forwarded", b"x-real-ip"))
#: Wishes of clients where a request should go.
WISHES = frozenset(
    (
        b"fly-force-instance-id",
        b"fly-prefer-instance-id",
        b"fly-force-region",
        b"fly-prefer-region",
    )
)
#: What an app tells the proxy, not the client.
_FOR_THE_PROXY = frozenset(
    (
        b"fly-replay",
        b"fly-replay-cache",
        b"fly-replay-cache-ttl-secs",
        b"fly-replay-cache-allow-bypass",
    )
)
#: What of an answer no client gets, and what is replaced beside it.
_NOT_FOR_CLIENTS = _HOP_BY_HOP | _FOR_THE_PROXY | {b"content-length"}
_REPLACED = _NOT_FOR_CLIENTS | {b"server", b"fly-request-id"}
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PORT = re.compile(rb"[0-9]{1,5}")


def to_machine(head: RequestHead, client: Client, region: str, request_id: str) -> Headers:
    """Return the headers that a machine gets of a request, but for what frames its body.

    Args:
        region: Where the request came in.
    """
    names = dict(head.headers)
    dropped = _dropped(names, head.headers, _HOP_BY_HOP)
    told = [
        pair
        for pair in head.headers
        if pair[0] not in dropped
        and (pair[0] in _APPENDED or _plain(pair[0]) not in _NOT_FROM_CLIENTS)
    ]
    address = client.address.encode()
    port = b"%d" % client.listener.public_port
    said = names.get(b"x-forwarded-port", b"")
    _append(told, names, b"x-forwarded-for", address)
    _append(told, names, b"via", head.version.encode() + b" " + _PSEUDONYM)
    if b"trailers" in names.get(b"te", b""):
        told.append((b"te", b"trailers"))
    told += [
        (b"x-forwarded-proto", b"https" if client.listener.tls else b"http"),
        (b"x-forwarded-port", said if _PORT.fullmatch(said) else port),
        (b"x-forwarded-ssl", b"on" if client.listener.tls else b"off"),
        (b"fly-client-ip", address),
        (b"fly-forwarded-port", port),
        (b"fly-region", region.encode()),
        (b"fly-request-id", request_id.encode()),
    ]
    told.insert(0, (b"host", head.authority))
    return told


def to_client(
    answered: Headers, version: str, request_id: str, options: HttpResponseOptions | None
) -> Headers:
    """Return the headers that a client gets of an answer, but for what frames its body.

    Args:
        answered: As the machine sent them, names in lower case.
        version: Of the HTTP that the machine spoke.
        options: What the app wants done to the headers of its answers.
    """
    names = dict(answered)
    pristine = bool(options and options.pristine)
    dropped = _dropped(names, answered, _NOT_FOR_CLIENTS if pristine else _REPLACED)
    kept = [pair for pair in answered if pair[0] not in dropped]
    if names.get(b"content-encoding") == b"none":  # how an app says that it wants none
        kept = [pair for pair in kept if pair[0] != b"content-encoding"]
    if not pristine:
        _append(kept, names, b"via", version.encode() + b" " + _PSEUDONYM)
        kept += own(request_id)
    if options and options.headers:
        kept = _wanted(kept, options.headers)
    return kept


def end_to_end(headers: Headers) -> Headers:
    """Return headers without those of one connection: of 1xx, and trailers."""
    dropped = _dropped(dict(headers), headers, _HOP_BY_HOP)
    return [pair for pair in headers if pair[0] not in dropped and pair[0] != b"content-length"]


def trailers(headers: Headers) -> Headers:
    """Return what of a request's trailers a machine gets: nothing that could pass for a header."""
    dropped = _HOP_BY_HOP | _OURS | {b"host", b"content-length", b"authorization", b"cookie"}
    return [
        (name, value)
        for name, value in headers
        if _plain(name) not in dropped and may_stand(name, value)
    ]


def own(request_id: str) -> Headers:
    """Return the headers of every answer, also of those that are the proxy's own."""
    return [(b"server", SERVER), (b"fly-request-id", request_id.encode())]


def may_stand(name: bytes, value: bytes) -> bool:
    """Return whether a header of this name, in lower case, and this value is one."""
    return bool(_NAME.fullmatch(name)) and not _BAD_VALUE.search(value)


def wishes(headers: Headers) -> dict[str, str]:
    """Return where the client would like its request to go."""
    if WISHES.isdisjoint(dict(headers)):
        return {}
    return {name.decode(): value.decode("latin-1") for name, value in headers if name in WISHES}


def lines(headers: Headers) -> bytes:
    """Return headers as HTTP/1 has them."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


def _dropped(
    names: Mapping[bytes, bytes], headers: Headers, always: frozenset[bytes]
) -> frozenset[bytes]:
    """Return what is not passed on: also what `connection` names, for it is of the connection."""
    if b"connection" not in names:
        return always
    named = b",".join(value for name, value in headers if name == b"connection")
    return always | {token.strip().lower() for token in named.split(b",")}


def _plain(name: bytes) -> bytes:
    return name.replace(b"_", b"-") if b"_" in name else name


def _append(headers: Headers, names: Mapping[bytes, bytes], name: bytes, value: bytes) -> None:
    """Add a value to those that a header has."""
    if name in names:
        before = [old for key, old in headers if key == name]
        headers[:] = [pair for pair in headers if pair[0] != name]
        value = b", ".join([*before, value])
    headers.append((name, value))


def _wanted(headers: Headers, wanted: dict[str, object]) -> Headers:
    """Set headers as the app's configuration says: false takes one away."""
    names = {name.lower().encode("latin-1", "ignore") for name in wanted}
    kept = [pair for pair in headers if pair[0] not in names]
    for name, value in wanted.items():
        values = value if isinstance(value, list) else [] if value is False else [value]
        key = name.lower().encode("latin-1", "ignore")
        kept += [(key, _safe(str(one))) for one in values]
    return kept


def _safe(value: str) -> bytes:
    """Return what may stand in a header: an app's configuration is not to end it."""
    return _BAD_VALUE.sub(b"", value.encode("latin-1", "ignore"))
