"""Makes an embedded platform misbehave on purpose, to see what an application makes of it.

```python
def test_a_full_region_is_said_to_the_user(ephemera_faults, client):
    ephemera_faults.error("no_host")
    assert "try again later" in client.post("/albums/paris/thumbnails").text
```

The platform must have been started by `ephemera.testing.serving`, or with `--testing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import httpx2

_ANSWER_WAIT_S = 60.0


class Requests(TypedDict, total=False):
    """Which requests a fault is about, and how many of them; all of them, if nothing is said."""

    #: Such as `POST`.
    method: str
    #: With a name in braces for any one piece: `/v1/apps/{app_name}/machines`.
    path: str
    #: The app's name.
    app: str
    #: The machine's id.
    machine: str
    #: How many times it strikes; for ever, if it does not say.
    times: int
    #: How many it lets pass first.
    after: int


class Boots(TypedDict, total=False):
    """Which boots of machines a fault is about; see `Requests`."""

    app: str
    machine: str
    #: The image reference in the machine's config.
    image: str
    times: int
    after: int


class Fault:
    """A fault that was asked for. As a context manager it is there for the length of the block."""

    def __init__(self, http: httpx2.Client, fault_id: str) -> None:
        self._http = http
        self._path = f"/ephemera/testing/faults/{fault_id}"

    @property
    def hits(self) -> int:
        """How many times it has struck so far."""
        return int(self._http.get(self._path).raise_for_status().json()["hits"])

    def remove(self) -> None:
        """Take it away; what is stuck for it goes on. Repeating is safe."""
        answer = self._http.delete(self._path)
        if answer.status_code != 404:
            answer.raise_for_status()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Take it away."""
        self.remove()


class Faults:
    """The fault menu of one platform.

    Where several faults match, the oldest that is not spent strikes.

    Args:
        url: The platform's base URL.
        token: Its own token; one that is for an app only will not do.
    """

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx2.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=_ANSWER_WAIT_S
        )

    def error(self, preset: str, **requests: Unpack[Requests]) -> Fault:
        """Have requests refused as Fly.io refuses them.

        Args:
            preset: `no_host`, `host_full`, `host_cpus_full`, `no_ips`, `no_capacity`,
                `volume_host_full`, `quota`, `payment_needed` (all of these refuse the creation
                of machines where no method and path are given), `volume_no_room` (that of
                volumes), `rate_limited`, `server_error`, `bad_gateway`, `unavailable`.
        """
        return self._add({"kind": "error", "preset": preset}, requests)

    def answer(
        self,
        status: int,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **requests: Unpack[Requests],
    ) -> Fault:
        """Have requests answered with an error of your own, 400 to 599."""
        effect = {"status": status, "body": dict(body or {}), "headers": dict(headers or {})}
        return self._add({"kind": "error", **effect}, requests)

    def delay(self, seconds: float, **requests: Unpack[Requests]) -> Fault:
        """Have requests applied later.

        Args:
            seconds: On the platform's clock, at most 300: moving the clock ends the delay.
        """
        return self._add({"kind": "delay", "seconds": seconds}, requests)

    def lost_answer(self, **requests: Unpack[Requests]) -> Fault:
        """Have requests applied and their connections ended without an answer."""
        return self._add({"kind": "lost_answer"}, requests)

    def dropped(self, **requests: Unpack[Requests]) -> Fault:
        """Have the connections of requests ended, and the requests not applied."""
        return self._add({"kind": "dropped"}, requests)

    def no_image(self, **boots: Unpack[Boots]) -> Fault:
        """Have machines fail to start because their image cannot be pulled."""
        return self._add({"kind": "no_image"}, boots)

    def boot_failure(self, why: str = "a test wants it so", **boots: Unpack[Boots]) -> Fault:
        """Have machines fail to start."""
        return self._add({"kind": "boot_failure", "why": why}, boots)

    def stuck(self, state: str, *, app: str = "", machine: str = "") -> Fault:
        """Have machines stay in a state until the fault is removed.

        Args:
            state: One that a machine leaves by itself, such as `created`, `starting`,
                `stopping`, `replacing`. What a caller asks for moves it all the same.
        """
        named = {"app": app, "machine": machine}
        return self._add({"kind": "stuck", "state": state}, {k: v for k, v in named.items() if v})

    def lose(self, app: str, machine: str) -> None:
        """Have a started machine end as if its host were gone: exit code -1, seen by nobody."""
        path = f"/ephemera/testing/apps/{app}/machines/{machine}/lose"
        self._http.post(path).raise_for_status()

    def clear(self) -> None:
        """Take all faults away; what is stuck goes on."""
        self._http.delete("/ephemera/testing/faults").raise_for_status()

    def close(self) -> None:
        """Close the connection; the faults stay."""
        self._http.close()

    def _add(self, effect: Mapping[str, Any], given: Mapping[str, Any]) -> Fault:
        often = {name: given[name] for name in ("times", "after") if name in given}
        match = {name: value for name, value in given.items() if name not in often}
        order = {"effect": effect, "match": match, **often}
        answer = self._http.post("/ephemera/testing/faults", json=order)
        if answer.status_code == 400:
            raise ValueError(answer.json()["error"])
        return Fault(self._http, answer.raise_for_status().json()["id"])
