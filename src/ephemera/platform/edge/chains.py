"""Certificates that are uploaded: looked at whole, before one is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import (
    Certificate,
    DNSName,
    ExtensionNotFound,
    Name,
    SubjectAlternativeName,
    load_pem_x509_certificates,
)
from cryptography.x509.oid import NameOID

from ephemera.platform import refusals
from ephemera.platform.edge import hostnames
from ephemera.platform.logs import timestamp

#: A leaf and its intermediates are three or four certificates of 2 KB.
CHAIN_CHARS_MAX = 64 * 1024
#: An RSA key of 8,192 bits, the longest in use, has 6.4 KB.
KEY_CHARS_MAX = 8 * 1024

_Key = RSAPrivateKey | EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Chain:
    """A certificate with its intermediates, and the key to it."""

    fullchain: str
    key: bytes = field(repr=False)
    issuer: str
    #: `rsa` or `ecdsa`.
    key_type: str
    #: Seconds since 1970.
    expires_at: float


def read(fullchain: str, private_key: str, hostname: str, now: float) -> Chain:
    """Return what was uploaded for a host name. Takes up to a tenth of a second.

    Raises:
        Refusal: the certificates or the key cannot be read, do not belong together, are not for
            this host name, or are not good now.
    """
    try:
        return _read(_certificates(fullchain), _key(private_key), hostname, now)
    except (ValueError, UnsupportedAlgorithm):  # a part that is only read when it is looked at
        raise refusals.certificate_invalid("fullchain holds what cannot be read") from None


def _read(certificates: Sequence[Certificate], key: _Key, hostname: str, now: float) -> Chain:
    leaf = certificates[0]
    if leaf.public_key() != key.public_key():
        raise refusals.certificate_invalid("private_key is not the key of the first certificate")
    if not hostnames.covers(_names(leaf), hostname):
        raise refusals.certificate_invalid(f"fullchain is not for '{hostname}'")
    for certificate in certificates:
        _check_time(certificate, now)
    _check_order(certificates)
    return Chain(
        fullchain="".join(one.public_bytes(Encoding.PEM).decode() for one in certificates),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        issuer=_common_name(leaf.issuer),
        key_type="rsa" if isinstance(key, RSAPrivateKey) else "ecdsa",
        expires_at=leaf.not_valid_after_utc.timestamp(),
    )


def _certificates(fullchain: str) -> Sequence[Certificate]:
    if len(fullchain) > CHAIN_CHARS_MAX:
        raise refusals.certificate_invalid(f"fullchain is longer than {CHAIN_CHARS_MAX} characters")
    try:
        return load_pem_x509_certificates(fullchain.encode())
    except ValueError:
        raise refusals.certificate_invalid("fullchain is not certificates in PEM form") from None


def _key(private_key: str) -> _Key:
    """Return the key. Nothing of it is in the refusal."""
    if len(private_key) > KEY_CHARS_MAX:
        raise refusals.certificate_invalid(f"private_key is longer than {KEY_CHARS_MAX} characters")
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except TypeError:
        raise refusals.certificate_invalid("private_key is locked with a password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise refusals.certificate_invalid("private_key is not a key in PEM form") from None
    if not isinstance(key, _Key):
        raise refusals.certificate_invalid("private_key is neither an RSA nor an ECDSA key")
    return key


def _names(leaf: Certificate) -> Sequence[str]:
    try:
        names = leaf.extensions.get_extension_for_class(SubjectAlternativeName).value
    except (ExtensionNotFound, ValueError):
        return ()
    return names.get_values_for_type(DNSName)


def _check_time(certificate: Certificate, now: float) -> None:
    begins = certificate.not_valid_before_utc.timestamp()
    ends = certificate.not_valid_after_utc.timestamp()
    whose = _common_name(certificate.subject)
    if now < begins:
        raise refusals.certificate_invalid(f"'{whose}' is not good before {timestamp(begins)}")
    if now >= ends:
        raise refusals.certificate_invalid(f"'{whose}' expired at {timestamp(ends)}")


def _check_order(certificates: Sequence[Certificate]) -> None:
    for signed, signer in pairwise(certificates):
        try:
            signed.verify_directly_issued_by(signer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise refusals.certificate_invalid(
                "fullchain is not in order: each certificate must be signed by the next"
            ) from None


def _common_name(name: Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()
