"""The key of a platform, and what is locked away with it before it reaches the database.

```
<home>/secrets.key ──HKDF──┬─► sealing: AES-256-GCM, the row's own name as associated data
   32 random bytes         ├─► digests: HMAC-SHA-256, which nobody can guess values against
                           └─► the fingerprint, by which a strange key is told from ours
```

The key is in a file of its own, so that a copy of the database tells nothing. It is made at the
first start of a platform; after that a start without it, or with another, is refused: a new one
would lock away for ever what was sealed with the old one.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ephemera.errors import ConfigError

_KEY_BYTES = 32
#: AES-GCM's own size. Random nonces are safe for 2**32 seals with one key.
_NONCE_BYTES = 12
#: The first byte of what is sealed: by what rule it can be opened.
_FORMAT = b"\x01"


class Vault:
    """Seals values so that only this platform, with its key file, can read them again.

    Args:
        home: The state folder.
        fingerprint: That of the key which was used before; empty at the first start, when a key
            is made if there is none.

    Raises:
        ConfigError: the key file is missing, is another, or holds no key. The text names it.
    """

    def __init__(self, home: Path, fingerprint: str = "") -> None:
        self._file = home / "secrets.key"
        key = self._read()
        if key is None:
            if fingerprint:
                raise self._error("is missing, and secrets were sealed with it")
            key = self._make()
        self._sealing = AESGCM(_derived(key, b"sealing"))
        self._digesting = _derived(key, b"digests")
        #: Names the key without telling it.
        self.fingerprint = _derived(key, b"fingerprint").hex()[:16]
        if fingerprint not in ("", self.fingerprint):
            raise self._error("is not the key that secrets were sealed with")

    def seal(self, plain: bytes, bound_to: str) -> bytes:
        """Return the value, locked.

        Args:
            bound_to: What it belongs to, such as a table, an app id and a name. It must be given
                again to open it, so that a row cannot be put in the place of another.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._sealing.encrypt(nonce, plain, bound_to.encode())

    def open(self, sealed: bytes, bound_to: str) -> bytes:
        """Return the value that was sealed.

        Raises:
            ConfigError: it was sealed with another key, or for something else, or is damaged.
        """
        nonce, locked = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if not sealed.startswith(_FORMAT):
                raise InvalidTag
            return self._sealing.decrypt(nonce, locked, bound_to.encode())
        except (InvalidTag, ValueError):
            raise self._error(f"does not open the sealed value of {bound_to}") from None

    def digest(self, plain: bytes) -> str:
        """Return a short name of a value: 16 hex digits, the same for the same value.

        Without the key it tells nothing about the value, not even whether a guess is right.
        """
        mac = hmac.HMAC(self._digesting, hashes.SHA256())
        mac.update(plain)
        return mac.finalize().hex()[:16]

    def _read(self) -> bytes | None:
        try:
            text = self._file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(f"cannot be read: {error.strerror}") from error
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_BYTES:
            raise self._error("holds no key")
        return key

    def _make(self) -> bytes:
        """Write a new key, on disk before anything is sealed with it."""
        key = os.urandom(_KEY_BYTES)
        fresh = self._file.with_name("secrets.key.new")
        file = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(base64.b64encode(key) + b"\n")
            opened.flush()
            os.fsync(file)
        fresh.replace(self._file)
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return key

    def _error(self, what: str) -> ConfigError:
        return ConfigError(
            f"the key file {self._file} {what}",
            hint="put the right file back, or start with a new EPHEMERA_HOME",
        )


def _derived(key: bytes, purpose: bytes) -> bytes:
    """Return a key of its own for each purpose."""
    info = b"ephemera vault " + purpose
    return HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=info).derive(key)
