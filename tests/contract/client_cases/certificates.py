"""Certificates."""

from __future__ import annotations

from ephemera.wire.certificates import (
    Certificate,
    CertificatesPage,
    CertificateSummary,
    CheckedCertificate,
    DnsRecords,
    RemovedCertificate,
)
from tests.contract.client_cases.case import Case, Cases

CERTIFICATE = {
    "hostname": "a.example",
    "configured": True,
    "certificates": [{"source": "custom", "status": "active", "issued": None}],
    "rate_limited_until": None,
    "validation_errors": None,
}
READ = Certificate.model_validate(CERTIFICATE)
PAGE = {"certificates": [{"hostname": "a.example"}], "next_cursor": "", "total_count": 1}

CASES: Cases = {
    "certificates.page": [
        Case(
            lambda c: c.certificates.page("demo", filter="a", cursor="c1", limit=2),
            "GET /v1/apps/demo/certificates?filter=a&cursor=c1&limit=2",
            answer=(200, PAGE),
            result=CertificatesPage(
                certificates=[CertificateSummary(hostname="a.example")], total_count=1
            ),
        )
    ],
    "certificates.list": [
        Case(
            lambda c: c.certificates.list("demo", filter="a"),
            "GET /v1/apps/demo/certificates?filter=a&limit=500",
            answer=(200, PAGE),
            result=[CertificateSummary(hostname="a.example")],
        )
    ],
    "certificates.create_acme": [
        Case(
            lambda c: c.certificates.create_acme("demo", "a.example"),
            "POST /v1/apps/demo/certificates/acme",
            {"hostname": "a.example"},
            (201, CERTIFICATE),
            READ,
        )
    ],
    "certificates.create_custom": [
        Case(
            lambda c: c.certificates.create_custom(
                "demo", "a.example", fullchain="CERT", private_key="KEY"
            ),
            "POST /v1/apps/demo/certificates/custom",
            {"hostname": "a.example", "fullchain": "CERT", "private_key": "KEY"},
            (201, CERTIFICATE),
            READ,
        )
    ],
    "certificates.get": [
        Case(
            lambda c: c.certificates.get("demo", "*.a.example"),
            "GET /v1/apps/demo/certificates/%2A.a.example",
            answer=(200, CERTIFICATE),
            result=READ,
        )
    ],
    "certificates.check": [
        Case(
            lambda c: c.certificates.check("demo", "a.example"),
            "POST /v1/apps/demo/certificates/a.example/check",
            answer=(200, {**CERTIFICATE, "dns_records": {"a": ["192.0.2.1"]}}),
            result=CheckedCertificate.model_validate(
                {**CERTIFICATE, "dns_records": DnsRecords(a=["192.0.2.1"])}
            ),
        )
    ],
    "certificates.delete": [
        Case(
            lambda c: c.certificates.delete("demo", "a.example"),
            "DELETE /v1/apps/demo/certificates/a.example",
            answer=(204, None),
        )
    ],
    "certificates.delete_acme": [
        Case(
            lambda c: c.certificates.delete_acme("demo", "a.example"),
            "DELETE /v1/apps/demo/certificates/a.example/acme",
            answer=(200, CERTIFICATE),
            result=READ,
        )
    ],
    "certificates.delete_custom": [
        Case(
            lambda c: c.certificates.delete_custom("demo", "a.example"),
            "DELETE /v1/apps/demo/certificates/a.example/custom",
            answer=(200, {**CERTIFICATE, "warning": "no certificate is left"}),
            result=RemovedCertificate.model_validate(
                {**CERTIFICATE, "warning": "no certificate is left"}
            ),
        )
    ],
}
