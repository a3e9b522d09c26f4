from __future__ import annotations

import pytest

from ephemera.oci.challenges import Challenge, parse

BEARER = {
    "realm": "https://auth.io/token",
    "service": "us",
    "scope": "repository:a:pull,push",
}


@pytest.mark.parametrize(
    ("header", "ways"),
    [
        ("", []),
        ('Basic realm="all of it"', [("basic", {"realm": "all of it"})]),
        ("Basic realm=plain", [("basic", {"realm": "plain"})]),
        ("Basic", [("basic", {})]),
        (
            'Bearer realm="https://auth.io/token",service="us",scope="repository:a:pull,push"',
            [("bearer", BEARER)],
        ),
        (
            'BEARER Realm = "https://auth.io/token" , SERVICE=us, scope="repository:a:pull,push"',
            [("bearer", BEARER)],
        ),
        (
            'Negotiate, Basic realm="a", Bearer realm="b"',
            [("negotiate", {}), ("basic", {"realm": "a"}), ("bearer", {"realm": "b"})],
        ),
        (r'Basic realm="say \"please\""', [("basic", {"realm": 'say "please"'})]),
    ],
)
def test_ways_in_are_read_from_the_header(
    header: str, ways: list[tuple[str, dict[str, str]]]
) -> None:
    assert parse(header) == [Challenge(scheme, parameters) for scheme, parameters in ways]


@pytest.mark.parametrize("header", ['Basic realm="never closed', "??? !!!,,, =", "=", ",", '"'])
def test_what_cannot_be_read_offers_no_way_that_could_be_gone(header: str) -> None:
    assert not any(one.parameters for one in parse(header))
