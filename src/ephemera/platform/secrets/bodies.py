"""The bodies of requests about secrets and secret keys. None shows its values when printed."""

from __future__ import annotations

from pydantic import Field

from ephemera.wire.golang import Blob
from ephemera.wire.resource import Wire


class SetSecrets(Wire):
    """Secrets to set, and with null to remove."""

    values: dict[str, str | None] = Field(default_factory=dict, repr=False)


class SetSecret(Wire):
    """The value of one secret."""

    value: str = Field(repr=False)


class SetKey(Wire):
    """A key, or the type of one that is to be made."""

    type: str
    value: Blob | None = Field(default=None, repr=False)


class Encrypt(Wire):
    """What is to be encrypted."""

    plaintext: Blob = Field(repr=False)
    associated_data: Blob | None = None


class Decrypt(Wire):
    """What is to be decrypted."""

    ciphertext: Blob
    associated_data: Blob | None = None


class Sign(Wire):
    """What is to be signed."""

    plaintext: Blob = Field(repr=False)


class Verify(Wire):
    """A signature, and what it is said to be of."""

    plaintext: Blob = Field(repr=False)
    signature: Blob
