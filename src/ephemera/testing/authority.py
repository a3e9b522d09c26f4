"""A certificate authority for tests, which nobody trusts.

```python
issued = Authority().issue("shop.example.com")
http.post(f"/v1/apps/{app}/certificates/custom", json={"hostname": "shop.example.com", **issued})
```
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_Period = tuple[timedelta, timedelta]
_ONE_DAY: _Period = (timedelta(days=-1), timedelta(days=1))


class Issued(TypedDict):
    """A certificate with that of the authority below it, and its key, in PEM form."""

    fullchain: str
    private_key: str


class Authority:
    """Issues certificates.

    Attributes:
        name: What it is called in them.
    """

    def __init__(self, name: str = "An authority for tests") -> None:
        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = (
            _builder(name, self._key, _ONE_DAY)
            .issuer_name(_name(name))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def issue(
        self,
        *hostnames: str,
        key: CertificateIssuerPrivateKeyTypes | None = None,
        good: _Period = _ONE_DAY,
    ) -> Issued:
        """Return a certificate for some host names.

        Args:
            key: That of the certificate; a new ECDSA key where none is given.
            good: From when until when, seen from now.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        leaf = (
            _builder(hostnames[0], key, good)
            .issuer_name(_name(self.name))
            .add_extension(_alternatives(hostnames), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Issued(fullchain=_pem(leaf) + _pem(self._certificate), private_key=private.decode())


def _builder(
    subject: str, key: CertificateIssuerPrivateKeyTypes, good: _Period
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + good[0])
        .not_valid_after(now + good[1])
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternatives(hostnames: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in hostnames])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
