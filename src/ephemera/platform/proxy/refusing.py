"""What a client reads when the proxy answers by itself."""

from __future__ import annotations

import json

from ephemera.platform.proxy.headers import own
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.proxy.streams import Headers, RequestHead


def answer(
    refusal: ProxyRefusal, head: RequestHead | None, request_id: str
) -> tuple[Headers, bytes]:
    """Return headers and body: JSON for who asks for it, else a few lines of text."""
    as_json = head is not None and b"json" in head.get(b"accept")
    body = _json(refusal, request_id) if as_json else _text(refusal, request_id)
    headers: Headers = [
        (b"content-type", b"application/json" if as_json else b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        *own(request_id),
    ]
    if refusal.retry_after_s is not None:
        headers.append((b"retry-after", str(refusal.retry_after_s).encode()))
    return headers, body


def logged(refusal: ProxyRefusal) -> str:
    """Return the line that the log of the app gets."""
    code = f"[{refusal.code}] " if refusal.code else ""
    return f"{code}{refusal}"


def _json(refusal: ProxyRefusal, request_id: str) -> bytes:
    said = {"error": refusal.message, "hint": refusal.hint, "code": refusal.code}
    facts = {name: value for name, value in said.items() if value}
    return json.dumps(facts | {"status": refusal.status, "request_id": request_id}).encode()


def _text(refusal: ProxyRefusal, request_id: str) -> bytes:
    code = f" ({refusal.code})" if refusal.code else ""
    lines = [f"{refusal.status}{code}: {refusal.message}"]
    if refusal.hint:
        lines.append(f"hint: {refusal.hint}")
    lines.append(f"request {request_id}")
    return ("\n".join(lines) + "\n").encode()
