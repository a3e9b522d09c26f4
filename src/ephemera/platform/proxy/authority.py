"""A certificate authority of this computer's own, for names that no other could vouch for.

It is made at first use, in the state folder, and vouches for `<app>.localhost` only. Nobody trusts
it who was not told to: its certificate is `proxy/ca.pem`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: What it may vouch for.
_LOCAL = "localhost"
_GOOD_FOR = timedelta(days=3650)
#: Browsers take no certificate that is good for more than 398 days.
LEAF_GOOD_FOR = timedelta(days=90)
_SLACK = timedelta(days=1)


class LocalAuthority:
    """Issues certificates for names of this computer.

    Args:
        folder: Where its key and certificate are; made if they are not there.

    Raises:
        OSError: they cannot be read or written.
        ValueError: what is there is not a key and its certificate.
    """

    def __init__(self, folder: Path) -> None:
        #: For whoever is to trust it.
        self.certificate_file = folder / "ca.pem"
        self._key_file = folder / "ca-key.pem"
        folder.mkdir(mode=0o700, exist_ok=True)
        if not (self._key_file.exists() and self.certificate_file.exists()):
            self._make()
        key = load_pem_private_key(self._key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{self._key_file} is not a key of ours")
        self._key = key
        self._certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())

    def issue(self, names: Sequence[str]) -> bytes:
        """Return a fresh key and the certificate for some names, in PEM form."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = (
            _builder(_named(names[0]), key.public_key(), LEAF_GOOD_FOR)
            .issuer_name(self._certificate.subject)
            .add_extension(
                x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return _pem(key) + leaf.public_bytes(Encoding.PEM)

    def _make(self) -> None:
        """Make both, each whole or not at all; without its certificate a key is worth nothing."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _named(f"Ephemera on {os.uname().nodename}"[:64])
        permitted = [x509.DNSName(_LOCAL), x509.IPAddress(IPv4Network("127.0.0.0/8"))]
        certificate = (
            _builder(name, key.public_key(), _GOOD_FOR)
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_signs_certificates(), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(x509.NameConstraints(permitted, None), critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(self._key_file, _pem(key))
        _write(self.certificate_file, certificate.public_bytes(Encoding.PEM))


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, good_for: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + good_for)
    )


def _signs_certificates() -> x509.KeyUsage:
    used = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **used)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, all at once."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
