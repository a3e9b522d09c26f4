"""Where a client sends its requests, and as whom.

```
url argument ─► FLY_FLAPS_BASE_URL ─► EPHEMERA_URL ─► FLY_MACHINE_ID set: _api.internal
                    ─► a token given: api.machines.dev ─► the embedded platform
token argument ─► FLY_API_TOKEN ─► the embedded platform's token file, for this computer only
                    ─► none: the machine's own socket, EPHEMERA_API_SOCKET or /.fly/api
```

Through its own socket a machine needs no token, and may do little else than what it does to
itself. So any token that there is goes first.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from ephemera.errors import ConfigError
from ephemera.home import read_token

FLY_PUBLIC_URL = "https://api.machines.dev"
FLY_PRIVATE_URL = "http://_api.internal:4280"
FLY_LOGS_URL = "https://api.fly.io"
#: Where a machine on Fly.io finds the API without a token.
FLY_SOCKET = "/.fly/api"
#: Any name will do: who answers is decided by the socket.
_SOCKET_URL = "http://localhost"
_URL_SETTINGS = ("FLY_FLAPS_BASE_URL", "EPHEMERA_URL")

_FLY_HOSTS = frozenset({"api.machines.dev", "_api.internal"})
#: A name, in the form in which it is looked up, or an IP address.
_HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?|[0-9a-f.]*:[0-9a-f:.]*")
#: Both schemes at once is what one gets by pasting what `fly tokens create` prints behind
#: `Bearer`. The API takes it; the host that has the logs takes `FlyV1` only, as Fly's client sends.
_TOKEN = re.compile(r"(?P<scheme>(?:Bearer )?(?:FlyV1 )?)[!-~]+")
_MACAROON = re.compile(r"(?:^|,)(?:fm1r_|fm1a_|fm2_)")


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go, and the proof of who sends them."""

    #: Without a slash at its end.
    url: str
    logs_url: str
    #: The whole value of the `Authorization` header; empty for none. Never shown.
    authorization: str = field(repr=False)
    #: The Unix socket through which `url` is reached; None for the network.
    socket: str | None = None
    #: Whether we are in a machine of a platform of ours, where `_api.internal` and `/.fly/api`
    #: are that platform's.
    in_ours: bool = False

    @property
    def shown(self) -> str:
        """What tells a reader where it is."""
        return f"unix:{self.socket}" if self.socket else self.url

    @property
    def fly(self) -> bool:
        """Whether it is Fly.io's own API."""
        if self.in_ours and _is_within(self.url, self.socket):
            return False
        return self.socket == FLY_SOCKET or urlsplit(self.url).hostname in _FLY_HOSTS


def choose(
    url: str | None, token: str | None, environ: Mapping[str, str], folder: Path
) -> Address | None:
    """Return the address that was chosen; None for the embedded platform.

    Args:
        url: The caller's own choice, before any of the environment's.
        token: The same, with or without a scheme in front.
        folder: The state folder of the embedded platform.

    Raises:
        ConfigError: an address or token is missing or malformed. The message names the setting
            and, for tokens, nothing of the value but its length.
    """
    given = _token(token, environ)
    chosen = _url(url, environ, has_token=given is not None)
    base = check_url(*chosen) if chosen else None
    if given is None and base is not None and is_loopback(base):
        kept = read_token(folder)
        given = ("the token file", kept) if kept else None
    socket = _socket(environ) if given is None and url is None else None
    in_ours = bool(environ.get("EPHEMERA_API_SOCKET"))
    if socket:
        logs_url = _SOCKET_URL if in_ours or socket != FLY_SOCKET else FLY_LOGS_URL
        return Address(_SOCKET_URL, logs_url, authorization="", socket=socket, in_ours=in_ours)
    if base is None:
        return None
    if given is None:
        raise ConfigError(f"there is no API token for {base}", hint=_token_hint(base, folder))
    return Address(base, _logs_url(base, environ), authorization(*given), in_ours=in_ours)


def embedded(url: str, folder: Path, environ: Mapping[str, str]) -> Address:
    """Return the address of the embedded platform of `folder`, which serves at `url`.

    Raises:
        ConfigError: its token is gone.
    """
    token = read_token(folder)
    if token is None:
        raise ConfigError(
            f"the platform at {url} has no token file in {folder}",
            hint="is EPHEMERA_HOME the folder of that platform?",
        )
    return Address(url, _logs_url(url, environ), authorization("the token file", token))


def check_url(name: str, value: str) -> str:
    """Return a base URL without the slashes at its end.

    Raises:
        ConfigError: not an `http` or `https` URL of a host, or more than that.
    """
    if not isinstance(value, str):
        raise ConfigError(f"{name} is text, not a {type(value).__name__}", hint=_URL_HINT)
    parts = _split(value)
    if parts is None or "@" in parts.netloc:
        # Whatever stands before an @ may be a password, so the value is not shown.
        shown = repr(value) if parts is None and "@" not in value else "its value"
        raise ConfigError(f"{name}: {shown} is not the URL of an API", hint=_URL_HINT)
    if parts.query or parts.fragment or any(c.isspace() for c in value):
        raise ConfigError(f"{name}: {value!r} is more than a base URL", hint=_URL_HINT)
    return value.rstrip("/")


_URL_HINT = "it looks like http://127.0.0.1:4280 or https://api.machines.dev"


def authorization(name: str, token: str) -> str:
    """Return the `Authorization` header for a token, with or without its scheme.

    Args:
        name: Where the token came from, for messages.

    Raises:
        ConfigError: it cannot be a token: empty, or with white space or other characters in it
            that a header cannot hold. White space around it is forgiven.
    """
    if not isinstance(token, str):
        raise ConfigError(f"{name} is text, not a {type(token).__name__}")
    found = _TOKEN.fullmatch(token.strip())
    if found is None:
        raise ConfigError(
            f"{name} is not a token: it is empty, or has white space or other characters in it"
            f" that no token has ({len(token)} characters)",
            hint="copy it again, without line breaks",
        )
    alone = found[0].removeprefix(found["scheme"])
    is_fly_v1 = "FlyV1" in found["scheme"] or _MACAROON.search(alone)
    return f"FlyV1 {alone}" if is_fly_v1 else f"Bearer {alone}"


def is_loopback(url: str) -> bool:
    """Return whether a URL means this very computer."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token(token: str | None, environ: Mapping[str, str]) -> tuple[str, str] | None:
    if token is not None:
        return "the token argument", token
    kept = environ.get("FLY_API_TOKEN")
    return ("FLY_API_TOKEN", kept) if kept else None


def _url(url: str | None, environ: Mapping[str, str], *, has_token: bool) -> tuple[str, str] | None:
    if url is not None:
        return "the url argument", url
    for name in _URL_SETTINGS:
        if environ.get(name):
            return name, environ[name]
    if environ.get("FLY_MACHINE_ID"):
        return "the API inside Fly.io", FLY_PRIVATE_URL
    return ("the API of Fly.io", FLY_PUBLIC_URL) if has_token else None


def _socket(environ: Mapping[str, str]) -> str | None:
    """Return the socket through which this machine, if it is one, reaches the API."""
    named = environ.get("EPHEMERA_API_SOCKET")
    if named:
        return named
    elsewhere = any(environ.get(name) for name in _URL_SETTINGS)
    inside_fly = environ.get("FLY_MACHINE_ID") and not elsewhere
    return FLY_SOCKET if inside_fly and os.access(FLY_SOCKET, os.W_OK) else None


def _logs_url(base: str, environ: Mapping[str, str]) -> str:
    override = environ.get("FLY_API_BASE_URL")
    if override:
        return check_url("FLY_API_BASE_URL", override)
    if environ.get("EPHEMERA_API_SOCKET") and _is_within(base, None):
        return base
    return FLY_LOGS_URL if urlsplit(base).hostname in _FLY_HOSTS else base


def _is_within(url: str, socket: str | None) -> bool:
    """Whether this is what a machine finds the API at, on Fly.io and on a platform of ours."""
    return socket == FLY_SOCKET or urlsplit(url).hostname == urlsplit(FLY_PRIVATE_URL).hostname


def _split(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        usable = parts.port != 0 and _HOST.fullmatch(parts.hostname or "")
    except ValueError:
        return None
    return parts if usable and parts.scheme in ("http", "https") else None


def _token_hint(base: str, folder: Path) -> str:
    if is_loopback(base):
        return f"set FLY_API_TOKEN; a platform on this computer keeps its token in {folder}"
    return "set FLY_API_TOKEN, for example to what `fly tokens create deploy` prints"
