"""Whether a registry is spoken to in TLS, and which authorities may vouch for it.

Plain HTTP is for this computer, and for hosts that `EPHEMERA_INSECURE_REGISTRIES` names. Also
these are first asked whether they speak TLS.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path

from ephemera.errors import ImageUnavailable

#: Docker's place for the authorities of single registries.
_CERTIFICATES = Path("/etc/docker/certs.d")
#: A registry that does not speak TLS says so, or waits for more than it was sent.
_HANDSHAKE_TIMEOUT_S = 2.0
#: Of the parts of a name, of a name, and of ports.
_LABEL_MAX, _HOST_MAX, _PORT_MAX = 63, 253, 65535
#: For plain connections, since loading the certificates takes 60 ms.
TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def split_host(host: str) -> tuple[str, int | None]:
    """Return the name and the port of a registry, as in `localhost:5000` or `[::1]:5000`."""
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit() and (name.endswith("]") or ":" not in name):
        return name.strip("[]"), int(port)
    return host.strip("[]"), None


def is_loopback(host: str) -> bool:
    """Return whether a registry is on this computer."""
    name, _ = split_host(host)
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def may_be_plain(host: str, environ: Mapping[str, str]) -> bool:
    """Return whether a registry may be spoken to without TLS."""
    named = environ.get("EPHEMERA_INSECURE_REGISTRIES", "").split(",")
    return is_loopback(host) or host in (one.strip() for one in named)


def can_be_called(host: str, port: int | None) -> bool:
    """Return whether an address is one at all; connecting to another one fails in odd ways."""
    labels = host.rstrip(".").split(".")
    return (
        all(0 < len(label) <= _LABEL_MAX for label in labels)
        and len(host) <= _HOST_MAX
        and (port is None or 0 < port <= _PORT_MAX)
    )


def is_untrusted(error: BaseException | None) -> bool:
    """Return whether a connection failed because nobody we trust vouches for its other end."""
    while error and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def how_to_trust(host: str) -> str:
    """Return what to do about a registry for which nobody vouches."""
    return f"put its authority's certificate into {_CERTIFICATES / host / 'ca.crt'}"


async def speaks_tls(host: str) -> bool:
    """Ask a registry whether it speaks TLS. Nothing is sent that needs protection.

    Raises:
        OSError: nobody listens there.
    """
    name, port = split_host(host)
    curious = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    curious.check_hostname = False
    curious.verify_mode = ssl.CERT_NONE  # whom to trust is looked at when it matters
    if port is None and not await _listens(name, 443):
        return False
    try:
        async with asyncio.timeout(_HANDSHAKE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(name, port or 443, ssl=curious)
    except (ssl.SSLError, ConnectionResetError, TimeoutError):
        return False
    writer.transport.abort()
    return True


async def _listens(name: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_HANDSHAKE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(name, port)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


def authorities(host: str) -> ssl.SSLContext:
    """Return a context that trusts this computer's authorities and those kept for the registry.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name others in the place of this computer's. Takes about
    60 ms.

    Raises:
        ImageUnavailable: a certificate cannot be read.
    """
    own = _CERTIFICATES / host / "ca.crt"
    try:
        context = ssl.create_default_context()
        if own.exists():
            context.load_verify_locations(own)
    except (OSError, ssl.SSLError) as error:
        raise ImageUnavailable(
            f"the certificates for {host} cannot be read: {error}",
            hint=f"look at {own}, SSL_CERT_FILE and SSL_CERT_DIR",
        ) from error
    return context
