"""The address a client goes to, found when it is first needed.

Making a client must cost nothing and start nothing, so the embedded platform is located, and
started if need be, on the first request, and located again when it stops answering.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ephemera.client.local import ensure_platform, recover_platform
from ephemera.client.settings import Address, choose, embedded, is_loopback
from ephemera.home import home


class Place:
    """Where one client sends its requests. Safe to use from any thread.

    Args:
        url: The caller's choice; else the environment's, else the embedded platform.
        token: The same.

    Raises:
        ConfigError: an address or token is missing or malformed.
    """

    def __init__(self, url: str | None, token: str | None) -> None:
        self._environ = dict(os.environ)
        self._folder: Path = home()
        self._lock = threading.Lock()
        #: Found already; None while the embedded platform was not looked for yet.
        self.address: Address | None = choose(url, token, self._environ, self._folder)
        #: Whether it is the embedded platform, which may have to be started, and may move.
        self.embedded = self.address is None

    @property
    def local(self) -> bool:
        """Whether requests stay on this computer."""
        address = self.address
        return address is None or (is_loopback(address.url) and not address.fly)

    @property
    def fly(self) -> bool:
        """Whether requests go to Fly.io."""
        return self.address is not None and self.address.fly

    @property
    def plain(self) -> bool:
        """Whether no request is encrypted, so that no certificates are needed."""
        found = self.address
        logs_url = found.logs_url if found else self._environ.get("FLY_API_BASE_URL", "")
        urls = (found.url, logs_url) if found else (logs_url,)
        return not any(url.lower().startswith("https:") for url in urls)

    @property
    def near(self) -> bool:
        """Whether there is nothing but this computer's own network between us and the API."""
        return self.local and self.plain

    @property
    def socket(self) -> str | None:
        """The path of the Unix socket that the API is reached through; None for the network."""
        return self.address.socket if self.address else None

    def find(self) -> Address:
        """Return the address; the first call may start the embedded platform, which takes a while.

        Raises:
            ConfigError: the embedded platform cannot be started.
        """
        with self._lock:
            if self.address is None:
                endpoint = ensure_platform(self._folder)
                self.address = embedded(endpoint.url, self._folder, self._environ)
            return self.address

    def find_again(self, unreachable: Address) -> None:
        """Look for the embedded platform again after it could not be reached.

        Does nothing where the platform was taken down on purpose, or another thread has found it.

        Raises:
            ConfigError: it was killed and cannot be started again.
        """
        with self._lock:
            if not self.embedded or self.address is not unreachable:
                return
            endpoint = recover_platform(self._folder)
            if endpoint:
                self.address = embedded(endpoint.url, self._folder, self._environ)

    def __repr__(self) -> str:
        return self.address.shown if self.address else f"the embedded platform in {self._folder}"
