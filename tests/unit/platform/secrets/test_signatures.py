"""The signatures are those that others make and check."""

from __future__ import annotations

import hashlib
import hmac

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode
from nacl.signing import SigningKey, VerifyKey

from ephemera.platform.secrets import signatures
from ephemera.platform.secrets.keytypes import TYPES


def test_an_es256_signature_is_one_of_jws() -> None:
    key = signatures.es256_key()
    point = signatures.es256_public_key(key)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    signature = signatures.es256_sign(key, b"hello")
    assert ECAlgorithm(ECAlgorithm.SHA256).verify(b"hello", public, signature)


@pytest.mark.parametrize("bits", [256, 384, 512])
def test_an_hmac_signature_is_one_of_jws(bits: int) -> None:
    rule = TYPES[f"hs{bits}"]
    key = rule.generate()
    token = jwt.encode({"sub": "me"}, key, f"HS{bits}")
    signed, _, code = token.rpartition(".")
    assert rule.sign
    assert base64url_encode(rule.sign(key, signed.encode())).decode() == code


def test_nacl_auth_is_the_first_half_of_hmac_sha_512() -> None:
    rule, key = TYPES["nacl_auth"], bytes(range(32))
    whole = hmac.new(key, b"hello", hashlib.sha512).digest()
    assert rule.sign
    assert rule.sign(key, b"hello") == whole[:32]


def test_the_first_vector_of_rfc_8032_is_signed() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    signature = (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
        "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert signatures.ed25519_public_key(seed).hex() == public
    assert signatures.ed25519_sign(seed, b"").hex() == signature


def test_a_nacl_signature_is_verified_with_the_public_key() -> None:
    key = TYPES["nacl_sign"].generate()
    public = VerifyKey(signatures.ed25519_public_key(key))
    public.verify(b"hello", signatures.ed25519_sign(key, b"hello"))


def test_a_nacl_key_may_have_its_public_key_after_it_if_it_is_its_own() -> None:
    seed = bytes(range(32))
    public = bytes(SigningKey(seed).verify_key)
    assert signatures.ed25519_checked(seed + public) == seed
    assert signatures.ed25519_checked(seed) == seed
    with pytest.raises(ValueError, match="second half"):
        signatures.ed25519_checked(seed + bytes(32))


@pytest.mark.parametrize("scalar", [0, 2**256 - 1])
def test_a_number_that_is_no_scalar_is_no_es256_key(scalar: int) -> None:
    with pytest.raises(ValueError, match="P-256"):
        signatures.es256_checked(scalar.to_bytes(32))


@pytest.mark.parametrize("kind", [name for name, rule in TYPES.items() if rule.sign])
def test_only_the_whole_signature_of_the_message_is_accepted(kind: str) -> None:
    rule = TYPES[kind]
    assert rule.sign
    assert rule.verify
    key = rule.checked(rule.generate())
    signature = rule.sign(key, b"hello")
    assert rule.verify(key, b"hello", signature)
    assert not rule.verify(key, b"hallo", signature)
    assert not rule.verify(rule.generate(), b"hello", signature)
    for index in range(len(signature)):
        assert not rule.verify(key, b"hello", signature[:index])
        changed = bytearray(signature)
        changed[index] ^= 1
        assert not rule.verify(key, b"hello", bytes(changed))


@pytest.mark.parametrize("kind", TYPES)
def test_a_generated_key_is_one_that_could_have_been_brought_along(kind: str) -> None:
    rule = TYPES[kind]
    key = rule.generate()
    assert len(key) in rule.lengths
    assert rule.checked(key) == key
    assert key != rule.generate()
