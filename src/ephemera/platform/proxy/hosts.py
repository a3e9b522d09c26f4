"""Which app is meant by the name that a client calls us."""

from __future__ import annotations

from collections.abc import Callable

from ephemera.platform.edge import hostnames
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.records import AppRecord
from ephemera.platform.refusals import Refusal

#: What the names of apps are below: on this computer, and in private networks.
LOCAL, PRIVATE = ".localhost", ".flycast"
#: Whatever clients call us is remembered only up to here.
_KNOWN_MAX = 4096


def nobody(host: str) -> ProxyRefusal:
    """Return how a name is refused that no app has, as far as the client is to know."""
    for suffix in (LOCAL, PRIVATE):
        if host.endswith(suffix):
            return ProxyRefusal(
                404,
                f"there is no app '{host.removesuffix(suffix)[:100]}'",
                hint="`ephemera apps list` shows those there are",
            )
    return ProxyRefusal(
        404,
        f"no app has the host name '{host[:100]}'",
        hint=f"an app is at <its name>{LOCAL}; other names come with `ephemera certs`",
    )


class Hosts:
    """The names of apps.

    Args:
        named: Returns an app by its name, or raises a `Refusal`.
        with_id: Returns an app by its id.
        holder: Returns the id of the app that has a host name; empty where none has.
        version: Returns a number that changes when any app gets or loses a host name.
    """

    def __init__(
        self,
        named: Callable[[str], AppRecord],
        with_id: Callable[[str], AppRecord],
        holder: Callable[[str], str],
        version: Callable[[], int],
    ) -> None:
        self._named = named
        self.with_id = with_id
        self._holder = holder
        self._version = version
        self._known: dict[str, str] = {}
        self._known_at = -1

    def app(self, host: str) -> AppRecord:
        """Return the app that is meant.

        Args:
            host: In lower case, without the port.

        Raises:
            ProxyRefusal: none is (404).
        """
        for suffix in (LOCAL, PRIVATE):
            if host.endswith(suffix):
                return self.called(host.removesuffix(suffix))
        app_id = self._app_id(host)
        if not app_id:
            raise nobody(host)
        return self.with_id(app_id)

    def called(self, name: str) -> AppRecord:
        """Return an app by its own name.

        Raises:
            ProxyRefusal: there is none (404).
        """
        try:
            return self._named(name)
        except Refusal:
            raise nobody(f"{name}{LOCAL}") from None

    def _app_id(self, host: str) -> str:
        version = self._version()
        if version != self._known_at or len(self._known) > _KNOWN_MAX:
            self._known, self._known_at = {}, version
        if host not in self._known:
            name = hostnames.encoded(host)
            self._known[host] = self._holder(name) if name else ""
        return self._known[host]
