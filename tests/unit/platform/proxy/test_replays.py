"""How an app may say that another machine is to answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ephemera.platform.proxy import replays
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.proxy.streams import RequestHead
from ephemera.wire.services import HttpOptions
from tests.proxy_world import FakeSeat

SEAT = FakeSeat("m1", [], HttpOptions())


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ("instance=00bb33ff", {"instance": "00bb33ff"}),
        ("region=sjc", {"regions": ("sjc",)}),
        ('region="iad,ord, any";app=other', {"regions": ("iad", "ord", "any"), "app": "other"}),
        ("prefer_instance=1; state=a=b c", {"prefer_instance": "1", "state": "a=b c"}),
        ("elsewhere=true", {"elsewhere": True}),
        ("app=x;timeout=5s;fallback=force_self", {"timeout_s": 5.0, "fallback": "force_self"}),
        (" region = ams ; ", {"regions": ("ams",)}),
    ],
)
def test_the_header_is_read(said: str, fields: dict[str, Any]) -> None:
    replay = replays.from_header(said.encode(), SEAT).replay
    assert {name: getattr(replay, name) for name in fields} == fields
    assert (replay.source_machine, replay.source_app_id) == ("m1", "app")


@pytest.mark.parametrize(
    "said",
    ["", "yes", "state=x", "region=", "elsewhere=maybe", "app=x;timeout=soon", "app=x;fallback=no"],
)
def test_what_says_nothing_is_refused_with_its_code(said: str) -> None:
    with pytest.raises(ProxyRefusal) as refused:
        replays.from_header(said.encode(), SEAT)
    assert refused.value.code == "PA03"
    assert refused.value.machine_id == "m1"


@pytest.mark.parametrize(
    ("order", "named"),
    [
        (replays.from_header(b"region=ams", SEAT), ""),
        (replays.from_header(b"region=ams;cache_key=a", SEAT), "'cache_key'"),
        (replays.from_json(b'{"region": "ams", "transform": {"path": "/"}}', SEAT), ""),
        (
            replays.from_json(b'{"app": "b", "cache": 1, "transform": {"method": "PUT"}}', SEAT),
            "'cache', 'transform.method'",
        ),
    ],
)
def test_what_is_not_done_is_named(order: replays.Order, named: str) -> None:
    assert order.replay.regions or order.replay.app
    assert order.complaint() == (
        named and f"a replay was asked for with {named}, which means nothing here"
    )


def test_a_body_may_change_the_request() -> None:
    body = {
        "app": "other",
        "region": "iad,us",
        "transform": {
            "path": "/new?a=b",
            "delete_headers": ["Cookie"],
            "set_headers": [{"name": "X-Set", "value": "1"}, {"name": "x-old", "value": "2"}],
        },
    }
    order = replays.from_json(json.dumps(body).encode(), SEAT)
    assert order.replay.regions == ("iad", "us")
    sent = [(b"cookie", b"a"), (b"x-old", b"1"), (b"x-kept", b"1")]
    head = order.changed(RequestHead(b"POST", b"/old", b"demo", sent, "1.1", 7), SEAT)
    assert head.target == b"/new?a=b"
    assert head.headers == [(b"x-kept", b"1"), (b"x-set", b"1"), (b"x-old", b"2")]
    assert (head.method, head.authority, head.length) == (b"POST", b"demo", 7)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'"x"',
        b"null",
        b'{"app": "x", "transform": {"set_headers": [1]}}',
        b"[" * 9999,
    ],
)
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(ProxyRefusal, match="replayed"):
        replays.from_json(body, SEAT)


@pytest.mark.parametrize("name", ["state", "instance", "region", "app"])
def test_nothing_of_it_can_end_the_header_that_tells_the_next_machine(name: str) -> None:
    body = {"app": "other", name: "x\r\nFly-Client-IP: 192.0.2.1"}
    with pytest.raises(ProxyRefusal, match=f"{name} has a control character") as refused:
        replays.from_json(json.dumps(body).encode(), SEAT)
    assert refused.value.code == "PA03"


@pytest.mark.parametrize(
    "transform",
    [
        {"path": "no-path"},
        {"path": "/a b"},
        {"path": "/a\r\nx: y"},
        {"set_headers": [{"name": "x", "value": "a\r\nb: c"}]},
        {"set_headers": [{"name": "x y", "value": "a"}]},
    ],
)
def test_a_change_that_makes_no_request_is_refused(transform: dict[str, Any]) -> None:
    order = replays.from_json(json.dumps({"app": "x", "transform": transform}).encode(), SEAT)
    with pytest.raises(ProxyRefusal) as refused:
        order.changed(RequestHead(b"GET", b"/", b"demo", [], "1.1"), SEAT)
    assert refused.value.code == "PA03"
