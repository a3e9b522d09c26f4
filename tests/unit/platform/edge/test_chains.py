from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ephemera.platform.edge import chains
from ephemera.platform.edge.chains import Chain
from ephemera.platform.refusals import Refusal
from ephemera.testing.authority import Authority, Issued

HOST = "shop.example.com"
DAY_S = 24 * 3600.0


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def read(issued: Issued, *, host: str = HOST, later: float = 0.0) -> Chain:
    """Read what was issued, as if it were `later` seconds from now."""
    return chains.read(issued["fullchain"], issued["private_key"], host, time.time() + later)


def why_not(issued: Issued, **more: Any) -> str:
    """Return why it is refused."""
    with pytest.raises(Refusal) as caught:
        read(issued, **more)
    assert caught.value.status == 422
    secret = issued["private_key"].strip().splitlines()
    assert not any(line in caught.value.error for line in secret if len(line) > 10)
    return caught.value.error


def test_a_certificate_tells_who_signed_it_and_until_when_it_is_good(authority: Authority) -> None:
    chain = read(authority.issue(HOST))
    assert chain.issuer == authority.name
    assert chain.key_type == "ecdsa"
    assert chain.expires_at == pytest.approx(time.time() + DAY_S, abs=60)
    assert chain.fullchain.count("BEGIN CERTIFICATE") == 2


def test_an_rsa_key_is_told_from_an_ecdsa_key(authority: Authority) -> None:
    key = rsa.generate_private_key(65537, 2048)
    assert read(authority.issue(HOST, key=key)).key_type == "rsa"


def test_the_key_that_is_kept_is_the_key(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    kept = load_pem_private_key(read(authority.issue(HOST, key=key)).key, None)
    assert kept.public_key() == key.public_key()


def test_the_key_is_in_no_text_about_the_chain(authority: Authority) -> None:
    assert "PRIVATE" not in repr(read(authority.issue(HOST)))


def test_a_certificate_with_a_star_is_good_for_names_below(authority: Authority) -> None:
    assert read(authority.issue("*.example.com")).issuer == authority.name


def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    assert HOST in why_not(authority.issue("other.example.com"))


def test_a_key_of_another_certificate_is_refused(authority: Authority) -> None:
    one, two = authority.issue(HOST), authority.issue(HOST)
    mixed = Issued(fullchain=one["fullchain"], private_key=two["private_key"])
    assert "private_key is not the key" in why_not(mixed)


def test_a_certificate_that_expired_is_refused(authority: Authority) -> None:
    old = authority.issue(HOST, good=(timedelta(days=-3), timedelta(days=-2)))
    assert "expired at" in why_not(old)
    assert "expired at" in why_not(authority.issue(HOST), later=2 * DAY_S)


def test_a_certificate_that_is_not_good_yet_is_refused(authority: Authority) -> None:
    early = authority.issue(HOST, good=(timedelta(days=2), timedelta(days=3)))
    assert "is not good before" in why_not(early)


def test_a_chain_that_is_out_of_order_is_refused(authority: Authority) -> None:
    issued, other = authority.issue(HOST), Authority().issue(HOST)
    leaf = issued["fullchain"].split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    mixed = Issued(fullchain=leaf + other["fullchain"], private_key=issued["private_key"])
    assert "not in order" in why_not(mixed)


def test_a_key_of_another_kind_is_refused(authority: Authority) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    issued = authority.issue(HOST, key=key)
    assert "neither an RSA nor an ECDSA key" in why_not(issued)


def test_a_key_that_is_locked_is_refused(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password")
    )
    issued = authority.issue(HOST, key=key)
    issued["private_key"] = locked.decode()
    assert "locked with a password" in why_not(issued)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("fullchain", "", "not certificates"),
        ("fullchain", "no PEM\0", "not certificates"),
        ("fullchain", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not cert"),
        ("fullchain", "x" * 70_000, "longer than"),
        ("private_key", "", "not a key"),
        (
            "private_key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "not a key",
        ),
        ("private_key", "x" * 9_000, "longer than"),
    ],
)
def test_what_is_no_certificate_or_key_is_refused(
    authority: Authority, field: str, value: str, why: str
) -> None:
    issued: Any = authority.issue(HOST)
    issued[field] = value
    assert why in why_not(issued)


def test_a_certificate_in_the_place_of_the_key_is_refused(authority: Authority) -> None:
    issued = authority.issue(HOST)
    issued["private_key"] = issued["fullchain"]
    assert "not a key" in why_not(issued)
