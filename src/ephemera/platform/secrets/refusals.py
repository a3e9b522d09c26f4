"""Every "no" about secrets and secret keys. No text holds a value.

The statuses are those that the API's documentation has for such things; the texts are ours.
"""

from __future__ import annotations

from ephemera.platform.refusals import Refusal, invalid


def secret_not_found(name: str) -> Refusal:
    """The app has no such secret."""
    return Refusal(404, f"secret {name[:80]!r} not found")


def key_not_found(name: str) -> Refusal:
    """The app has no such secret key."""
    return Refusal(404, f"secret key {name[:80]!r} not found")


def name_invalid(name: str, allowed: str) -> Refusal:
    """A name that a new secret or key cannot have."""
    return invalid(f"secret name {name[:80]!r} is not {allowed}")


def version_not_reached(field: str, wanted: int, current: int) -> Refusal:
    """Somebody insists on a version of the app's secrets that there is not."""
    return Refusal(
        412, f"failed_precondition: {field} is {wanted}, the app's secrets are at {current}"
    )


def value_invalid(name: str, why: str) -> Refusal:
    """A secret cannot have this value."""
    return invalid(f"the value of secret {name[:80]!r} {why}")


def environment_too_long(size: int, most: int) -> Refusal:
    """All secrets of the app together would not fit into an environment."""
    return invalid(f"the secrets of the app would have {size} bytes, more than {most}")


def type_unknown(shown: str, known: str) -> Refusal:
    """There is no such type of keys."""
    return invalid(f"type {shown[:80]!r} is not one of {known}")


def key_value_invalid(kind: str, why: str) -> Refusal:
    """These bytes are no key of the type."""
    return invalid(f"value is no key of type '{kind}': {why}")


def key_cannot(kind: str, verb: str) -> Refusal:
    """Keys of this type do something else."""
    return invalid(f"a key of type '{kind}' cannot {verb}")


def no_associated_data(kind: str) -> Refusal:
    """The cipher of this type authenticates nothing but the ciphertext."""
    return invalid(f"associated_data is not possible with a key of type '{kind}'")


def not_decrypted(name: str) -> Refusal:
    """The ciphertext is not from this key, or not with this associated data, or damaged."""
    return invalid(f"ciphertext cannot be decrypted with secret key {name[:80]!r}")


def not_verified(name: str) -> Refusal:
    """The signature is not that of this key for this plaintext."""
    return invalid(f"signature is not one of secret key {name[:80]!r} for this plaintext")
