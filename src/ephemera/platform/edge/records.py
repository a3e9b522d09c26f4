"""What the platform knows of addresses and certificates; the columns are in `schema.py`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """An address of an app."""

    app_id: str
    ip: str
    type: str
    region: str
    service_name: str
    created_at: float


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """A host name of an app, and the certificate that was uploaded for it."""

    hostname: str
    app_id: str
    #: Empty where there is no certificate any more; so are those that follow.
    fullchain: str
    sealed_key: bytes = field(repr=False)
    #: Who signed it.
    issuer: str
    #: `rsa` or `ecdsa`.
    key_type: str
    #: Seconds since 1970, as are the others.
    expires_at: float
    created_at: float
    updated_at: float
