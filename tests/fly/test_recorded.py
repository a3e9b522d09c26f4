"""What Fly.io is known to have answered is understood: each answer by the call that gets it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephemera import Client
from ephemera.client.attempt import Pace
from ephemera.errors import (
    ApiError,
    Conflict,
    Invalid,
    NoAnswer,
    NoCapacity,
    RateLimited,
    Unauthorized,
    WaitTimeout,
    WrongState,
)
from tests.fly.rules import API, LOGS, Rules

RULES = Rules()
APP, MACHINE = "my-app-name", "73d8d46dbee589"
Do = Callable[[Client], Any]


@dataclass(frozen=True)
class Recorded:
    """One answer, and the request that it was given to."""

    what: str
    request: str
    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        path = self.request.partition(" ")[2]
        return f"https://{API if path.startswith('/v1/') else LOGS}{path}"

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.body is None:
            return httpx2.Response(self.status, headers=self.headers, request=request)
        content = json.dumps(self.body)
        return httpx2.Response(self.status, headers=self.headers, content=content, request=request)


FILES = sorted((Path(__file__).parent / "recorded").glob("*.json"))
RECORDED = [Recorded(**one) for file in FILES for one in json.loads(file.read_text())["answers"]]


def _create(client: Client) -> Any:
    return client.machines.create(APP, config={"image": "x"}, name="one")


def _update(client: Client) -> Any:
    return client.machines.update(APP, MACHINE, config={"image": "x"})


def _wait(client: Client) -> Any:
    return client.machines.wait(APP, MACHINE, timeout=0)


def _start(client: Client) -> Any:
    return client.machines.start(APP, MACHINE)


#: How each is asked for, and what is read in it.
READ: dict[str, tuple[Do, Callable[[Any], object], object]] = {
    "machines are listed": (
        lambda c: c.machines.list(APP),
        lambda found: [(one.id, one.config, one.last_exit()) for one in found],
        [("a5c5de9ce64ca12", None, None)],
    ),
    "a machine is created": (
        _create,
        lambda one: (one.id, one.state),
        ("1857156b526dd8", "created"),
    ),
    "a machine is waited for": (_wait, lambda done: done.ok, True),
    "a machine is read": (
        lambda c: c.machines.get(APP, "a5c5de9ce64ca12"),
        lambda one: (one.state, one.image_ref.tag, one.events[0].timestamp),
        ("started", "latest", 1698719726615),
    ),
    "a machine is updated": (
        _update,
        lambda one: (one.instance_id, one.config.env, one.config.restart.policy),
        ("01G3SHPYE8XZ58GD4XRRF9CCKC", None, None),
    ),
    "a machine is stopped": (lambda c: c.machines.stop(APP, MACHINE), bool, False),
    "a machine is suspended": (lambda c: c.machines.suspend(APP, MACHINE), bool, False),
    "a machine is started": (_start, lambda done: done.previous_state, "stopped"),
    "a machine is destroyed": (
        lambda c: c.machines.destroy(APP, "24d896dec64879", force=True),
        bool,
        False,
    ),
    "a lease is taken": (
        lambda c: c.leases.acquire(APP, "3d8d413b29d089", ttl=13),
        lambda lease: (lease.nonce, lease.expires_at),
        ("5c35f65c9f95", 1708569778),
    ),
    "a lease is read": (
        lambda c: c.leases.get(APP, "3d8d413b29d089"),
        lambda lease: lease.owner,
        "hello@fly.io",
    ),
    "a lease is given back": (
        lambda c: c.leases.release(APP, "3d8d413b29d089", "5c35f65c9f95"),
        bool,
        False,
    ),
    "a machine is cordoned": (lambda c: c.machines.cordon(APP, MACHINE), bool, False),
    "metadata is read": (
        lambda c: c.machines.metadata(APP, "9080e339b57798"),
        lambda found: found["fly_release_version"],
        "63",
    ),
    "metadata is written": (
        lambda c: c.machines.set_metadata(APP, "9080e339b57798", "foo-key", "bar"),
        bool,
        False,
    ),
    "a machine that has ended is read": (
        lambda c: c.machines.get(APP, "0e286e40cee686"),
        lambda one: (one.last_exit().exit_code, one.config.services[0].ports[0].port),
        (127, 443),
    ),
    "an app is created": (
        lambda c: c.apps.create(APP),
        lambda app: (app.id, app.name),
        ("z4k69dxd8r31p5mx", APP),
    ),
    "an app is read": (
        lambda c: c.apps.get(APP),
        lambda app: (app.status, app.organization.slug),
        ("pending", "personal"),
    ),
    "apps are listed": (
        lambda c: c.apps.list(),
        lambda found: (found.total_apps, [one.name for one in found.apps]),
        (4, ["my-app-1"]),
    ),
    "an app is deleted": (lambda c: c.apps.delete(APP), bool, False),
    "volumes are listed": (
        lambda c: c.volumes.list(APP),
        lambda found: [(one.attached_machine_id, one.attached_alloc_id) for one in found],
        [("908057ef21e487", None)],
    ),
    "a volume is created": (
        lambda c: c.volumes.create(APP, name="new_1028_vol", size_gb=10),
        lambda one: (one.id, one.attached_machine_id),
        ("vol_340088w293z35lp4", None),
    ),
    "a volume is updated": (
        lambda c: c.volumes.update(APP, "vol_340088w293z35lp4", snapshot_retention=10),
        lambda one: one.snapshot_retention,
        10,
    ),
    "a volume is deleted": (
        lambda c: c.volumes.delete(APP, "vol_340088w293z35lp4"),
        lambda one: one.state,
        "destroyed",
    ),
    "certificates are listed": (
        lambda c: list(c.certificates.list(APP)),
        lambda found: [(one.hostname, one.configured) for one in found],
        [("example.com", True)],
    ),
    "a certificate is asked for": (
        lambda c: c.certificates.create_acme(APP, "example.com"),
        lambda one: (one.status, one.dns_requirements.cname),
        ("pending_validation", "my-app-name.fly.dev"),
    ),
    "a certificate is read": (
        lambda c: c.certificates.get(APP, "example.com"),
        lambda one: [entry.issuer for entry in one.certificates],
        ["Cloudflare Origin Certificate", ""],
    ),
    "a certificate is checked": (
        lambda c: c.certificates.check(APP, "example.com"),
        lambda one: one.dns_records.ownership_txt,
        "app-XXXXXXXXXX",
    ),
    "a host name is removed": (
        lambda c: c.certificates.delete(APP, "example.com"),
        bool,
        False,
    ),
    "a deploy token is made": (
        lambda c: c.tokens.create_deploy("pgs-spike-target", expiry=48 * 3600),
        lambda token: token[:10],
        "FlyV1 fm2_",
    ),
    "events are listed": (
        lambda c: c.machines.events("pgs-spike-target2", "830371c7724638"),
        lambda found: [(one.type, bool(one.exit_event())) for one in found],
        [("start", False), ("start", False), ("exit", True), ("stop", False)],
    ),
    "a log is read": (
        lambda c: c.logs.page(APP),
        lambda page: (page.entries[0].message, page.next_token),
        (
            "machine exited with exit code 0, not restarting",
            "1663646887000000000",
        ),
    ),
    "a log has nothing new": (lambda c: c.logs.page(APP), lambda page: page.entries, []),
    "regions are listed": (
        lambda c: c.platform.regions(),
        lambda found: ([one.code for one in found.regions], found.nearest),
        (["ord"], "ord"),
    ),
}

_LEASE: Do = lambda c: c.leases.acquire(APP, "3d8d413b29d089", ttl=13)  # noqa: E731
_APP: Do = lambda c: c.apps.create(APP)  # noqa: E731
#: How each is asked for, the error that it is, and a part of its hint.
REFUSED: dict[str, tuple[Do, type[Exception], str]] = {
    "a body is missing": (lambda c: c.tokens.create_deploy("pgs-spike-target"), Invalid, ""),
    "an app of somebody else is looked into": (
        lambda c: c.machines.list("pgs-spike-other"),
        Unauthorized,
        "somebody else",
    ),
    "a machine is to be made for somebody else": (
        lambda c: c.machines.create("pgs-spike-other", config={"image": "x"}),
        Unauthorized,
        "somebody else",
    ),
    "apps are listed with a token for one": (lambda c: c.apps.list(), Unauthorized, "token"),
    "an app is created with a token for another": (_APP, Unauthorized, "token"),
    "the region is full": (_create, NoCapacity, "another region"),
    "the host of a volume is full": (_create, NoCapacity, "fork the volume"),
    "the host has no processor left": (_update, NoCapacity, "smaller guest"),
    "the host has no memory left": (_update, NoCapacity, "smaller guest"),
    "the host has no address left": (_create, NoCapacity, "another region"),
    "all hosts were tried": (_create, NoCapacity, "another region"),
    "there is no room for a volume": (
        lambda c: c.volumes.create(APP, name="data"),
        NoCapacity,
        "another region",
    ),
    "two update at once": (_update, Conflict, "update again"),
    "an app's name is taken": (_APP, Conflict, "another name"),
    "an app's name is taken, said the older way": (_APP, Conflict, "another name"),
    "an app's name is none": (_APP, Invalid, ""),
    "it is out of capacity as a whole": (_create, NoCapacity, "again later"),
    "a wait is over": (_wait, WaitTimeout, "again"),
    "a wait is over, in newer words": (_wait, WaitTimeout, "again"),
    "a wait is longer than a minute": (_wait, Invalid, ""),
    "too many requests": (_create, RateLimited, "fewer requests"),
    "a machine is not ready to be started": (_start, WrongState, "until the machine is stopped"),
    "a machine has just stopped": (_start, WrongState, "until the machine is stopped"),
    "a machine is being replaced": (_start, WrongState, "until the machine is stopped"),
    "somebody holds the lease": (_update, Conflict, "nonce"),
    "somebody holds the lease, as documented": (_LEASE, Conflict, "nonce"),
    "a machine's name is taken": (_create, Conflict, "148e02"),
    "the token is none": (lambda c: c.apps.get(APP), Unauthorized, "token"),
    "more than one machine costs money": (_create, Invalid, "payment method"),
    "a command takes more than 30 s": (
        lambda c: c.machines.exec(APP, MACHINE, ["sleep", "60"], timeout=60),
        WaitTimeout,
        "",
    ),
    "a stop has a body that is none": (lambda c: c.machines.stop(APP, MACHINE), Invalid, ""),
}


def _name(recorded: Recorded) -> str:
    return recorded.what.partition(":")[0]


def _asked(do: Do, recorded: Recorded) -> Any:
    """Return what a call makes of the answer; it must be the one that the answer is to."""
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return recorded.answer(request)

    seconds = iter(range(10**6))
    clock = Pace(clock=lambda: 20.0 * next(seconds), chance=lambda: 0.0)
    transport = httpx2.MockTransport(answer)
    with Client(f"https://{API}", "fm2_x", transport=transport, pace=clock, limits=False) as client:
        try:
            return do(client)
        finally:
            sent = {f"{one.method} {one.url.path}" for one in asked}
            assert recorded.request in sent
            assert [problem for one in asked for problem in RULES.problems(one)] == []


def test_each_answer_is_to_something_that_can_be_asked() -> None:
    names = [_name(one) for one in RECORDED]
    assert len(set(names)) == len(names)
    assert set(names) == set(READ) | set(REFUSED)


@pytest.mark.parametrize("recorded", [one for one in RECORDED if one.status < 300], ids=_name)
def test_what_was_answered_is_read(recorded: Recorded) -> None:
    do, read, wanted = READ[_name(recorded)]
    assert read(_asked(do, recorded)) == wanted


@pytest.mark.parametrize("recorded", [one for one in RECORDED if one.status >= 300], ids=_name)
def test_what_was_refused_is_the_right_error(recorded: Recorded) -> None:
    do, kind, hint = REFUSED[_name(recorded)]
    with pytest.raises(kind) as caught:
        _asked(do, recorded)
    assert hint in getattr(caught.value, "hint", "")
    if recorded.headers and isinstance(caught.value, (ApiError, NoAnswer)):
        assert getattr(caught.value, "request_id", "") == recorded.headers["fly-request-id"]
