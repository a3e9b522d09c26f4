"""App secrets and secret keys as they travel. Values are not shown when these are printed."""

from __future__ import annotations

from pydantic import Field

from ephemera.wire.golang import Blob, GoWire


class AppSecret(GoWire):
    """A secret: a variable of the environment of an app's machines."""

    name: str = ""
    #: Changes with the value, and does not tell it.
    digest: str = ""
    #: Only where the values were asked for.
    value: str | None = Field(default=None, repr=False)
    created_at: str = ""
    updated_at: str = ""


class AppSecrets(GoWire):
    """The answer to listing an app's secrets."""

    secrets: list[AppSecret] = Field(default_factory=list)


class SecretsChange(GoWire):
    """The answer to setting and removing several secrets at once."""

    #: Pass it as `min_secrets_version` to see the change in a machine.
    version: int = 0
    secrets: list[AppSecret] = Field(default_factory=list)


class SecretChange(AppSecret):
    """The answer to setting one secret."""

    version: int = 0


class SecretRemoval(GoWire):
    """The answer to removing a secret or a secret key."""

    version: int = 0


class SecretKey(GoWire):
    """A key that the API keeps and uses for the app; its private part never leaves."""

    name: str = ""
    #: `es256`, `hs256`, `hs384`, `hs512`, `xaes256gcm`, `nacl_auth`, `nacl_box`,
    #: `nacl_secretbox` or `nacl_sign`.
    type: str = ""
    #: Empty for keys that have no public part.
    public_key: Blob = b""
    created_at: str = ""
    updated_at: str = ""


class SecretKeys(GoWire):
    """The answer to listing an app's secret keys."""

    secret_keys: list[SecretKey] = Field(default_factory=list)


class SecretKeyChange(SecretKey):
    """The answer to setting or generating a secret key."""

    version: int = 0


class Encrypted(GoWire):
    """What an encryption made, with everything in it that decrypting needs but the key."""

    ciphertext: Blob = b""


class Decrypted(GoWire):
    """What was encrypted."""

    plaintext: Blob = Field(default=b"", repr=False)


class Signed(GoWire):
    """A signature."""

    signature: Blob = b""
