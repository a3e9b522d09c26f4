"""The secret keys of apps: keys that are used here, and never leave.

Whoever may use an app has things encrypted, decrypted, signed and verified with them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from ephemera.platform.clock import Clock
from ephemera.platform.secrets import refusals
from ephemera.platform.secrets.records import KeyRecord
from ephemera.platform.secrets.store import SecretStore
from ephemera.platform.secrets.vault import Vault

if TYPE_CHECKING:
    from ephemera.platform.secrets.keytypes import KeyType

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_NAME_WORDS = "letters, digits and _ . -, the last two not first, 255 at most"


class SecretKeys:
    """The secret keys of all apps."""

    def __init__(self, store: SecretStore, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock

    def all(self, app_id: str, types: Collection[str] = ()) -> list[KeyRecord]:
        """Return the keys of an app, by name; only those of some types where they are named.

        Raises:
            Refusal: there is no such type.
        """
        for kind in types:
            _type(kind)
        return [key for key in self._store.keys(app_id) if not types or key.type in types]

    def one(self, app_id: str, name: str) -> KeyRecord:
        """Return a key.

        Raises:
            Refusal: the app has none of the name.
        """
        key = self._store.key(app_id, name)
        if key is None:
            raise refusals.key_not_found(name)
        return key

    def put(self, app_id: str, name: str, kind: str, value: bytes) -> KeyRecord:
        """Keep a key that was made elsewhere, in the place of an older one of the name.

        Args:
            value: Its private part.

        Raises:
            Refusal: the name, the type or the value is none.
        """
        rule = _type(kind)
        if len(value) not in rule.lengths:
            why = f"it has {len(value)} bytes, not {rule.lengths_in_words()}"
            raise refusals.key_value_invalid(kind, why)
        try:
            private = rule.checked(value)
        except ValueError as error:
            raise refusals.key_value_invalid(kind, str(error)) from None
        return self._keep(app_id, name, kind, private)

    def generate(self, app_id: str, name: str, kind: str) -> KeyRecord:
        """Make a key, in the place of an older one of the name.

        Raises:
            Refusal: the name or the type is none.
        """
        return self._keep(app_id, name, kind, _type(kind).generate())

    def remove(self, app_id: str, name: str) -> int:
        """Forget a key; return the app's version.

        Raises:
            Refusal: the app has none of the name.
        """
        key = self.one(app_id, name)
        version = self._store.version(app_id) + 1
        self._store.drop_key(app_id, key.name, version)
        return version

    def encrypt(self, app_id: str, name: str, plaintext: bytes, associated_data: bytes) -> bytes:
        """Return what the key makes of a plaintext; each time something else.

        Raises:
            Refusal: there is no such key, or it does not encrypt.
        """
        rule, key = self._opened(app_id, name)
        if rule.encrypt is None:
            raise refusals.key_cannot(key.type, "encrypt")
        _check_associated_data(rule, key, associated_data)
        return rule.encrypt(self._private(key), plaintext, associated_data)

    def decrypt(self, app_id: str, name: str, ciphertext: bytes, associated_data: bytes) -> bytes:
        """Return what was encrypted.

        Raises:
            Refusal: there is no such key, it does not decrypt, or not this.
        """
        from ephemera.platform.secrets.ciphers import NotDecrypted

        rule, key = self._opened(app_id, name)
        if rule.decrypt is None:
            raise refusals.key_cannot(key.type, "decrypt")
        _check_associated_data(rule, key, associated_data)
        try:
            return rule.decrypt(self._private(key), ciphertext, associated_data)
        except NotDecrypted:
            raise refusals.not_decrypted(name) from None

    def sign(self, app_id: str, name: str, plaintext: bytes) -> bytes:
        """Return the signature of a plaintext.

        Raises:
            Refusal: there is no such key, or it does not sign.
        """
        rule, key = self._opened(app_id, name)
        if rule.sign is None:
            raise refusals.key_cannot(key.type, "sign")
        return rule.sign(self._private(key), plaintext)

    def verify(self, app_id: str, name: str, plaintext: bytes, signature: bytes) -> None:
        """Let a signature pass that is the key's for the plaintext.

        Raises:
            Refusal: it is not, or there is no such key, or it does not verify.
        """
        rule, key = self._opened(app_id, name)
        if rule.verify is None:
            raise refusals.key_cannot(key.type, "verify")
        if not rule.verify(self._private(key), plaintext, signature):
            raise refusals.not_verified(name)

    def _keep(self, app_id: str, name: str, kind: str, private: bytes) -> KeyRecord:
        if not _NAME.fullmatch(name):
            raise refusals.name_invalid(name, _NAME_WORDS)
        before, now = self._store.key(app_id, name), self._clock()
        created_at = before.created_at if before else now
        version = self._store.version(app_id) + 1
        public_key = _type(kind).public_key
        public = public_key(private) if public_key else b""
        empty = KeyRecord(app_id, name, kind, version, b"", public, created_at, now)
        key = replace(empty, sealed=self._vault.seal(private, empty.bound_to))
        self._store.put_key(key)
        return key

    def _opened(self, app_id: str, name: str) -> tuple[KeyType, KeyRecord]:
        key = self.one(app_id, name)
        return _type(key.type), key

    def _private(self, key: KeyRecord) -> bytes:
        return self._vault.open(key.sealed, key.bound_to)


def _type(kind: str) -> KeyType:
    """Return a type. Imported late, for the libraries they need: few apps have secret keys."""
    from ephemera.platform.secrets.keytypes import TYPES

    rule = TYPES.get(kind)
    if rule is None:
        raise refusals.type_unknown(kind, ", ".join(TYPES))
    return rule


def _check_associated_data(rule: KeyType, key: KeyRecord, associated_data: bytes) -> None:
    if associated_data and not rule.takes_associated_data:
        raise refusals.no_associated_data(key.type)
