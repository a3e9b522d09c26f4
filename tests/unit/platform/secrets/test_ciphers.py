"""The ciphers do what others do who go by the same names."""

from __future__ import annotations

import hashlib

import pytest
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import SecretBox

from ephemera.platform.secrets import ciphers
from ephemera.platform.secrets.keytypes import Crypt

_NONCE = b"ABCDEFGHIJKLMNOPQRSTUVWX"


@pytest.mark.parametrize(
    ("key", "associated_data", "ciphertext"),
    [
        (b"\x01" * 32, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (
            b"\x03" * 32,
            b"c2sp.org/XAES-256-GCM",
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
        ),
    ],
)
def test_xaes_is_that_of_its_specification(
    key: bytes, associated_data: bytes, ciphertext: str
) -> None:
    made = ciphers.xaes(key, _NONCE).encrypt(_NONCE[12:], b"XAES-256-GCM", associated_data)
    assert made.hex() == ciphertext
    opened = ciphers.xaes_decrypt(key, _NONCE + bytes.fromhex(ciphertext), associated_data)
    assert opened == b"XAES-256-GCM"


def test_xaes_is_that_of_its_specification_for_random_inputs() -> None:
    # The specification's own accumulated test: a stream of inputs, and one hash of the outputs.
    stream = hashlib.shake_128().digest(10_000 * (32 + 24 + 2 * 256))
    hashed, at = hashlib.shake_128(), 0

    def take(length: int) -> bytes:
        nonlocal at
        at += length
        return stream[at - length : at]

    for _ in range(10_000):
        key, nonce = take(32), take(24)
        plaintext = take(take(1)[0])
        associated_data = take(take(1)[0])
        hashed.update(ciphers.xaes(key, nonce).encrypt(nonce[12:], plaintext, associated_data))
    expected = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
    assert hashed.hexdigest(32) == expected


def test_a_secretbox_is_opened_by_any_holder_of_the_key() -> None:
    key = bytes(range(32))
    assert SecretBox(key).decrypt(ciphers.secretbox_encrypt(key, b"hello", b"")) == b"hello"
    assert ciphers.secretbox_decrypt(key, bytes(SecretBox(key).encrypt(b"hello")), b"") == b"hello"


def test_whoever_has_the_public_key_may_fill_a_box() -> None:
    key = bytes(PrivateKey.generate())
    theirs = SealedBox(PublicKey(ciphers.box_public_key(key))).encrypt(b"hello")
    assert ciphers.box_decrypt(key, bytes(theirs), b"") == b"hello"
    assert ciphers.box_decrypt(key, ciphers.box_encrypt(key, b"hello", b""), b"") == b"hello"


@pytest.mark.parametrize(
    ("encrypt", "decrypt"),
    [
        (ciphers.xaes_encrypt, ciphers.xaes_decrypt),
        (ciphers.secretbox_encrypt, ciphers.secretbox_decrypt),
        (ciphers.box_encrypt, ciphers.box_decrypt),
    ],
)
def test_a_change_anywhere_is_noticed(encrypt: Crypt, decrypt: Crypt) -> None:
    key = bytes(PrivateKey.generate())
    made = encrypt(key, b"hello", b"")
    for index in range(len(made)):
        with pytest.raises(ciphers.NotDecrypted):
            decrypt(key, made[:index], b"")
        changed = bytearray(made)
        changed[index] ^= 1
        with pytest.raises(ciphers.NotDecrypted):
            decrypt(key, bytes(changed), b"")
