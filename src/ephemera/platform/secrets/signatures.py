"""The signatures of secret keys, and the codes that only holders of the key can check.

| Type      | Signature                                | Private part         | Public part |
|-----------|------------------------------------------|----------------------|-------------|
| es256     | ECDSA on P-256 with SHA-256: r, s, as in JWS | the scalar       | uncompressed point |
| hs256 ... | HMAC-SHA-256, -384 or -512               | as long as the code at least | none |
| nacl_auth | the first 32 bytes of HMAC-SHA-512       | 32 bytes             | none        |
| nacl_sign | Ed25519                                  | the seed             | the point   |

Sources: RFC 7518 for the first two, NaCl for the others.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

Sign = Callable[[bytes, bytes], bytes]
Verify = Callable[[bytes, bytes, bytes], bool]

_P256 = ec.SECP256R1()
_ECDSA = ec.ECDSA(SHA256())
#: Of the scalar, and of each half of a signature.
P256_BYTES = 32
ED25519_SEED_BYTES = 32
#: The form in which NaCl keeps a private key: the seed, and the public key after it.
ED25519_PAIR_BYTES = 64


def hmac_by(digest: str, length: int) -> tuple[Sign, Verify]:
    """Return how a message authentication code is made and checked.

    Args:
        digest: The hash function.
        length: How many bytes of the code are used.
    """

    def sign(key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, digest)[:length]

    def verify(key: bytes, message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(sign(key, message), signature)

    return sign, verify


def es256_key() -> bytes:
    """Return a new private key."""
    return ec.generate_private_key(_P256).private_numbers().private_value.to_bytes(P256_BYTES)


def es256_checked(value: bytes) -> bytes:
    """Return a private key.

    Raises:
        ValueError: the number is not one of the curve's scalars.
    """
    try:
        _es256(value)
    except ValueError:
        raise ValueError("it is not a scalar of the curve P-256") from None
    return value


def es256_public_key(key: bytes) -> bytes:
    """Return the point that belongs to a private key."""
    point = _es256(key).public_key()
    return point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def es256_sign(key: bytes, message: bytes) -> bytes:
    """Return r and s."""
    r, s = decode_dss_signature(_es256(key).sign(message, _ECDSA))
    return r.to_bytes(P256_BYTES) + s.to_bytes(P256_BYTES)


def es256_verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is that of the key for the message."""
    if len(signature) != 2 * P256_BYTES:
        return False
    r, s = (int.from_bytes(half) for half in (signature[:P256_BYTES], signature[P256_BYTES:]))
    try:
        _es256(key).public_key().verify(encode_dss_signature(r, s), message, _ECDSA)
    except InvalidSignature:
        return False
    return True


def ed25519_checked(value: bytes) -> bytes:
    """Return the seed of a private key.

    Raises:
        ValueError: a public key follows which is not that of the seed.
    """
    seed, public_key = value[:ED25519_SEED_BYTES], value[ED25519_SEED_BYTES:]
    if public_key and public_key != ed25519_public_key(seed):
        raise ValueError("its second half is not the public key of the first")
    return seed


def ed25519_public_key(key: bytes) -> bytes:
    """Return the point that belongs to a seed."""
    return bytes(SigningKey(key).verify_key)


def ed25519_sign(key: bytes, message: bytes) -> bytes:
    """Return a signature, without the message."""
    return bytes(SigningKey(key).sign(message).signature)


def ed25519_verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is that of the key for the message."""
    try:
        SigningKey(key).verify_key.verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def _es256(key: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(key), _P256)
