"""Where a request is meant to go: by its name, by what the client wishes, or by a replay."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ephemera.platform.proxy.choice import Wish
from ephemera.platform.proxy.hosts import Hosts, nobody
from ephemera.platform.proxy.routing import Asked, ProxyRefusal, Replay
from ephemera.platform.records import AppRecord

#: How long a request is held at most, for a machine to come up or to be free.
HELD_MAX_S = 60.0
#: In a replay: whichever region.
_ANY = "any"
#: What is wished where nothing is said.
WHICHEVER = Wish()
#: Looked at in the place of an app that is not there, which so takes as long to be refused.
_STRANGER = AppRecord("", "", "", "", 0.0)


@dataclass(frozen=True, slots=True)
class Target:
    """The app that a request goes to, and which of its machines."""

    app: AppRecord
    #: How long it may take until there is a machine for it.
    patience_s: float = HELD_MAX_S
    wish: Wish = WHICHEVER
    #: What the machine is told of a replay that came to nothing.
    failed: str = ""
    begun_at: float = field(default_factory=time.monotonic)

    def headers(self, machine_id: str) -> Sequence[tuple[str, str]]:
        """Return what the machine that gets it is told beside."""
        if self.wish is WHICHEVER:
            return ()
        found: list[tuple[str, str]] = []
        preferred = self.wish.prefer_instance
        if preferred and preferred != machine_id:
            found.append(("fly-preferred-instance-unavailable", preferred))
        if self.failed:
            found.append(("fly-replay-failed", self.failed))
        return found


class Targets:
    """Finds out where requests are meant to go.

    Args:
        reaches: Says whether a client, known by its address, may reach an app.
    """

    def __init__(self, hosts: Hosts, reaches: Callable[[str, AppRecord], bool]) -> None:
        self._hosts = hosts
        self._reaches = reaches

    def of(self, asked: Asked) -> Target:
        """Return where a request is meant to go.

        Raises:
            ProxyRefusal: there is no such app, or it is none of the client's business.
        """
        app = self.app(asked.host, asked.client)
        if asked.replay:
            return self._replayed(asked.client, asked.replay)
        wishes = asked.wishes
        if not wishes:
            return Target(app)
        region = wishes.get("fly-force-region", "")
        wish = Wish(
            instance=wishes.get("fly-force-instance-id", ""),
            regions=(region,) if region else (),
            prefer_instance=wishes.get("fly-prefer-instance-id", ""),
            prefer_region=wishes.get("fly-prefer-region", ""),
        )
        return Target(app, wish=wish)

    def app(self, host: str, client: str) -> AppRecord:
        """Return the app that a client means.

        A machine is not told of an app that it may not reach: what it is answered is the same as
        for one that does not exist, and the same is looked up before.

        Raises:
            ProxyRefusal: there is none, or none that the client may reach (404).
        """
        try:
            app = self._hosts.app(host)
        except ProxyRefusal:
            self._reaches(client, _STRANGER)
            raise
        if not self._reaches(client, app):
            raise nobody(host)
        return app

    def fallback(self, asked: Asked, target: Target, error: ProxyRefusal) -> Target | None:
        """Return where a replay goes that came to nothing; None where it is to fail."""
        replay = asked.replay
        if replay is None or not replay.fallback or error.code.startswith("PA"):
            return None
        own = replay.source_machine
        wish = Wish(instance=own) if replay.fallback == "force_self" else Wish(prefer_instance=own)
        late = error.status == 504 or error.code == "PM03"
        elapsed_ms = round((time.monotonic() - target.begun_at) * 1000)
        said = (
            f"instance={replay.instance or replay.prefer_instance};app={target.app.name};"
            f"region={','.join(replay.regions)};replay_source={own};"
            f"reason={'timeout' if late else 'no_candidate'};elapsed_ms={elapsed_ms}"
        )
        return Target(self._hosts.with_id(replay.source_app_id), wish=wish, failed=said)

    def _replayed(self, client: str, replay: Replay) -> Target:
        source = self._hosts.with_id(replay.source_app_id)  # the last one, after several replays
        app = self._other(client, source, replay.app) if replay.app else source
        regions = () if _ANY in replay.regions else replay.regions
        own = frozenset({replay.source_machine}) if replay.elsewhere else frozenset[str]()
        wish = Wish(replay.instance, regions, replay.prefer_instance, avoid=own)
        return Target(app, min(replay.timeout_s or HELD_MAX_S, HELD_MAX_S), wish)

    def _other(self, client: str, source: AppRecord, name: str) -> AppRecord:
        """Return the app that an app names in a replay, of which it is told as `app` tells."""
        with suppress(ProxyRefusal):
            app = self._hosts.called(name)
            if app.org_slug == source.org_slug and self._reaches(client, app):
                return app
        raise ProxyRefusal(
            502,
            f"the app wants the request replayed to '{name[:100]}', and there is no such app",
            hint="requests are replayed within one organisation and network only",
            code="PA04",
            app_id=source.id,
        )
