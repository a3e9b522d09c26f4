"""The types of secret keys: what a key of each is made of, and what it can do. A table."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ephemera.platform.secrets import ciphers, signatures
from ephemera.platform.secrets.signatures import Sign, Verify

#: An HMAC hashes a key that is longer than its block, at most 128 bytes, so that more of them make
#: it no safer. Keys of other makers may have more; this is against absurd ones.
_HMAC_KEY_BYTES_MAX = 1024

Crypt = Callable[[bytes, bytes, bytes], bytes]


@dataclass(frozen=True, slots=True)
class KeyType:
    """What a key is made of, and what it can do; None for what it cannot."""

    #: How many bytes the private part that is given to us may have.
    lengths: Sequence[int]
    #: Makes the private part of a new key.
    generate: Callable[[], bytes]
    #: Returns the private part as it is kept, or raises ValueError with what is wrong.
    checked: Callable[[bytes], bytes] = bytes
    #: Returns the public part that belongs to a private part.
    public_key: Callable[[bytes], bytes] | None = None
    #: Key, plaintext or ciphertext, associated data. Raises `NotDecrypted`.
    encrypt: Crypt | None = None
    decrypt: Crypt | None = None
    takes_associated_data: bool = False
    sign: Sign | None = None
    verify: Verify | None = None

    def lengths_in_words(self) -> str:
        """Return how many bytes there may be, such as `32 or 64`."""
        if isinstance(self.lengths, range):
            return f"{self.lengths[0]} to {self.lengths[-1]}"
        return " or ".join(map(str, self.lengths))


def _hmac(bits: int) -> KeyType:
    length = bits // 8
    sign, verify = signatures.hmac_by(f"sha{bits}", length)
    lengths = range(length, _HMAC_KEY_BYTES_MAX + 1)  # RFC 7518 refuses shorter ones
    return KeyType(lengths, partial(os.urandom, length), sign=sign, verify=verify)


_32 = (ciphers.KEY_BYTES,)
_random = partial(os.urandom, ciphers.KEY_BYTES)
_auth_sign, _auth_verify = signatures.hmac_by("sha512", 32)

TYPES: dict[str, KeyType] = {
    "es256": KeyType(
        (signatures.P256_BYTES,),
        signatures.es256_key,
        signatures.es256_checked,
        signatures.es256_public_key,
        sign=signatures.es256_sign,
        verify=signatures.es256_verify,
    ),
    "hs256": _hmac(256),
    "hs384": _hmac(384),
    "hs512": _hmac(512),
    "xaes256gcm": KeyType(
        _32,
        _random,
        encrypt=ciphers.xaes_encrypt,
        decrypt=ciphers.xaes_decrypt,
        takes_associated_data=True,
    ),
    "nacl_auth": KeyType(_32, _random, sign=_auth_sign, verify=_auth_verify),
    "nacl_box": KeyType(
        _32,
        _random,
        public_key=ciphers.box_public_key,
        encrypt=ciphers.box_encrypt,
        decrypt=ciphers.box_decrypt,
    ),
    "nacl_secretbox": KeyType(
        _32, _random, encrypt=ciphers.secretbox_encrypt, decrypt=ciphers.secretbox_decrypt
    ),
    "nacl_sign": KeyType(
        (signatures.ED25519_SEED_BYTES, signatures.ED25519_PAIR_BYTES),
        _random,
        signatures.ed25519_checked,
        signatures.ed25519_public_key,
        sign=signatures.ed25519_sign,
        verify=signatures.ed25519_verify,
    ),
}
