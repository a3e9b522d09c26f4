"""The ciphers of secret keys. What they make carries its nonce in front.

Source of XAES-256-GCM: https://c2sp.org/XAES-256-GCM. The others are NaCl's, by libsodium.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from nacl.secret import SecretBox

KEY_BYTES = 32
_XAES_NONCE_BYTES = 24


class NotDecrypted(Exception):
    """It was encrypted with another key, or for something else, or is damaged."""


def xaes_encrypt(key: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
    """Return the nonce, the ciphertext and its tag."""
    nonce = os.urandom(_XAES_NONCE_BYTES)
    return nonce + xaes(key, nonce).encrypt(nonce[12:], plaintext, associated_data)


def xaes_decrypt(key: bytes, ciphertext: bytes, associated_data: bytes) -> bytes:
    """Return the plaintext.

    Raises:
        NotDecrypted: as its name says.
    """
    nonce, locked = ciphertext[:_XAES_NONCE_BYTES], ciphertext[_XAES_NONCE_BYTES:]
    if len(nonce) < _XAES_NONCE_BYTES:
        raise NotDecrypted
    try:
        return xaes(key, nonce).decrypt(nonce[12:], locked, associated_data)
    except InvalidTag:
        raise NotDecrypted from None


def xaes(key: bytes, nonce: bytes) -> AESGCM:
    """Return the cipher for one nonce of 24 bytes, the last 12 of which are its own nonce."""
    halves = (_cmac(key, bytes((0, count)) + b"X\0" + nonce[:12]) for count in (1, 2))
    return AESGCM(b"".join(halves))


def secretbox_encrypt(key: bytes, plaintext: bytes, _associated_data: bytes) -> bytes:
    """Return the nonce and the box."""
    return bytes(SecretBox(key).encrypt(plaintext))


def secretbox_decrypt(key: bytes, ciphertext: bytes, _associated_data: bytes) -> bytes:
    """Return the plaintext.

    Raises:
        NotDecrypted: as its name says.
    """
    try:
        return bytes(SecretBox(key).decrypt(ciphertext))
    except (CryptoError, ValueError):
        raise NotDecrypted from None


def box_encrypt(key: bytes, plaintext: bytes, _associated_data: bytes) -> bytes:
    """Return a sealed box, as anybody can make it who has the public key."""
    return bytes(SealedBox(PrivateKey(key).public_key).encrypt(plaintext))


def box_decrypt(key: bytes, ciphertext: bytes, _associated_data: bytes) -> bytes:
    """Return the plaintext.

    Raises:
        NotDecrypted: as its name says.
    """
    try:
        return bytes(SealedBox(PrivateKey(key)).decrypt(ciphertext))
    except (CryptoError, ValueError):
        raise NotDecrypted from None


def box_public_key(key: bytes) -> bytes:
    """Return the point of X25519 that belongs to a private key."""
    return bytes(PrivateKey(key).public_key)


def _cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()
