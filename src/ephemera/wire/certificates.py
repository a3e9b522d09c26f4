"""TLS certificates of an app's host names as they travel."""

from __future__ import annotations

from pydantic import Field

from ephemera.wire.golang import GoWire


class IssuedCertificate(GoWire):
    """A certificate that an authority issued."""

    #: `rsa` or `ecdsa`.
    type: str = ""
    certificate_authority: str = ""
    expires_at: str = ""


class CertificateEntry(GoWire):
    """One way in which a host name has a certificate."""

    #: `custom` or `fly`.
    source: str = ""
    #: `active`, `pending_ownership` or `pending_validation`.
    status: str = ""
    issuer: str = ""
    issued: list[IssuedCertificate] = Field(default_factory=list)
    created_at: str = ""
    expires_at: str = ""


class CertificateValidation(GoWire):
    """What has been seen of the host name's records and answers."""

    dns_configured: bool = False
    alpn_configured: bool = False
    http_configured: bool = False
    ownership_txt_configured: bool = False


class CertificateProblem(GoWire):
    """Why a certificate could not be issued."""

    code: str = ""
    message: str = ""
    #: What to do about it.
    remediation: str = ""
    timestamp: str = ""


class AcmeChallenge(GoWire):
    """The record that proves to an authority whose name it is."""

    name: str = ""
    target: str = ""


class OwnershipVerification(GoWire):
    """The record that proves to the API whose name it is."""

    name: str = ""
    app_value: str = ""
    org_value: str = ""


class DnsRequirements(GoWire):
    """The records that the host name should have."""

    a: list[str] = Field(default_factory=list)
    aaaa: list[str] = Field(default_factory=list)
    cname: str = ""
    acme_challenge: AcmeChallenge | None = None
    ownership: OwnershipVerification | None = None


class DnsRecords(GoWire):
    """The records that the host name has."""

    a: list[str] = Field(default_factory=list)
    aaaa: list[str] = Field(default_factory=list)
    cname: list[str] = Field(default_factory=list)
    acme_challenge_cname: str = ""
    ownership_txt: str = ""
    resolved_addresses: list[str] = Field(default_factory=list)
    soa: str = ""


class Certificate(GoWire):
    """Everything about the certificates of one host name."""

    hostname: str = ""
    status: str = ""
    #: Whether requests for the host name are served with a certificate.
    configured: bool = False
    acme_requested: bool = False
    certificates: list[CertificateEntry] = Field(default_factory=list)
    dns_provider: str = ""
    dns_requirements: DnsRequirements | None = None
    validation: CertificateValidation | None = None
    validation_errors: list[CertificateProblem] = Field(default_factory=list)
    rate_limited_until: str | None = None


class CheckedCertificate(Certificate):
    """The same, after looking at the host name's records anew."""

    dns_records: DnsRecords | None = None


class RemovedCertificate(Certificate):
    """The same, after a custom certificate was removed."""

    warning: str = ""


class CertificateSummary(GoWire):
    """A host name in the list of an app's certificates."""

    hostname: str = ""
    status: str = ""
    configured: bool = False
    acme_requested: bool = False
    acme_alpn_configured: bool = False
    acme_dns_configured: bool = False
    acme_http_configured: bool = False
    ownership_txt_configured: bool = False
    has_custom_certificate: bool = False
    has_fly_certificate: bool = False
    dns_provider: str = ""
    created_at: str = ""
    updated_at: str = ""


class CertificatesPage(GoWire):
    """Some of an app's host names."""

    certificates: list[CertificateSummary] = Field(default_factory=list)
    #: For the page after this one; empty where there is none.
    next_cursor: str = ""
    total_count: int = 0
