"""What a request must be like to be passed on, and what of it decides where its body ends.

`httptools` refuses most of what makes two parties read one request differently: a body that is
framed twice, bare line feeds, folded lines, control characters. What is checked here is what it
leaves to its user, and what HTTP/2 brings in other words.

Source: RFC 9110 and RFC 9112, sections 3.2 (target and host) and 6 (framing).
"""

from __future__ import annotations

import re

from ephemera.platform.proxy.headers import may_stand
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.proxy.streams import Headers, RequestHead

#: All of a request before its body. Larger than any browser sends.
HEAD_BYTES_MAX = 64 * 1024
HEADERS_MAX = 200
TARGET_BYTES_MAX = 16 * 1024

_METHOD = re.compile(rb"[A-Z][A-Z-]{0,31}")
_TARGET = re.compile(rb"/[\x21-\x7e]*|\*")
_AUTHORITY = re.compile(rb"(?:[a-z0-9._~-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
_SAID_ELSEWHERE = frozenset((b"host", b"content-length", b"transfer-encoding"))
_ABSOLUTE = re.compile(rb"(https?)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


def checked(method: bytes, target: bytes, headers: Headers, version: str) -> RequestHead:
    """Return a request of HTTP/1 that may be passed on.

    Args:
        headers: Names in lower case.

    Raises:
        ProxyRefusal: it may not (400, 414, 417, 431, 501, 505).
    """
    if version not in ("1.0", "1.1"):
        raise ProxyRefusal(505, f"HTTP/{version} is not spoken here", hint="use HTTP/1.1 or HTTP/2")
    _check_size(target, headers)
    if version == "1.0" and any(name == b"transfer-encoding" for name, _ in headers):
        raise bad("HTTP/1.0 has no Transfer-Encoding")
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise bad("it must have one Host header")
    target, authority = _split(target, hosts[0] if hosts else b"")
    return _whole(
        RequestHead(method, target, authority.lower(), headers, version, _length(headers))
    )


def checked2(pairs: Headers) -> RequestHead:
    """Return a request of HTTP/2 that may be passed on. `h2` has checked the order of its parts.

    Raises:
        ProxyRefusal: it may not (400, 414, 431, 501).
    """
    pseudo = {name: value for name, value in pairs if name.startswith(b":")}
    headers = [(name, value) for name, value in pairs if not name.startswith(b":")]
    target = pseudo.get(b":path", b"")
    _check_size(target, headers)
    if b":protocol" in pseudo:
        raise ProxyRefusal(501, "WebSockets over HTTP/2 are not spoken here", hint="use HTTP/1.1")
    hosts = [value for name, value in headers if name == b"host"]
    authority = pseudo.get(b":authority") or (hosts[0] if hosts else b"")
    if any(host.lower() != authority.lower() for host in hosts):
        raise bad("its Host header is not its :authority")
    for name, value in headers:
        if not may_stand(name, value):
            raise bad(f"the header {_shown(name)} has characters that no header may have")
    lengths = {value for name, value in headers if name == b"content-length"}
    length = _number(lengths) if lengths else None
    return _whole(
        RequestHead(
            pseudo.get(b":method", b""), target, authority.lower(), _crumbs(headers), "2", length
        )
    )


def bad(why: str) -> ProxyRefusal:
    """Return how a request is refused that may mean one thing to us and another to an app."""
    return ProxyRefusal(400, f"the request is not well-formed: {why}")


def _whole(head: RequestHead) -> RequestHead:
    """Check what is common to all versions, and take out what is said elsewhere."""
    if head.method == b"CONNECT":
        raise ProxyRefusal(501, "CONNECT is not spoken here", hint="this is not a forward proxy")
    if not _METHOD.fullmatch(head.method):
        raise bad(f"{_shown(head.method)} is not a method")
    if not _TARGET.fullmatch(head.target) or (head.target == b"*" and head.method != b"OPTIONS"):
        raise bad("its target is not a path")
    if not _AUTHORITY.fullmatch(head.authority):
        raise bad(f"{_shown(head.authority)} is not the name of a host")
    names = dict(head.headers)
    if b"expect" in names and (expected := head.get(b"expect").lower()) != b"100-continue":
        raise ProxyRefusal(417, f"Expect: {_shown(expected)} cannot be met")
    if b"upgrade" in names and head.version != "2":
        wanted = head.get(b"upgrade").lower()
        # HTTP/2 would be ours to speak, and is spoken behind TLS only.
        if wanted != b"h2c" and _has_token(head.get(b"connection"), b"upgrade"):
            head.upgrade = wanted
    head.headers = [pair for pair in head.headers if pair[0] not in _SAID_ELSEWHERE]
    return head


def _check_size(target: bytes, headers: Headers) -> None:
    if len(target) > TARGET_BYTES_MAX:
        raise ProxyRefusal(414, f"the URL is longer than {TARGET_BYTES_MAX} bytes")
    if len(headers) > HEADERS_MAX:
        raise too_large(f"has more than {HEADERS_MAX} headers")
    if sum(len(name) + len(value) + 4 for name, value in headers) > HEAD_BYTES_MAX:
        raise too_large()


def too_large(why: str = f"has more than {HEAD_BYTES_MAX} bytes of headers") -> ProxyRefusal:
    """Return how a request is refused whose headers are too much."""
    return ProxyRefusal(431, f"the request {why}", hint="cookies that grew are the usual reason")


def _split(target: bytes, host: bytes) -> tuple[bytes, bytes]:
    """Return path and authority of a target, which may be a whole URL."""
    if target.startswith(b"/") or target == b"*":
        return target.partition(b"#")[0], host
    found = _ABSOLUTE.fullmatch(target)
    if not found:
        return target, host  # refused for what it is
    authority, path = found[2], found[3].partition(b"#")[0]
    if authority.lower() != host.lower():
        raise bad("its Host header is not the host of its URL")
    return path if path.startswith(b"/") else b"/" + path, authority


def _length(headers: Headers) -> int | None:
    """Return how long the body is; None where it is chunked."""
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    lengths = [value for name, value in headers if name == b"content-length"]
    if codings and lengths:
        raise bad("it has both Content-Length and Transfer-Encoding")
    if codings:
        if len(codings) > 1 or codings[0].strip().lower() != b"chunked":
            raise ProxyRefusal(501, "the only Transfer-Encoding spoken here is chunked")
        return None
    if len(lengths) > 1:
        raise bad("it has several Content-Length headers")
    return _number(set(lengths)) if lengths else 0


def _number(lengths: set[bytes]) -> int:
    if len(lengths) > 1:
        raise bad("it has several Content-Length headers")
    said = lengths.pop()
    if not said.isdigit() or len(said) > 18:
        raise bad("its Content-Length is not a number")
    return int(said)


def _crumbs(headers: Headers) -> Headers:
    """Put the cookies into one header: HTTP/2 may cut it up, HTTP/1 may not."""
    cookies = [value for name, value in headers if name == b"cookie"]
    if len(cookies) < 2:
        return headers
    others = [pair for pair in headers if pair[0] != b"cookie"]
    return [*others, (b"cookie", b"; ".join(cookies))]


def _has_token(value: bytes, token: bytes) -> bool:
    return any(part.strip().lower() == token for part in value.split(b","))


def _shown(value: bytes) -> str:
    """Return a short form of what a client sent, safe to be shown."""
    return ascii(value[:60].decode("latin-1"))
