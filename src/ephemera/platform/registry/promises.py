"""What clients were told is here, and count on, while they push an image.

A client sends the parts of an image first, or asks whether they are here and does not send them,
and then the manifest. Until that comes nothing refers to them, and nothing may take them away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

#: A push that takes longer after its last word about a part has to send that part again.
_KEPT_S = 3600.0


class Promises:
    """By app and digest. Those of a server that is gone are forgotten: its clients push again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._made_at: dict[tuple[str, str], float] = {}

    def make(self, app_id: str, digest: str) -> None:
        """Promise that something of an app stays for a while."""
        self._made_at[app_id, digest] = self._clock()

    def keep(self, app_id: str, digests: Iterable[str]) -> None:
        """Forget promises: a manifest refers to these from now on."""
        for digest in digests:
            self._made_at.pop((app_id, digest), None)

    def of(self, app_id: str) -> set[str]:
        """Return what is promised to clients that push to an app."""
        since = self._clock() - _KEPT_S
        self._made_at = {key: at for key, at in self._made_at.items() if at >= since}
        return {digest for app, digest in self._made_at if app == app_id}
