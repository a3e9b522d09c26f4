"""What the proxy takes away from headers and adds to them."""

from __future__ import annotations

import pytest

from ephemera.platform.proxy import headers
from ephemera.platform.proxy.streams import Client, Headers, Listener, RequestHead
from ephemera.wire.services import HttpResponseOptions

PLAIN = Client("192.0.2.1", Listener(80, False, 4281))
TLS = Client("2001:db8::1", Listener(443, True, 4443))


def told(sent: Headers, client: Client = PLAIN, version: str = "1.1") -> Headers:
    """Return what a machine is told of a request with these headers."""
    head = RequestHead(b"GET", b"/", b"demo.localhost", sent, version)
    return headers.to_machine(head, client, "ams", "ID")


def values(found: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in found if key == name]


@pytest.mark.parametrize(
    ("client", "name", "value"),
    [
        (PLAIN, b"host", b"demo.localhost"),
        (PLAIN, b"fly-client-ip", b"192.0.2.1"),
        (PLAIN, b"fly-forwarded-port", b"4281"),
        (PLAIN, b"fly-region", b"ams"),
        (PLAIN, b"fly-request-id", b"ID"),
        (PLAIN, b"x-forwarded-for", b"192.0.2.1"),
        (PLAIN, b"x-forwarded-proto", b"http"),
        (PLAIN, b"x-forwarded-port", b"4281"),
        (PLAIN, b"x-forwarded-ssl", b"off"),
        (PLAIN, b"via", b"1.1 ephemera"),
        (TLS, b"fly-client-ip", b"2001:db8::1"),
        (TLS, b"x-forwarded-proto", b"https"),
        (TLS, b"x-forwarded-port", b"4443"),
        (TLS, b"x-forwarded-ssl", b"on"),
    ],
)
def test_a_machine_is_told_who_asks_and_how(client: Client, name: bytes, value: bytes) -> None:
    assert values(told([(name, b"forged")] if name.startswith(b"fly") else [], client), name) == [
        value
    ]


@pytest.mark.parametrize(
    ("name", "sent", "arrives"),
    [
        (b"x-forwarded-for", [b"1.2.3.4"], [b"1.2.3.4, 192.0.2.1"]),
        (b"x-forwarded-for", [b"1.2.3.4", b"5.6.7.8"], [b"1.2.3.4, 5.6.7.8, 192.0.2.1"]),
        (b"via", [b"1.0 other"], [b"1.0 other, 1.1 ephemera"]),
        (b"x-forwarded-port", [b"8443"], [b"8443"]),
        (b"x-forwarded-port", [b"x"], [b"4281"]),
        (b"x-forwarded-proto", [b"https"], [b"http"]),
        (b"x_forwarded_for", [b"1.2.3.4"], []),
        (b"content_length", [b"5"], []),
        (b"transfer_encoding", [b"chunked"], []),
        (b"fly_client_ip", [b"1.2.3.4"], []),
        (b"fly-replay-src", [b"instance=1"], []),
        (b"fly-prefer-region", [b"ams"], [b"ams"]),
        (b"x-mine", [b"1", b"2"], [b"1", b"2"]),
        (b"x_mine", [b"1"], [b"1"]),
        (b"authorization", [b"Bearer x"], [b"Bearer x"]),
        (b"te", [b"trailers, deflate"], [b"trailers"]),
        (b"te", [b"deflate"], []),
        (b"keep-alive", [b"timeout=5"], []),
        (b"proxy-authorization", [b"Basic x"], []),
        (b"upgrade", [b"h2c"], []),
    ],
)
def test_what_clients_say_is_kept_added_to_or_dropped(
    name: bytes, sent: list[bytes], arrives: list[bytes]
) -> None:
    assert values(told([(name, value) for value in sent]), name) == arrives


def test_headers_that_connection_names_are_of_the_connection_but_ours_stay() -> None:
    sent = [(b"connection", b"X-Hop, fly-client-ip"), (b"x-hop", b"1"), (b"x-end", b"2")]
    found = told(sent)
    assert not values(found, b"x-hop")
    assert not values(found, b"connection")
    assert values(found, b"x-end") == [b"2"]
    assert values(found, b"fly-client-ip") == [b"192.0.2.1"]


def test_an_answer_is_signed_unless_it_is_to_be_pristine() -> None:
    answered = [(b"server", b"gunicorn"), (b"via", b"1.1 cache"), (b"content-length", b"3")]
    signed = headers.to_client(answered, "1.1", "ID", None)
    assert values(signed, b"server") == [headers.SERVER]
    assert values(signed, b"via") == [b"1.1 cache, 1.1 ephemera"]
    assert values(signed, b"fly-request-id") == [b"ID"]
    left = headers.to_client(answered, "1.1", "ID", HttpResponseOptions(pristine=True))
    assert left == [(b"server", b"gunicorn"), (b"via", b"1.1 cache")]


def test_what_an_app_tells_the_proxy_is_not_for_clients() -> None:
    answered = [(b"fly-replay-cache", b"/*"), (b"connection", b"x-hop"), (b"x-hop", b"1")]
    assert headers.to_client(answered, "1.1", "ID", HttpResponseOptions(pristine=True)) == []


def test_an_app_sets_and_takes_away_headers_of_its_answers() -> None:
    wanted = {
        "X-Set": "1",
        "X-Many": ["1", "2"],
        "X-Gone": False,
        "Server": "mine",
        "X-Bad": "a\nb",
    }
    answered = [(b"x-gone", b"1"), (b"x-set", b"0"), (b"date", b"today")]
    found = headers.to_client(answered, "1.1", "ID", HttpResponseOptions(headers=wanted))
    assert values(found, b"x-set") == [b"1"]
    assert values(found, b"x-many") == [b"1", b"2"]
    assert values(found, b"server") == [b"mine"]
    assert values(found, b"x-bad") == [b"ab"]
    assert not values(found, b"x-gone")


@pytest.mark.parametrize("name", [b"fly-region", b"host", b"cookie", b"content-length", b"te"])
def test_no_trailer_passes_for_a_header(name: bytes) -> None:
    assert headers.trailers([(name, b"1"), (b"sum", b"2"), (b"a b", b"3")]) == [(b"sum", b"2")]


def test_wishes_are_read_from_their_headers_only() -> None:
    sent = [(b"fly-prefer-region", b"ams"), (b"fly-force-instance-id", b"1"), (b"x", b"2")]
    assert headers.wishes(sent) == {"fly-prefer-region": "ams", "fly-force-instance-id": "1"}
    assert headers.wishes([(b"x", b"2")]) == {}
