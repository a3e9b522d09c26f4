"""The certificates that clients are shown, by the name that they ask for (SNI).

An uploaded one where the host name has one; for `<app>.localhost` and everything else that is
asked for, one of this computer's own authority.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ephemera.platform.edge import hostnames
from ephemera.platform.proxy.routing import ALPN

if TYPE_CHECKING:
    from ephemera.platform.proxy.authority import LocalAuthority

#: What is shown to those who ask for no name, or for none of ours.
_OURS = ("localhost", "127.0.0.1")
#: Certificates of our own are made anew long before they end.
_FRESH_S = 30 * 24 * 3600.0
#: How many names have a context ready.
_KNOWN_MAX = 1024


class ServedCertificates:
    """What TLS listeners answer with.

    Args:
        folder: Where the authority of this computer is.
        chain: Returns the certificates and the key of a host name, both in PEM form; None where
            none were uploaded.
        exists: Says whether a name is one of an app's.
        version: Returns a number that changes when a certificate is uploaded or removed.
    """

    def __init__(
        self,
        folder: Path,
        chain: Callable[[str], tuple[str, bytes] | None],
        exists: Callable[[str], bool],
        version: Callable[[], int],
    ) -> None:
        self._folder = folder
        self._chain = chain
        self._exists = exists
        self._version = version
        self._authority: LocalAuthority | None = None
        self._known: dict[tuple[str, tuple[str, ...]], tuple[int, float, ssl.SSLContext]] = {}

    def context(self, alpn: tuple[str, ...] = ALPN) -> ssl.SSLContext:
        """Return what a listener answers with; each client is shown the certificate of its name.

        Args:
            alpn: The protocols that are spoken inside, best first; none to agree on nothing.

        Raises:
            OSError, ValueError: the authority's files cannot be used.
        """
        context = self._made(self.authority().issue(_OURS), alpn)

        def named(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name:
                connection.context = self._for(name.lower(), alpn) or context

        context.sni_callback = named
        return context

    def authority(self) -> LocalAuthority:
        """Return the authority of this computer, which is made at the first call."""
        if self._authority is None:
            from ephemera.platform.proxy.authority import LocalAuthority

            self._authority = LocalAuthority(self._folder)
        return self._authority

    def _for(self, name: str, alpn: tuple[str, ...]) -> ssl.SSLContext | None:
        """Return the context for a name; None for one that is none of ours."""
        key, version, now = (name, alpn), self._version(), time.monotonic()
        known = self._known.get(key)
        if known and known[0] == version and now - known[1] < _FRESH_S:
            return known[2]
        pem = self._pem(name)
        if pem is None:
            return None
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        context = self._made(pem, alpn)
        self._known[key] = (version, now, context)
        return context

    def _pem(self, name: str) -> bytes | None:
        hostname = hostnames.encoded(name)
        uploaded = self._chain(hostname) if hostname else None
        if uploaded:
            return uploaded[1] + uploaded[0].encode()
        if hostname and hostnames.is_local(hostname) and self._exists(name):
            return self.authority().issue([hostname])
        return None

    def _made(self, pem: bytes, alpn: tuple[str, ...]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if alpn:
            context.set_alpn_protocols(list(alpn))
        # The standard library reads certificates from files only.
        descriptor, path = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
            context.load_cert_chain(path)
        finally:
            Path(path).unlink()
        return context
