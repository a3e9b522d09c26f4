"""Secret keys: keys that the API keeps for an app and uses on its behalf.

The keys never leave the API. What is encrypted, signed or checked with them travels as bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from ephemera.client.call import (
    Call,
    app_path,
    encode,
    nothing,
    pairs,
    reader,
    segment,
)
from ephemera.client.given import base64, commas
from ephemera.client.messages import Answer
from ephemera.wire.secrets import (
    Decrypted,
    Encrypted,
    SecretKey,
    SecretKeyChange,
    SecretKeys,
    SecretRemoval,
    Signed,
)


def list_(
    app: str, *, types: str | Sequence[str] | None = None, min_version: int | None = None
) -> Call[list[SecretKey]]:
    """Return the secret keys of an app, without their private parts.

    Args:
        types: Only those of this type, or of one of these.
        min_version: Of what a change has returned: do not answer with anything older.
    """

    def read(answer: Answer) -> list[SecretKey]:
        return SecretKeys.model_validate_json(answer.body).secret_keys

    return Call(
        doing=f"listing the secret keys of app {app!r}",
        method="GET",
        path=app_path(app, "/secretkeys"),
        query=pairs(min_version=min_version, types=commas("a type", types)),
        read=read,
        repeatable=True,
    )


def get(app: str, name: str, *, min_version: int | None = None) -> Call[SecretKey]:
    """Return a secret key, without its private part.

    Args:
        min_version: As for `list`.

    Raises:
        NotFound: there is no such key, or no such app.
    """
    return Call(
        doing=f"getting secret key {name!r} of app {app!r}",
        method="GET",
        path=_path(app, name),
        query=pairs(min_version=min_version),
        read=reader(SecretKey),
        repeatable=True,
    )


def set_(app: str, name: str, *, type: str, value: bytes) -> Call[SecretKeyChange]:  # noqa: A002  # the API's word
    """Keep a key that was made elsewhere. Safe to repeat.

    Args:
        type: `"es256"`, `"hs256"`, `"hs384"`, `"hs512"`, `"xaes256gcm"`, `"nacl_auth"`,
            `"nacl_box"`, `"nacl_secretbox"` or `"nacl_sign"`.
        value: The key itself.

    Raises:
        Invalid: there is no such type, or the value is not a key of it.
    """
    doing = f"setting secret key {name!r} of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=_path(app, name),
        body=encode(doing, {"type": type, "value": base64("a secret key's value", value)}),
        read=reader(SecretKeyChange),
        repeatable=True,
    )


def generate(app: str, name: str, *, type: str) -> Call[SecretKeyChange]:  # noqa: A002  # the API's word
    """Let the API make a key.

    Args:
        type: As for `set`.

    Raises:
        NoAnswer: it may have been made: get it.
    """
    doing = f"generating secret key {name!r} of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=_path(app, name, "/generate"),
        body=encode(doing, {"type": type}),
        read=reader(SecretKeyChange),
    )


def delete(app: str, name: str) -> Call[SecretRemoval]:
    """Remove a key. What was encrypted with it cannot be decrypted any more.

    Raises:
        NotFound: there is no such key; after a lost answer it may have been this very call.
    """
    return Call(
        doing=f"removing secret key {name!r} of app {app!r}",
        method="DELETE",
        path=_path(app, name),
        read=reader(SecretRemoval),
        repeatable=True,
    )


def encrypt(
    app: str,
    name: str,
    plaintext: bytes,
    *,
    associated_data: bytes | None = None,
    min_version: int | None = None,
) -> Call[bytes]:
    """Encrypt something with a key, and return the ciphertext. Safe to repeat.

    Args:
        associated_data: Has to be shown again for decrypting, where the key's type knows it.
        min_version: As for `list`.

    Raises:
        Invalid: keys of this type do not encrypt.
    """

    def read(answer: Answer) -> bytes:
        return Encrypted.model_validate_json(answer.body).ciphertext

    doing = f"encrypting with secret key {name!r} of app {app!r}"
    body = {
        "plaintext": base64("the plaintext", plaintext),
        "associated_data": _associated(associated_data),
    }
    return Call(
        doing=doing,
        method="POST",
        path=_path(app, name, "/encrypt"),
        query=pairs(min_version=min_version),
        body=encode(doing, body),
        read=read,
        repeatable=True,
    )


def decrypt(
    app: str,
    name: str,
    ciphertext: bytes,
    *,
    associated_data: bytes | None = None,
    min_version: int | None = None,
) -> Call[bytes]:
    """Decrypt what `encrypt` has returned, and return it. Safe to repeat.

    Args:
        associated_data: What was shown for encrypting.
        min_version: As for `list`.

    Raises:
        Invalid: it was not encrypted with this key, or was changed since.
    """

    def read(answer: Answer) -> bytes:
        return Decrypted.model_validate_json(answer.body).plaintext

    doing = f"decrypting with secret key {name!r} of app {app!r}"
    body = {
        "ciphertext": base64("the ciphertext", ciphertext),
        "associated_data": _associated(associated_data),
    }
    return Call(
        doing=doing,
        method="POST",
        path=_path(app, name, "/decrypt"),
        query=pairs(min_version=min_version),
        body=encode(doing, body),
        read=read,
        repeatable=True,
    )


def sign(app: str, name: str, plaintext: bytes, *, min_version: int | None = None) -> Call[bytes]:
    """Return the signature of something. Safe to repeat.

    Args:
        min_version: As for `list`.

    Raises:
        Invalid: keys of this type do not sign.
    """

    def read(answer: Answer) -> bytes:
        return Signed.model_validate_json(answer.body).signature

    doing = f"signing with secret key {name!r} of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=_path(app, name, "/sign"),
        query=pairs(min_version=min_version),
        body=encode(doing, {"plaintext": base64("the plaintext", plaintext)}),
        read=read,
        repeatable=True,
    )


def verify(
    app: str, name: str, plaintext: bytes, signature: bytes, *, min_version: int | None = None
) -> Call[None]:
    """Return if a signature is the key's own of this text, and raise if not. Safe to repeat.

    Args:
        min_version: As for `list`.

    Raises:
        Invalid: it is not; or keys of this type do not sign.
    """
    doing = f"verifying with secret key {name!r} of app {app!r}"
    body = {
        "plaintext": base64("the plaintext", plaintext),
        "signature": base64("the signature", signature),
    }
    return Call(
        doing=doing,
        method="POST",
        path=_path(app, name, "/verify"),
        query=pairs(min_version=min_version),
        body=encode(doing, body),
        read=nothing,
        repeatable=True,
    )


def _path(app: str, name: str, tail: str = "") -> str:
    return app_path(app, "/secretkeys/" + segment("a secret key's name", name) + tail)


def _associated(value: bytes | None) -> str | None:
    return None if value is None else base64("the associated data", value)
